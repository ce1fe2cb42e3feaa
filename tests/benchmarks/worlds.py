"""The work that figures are taken on: N Gateways, each with a route, a Service and a slice of three addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.events.log import EventLog
from stunnergw.events.types import Applied, Listed
from stunnergw.projection.projecting import Projection
from stunnergw.resources import kinds
from stunnergw.resources.parsing import parse
from stunnergw.settings import CONTROLLER_NAME, Decisions
from stunnergw.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stunnergw.events.types import Fact
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import KubernetesObject

SIZES = (1, 8, 64, 512, 4096)


def made(kind: Kind[Any], name: str, namespace: str = "", /, **parts: Any) -> KubernetesObject:
    """Make an object; ``labels`` go into its metadata."""
    labels = parts.pop("labels", {})
    metadata = {"name": name, "uid": f"{kind.name}/{namespace}/{name}", "generation": 1, "labels": labels}
    body = {"metadata": metadata | ({"namespace": namespace} if namespace else {}), **parts}
    thing: KubernetesObject = parse(kind, body)
    return thing


def applied(kind: Kind[Any], name: str, namespace: str = "", /, **parts: Any) -> Applied:
    """Say that an object is there."""
    return Applied(kind=kind, object=made(kind, name, namespace, **parts), size=1000)


def slice_of(number: int, first: int) -> Applied:
    """The EndpointSlice of a Gateway, its three addresses counted from ``first``."""
    addresses = [f"10.{number // 250}.{number % 250}.{first + offset}" for offset in range(3)]
    return applied(
        kinds.ENDPOINT_SLICE,
        "sfu-1",
        f"ns{number}",
        labels={"kubernetes.io/service-name": "sfu"},
        addressType="IPv4",
        endpoints=[{"addresses": [address]} for address in addresses],
    )


def config(password: str) -> Applied:
    """The GatewayConfig of all."""
    return applied(kinds.GATEWAY_CONFIG, "config", "system", spec={"userName": "user", "password": password})


def world(gateways: int) -> Iterator[Fact]:
    """Everything that there is, and that it is everything."""
    ref = {"group": "stunner.l7mp.io", "kind": "GatewayConfig", "name": "config", "namespace": "system"}
    yield applied(kinds.GATEWAY_CLASS, "turn", spec={"controllerName": CONTROLLER_NAME, "parametersRef": ref})
    yield config("secret")
    yield applied(kinds.DATAPLANE, "default", spec={})
    for number in range(gateways):
        namespace = f"ns{number}"
        listeners = [{"name": "udp", "port": 3478, "protocol": "TURN-UDP"}]
        rules = [{"backendRefs": [{"name": "sfu"}]}]
        yield applied(kinds.GATEWAY, "edge", namespace, spec={"gatewayClassName": "turn", "listeners": listeners})
        yield applied(
            kinds.STUNNER_UDP_ROUTE, "sfu", namespace, spec={"parentRefs": [{"name": "edge"}], "rules": rules}
        )
        address = f"10.200.{number // 250}.{number % 250}"
        yield applied(kinds.SERVICE, "sfu", namespace, spec={"type": "ClusterIP", "clusterIP": address})
        yield slice_of(number, 1)
    yield from (Listed(kind=kind, versions=kind.versions[:1]) for kind in kinds.TABLE)


class Bench:
    """A store and its projection, without a loop."""

    def __init__(self) -> None:
        self.log = EventLog(clock=lambda: 0)
        self.store = Store(table=kinds.TABLE)
        self.projection = Projection(store=self.store, settings=Decisions(), on_failure=_fail)

    def append(self, facts: list[Fact]) -> None:
        """Append a batch to the log."""
        self.log.append(facts, source="bench")

    def project(self) -> None:
        """Fold what waits and project it."""
        dirty = self.store.fold(self.log.since(self.log.folded))
        self.log.mark_folded(self.store.seq)
        self.projection.run(dirty)


def _fail(query: str, error: Exception) -> None:
    raise RuntimeError(query) from error
