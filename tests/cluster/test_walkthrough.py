"""The main use, on a real API server: what is applied becomes a document, a Service, a data plane and statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster.operating import operating, settled, writes
from tests.cluster.stage import conditions, install, named, prepare
from tests.realparts.audit import described
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster


async def test_managed_mode(cluster: Cluster, api: Api, namespace: str, tmp_path: Path) -> None:
    await prepare(api)
    await install(api, namespace)
    gateway = named("Gateway", namespace, "edge")
    mark = cluster.audit_log.mark()
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        document = await operator.document(namespace, "edge")
        assert document is not None
        assert "10.244.1.10" in document["clusters"][0]["endpoints"]
        service = await api.get(named("Service", namespace, "edge"))
        assert service["spec"]["type"] == "LoadBalancer"
        said = conditions(await api.get(gateway))
        assert said["Accepted"].startswith("True")
        assert "has no load-balancer address" in said["Programmed"]
        # The Event says that there is no address yet.
        assert sorted(described(event) for event in writes(cluster, mark)) == [
            f"create events {namespace}: 201",
            "patch dataplanes/status default: 200",
            f"patch deployments {namespace}/edge: 201",
            "patch gatewayclasses/status turn: 200",
            f"patch gatewayconfigs/status {namespace}/turn: 200",
            f"patch gateways/status {namespace}/edge: 200",
            f"patch services {namespace}/edge: 201",
            f"patch udproutes/status {namespace}/sfu: 200",
        ]
        await api.patch_status(service, {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}})

        async def programmed() -> bool:
            return conditions(await api.get(gateway))["Programmed"].startswith("True")

        await wait_for(programmed)
        assert await operator.stop() == 0


async def test_a_restart_writes_nothing(cluster: Cluster, api: Api, namespace: str, tmp_path: Path) -> None:
    await prepare(api)
    await install(api, namespace)
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        before = await operator.document(namespace, "edge")
        assert await operator.stop() == 0
    mark = cluster.audit_log.mark()
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        assert await operator.document(namespace, "edge") == before
        assert [described(event) for event in writes(cluster, mark)] == []
        assert await operator.stop() == 0
