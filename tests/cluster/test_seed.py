"""The walk-through of the first release, step by step, on the API server of its time: Gateway API v0.4.3, legacy mode.

Its manifests are those of the examples. Its document has to be in its ConfigMap to the letter, and v1alpha2 statuses
must be such as that server takes: nothing is refused, and nothing written twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.examples import example
from stunnergw.resources.crds import custom_resource_definitions
from tests.cluster.operating import operating, settled, writes
from tests.cluster.stage import appeared, conditions
from tests.realparts.audit import described
from tests.realparts.crds import install_crds, use_gateway_api
from tests.realparts.manifests import Ref
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.kubectl import Kubectl

NAMESPACE = "stunner"
GROUP = "gateway.networking.k8s.io/v1alpha2"
CLASS = Ref(GROUP, "GatewayClass", "stunner-gatewayclass")
CONFIG = Ref("stunner.l7mp.io/v1alpha1", "GatewayConfig", "stunner-gatewayconfig", NAMESPACE)
ROUTE = Ref(GROUP, "UDPRoute", "udp-echo", NAMESPACE)
CONFIG_MAP = Ref("v1", "ConfigMap", "stunnerd-configmap", NAMESPACE)
LEGACY = ("--dataplane-mode=legacy",)

DOCUMENT = (
    '{"version":"v1alpha1","admin":{"name":"stunner-daemon","loglevel":"all:INFO"},"auth":{"type":"plaintext","realm":'
    '"stunner.l7mp.io","credentials":{"password":"pass-1","username":"user-1"}},"listeners":[{"name":"udp-listener",'
    '"protocol":"UDP","public_address":"34.116.220.190","public_port":3478,"address":"$STUNNER_ADDR","port":3478,'
    '"min_relay_port":32768,"max_relay_port":65535,"routes":["udp-echo"]}],"clusters":[{"name":"udp-echo","type":'
    '"STRICT_DNS","endpoints":["udp-echo.stunner.svc.cluster.local"]}]}'
)
"""As the walk-through prints it."""

ECHO = """
apiVersion: v1
kind: Namespace
metadata: {name: stunner}
---
apiVersion: v1
kind: Service
metadata: {name: udp-echo, namespace: stunner}
spec: {selector: {app: udp-echo}, ports: [{protocol: UDP, port: 9001}]}
"""


def gateway(name: str) -> Ref:
    return Ref(GROUP, "Gateway", name, NAMESPACE)


def service(name: str) -> Ref:
    return Ref("v1", "Service", f"stunner-gateway-{name}-svc", NAMESPACE)


class Walker:
    """Does what the walk-through says, one step after the other, and looks at what comes of it."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def apply(self, manifests: str) -> None:
        """Apply what a person does; what a cluster makes of it is the last file of an example."""
        folder = example(f"walkthrough/{manifests}")
        await self.api.apply(folder / name for name in ("1-class.yaml", "2-gateways.yaml", "3-route.yaml"))

    async def address(self, gateway: str, ip: str) -> None:
        """Give the Service of a Gateway an address, as a cloud would."""
        found = await appeared(self.api, service(gateway))
        await self.api.patch_status(found, {"loadBalancer": {"ingress": [{"ip": ip}]}})

    async def document(self) -> str:
        """Return the text in the ConfigMap; empty where there is none."""
        found = await self.api.find(CONFIG_MAP)
        if found is None:
            return ""
        assert list(found["data"]) == ["stunnerd.conf"]
        return str(found["data"]["stunnerd.conf"])

    async def said(self, about: Ref) -> dict[str, str]:
        return conditions(await self.api.get(about))

    async def until_said(self, about: Ref, condition: str, words: str) -> None:
        async def so() -> bool:
            return (await self.said(about)).get(condition, "").startswith(words)

        await wait_for(so, what=f"{about.kind} {about.name}: {condition}={words}")


async def prepare(api: Api) -> None:
    await use_gateway_api(api, "v0.4.3", "v1alpha2")
    await install_crds(api, custom_resource_definitions())
    await api.apply(ECHO)


def refused(cluster: Cluster, mark: int) -> list[str]:
    return [described(event) for event in writes(cluster, mark, succeeded=False)]


def statuses(cluster: Cluster, mark: int) -> dict[str, int]:
    """Count how often each status was written since a mark."""
    told = [described(event) for event in writes(cluster, mark) if event["objectRef"].get("subresource") == "status"]
    return {line: told.count(line) for line in told}


