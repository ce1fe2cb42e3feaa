"""A small installation on the real API server: a class, a Gateway and a route, as a person would apply them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.resources.crds import custom_resource_definitions
from tests.realparts.crds import install_crds, use_gateway_api
from tests.realparts.manifests import ref
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from tests.realparts.api import Api
    from tests.realparts.manifests import Object, Ref

INSTALLATION = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: turn}
spec:
  controllerName: stunner.l7mp.io/gateway-operator
  parametersRef: {group: stunner.l7mp.io, kind: GatewayConfig, name: turn, namespace: NAMESPACE}
---
apiVersion: stunner.l7mp.io/v1
kind: GatewayConfig
metadata: {name: turn}
spec: {userName: alice, password: wonderland}
---
apiVersion: stunner.l7mp.io/v1
kind: Dataplane
metadata: {name: default}
spec: {image: "example.org/stunnerd:1.2.0"}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: turn
  listeners: [{name: udp, protocol: TURN-UDP, port: 3478}]
---
apiVersion: v1
kind: Service
metadata: {name: sfu}
spec: {selector: {app: sfu}, ports: [{name: rtp, protocol: UDP, port: 10000}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: sfu-1, labels: {kubernetes.io/service-name: sfu}}
addressType: IPv4
ports: [{name: rtp, protocol: UDP, port: 10000}]
endpoints: [{addresses: [10.244.1.10], conditions: {ready: true}}]
---
apiVersion: stunner.l7mp.io/v1
kind: UDPRoute
metadata: {name: sfu}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: sfu}]}]
"""


"""A Gateway ``edge`` of class ``turn`` whose one route leads to the Service ``sfu``."""


async def prepare(api: Api, version: str = "v1.6.3", channel: str = "standard") -> None:
    """See to it that the Gateway API's CRDs are these, and that ours are there."""
    await use_gateway_api(api, version, channel)
    await install_crds(api, custom_resource_definitions())


async def install(api: Api, namespace: str, *, text: str = INSTALLATION) -> None:
    """Apply manifests in a namespace; NAMESPACE in them is its name."""
    await api.apply(text.replace("NAMESPACE", namespace), namespace=namespace)


async def appeared(api: Api, about: Object | Ref) -> Object:
    """Return an object once it is there."""
    found = await wait_for(lambda: api.find(about), what=f"{ref(about).kind} {ref(about).name}")
    assert found is not None
    return found


def named(kind: str, namespace: str, name: str) -> Object:
    """Return what is enough to ask for an object of one of the kinds that tests look at."""
    versions = {"Service": "v1", "ConfigMap": "v1", "Deployment": "apps/v1", "DaemonSet": "apps/v1"}
    version = versions.get(kind, "gateway.networking.k8s.io/v1")
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def conditions(thing: Object | dict[str, Any]) -> dict[str, str]:
    """Return the conditions of an object by type: status, reason and message."""
    found = thing.get("status", {}).get("conditions", [])
    return {each["type"]: f"{each['status']} {each['reason']}: {each['message']}" for each in found}
