"""STUNner's own kinds on a real API server: statuses in columns and descriptions, Events, and CRDs without a status."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.resources.crds import custom_resource_definitions
from tests.cluster.operating import operating, settled, writes
from tests.cluster.stage import conditions, install, named, prepare
from tests.realparts.audit import described
from tests.realparts.crds import install_crds, remove_crds, use_gateway_api
from tests.realparts.manifests import Ref
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.kubectl import Kubectl

OURS = "stunner.l7mp.io/v1"
DATAPLANE = Ref(OURS, "Dataplane", "default")
TURN = Ref("gateway.networking.k8s.io/v1", "GatewayClass", "turn")

MORE = """
apiVersion: stunner.l7mp.io/v1
kind: GatewayConfig
metadata: {name: spare}
spec: {authType: ephemeral}
---
apiVersion: stunner.l7mp.io/v1
kind: StaticService
metadata: {name: lab}
spec: {prefixes: [192.0.2.0/24, 198.51.100.300]}
"""


def config(namespace: str, name: str = "turn") -> Ref:
    return Ref(OURS, "GatewayConfig", name, namespace)


async def until(api: Api, about: Ref, words: str) -> str:
    """Wait until an object is accepted, or not, in such words; returns all that it says."""

    async def so() -> bool:
        return conditions(await api.get(about)).get("Accepted", "").startswith(words)

    await wait_for(so, what=f"{about.kind} {about.name}: {words}")
    return conditions(await api.get(about))["Accepted"]


async def events(api: Api, about: Ref, *, namespace: str) -> list[dict[str, Any]]:
    """Return the Events about an object, the first one first."""
    found = [event for event in await api.all_of("v1", "Event") if event["metadata"]["namespace"] == namespace]
    uid = (await api.get(about))["metadata"]["uid"]
    ours = [event for event in found if event["involvedObject"].get("uid") == uid]
    return sorted(ours, key=lambda event: int(event["metadata"]["resourceVersion"]))


async def test_a_person_sees_who_uses_what_and_what_is_wrong(
    cluster: Cluster, api: Api, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    await prepare(api)
    await install(api, namespace)
    await install(api, namespace, text=MORE)
    async with operating(cluster, tmp_path) as operator:
        assert await until(api, config(namespace), "True Accepted") == "True Accepted: used by GatewayClass turn"
        assert "spec.sharedSecret" in await until(api, config(namespace, "spare"), "False InvalidParameters")
        assert "198.51.100.300" in await until(api, Ref(OURS, "StaticService", "lab", namespace), "False")
        await until(api, DATAPLANE, "True Accepted: used by GatewayClass turn")
        await settled(cluster, operator)
        await columns(kubectl, namespace)

        await api.patch(config(namespace), {"spec": {"password": None}})
        said = await until(api, config(namespace), "False InvalidParameters")
        assert said.endswith("not accepted for that: GatewayClass turn")
        await until(api, TURN, "False InvalidParameters")
        await settled(cluster, operator)
        shown = await kubectl("describe", "gatewayclass", "turn")
        assert "Gateways that it served go on with what they have: no longer Accepted: spec.password" in shown.out
        shown = await kubectl("describe", "gatewayconfig", "turn", "-n", namespace)
        assert "Warning" in shown.out.partition("Events:")[2]
        assert "InvalidParameters" in shown.out.partition("Events:")[2]
        assert await operator.stop() == 0
    mark = cluster.audit_log.mark()
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        assert [described(event) for event in writes(cluster, mark)] == []
        assert await operator.stop() == 0


async def columns(kubectl: Kubectl, namespace: str) -> None:
    of_configs = await kubectl("get", "gwconf", "-n", namespace, "--no-headers")
    assert [line.split()[:5] for line in of_configs.out.splitlines()] == [
        ["spare", "stunner.l7mp.io", "default", "[]", "False"],
        ["turn", "stunner.l7mp.io", "default", '["turn"]', "True"],
    ]
    of_dataplanes = await kubectl("get", "dps", "default", "--no-headers")
    assert of_dataplanes.out.split()[3:5] == ['["turn"]', "True"]
    of_static = await kubectl("get", "ssvc", "-n", namespace, "--no-headers")
    assert "False" in of_static.out


async def test_events_go_with_what_turns(cluster: Cluster, api: Api, namespace: str, tmp_path: Path) -> None:
    await prepare(api)
    await install(api, namespace)
    edge = Ref("gateway.networking.k8s.io/v1", "Gateway", "edge", namespace)

    async def told(number: int) -> dict[str, Any]:
        async def there() -> bool:
            return len(await events(api, edge, namespace=namespace)) >= number

        await wait_for(there, what=f"Event {number}")
        found = await events(api, edge, namespace=namespace)
        assert len(found) == number
        return found[-1]

    async with operating(cluster, tmp_path) as operator:
        event = await told(1)
        assert (event["type"], event["reason"]) == ("Warning", "AddressNotAssigned")
        service = await api.get(named("Service", namespace, "edge"))
        await api.patch_status(service, {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}})
        event = await told(2)
        assert (event["type"], event["reason"]) == ("Normal", "Programmed")
        assert event["reportingComponent"] == "stunner.l7mp.io/gateway-operator"
        await settled(cluster, operator)
        assert await operator.stop() == 0
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        await told(2)
        await api.patch_status(service, {"loadBalancer": {"ingress": []}})
        event = await told(3)
        assert event["message"].startswith("no longer Programmed: ")
        assert await operator.stop() == 0


@pytest.fixture
async def crds_without_status(api: Api) -> AsyncIterator[None]:
    """Own kinds as the operator that came before defines them: without the subresource."""
    await use_gateway_api(api, "v1.6.3", "standard")
    ours = custom_resource_definitions()
    without = copy.deepcopy([crd for crd in ours if crd["spec"]["names"]["kind"] != "UDPRoute"])
    for crd in without:
        for version in crd["spec"]["versions"]:
            del version["subresources"]
    # What a test before this one wrote into them is to go.
    await remove_crds(api, without)
    await install_crds(api, [*without, *(crd for crd in ours if crd["spec"]["names"]["kind"] == "UDPRoute")])
    yield
    await install_crds(api, ours)


@pytest.mark.usefixtures("crds_without_status")
async def test_crds_that_have_no_status_do_as_well_and_nothing_is_said_of_it(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    await install(api, namespace)
    await install(api, namespace, text=MORE)
    mark = cluster.audit_log.mark()
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        assert await operator.document(namespace, "edge") is not None
        told = [described(event) for event in writes(cluster, mark)]
        assert [line for line in told if not line.endswith((": 200", ": 201"))] == []
        assert [line for line in told if "configs" in line or "dataplanes" in line or "static" in line] == []
        assert not [line for line in operator.said().splitlines() if '"level": "warning"' in line]
        assert await operator.stop() == 0
    assert "status" not in await api.get(config(namespace))
