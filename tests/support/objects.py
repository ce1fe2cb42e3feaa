"""Objects for tests, in few words: each builder gives the event that applies one.

A body is written as Kubernetes' JSON has it and read by the production parser, so that no test stands on an object
that could not come in. Names have defaults that fit together: GatewayClass ``turn`` leads to GatewayConfig
``media/turn`` and Dataplane ``default``; Gateway ``media/edge`` has one UDP listener; a route ``calls`` leads to
Service ``sfu``. :func:`healthy` gives what a Gateway needs above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.events.types import Applied, Deleted, Listed
from stunnergw.resources import kinds
from stunnergw.resources.metadata import STUNNER_GROUP, Key
from stunnergw.resources.parsing import parse
from stunnergw.settings import CONTROLLER_NAME
from stunnergw.store.indexes import RELATED_GATEWAY, SERVICE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stunnergw.events.types import Fact
    from stunnergw.resources.kinds import Kind

NAMESPACE = "media"

USER, PASSWORD = "u5er-of-turn", "pa55-of-turn"
"""What no output but a document may show."""

Body = dict[str, Any]


def applied(
    kind: Kind[Any], name: str, *, namespace: str = NAMESPACE, meta: Body | None = None, **parts: Any
) -> Applied:
    """Apply an object of any kind; ``parts`` are the fields beside metadata."""
    where = {"namespace": namespace} if kind.namespaced else {}
    metadata = {"name": name, "uid": f"{kind.kind} {namespace}/{name}", "generation": 1, **where, **(meta or {})}
    return Applied(kind=kind, object=parse(kind, {"metadata": metadata, **parts}))


def deleted(fact: Applied) -> Deleted:
    """Delete what ``fact`` applied."""
    return Deleted(kind=fact.kind, key=fact.key)


def listed(versions: dict[Kind[Any], tuple[str, ...]] | None = None) -> list[Fact]:
    """List every kind of the table, in its newest version unless ``versions`` says otherwise."""
    given = versions or {}
    return [Listed(kind=kind, versions=given.get(kind, kind.versions[:1])) for kind in kinds.TABLE]


def gateway_class(
    name: str = "turn",
    *,
    config: str | None = "turn",
    controller: str = CONTROLLER_NAME,
    ref: Body | None = None,
    meta: Body | None = None,
) -> Applied:
    """Apply a GatewayClass; ``ref`` replaces fields of its parametersRef, ``config=None`` leaves that out."""
    spec: Body = {"controllerName": controller}
    if config is not None:
        whole = {"group": STUNNER_GROUP, "kind": "GatewayConfig", "name": config, "namespace": NAMESPACE}
        spec["parametersRef"] = whole | (ref or {})
    return applied(kinds.GATEWAY_CLASS, name, meta=meta, spec=spec)


def gateway_config(name: str = "turn", *, meta: Body | None = None, **spec: Any) -> Applied:
    """Apply a GatewayConfig with a user and a password."""
    given = {"userName": USER, "password": PASSWORD, **spec}
    return applied(kinds.GATEWAY_CONFIG, name, meta=meta, spec=given)


def dataplane(name: str = "default", **spec: Any) -> Applied:
    """Apply a Dataplane."""
    return applied(kinds.DATAPLANE, name, spec=spec)


def healthy(**config: Any) -> list[Fact]:
    """Give a class in order, and every kind listed."""
    return [*listed(), gateway_class(), gateway_config(**config), dataplane(), namespace()]


def listener(name: str = "udp", port: int = 3478, protocol: str = "TURN-UDP", **parts: Any) -> Body:
    """Write a listener."""
    return {"name": name, "port": port, "protocol": protocol, **parts}


def allowing(**namespaces: Any) -> Body:
    """Write allowedRoutes of a listener: ``allowing(**{"from": "All"})``."""
    return {"namespaces": namespaces}


def gateway(
    name: str = "edge",
    *listeners: Body,
    class_name: str = "turn",
    namespace: str = NAMESPACE,
    annotations: dict[str, str] | None = None,
    meta: Body | None = None,
    **spec: Any,
) -> Applied:
    """Apply a Gateway, with one UDP listener unless others are given."""
    return applied(
        kinds.GATEWAY,
        name,
        namespace=namespace,
        meta={"annotations": annotations or {}, **(meta or {})},
        spec={"gatewayClassName": class_name, "listeners": list(listeners) or [listener()], **spec},
    )


def parent(name: str = "edge", **parts: Any) -> Body:
    """Write a parentRef."""
    return {"name": name, **parts}


def backend(name: str = "sfu", **parts: Any) -> Body:
    """Write a backendRef."""
    return {"name": name, **parts}


def route(
    name: str = "calls",
    *backends: Body,
    parents: Iterable[Body] = ({"name": "edge"},),
    kind: Kind[Any] = kinds.STUNNER_UDP_ROUTE,
    namespace: str = NAMESPACE,
    meta: Body | None = None,
) -> Applied:
    """Apply a UDPRoute with one rule, to Gateway ``edge`` and Service ``sfu`` unless told otherwise."""
    rules = [{"backendRefs": list(backends) or [backend()]}]
    spec = {"parentRefs": list(parents), "rules": rules}
    return applied(kind, name, namespace=namespace, meta=meta, spec=spec)


def service(name: str = "sfu", *ips: str, namespace: str = NAMESPACE, **spec: Any) -> Applied:
    """Apply a Service that is a backend, with its cluster IPs."""
    given = {"type": "ClusterIP", "clusterIP": ips[0] if ips else "None", "clusterIPs": list(ips) or ["None"], **spec}
    return applied(kinds.SERVICE, name, namespace=namespace, spec=given)


def port(number: int = 3478, protocol: str = "UDP", **parts: Any) -> Body:
    """Write a port of a Service, or of a load balancer's entry."""
    return {"port": number, "protocol": protocol, **parts}


