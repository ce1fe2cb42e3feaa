"""What the API server refuses stands in a Gateway's status; a secret that changed is applied though no hash says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from tests.cluster.operating import operating, settled, writes
from tests.cluster.stage import INSTALLATION, conditions, install, named, prepare
from tests.realparts.audit import described
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.operating import OperatorProcess
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster


def with_node_port(port: int) -> str:
    """Return the installation with a node port asked for."""
    annotations = f"annotations: {{stunner.l7mp.io/nodeport: 'udp: {port}'}}".replace("udp:", '"udp":')
    return INSTALLATION.replace("metadata: {name: edge}", f"metadata: {{name: edge, {annotations}}}")


def with_variables(token: str) -> str:
    """Return the installation with two variables of the data plane, one of them empty."""
    env = f"env: [{{name: TOKEN, value: {token}}}, {{name: EMPTY, value: ''}}]"
    return INSTALLATION.replace('spec: {image: "example.org/stunnerd:1.2.0"}', f"spec: {{{env}}}")


async def decided(operator: OperatorProcess) -> bool:
    """Say whether the only Gateway's status is decided, and nothing waits but to be tried again: one refused object."""
    (gateway,) = orjson.loads((await operator.get("inspection", "/status"))[1])["gateways"]
    waiting = await operator.metric("stunnergw_writes_waiting")
    return "conditions" in gateway and waiting[""] == 1


async def test_a_refused_service_is_told_and_heals(cluster: Cluster, api: Api, namespace: str, tmp_path: Path) -> None:
    """As recording 41 has it: a node port outside the cluster's range."""
    await prepare(api)
    await install(api, namespace, text=with_node_port(1234))
    gateway = named("Gateway", namespace, "edge")
    async with operating(cluster, tmp_path) as operator:
        await wait_for(lambda: decided(operator))
        refused = conditions(await api.get(gateway))
        assert refused["Accepted"].startswith("True")
        assert refused["Programmed"].startswith(
            f'False AddressNotAssigned: Service {namespace}/edge could not be written as wanted: Service "edge" is '
            "invalid: spec.ports[0].nodePort: Invalid value: 1234: provided port is not in the valid range"
        )
        assert await operator.stop() == 0
    mark = cluster.audit_log.mark()
    async with operating(cluster, tmp_path) as operator:
        await wait_for(lambda: decided(operator))
        assert {described(event) for event in writes(cluster, mark)} == {f"patch services {namespace}/edge: 422"}
        await install(api, namespace, text=with_node_port(30478))

        async def healed() -> bool:
            return "has no load-balancer address" in conditions(await api.get(gateway))["Programmed"]

        await wait_for(healed)
        assert await operator.stop() == 0


async def test_a_changed_variable_is_applied_and_a_restart_applies_none(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    await prepare(api)
    await install(api, namespace, text=with_variables("one"))
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        before = await workload(api, namespace)
        await install(api, namespace, text=with_variables("two"))

        async def changed() -> bool:
            return variable(await workload(api, namespace)) == "two"

        await wait_for(changed)
        assert mark_of(await workload(api, namespace)) == mark_of(before)
        await settled(cluster, operator)
        assert await operator.stop() == 0
    mark = cluster.audit_log.mark()
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        assert [described(event) for event in writes(cluster, mark)] == []
        assert await operator.stop() == 0


async def workload(api: Api, namespace: str) -> dict[str, Any]:
    return dict(await api.get(named("Deployment", namespace, "edge")))


def variable(workload: dict[str, Any]) -> str:
    env = workload["spec"]["template"]["spec"]["containers"][0]["env"]
    return str(next(each["value"] for each in env if each["name"] == "TOKEN"))


def mark_of(workload: dict[str, Any]) -> str:
    return str(workload["metadata"]["annotations"]["stunner.l7mp.io/applied"])
