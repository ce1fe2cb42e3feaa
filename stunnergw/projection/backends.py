"""Backends: from one backendRef to addresses or a domain name, each backendRef on its own.

Addresses count whether ready or not and also while terminating, so that calls drain; a Service without any is no
error (R6.21). What is wrong with one backend is said and hides nothing of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.dataplane.endpoints import ALL_PORTS, Endpoint, normalise
from stunnergw.projection.problems import Problem
from stunnergw.projection.queries import query
from stunnergw.resources.kinds import ENDPOINT_SLICE, GATEWAY, SERVICE, STUNNER_UDP_ROUTE
from stunnergw.resources.metadata import Key
from stunnergw.store.indexes import SLICES_BY_SERVICE

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.routes import BackendReference, UDPRoute

Ports = tuple[int, int] | None


class Backend(NamedTuple):
    """What one backendRef comes to."""

    type: str = ""
    """STATIC or STRICT_DNS; empty where it did not resolve."""
    endpoints: tuple[Endpoint, ...] = ()
    problem: Problem | None = None
    notes: tuple[str, ...] = ()
    """What the author should know though nothing is wrong."""


class Addresses(NamedTuple):
    """The addresses behind a Service."""

    addresses: tuple[str, ...]
    skipped: tuple[str, ...]
    """EndpointSlices that hold no IP addresses."""


@query("addresses of Service")
def addresses_of_service(db: Context, service: Key) -> Addresses:
    """Return all addresses of a Service's EndpointSlices, and its cluster IPs where they are to be reached."""
    found: set[str] = set()
    skipped: list[str] = []
    for key in db.select(SLICES_BY_SERVICE, service):
        endpoint_slice = db.get(ENDPOINT_SLICE, key)
        if endpoint_slice is None:
            continue
        if endpoint_slice.address_type not in ("IPv4", "IPv6"):
            skipped.append(
                f"EndpointSlice {key} holds names of type {endpoint_slice.address_type}, not addresses: skipped"
            )
            continue
        found.update(address for endpoint in endpoint_slice.endpoints for address in endpoint.addresses)
    if db.settings.relay_to_cluster_ip:
        found.update(_cluster_ips(db, service))
    usable = {text for text in map(normalise, found) if text}
    return Addresses(tuple(sorted(usable)), tuple(skipped))


def _cluster_ips(db: Context, key: Key) -> tuple[str, ...]:
    service = db.get(SERVICE, key)
    if service is None:
        return ()
    # A headless Service says "None", which is no address and goes no further.
    return service.spec.cluster_ips or (service.spec.cluster_ip,)


@query("type of Service")
def type_of_service(db: Context, key: Key) -> str | None:
    """Return a Service's type; None where there is no such Service."""
    service = db.get(SERVICE, key)
    return service.spec.type if service else None


def resolve(
    db: Context, *, kind: Kind[UDPRoute], route: Key, where: str, ref: BackendReference, discovery: bool
) -> Backend:
    """Work out one backendRef; ``where`` is its path in the route, for messages."""
    if (ref.group, ref.kind) != ("", "Service"):
        named = f"{ref.group or 'core'}/{ref.kind}"
        return _failed("InvalidKind", f"{where}: {named} {ref.name} cannot be a backend: use a Service")
    key = Key(ref.namespace or route.namespace, ref.name)
    if not _permitted(db, kind, route, key):
        return _failed(
            "RefNotPermitted",
            f"{where}: Service {key} is in another namespace, which needs a ReferenceGrant in {key.namespace} "
            f"from UDPRoute in {route.namespace}",
        )
    service_type = type_of_service(db, key)
    if service_type is None:
        return _failed("BackendNotFound", f"{where}: Service {key} not found: create it or correct the name")
    if service_type == "ExternalName":
        return _failed("InvalidKind", f"{where}: Service {key} is of type ExternalName, which is not supported")
    if ref.weight == 0:
        return Backend(
            "STATIC" if discovery else "STRICT_DNS", notes=(f"{where}: weight 0: Service {key} is left out",)
        )
    ports, note = _ports(kind, ref, where)
    return _service(db, key, ports, note, discovery=discovery)


def _failed(reason: str, message: str) -> Backend:
    return Backend(problem=Problem(reason, message))


def _permitted(db: Context, kind: Kind[UDPRoute], route: Key, service: Key) -> bool:
    """Say whether a route may name a Service: across namespaces, a stunner.l7mp.io route may.

    A gateway.networking.k8s.io route may not, but where Gateways are served as v1alpha2 alone: that time had no
    ReferenceGrant.
    """
    if service.namespace == route.namespace or kind is STUNNER_UDP_ROUTE:
        return True
    return db.versions(GATEWAY) == ("v1alpha2",)


def _ports(kind: Kind[UDPRoute], ref: BackendReference, where: str) -> tuple[Ports, str]:
    """Return the range of ports that a stunner.l7mp.io route asks for; those of the other group are ignored."""
    if kind is not STUNNER_UDP_ROUTE or (ref.port is None and ref.end_port is None):
        return None, ""
    low = ALL_PORTS[0] if ref.port is None else ref.port
    high = low if ref.end_port is None else ref.end_port
    if high < low:
        return (low, low), f"{where}: endPort {high} is below port {low}: port {low} alone is served"
    return (None if (low, high) == ALL_PORTS else (low, high)), ""


def _service(db: Context, key: Key, ports: Ports, note: str, *, discovery: bool) -> Backend:
    notes = (note,) if note else ()
    if not discovery:
        name = f"{key.name}.{key.namespace}.svc.{db.settings.cluster_domain}"
        return Backend("STRICT_DNS", (Endpoint(name),), notes=notes)
    addresses = addresses_of_service(db, key)
    endpoints = tuple(Endpoint(address, ports) for address in addresses.addresses)
    return Backend("STATIC", endpoints, notes=(*notes, *addresses.skipped))
