"""What changed while no operator ran: a Gateway that was deleted takes along what it owned, and nothing else goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.operating import operating, settled, writes
from tests.cluster.stage import INSTALLATION, conditions, install, named, prepare
from tests.realparts.audit import described, status
from tests.realparts.manifests import Ref
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

SECOND = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: second}
spec:
  gatewayClassName: turn
  listeners: [{name: udp, protocol: TURN-UDP, port: 3479}]
"""

COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
COLLECTED = 45.0
"""Seconds in which the garbage collector has learned of kinds that are new to it, and collected."""


@pytest.fixture
async def prepared(api: Api) -> None:
    """So that there are the kinds before there is the garbage collector, which learns of new ones in its own time."""
    await prepare(api)


async def test_a_gateway_deleted_while_the_operator_was_down(
    cluster: Cluster, prepared: None, controller_manager: None, api: Api, namespace: str, tmp_path: Path
) -> None:
    await install(api, namespace, text=INSTALLATION + SECOND)
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        kept = [await api.get(named(kind, namespace, "second")) for kind in ("Service", "Deployment")]
        gone = [await api.get(named(kind, namespace, "edge")) for kind in ("Service", "Deployment")]
        assert await operator.stop() == 0
    mark = cluster.audit_log.mark()
    await api.delete(named("Gateway", namespace, "edge"))
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        assert (await operator.get("discovery", f"/api/v1/configs/{namespace}/edge"))[0] == 404
        assert await operator.document(namespace, "second") is not None
        # The route's entry for the Gateway that is gone; ours is not to delete anything.
        assert [described(event) for event in writes(cluster, mark)] == [f"patch udproutes/status {namespace}/sfu: 200"]
        assert (await api.get(Ref("stunner.l7mp.io/v1", "UDPRoute", "sfu", namespace)))["status"]["parents"] == []

        async def collected() -> bool:
            return not [thing for thing in gone if await api.find(thing)]

        await wait_for(collected, deadline=COLLECTED, what="the Gateway's objects collected")
        deleted = {
            (about["resource"], about["name"]): event["user"]["username"]
            for event in cluster.audit_log.writes(mark)
            if event["verb"] == "delete" and status(event) < 300
            if (about := event["objectRef"]).get("namespace") == namespace
            if about["resource"] in ("services", "deployments", "configmaps", "gateways")
        }
        assert deleted == {
            ("gateways", "edge"): "tests",
            ("services", "edge"): COLLECTOR,
            ("deployments", "edge"): COLLECTOR,
        }
        for thing in kept:
            assert (await api.get(thing))["metadata"]["uid"] == thing["metadata"]["uid"]
        assert conditions(await api.get(named("Gateway", namespace, "second")))["Accepted"].startswith("True")
        assert await operator.stop() == 0