def exposing(
    owner: Applied,
    *ports: Body,
    kind: str = "LoadBalancer",
    name: str = "",
    ingress: Iterable[Body] = (),
    uid: str | None = None,
) -> Applied:
    """Apply the Service that exposes a Gateway; ``uid`` names another owner than ``owner``."""
    key, metadata = owner.key, owner.object.metadata
    reference = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "name": key.name}
    return applied(
        kinds.SERVICE,
        name or key.name,
        namespace=key.namespace,
        meta={
            "annotations": {RELATED_GATEWAY: str(key)},
            "ownerReferences": [{**reference, "uid": metadata.uid if uid is None else uid}],
        },
        spec={"type": kind, "ports": list(ports) or [port()]},
        status={"loadBalancer": {"ingress": list(ingress)}},
    )


def endpoint_slice(
    name: str, *addresses: str, of: str = "sfu", family: str = "IPv4", namespace: str = NAMESPACE
) -> Applied:
    """Apply an EndpointSlice of a Service."""
    return applied(
        kinds.ENDPOINT_SLICE,
        name,
        namespace=namespace,
        meta={"labels": {SERVICE_NAME: of}},
        addressType=family,
        endpoints=[{"addresses": [address]} for address in addresses],
    )


def namespace(name: str = NAMESPACE, **labels: str) -> Applied:
    """Apply a Namespace."""
    return applied(kinds.NAMESPACE, name, meta={"labels": labels})


def node(name: str = "n1", **addresses: str) -> Applied:
    """Apply a Node: ``node("n1", ExternalIP="198.51.100.7")``."""
    listed_addresses = [{"type": kind, "address": value} for kind, value in addresses.items()]
    return applied(kinds.NODE, name, status={"addresses": listed_addresses})


EDGE = Key(NAMESPACE, "edge")
CORE = Key(NAMESPACE, "core")
