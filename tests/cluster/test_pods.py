"""The pod template is real: what the operator wrote to the API server is run, and packets go through it.

Peers at loopback addresses come from a StaticService, which may name them. The API server takes no such address for an
endpoint, so the peer that comes and goes stands at an address of this machine's own.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.cluster.kubelet import NODE, POD_IP, running_pod
from tests.cluster.operating import operating
from tests.cluster.stage import INSTALLATION, appeared, install, named, prepare
from tests.dataplane.stage import echoing, free_port
from tests.realparts.building import missing
from tests.realparts.manifests import Ref
from tests.realparts.waiting import wait_for
from tests.support.turn_clients import Credentials, Way, flowing
from tests.support.turn_questions import REFUSED, STRANGER, WELCOME, ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.support.turn_questions import Asked
    from tests.support.turn_servers import DataPlane

ALICE = Credentials("alice", "wonderland")
STAYS = "127.0.0.2"
SERVICE = "stunner-config-discovery.stunner-gateway-operator-system"

LAB = """
---
apiVersion: stunner.l7mp.io/v1
kind: StaticService
metadata: {name: lab}
spec: {prefixes: ["127.0.0.2/32"]}
---
apiVersion: stunner.l7mp.io/v1
kind: UDPRoute
metadata: {name: lab}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{group: stunner.l7mp.io, kind: StaticService, name: lab}]}]
"""


@pytest.fixture
def own_address() -> str:
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            missing("this machine has no address but loopback, and the API server takes no loopback endpoints")
        return str(probe.getsockname()[0])


async def test_packets_go_through_the_pods_that_it_wrote(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, data_plane: DataPlane, own_address: str
) -> None:
    port = free_port()
    way, log = Way((POD_IP, port)), tmp_path / "pod.log"
    await prepare(api)
    await install(api, namespace, text=INSTALLATION.replace("port: 3478", f"port: {port}") + LAB)

    async def endpoints(*addresses: str) -> None:
        about = Ref("discovery.k8s.io/v1", "EndpointSlice", "sfu-1", namespace)
        await api.patch(about, {"endpoints": [{"addresses": [address]} for address in addresses]})

    async with (
        operating(cluster, tmp_path, f"--config-discovery-service={SERVICE}") as operator,
        echoing(STAYS, own_address) as peer,
    ):
        deployment = await appeared(api, named("Deployment", namespace, "edge"))
        services = {f"{SERVICE}.svc:13478": f"127.0.0.1:{operator.ports['config-discovery-address']}"}
        async with running_pod(deployment, data_plane, services=services, log=log) as container:
            assert container.environ["STUNNER_NODENAME"] == NODE
            assert container.template["spec"]["automountServiceAccountToken"] is False
            assert await ask(way, (own_address, peer), who=ALICE) == STRANGER
            assert await ask(way, (STAYS, peer), who=Credentials("alice", "rabbit")) == REFUSED
            async with flowing(way, (STAYS, peer), who=ALICE) as flow:
                assert await flow.until_more()
                await endpoints("10.244.1.10", own_address)
                await until(way, (own_address, peer), WELCOME)
                async with flowing(way, (own_address, peer), who=ALICE) as going:
                    assert await going.until_more()
                    await endpoints("10.244.1.10")
                    assert await going.until_silent()
                await until(way, (own_address, peer), STRANGER)
                assert await flow.until_more()
                assert await flow.lost() == 0
        assert await operator.stop() == 0


async def until(way: Way, peer: tuple[str, int], wanted: Asked) -> None:
    async def so() -> bool:
        assert await ask(way, peer, who=ALICE) == wanted
        return True

    await wait_for(so)
