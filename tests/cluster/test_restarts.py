"""A restart is invisible: nothing is written; whoever asks all through it gets the same document or is told to wait.

Among the objects is a Service that the API server refuses: it is asked for again, refused again, and nothing else comes
of it.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.cluster.askers import NOT_YET, Asker
from tests.cluster.operating import MANAGED, operating, settled, writes
from tests.cluster.stage import INSTALLATION, conditions, install, prepare
from tests.realparts.audit import described
from tests.realparts.processes import free_ports
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object

MORE = """
---
apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {type: static, username: alice, password: wonderland}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: refused
  annotations: {stunner.l7mp.io/nodeport: '{"udp": 1234}'}
spec:
  gatewayClassName: turn
  listeners: [{name: udp, protocol: TURN-UDP, port: 3478}]
"""
"""A Gateway whose Service asks for a node port that no cluster gives out, and credentials in a Secret."""

LIVE = INSTALLATION.replace("{userName: alice, password: wonderland}", "{authRef: {name: credentials}}") + MORE


async def written_objects(api: Api, namespace: str) -> dict[str, Object]:
    """Return all that the operator may write, by kind and name."""
    kinds = (
        ("v1", "Service"),
        ("v1", "ConfigMap"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "DaemonSet"),
        ("gateway.networking.k8s.io/v1", "Gateway"),
        ("gateway.networking.k8s.io/v1", "GatewayClass"),
        ("stunner.l7mp.io/v1", "UDPRoute"),
    )
    found = [thing for version, kind in kinds for thing in await api.all_of(version, kind, namespace=namespace)]
    return {f"{thing['kind']}/{thing['metadata']['name']}": thing for thing in found}


def template(things: dict[str, Object]) -> bytes:
    """Return the pod template of the data plane, byte for byte."""
    return orjson.dumps(things["Deployment/edge"]["spec"]["template"])


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_is_invisible(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, ended_by: signal.Signals
) -> None:
    await prepare(api)
    await install(api, namespace, text=LIVE)
    (port,) = free_ports(1)
    flags = (*MANAGED, f"--config-discovery-address=127.0.0.1:{port}")
    async with operating(cluster, tmp_path, *flags) as operator, Asker(port, namespace, "edge").asking() as asker:
        await settled(cluster, operator, refused=1)
        asker.begin()
        await asker.answered()
        before, documents = await written_objects(api, namespace), asker.documents()
        assert all(len(bodies) == 1 for bodies in documents.values())
        assert "Service/refused" not in before
        assert "provided port is not in the valid range" in conditions(before["Gateway/refused"])["Programmed"]
        asker.begin()
        await operator.stop(ended_by)
        mark = cluster.audit_log.mark()
        async with operating(cluster, tmp_path, *flags) as again:
            await refused_again(cluster, mark)
            await settled(cluster, again, refused=1)
            await asker.watched_again()
            assert [described(event) for event in writes(cluster, mark, succeeded=True)] == []
            assert {described(event) for event in writes(cluster, mark)} == {f"patch services {namespace}/refused: 422"}
            after = await written_objects(api, namespace)
            assert after == before  # to the resourceVersion
            assert template(after) == template(before)
            assert asker.statuses() <= {200, NOT_YET}
            assert asker.documents() == documents
            assert await again.stop() == 0


async def refused_again(cluster: Cluster, mark: int) -> None:
    """Return once the Service that is refused was asked for."""

    async def asked() -> bool:
        return bool(writes(cluster, mark, succeeded=False))

    await wait_for(asked, deadline=60, what="the refused Service to be asked for again")