async def test_one_udp_gateway_and_then_a_tcp_gateway(
    cluster: Cluster, api: Api, kubectl: Kubectl, tmp_path: Path
) -> None:
    await prepare(api)
    walker, mark = Walker(api), cluster.audit_log.mark()
    async with operating(cluster, tmp_path, *LEGACY) as operator:
        await walker.apply("one-udp-gateway")
        await walker.address("udp-gateway", "34.116.220.190")

        async def to_the_letter() -> bool:
            return await walker.document() == DOCUMENT

        await wait_for(to_the_letter)
        await walker.until_said(gateway("udp-gateway"), "Programmed", "True")
        await settled(cluster, operator)
        assert (await operator.get("discovery", "/config?class=stunner-gatewayclass"))[1].decode() == DOCUMENT
        assert (await walker.said(CLASS))["Accepted"].startswith("True Accepted: served with GatewayConfig stunner/")
        now = (await api.get(gateway("udp-gateway")))["status"]
        assert now["addresses"] == [{"type": "IPAddress", "value": "34.116.220.190"}]
        (listener,) = now["listeners"]
        assert (listener["name"], listener["attachedRoutes"]) == ("udp-listener", 1)
        told = conditions({"status": listener})
        assert told.pop("Detached").startswith("False Attached")
        assert told.keys() == {"Accepted", "Programmed", "ResolvedRefs", "Ready"}
        assert {each[:4] for each in told.values()} == {"True"}
        await attached(api, "udp-gateway")
        # Its columns know no other names.
        columns = await kubectl("get", "gateways.gateway.networking.k8s.io", "-n", NAMESPACE, "--no-headers")
        assert columns.out.split()[:4] == ["udp-gateway", "stunner-gatewayclass", "34.116.220.190", "True"]
        # What a person is told to ask, to know where clients go.
        asking = ("get", "svc", "-n", NAMESPACE, service("udp-gateway").name, "-o")
        ip = await kubectl(*asking, "jsonpath={.status.loadBalancer.ingress[0].ip}")
        port = await kubectl(*asking, "jsonpath={.spec.ports[0].port}")
        assert (ip.out, port.out) == ("34.116.220.190", "3478")
        spec = (await api.get(service("udp-gateway")))["spec"]
        assert (spec["type"], spec["selector"], spec["ports"][0]["protocol"]) == (
            "LoadBalancer", {"app": "stunner"}, "UDP"
        )  # fmt: skip

        await walker.apply("udp-and-tcp-gateways")
        await walker.address("tcp-gateway", "34.116.220.191")
        await walker.until_said(gateway("tcp-gateway"), "Programmed", "True")
        await settled(cluster, operator)
        await attached(api, "udp-gateway", "tcp-gateway")
        both, before = orjson.loads(await walker.document()), orjson.loads(DOCUMENT)
        tcp, udp = both["listeners"]
        assert udp == before["listeners"][0]
        assert tcp == {
            **udp, "name": "tcp-listener", "protocol": "TCP", "public_address": "34.116.220.191"
        }  # fmt: skip
        assert {**both, "listeners": [udp]} == before
        assert (await api.get(service("tcp-gateway")))["spec"]["ports"][0]["protocol"] == "TCP"

        assert refused(cluster, mark) == []
        # Of a Gateway: that it waits for an address, and has it; perhaps that its Service or its route is to come.
        assert max(statuses(cluster, mark).values()) <= 4, statuses(cluster, mark)
        assert await operator.stop() == 0
    await nothing_to_write(cluster, tmp_path)


async def attached(api: Api, *gateways: str) -> None:
    """See that the route says of exactly these Gateways that it is attached, and all is resolved."""
    parents = (await api.get(ROUTE))["status"]["parents"]
    assert [parent["parentRef"]["name"] for parent in parents] == list(gateways)
    for parent in parents:
        said = conditions({"status": parent})
        assert said.keys() == {"Accepted", "ResolvedRefs"}
        assert {each[:4] for each in said.values()} == {"True"}


DETACHED = {"udp-listener": "False Attached", "one": "True PortUnavailable", "web": "True UnsupportedProtocol"}


async def of_listener(api: Api, name: str) -> dict[str, str]:
    """Return the conditions of a listener of the UDP Gateway."""
    listeners = (await api.get(gateway("udp-gateway")))["status"]["listeners"]
    return conditions({"status": next(each for each in listeners if each["name"] == name)})


async def nothing_to_write(cluster: Cluster, folder: Path) -> None:
    mark = cluster.audit_log.mark()
    async with operating(cluster, folder, *LEGACY) as operator:
        await settled(cluster, operator)
        assert [described(event) for event in writes(cluster, mark)] == []
        assert await operator.stop() == 0


async def test_what_is_broken_is_said_and_the_document_stays(cluster: Cluster, api: Api, tmp_path: Path) -> None:
    """The caveat of the walk-through: a GatewayConfig that goes leaves its render target as it is, and is told of."""
    await prepare(api)
    walker, mark = Walker(api), cluster.audit_log.mark()
    async with operating(cluster, tmp_path, *LEGACY) as operator:
        await walker.apply("one-udp-gateway")
        await walker.address("udp-gateway", "34.116.220.190")
        await walker.until_said(gateway("udp-gateway"), "Programmed", "True")
        # v1alpha2 takes two listeners on one port, and protocols that we do not have.
        broken: list[dict[str, Any]] = [
            {"name": "one", "port": 3479, "protocol": "UDP"},
            {"name": "two", "port": 3479, "protocol": "UDP"},
            {"name": "web", "port": 80, "protocol": "HTTP"},
        ]
        udp = {"name": "udp-listener", "port": 3478, "protocol": "UDP"}
        await api.patch(gateway("udp-gateway"), {"spec": {"listeners": [udp, *broken]}})
        await walker.until_said(gateway("udp-gateway"), "Accepted", "True ListenersNotValid")
        await settled(cluster, operator)
        for name, detached in DETACHED.items():
            assert (await of_listener(api, name))["Detached"].startswith(detached)
        assert await walker.document() == DOCUMENT
        await api.patch(gateway("udp-gateway"), {"spec": {"listeners": [udp]}})
        await walker.until_said(gateway("udp-gateway"), "Accepted", "True Accepted")
        await api.delete(CONFIG)
        await walker.until_said(CLASS, "Accepted", "False InvalidParameters")
        await walker.until_said(gateway("udp-gateway"), "Accepted", "False InvalidParameters")
        await walker.until_said(gateway("udp-gateway"), "Scheduled", "False InvalidParameters")
        await walker.until_said(gateway("udp-gateway"), "Ready", "False Invalid")
        await settled(cluster, operator)
        assert await walker.document() == DOCUMENT
        assert await api.find(service("udp-gateway"))
        assert refused(cluster, mark) == []
        assert await operator.stop() == 0
    await nothing_to_write(cluster, tmp_path)
