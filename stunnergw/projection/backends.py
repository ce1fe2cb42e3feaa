"""Backends: from one backendRef to addresses or a domain name, each backendRef on its own.

Addresses count whether ready or not and also while terminating, so that calls drain; a Service without any is no
error (R6.21). What is wrong with one backend is said and hides nothing of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.dataplane.endpoints import ALL_PORTS, Endpoint, normalise_prefix
from stunnergw.projection.discovering import addresses_of_service, cluster_ips_of_service, targets_of_service
from stunnergw.projection.grants import Referrer, Target, how_to_permit, may_refer, routes_need_grants
from stunnergw.projection.problems import Problem, group_and_kind
from stunnergw.projection.reasons import Reason
from stunnergw.resources.kinds import SERVICE, STATIC_SERVICE, STUNNER_UDP_ROUTE
from stunnergw.resources.metadata import STUNNER_GROUP, Key
from stunnergw.settings import UDPRoutePorts

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
    hopeless: bool = False
    """It can never be served as the route is written, whatever objects and grants come to be."""


def type_of_service(db: Context, key: Key) -> str | None:
    """Return a Service's type; None where there is no such Service."""
    service = db.get(SERVICE, key)
    return service.spec.type if service else None


def port_name_of_service(db: Context, key: Key, port: int) -> str | None:
    """Return the name of a Service's UDP port; None where it has no such port."""
    service = db.get(SERVICE, key)
    ports = service.spec.ports if service else ()
    return next((entry.name for entry in ports if (entry.port, entry.protocol) == (port, "UDP")), None)


def prefixes(db: Context, key: Key) -> tuple[str, ...] | None:
    """Return the prefixes of a StaticService as written; None where there is no such StaticService."""
    found = db.get(STATIC_SERVICE, key)
    return found.spec.prefixes if found else None


class Asked(NamedTuple):
    """A backendRef with all that its meaning depends on."""

    kind: Kind[UDPRoute]
    route: Key
    where: str
    """Its path in the route, for messages."""
    ref: BackendReference
    discovery: bool

    @property
    def key(self) -> Key:
        """What it names."""
        return Key(self.ref.namespace or self.route.namespace, self.ref.name)


def resolve(db: Context, asked: Asked) -> Backend:
    """Work out one backendRef."""
    ref = asked.ref
    if (ref.group, ref.kind) not in (("", "Service"), (STUNNER_GROUP, "StaticService")):
        named = f"{group_and_kind(ref.group, ref.kind)} {ref.name}"
        message = f"{asked.where}: {named} cannot be a backend: use a Service or a StaticService"
        return Backend(problem=Problem(Reason.INVALID_KIND, message), hopeless=True)
    referrer = Referrer(asked.kind.group, asked.kind.kind, asked.route.namespace)
    target = Target(ref.group, ref.kind, asked.key)
    if not may_refer(db, referrer, target, enforced=routes_need_grants(db, asked.kind)):
        return _failed(
            Reason.REF_NOT_PERMITTED, f"{asked.where}: {ref.kind} {asked.key} {how_to_permit(referrer, target)}"
        )
    found = _service(db, asked) if ref.kind == "Service" else _static(db, asked)
    if ref.weight == 0 and found.type:
        # Without a type it has no say in what the cluster holds.
        return found._replace(
            type="", endpoints=(), notes=(f"{asked.where}: weight 0: {ref.kind} {asked.key} is left out",)
        )
    return found


def _failed(reason: Reason, message: str) -> Backend:
    return Backend(problem=Problem(reason, message))


def _not_found(asked: Asked) -> Backend:
    return _failed(
        Reason.BACKEND_NOT_FOUND,
        f"{asked.where}: {asked.ref.kind} {asked.key} not found: create it, or correct the name",
    )


def _static(db: Context, asked: Asked) -> Backend:
    written = prefixes(db, asked.key)
    if written is None:
        return _not_found(asked)
    ports, note = _range(asked)
    read = {text: normalise_prefix(text) for text in written}
    wrong = [text for text, prefix in read.items() if prefix is None]
    problem = None
    if wrong:
        names = ", ".join(text[:64] for text in wrong)
        message = f"{asked.where}: StaticService {asked.key}: {names}: no IP address or prefix: left out, correct it"
        problem = Problem(Reason.UNSUPPORTED_VALUE, message)
    endpoints = tuple(Endpoint(prefix, ports) for prefix in read.values() if prefix)
    return Backend("STATIC", endpoints, problem, (note,) if note else ())


def _service(db: Context, asked: Asked) -> Backend:
    service_type = type_of_service(db, asked.key)
    if service_type is None:
        return _not_found(asked)
    if service_type == "ExternalName":
        return _failed(
            Reason.INVALID_KIND,
            f"{asked.where}: Service {asked.key} is of type ExternalName, which cannot be a "
            "backend: name a Service with pods, or a StaticService with the addresses",
        )
    enforced = _enforced_port(db, asked)
    name = port_name_of_service(db, asked.key, enforced) if enforced else None
    if enforced and name is None:
        return _failed(
            Reason.BACKEND_NOT_FOUND,
            f"{asked.where}: Service {asked.key} has no UDP port {enforced}: correct the port of the backendRef",
        )
    if not asked.discovery:
        # stunnerd admits every port of a domain name.
        return Backend(
            "STRICT_DNS", (Endpoint(f"{asked.key.name}.{asked.key.namespace}.svc.{db.settings.cluster_domain}"),)
        )
    if enforced and name is not None:
        return _enforced(db, asked.key, enforced, name)
    ports, note = _range(asked)
    found = addresses_of_service(db, asked.key)
    endpoints = tuple(Endpoint(address, ports) for address in found.addresses)
    return Backend("STATIC", endpoints, notes=(*((note,) if note else ()), *found.skipped))


def _range(asked: Asked) -> tuple[Ports, str]:
    """Return the range of ports that a stunner.l7mp.io route asks for; those of the other group are ignored."""
    ref = asked.ref
    if asked.kind is not STUNNER_UDP_ROUTE or (ref.port is None and ref.end_port is None):
        return None, ""
    low = ALL_PORTS[0] if ref.port is None else ref.port
    high = low if ref.end_port is None else ref.end_port
    if high < low:
        return (low, low), f"{asked.where}: endPort {high} is below port {low}: port {low} alone is served"
    return (None if (low, high) == ALL_PORTS else (low, high)), ""


def _enforced_port(db: Context, asked: Asked) -> int | None:
    """Return the port of a gateway.networking.k8s.io route where it is enforced."""
    enforces = db.settings.udproute_ports is UDPRoutePorts.ENFORCE and asked.kind is not STUNNER_UDP_ROUTE
    return asked.ref.port if enforces else None


def _enforced(db: Context, service: Key, port: int, name: str) -> Backend:
    """Admit the Service's port alone: itself on cluster IPs, on endpoints the port of the same name."""
    targets = targets_of_service(db, service)
    endpoints = {
        Endpoint(target.address, (number, number))
        for target in targets.targets
        for port_name, number in target.ports
        if port_name == name
    }
    endpoints.update(Endpoint(address, (port, port)) for address in cluster_ips_of_service(db, service))
    return Backend("STATIC", tuple(endpoints), notes=targets.skipped)
