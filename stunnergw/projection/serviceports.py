"""The ports of a Gateway's Service, and what the Service is like that clients meet.

Without a cluster, what the cluster would have made of our Service comes from the manifests, and else from what we want.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection import annotations as steer
from stunnergw.projection.annotations import is_true, port_map, service_annotations
from stunnergw.projection.exposing import in_the_way, public_service, service_name, service_type
from stunnergw.projection.legacy import listeners, served_listeners
from stunnergw.projection.queries import query
from stunnergw.resources.kinds import SERVICE
from stunnergw.resources.metadata import Key

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context
    from stunnergw.resources.core import LoadBalancerIngress, Service


class WantedPort(NamedTuple):
    """A port of the Service, for a listener."""

    listener: str
    transport: str
    port: int
    target: int
    node_port: int
    """The node port asked for; 0 leaves it to the cluster."""


class ServicePorts(NamedTuple):
    """The ports of a Gateway's Service."""

    ports: tuple[WantedPort, ...]
    left_out: tuple[str, ...] = ()
    """Listeners that have no port, being of the other transport."""
    notes: tuple[tuple[str, str], ...] = ()
    """Listener (empty: the whole Gateway) and what was ignored."""


NO_PORTS = ServicePorts(())


@query("ports of Service")
def service_ports(db: Context, gateway: Key, held: bool) -> ServicePorts:
    """Return one port for each listener that can be served and is of the Service's transport."""
    merged = service_annotations(db, gateway, held)
    rules = listeners(db, gateway, held=held)
    kind = service_type(db, gateway, held=held).type
    node_ports = port_map(merged, steer.NODE_PORT, frozenset(rule.name for rule in rules))
    serving = (
        [served.rule for served in served_listeners(db, gateway)] if held else [rule for rule in rules if rule.sound]
    )
    fitting = serving
    if not is_true(merged, steer.MIXED_PROTOCOLS):
        # The first listener of ours decides, whatever else is wrong with it: a missing Secret must not turn
        # a TCP Service into a UDP one.
        transport = next((rule.transport for rule in rules if rule.transport), "")
        fitting = [rule for rule in serving if rule.transport == transport]
    allowed = kind in ("NodePort", "LoadBalancer")
    notes = list(node_ports.problems)
    if not allowed:
        ignored = f"annotation {steer.NODE_PORT} is ignored: a Service of type {kind or 'None'} has no node ports"
        notes += [(name, ignored) for name, _ in node_ports.ports]
    return ServicePorts(
        tuple(
            WantedPort(
                rule.name, rule.transport, rule.port, rule.document_port, node_ports.port(rule.name) if allowed else 0
            )
            for rule in fitting
        ),
        tuple(rule.name for rule in serving if rule not in fitting),
        tuple(notes),
    )


class ExposedPort(NamedTuple):
    """A port at which the Service is there."""

    transport: str
    port: int
    node_port: int


class Exposure(NamedTuple):
    """The Service that clients meet."""

    service: Key
    type: str
    ports: tuple[ExposedPort, ...]
    ingress: tuple[LoadBalancerIngress, ...]


@query("exposure")
def exposure(db: Context, gateway: Key, held: bool) -> Exposure | str:
    """Return the Service that exposes a Gateway as it stands, or why there is none."""
    wanted_type = service_type(db, gateway, held=held).type
    if not wanted_type:
        return f"annotation {steer.SERVICE_TYPE} says None, so no Service is made: give spec.addresses"
    key = public_service(db, gateway, held=held)
    service = db.get(SERVICE, key) if key else None
    if not (key and service):
        taken = in_the_way(db, gateway, held=held)
        if taken:
            return taken
    if not db.settings.standalone:
        return _as_it_is(key, service) if key and service else f"Gateway {gateway} has no Service yet"
    kind = (service.spec.type if service else "") or wanted_type
    ports = _ports(service) if service else ()
    wanted = tuple(
        ExposedPort(port.transport, port.port, port.node_port) for port in service_ports(db, gateway, held).ports
    )
    return Exposure(
        key or Key(gateway.namespace, service_name(db, gateway, held=held)),
        kind,
        ports or wanted,
        service.status.load_balancer.ingress if service else (),
    )


def _as_it_is(key: Key, service: Service) -> Exposure:
    return Exposure(key, service.spec.type, _ports(service), service.status.load_balancer.ingress)


def _ports(service: Service) -> tuple[ExposedPort, ...]:
    return tuple(ExposedPort(port.protocol, port.port, port.node_port or 0) for port in service.spec.ports)
