"""Statuses of Gateways and their listeners (R4.1 to R4.6, R5.12 to R5.22).

A status says what is, by the objects and by what the API server said to ours; that something is held shows elsewhere,
since replicas and restarts must not differ in it. Listeners are judged on their own merits even where the class is
broken, and addresses are given as ever, so that a DNS controller does not drop the name.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.errors import Unknown
from stunnergw.projection.addresses import public_address
from stunnergw.projection.annotations import TARGET_PORT, port_map
from stunnergw.projection.answers import listener_not_programmed, not_programmed, unwritten
from stunnergw.projection.attachments import attached_routes
from stunnergw.projection.classes import Accepted, Broken, Foreign, class_today
from stunnergw.projection.conditions import TRUE, UNKNOWN, positive
from stunnergw.projection.exposing import service_type
from stunnergw.projection.infrastructure import reserved_keys
from stunnergw.projection.legacy import class_waits_for, listeners, route_left_out, waited_for
from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.refusals import gateway_refusal, unusable_addresses
from stunnergw.projection.serviceports import NO_PORTS, service_ports
from stunnergw.projection.services import external_name, missing_external_name
from stunnergw.projection.statuses import Condition, GatewayStatus, ListenerStatus
from stunnergw.resources.kinds import GATEWAY
from stunnergw.settings import DataplaneMode

if TYPE_CHECKING:
    from stunnergw.projection.addresses import PublicAddress
    from stunnergw.projection.answers import Unwritten
    from stunnergw.projection.classes import ClassToday
    from stunnergw.projection.exposing import ServiceType
    from stunnergw.projection.listeners import ListenerRule
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.queries import Context
    from stunnergw.projection.serviceports import ServicePorts
    from stunnergw.projection.statuses import AssignedAddress, Conditions
    from stunnergw.resources.gateways import Gateway
    from stunnergw.resources.metadata import Key


@query("status of Gateway")
def gateway_status(db: Context, gateway: Key) -> Output[GatewayStatus]:
    """Work out the status of a Gateway.

    Raises:
        Unknown: the class is missing: whose Gateway it is cannot be told; or an object of the Gateway is not written
            yet.
    """
    found = db.get(GATEWAY, gateway)
    if found is None:
        return ABSENT
    today = class_today(db, found.spec.gateway_class_name)
    if today is None:
        raise Unknown(f"GatewayClass {found.spec.gateway_class_name} not found: Gateway {gateway} stays as it is")
    if isinstance(today, Foreign):
        return ABSENT
    seen = _look(db, found, today)
    statuses = tuple(_listener_status(db, seen, rule) for rule in seen.rules)
    return Want(
        GatewayStatus(addresses=_addresses(db, seen), conditions=_conditions(seen, statuses), listeners=statuses)
    )


class _Seen(NamedTuple):
    """What a status is made from, looked at once."""

    gateway: Gateway
    key: Key
    generation: int
    today: ClassToday
    rules: tuple[ListenerRule, ...]
    refused: Problem | None
    """The Gateway itself is not accepted, for this."""
    ports: ServicePorts
    kind: ServiceType
    notes: tuple[str, ...]
    """What is ignored of the Gateway as a whole."""
    held: bool
    waits: str
    """The unread certificate for which the document stays as it is; empty where none."""
    unwritten: tuple[Unwritten, ...]
    """What the API server did not take."""
    reachable: bool
    """Each listener that is served has an address; looked for only where something is not taken."""


def _look(db: Context, gateway: Gateway, today: ClassToday) -> _Seen:
    key, annotations = gateway.metadata.key, gateway.metadata.annotations
    objects = unwritten(db, key)
    # Of an accepted class nothing is held, and the results are those that the outputs rest on.
    held = isinstance(today, Accepted)
    # While a certificate cannot be told there are no ports, which the listener says itself.
    ports = service_ports.attempt(db, key, held)
    ports = NO_PORTS if isinstance(ports, Undecided) else ports
    kind = service_type(db, key, held=held)
    ignored = (*(text for name, text in ports.notes if not name), *reserved_keys(gateway))
    if TARGET_PORT in annotations:
        names = frozenset(listener.name for listener in gateway.spec.listeners)
        ignored = (*port_map(annotations, TARGET_PORT, names).said(""), *ignored)
    rules = listeners(db, key, held=held)
    return _Seen(
        gateway=gateway,
        key=key,
        generation=gateway.metadata.generation,
        today=today,
        rules=rules,
        refused=gateway_refusal(db, key),
        ports=ports,
        kind=kind,
        notes=(*ignored, kind.note) if kind.note else ignored,
        held=held,
        waits=_waits(db, gateway, key),
        unwritten=objects,
        reachable=not objects or all(public_address(db, key, rule.name, held).value for rule in rules if rule.sound),
    )


def _waits(db: Context, gateway: Gateway, key: Key) -> str:
    if db.settings.dataplane_mode is DataplaneMode.LEGACY:
        return class_waits_for(db, gateway.spec.gateway_class_name)
    return waited_for(db, key)


def _addresses(db: Context, seen: _Seen) -> tuple[AssignedAddress, ...]:
    """Return the addresses of all listeners that are served, or would be but for a certificate.

    Such a one may be served on a held certificate, and has its port in the Service then: its name must stay in DNS.
    """
    served = (rule for rule in seen.rules if rule.sound or (rule.refused is None and rule.waits_for_certificate))
    found = (public_address(db, seen.key, rule.name, seen.held).assigned for rule in served)
    return tuple(dict.fromkeys(address for address in found if address))


def _conditions(seen: _Seen, statuses: tuple[ListenerStatus, ...]) -> Conditions:
    programmed = tuple(status.conditions[PROGRAMMED] for status in statuses)
    problem = _not_programmed(seen, programmed)
    message = "" if problem else sentence(_programmed_message(seen.rules, programmed), *seen.notes)
    return (
        _accepted(seen),
        positive("Programmed", _with_notes(problem, seen.notes), message=message, generation=seen.generation),
    )


def _accepted(seen: _Seen) -> Condition:
    name, rules = seen.gateway.spec.gateway_class_name, seen.rules
    refused = [rule.name for rule in rules if rule.refused]
    problem: Problem | None = None
    if isinstance(seen.today, Broken):
        reason = f"GatewayClass {name} is not accepted: {seen.today.problem.message}"
        problem = Problem("InvalidParameters", reason)
    elif seen.refused:
        problem = seen.refused
    elif len(refused) == len(rules):
        problem = Problem("ListenersNotValid", f"no listener can be accepted: {_reasons(rules)}")
    elif refused:
        good = ", ".join(rule.name for rule in rules if not rule.refused)
        message = f"accepted: {good}; not accepted: {_reasons(rules)}"
        return Condition("Accepted", TRUE, "ListenersNotValid", message, seen.generation)
    return positive("Accepted", problem, message=f"accepted as a Gateway of class {name}", generation=seen.generation)


def _with_notes(problem: Problem | None, notes: tuple[str, ...]) -> Problem | None:
    return problem and problem._replace(message=sentence(problem.message, *notes))


def _reasons(rules: tuple[ListenerRule, ...]) -> str:
    return sentence(*(f"{rule.name}: {rule.refused.message}" for rule in rules if rule.refused)) or "there is none"


def _not_programmed(seen: _Seen, programmed: tuple[Condition, ...]) -> Problem | None:
    if isinstance(seen.today, Broken):
        name = seen.gateway.spec.gateway_class_name
        return Problem("Invalid", f"GatewayClass {name} is not accepted: data planes keep what they have")
    if seen.refused:
        return Problem("Invalid", f"{seen.refused.message}; data planes keep what they have")
    if not any(rule.sound for rule in seen.rules):
        reasons = (f"{rule.name}: {rule.withheld.message}" for rule in seen.rules if rule.withheld)
        return Problem("Invalid", sentence("no listener can be served: data planes keep what they have", *reasons))
    refused = not_programmed(seen.unwritten, reachable=seen.reachable)
    if refused:
        return refused
    if seen.waits:
        return Problem("Pending", f"{seen.waits}; data planes keep what they have")
    unusable = unusable_addresses(seen.gateway)
    if unusable:
        others = f"spec.addresses: only the first can be served, {', '.join(unusable)} cannot: take the others out"
        return Problem("AddressNotUsable", others)
    if seen.kind.type == "ExternalName" and not external_name(seen.gateway):
        return Problem("AddressNotAssigned", missing_external_name(seen.key))
    waiting = [
        f"{rule.name}: {condition.message}"
        for rule, condition in zip(seen.rules, programmed, strict=True)
        if rule.sound and condition.status != TRUE
    ]
    return Problem("AddressNotAssigned", sentence(*waiting)) if waiting else None


def _programmed_message(rules: tuple[ListenerRule, ...], programmed: tuple[Condition, ...]) -> str:
    told = [condition.message for condition in programmed if condition.status == TRUE]
    withheld = [f"not served: {rule.name}: {rule.withheld.message}" for rule in rules if rule.withheld]
    return sentence("data planes have their configuration", *told, *withheld)


# -- listeners -----------------------------------------------------------------------------------------------------

PROGRAMMED = 1
"""Where Programmed stands among a listener's conditions."""


_RENEWAL = MappingProxyType(
    {
        "TURN-TLS": "a new certificate restarts it, which ends its calls",
        "TURN-DTLS": (
            "a new certificate restarts it, which ends its calls; where stunnerd then logs address already in use, it "
            "stays down until that stunnerd is restarted"
        ),
    }
)
"""What renewing a certificate costs: whoever renews it should know before."""


def _listener_status(db: Context, seen: _Seen, rule: ListenerRule) -> ListenerStatus:
    generation = seen.generation
    address = public_address(db, seen.key, rule.name, seen.held)
    notes = (*rule.notes, *(text for name, text in seen.ports.notes if name == rule.name))
    problem = _listener_not_programmed(seen, rule, address)
    message = "" if problem else sentence(_told(rule, address), *notes, _RENEWAL.get(rule.protocol, ""))
    conditions: Conditions = (
        positive("Accepted", rule.refused, message=f"listener {rule.name} is valid", generation=generation),
        positive("Programmed", _with_notes(problem, notes), message=message, generation=generation),
        _resolved(rule, generation),
    )
    if rule.conflict:
        conditions += (Condition("Conflicted", TRUE, "ProtocolConflict", rule.conflict, generation),)
    return ListenerStatus(
        name=rule.name,
        attached_routes=_attached(db, seen, rule) if isinstance(seen.today, Accepted) else 0,
        supported_kinds=rule.supported_kinds,
        conditions=conditions,
    )


def _resolved(rule: ListenerRule, generation: int) -> Condition:
    if rule.unread and rule.unresolved is None:
        return Condition("ResolvedRefs", UNKNOWN, "Pending", rule.unread, generation)
    return positive("ResolvedRefs", rule.unresolved, message="all references resolve", generation=generation)


def _told(rule: ListenerRule, address: PublicAddress) -> str:
    return f"{rule.name}: clients reach it at {address.value} port {address.port}, from {address.source}"


def _listener_not_programmed(seen: _Seen, rule: ListenerRule, address: PublicAddress) -> Problem | None:
    if rule.refused:
        return Problem("Invalid", rule.refused.message)
    if rule.withheld:
        return rule.withheld
    if not isinstance(seen.today, Accepted):
        return Problem("Pending", "waits for the GatewayClass to be accepted")
    if seen.refused:
        return Problem("Invalid", f"the Gateway is not accepted: {seen.refused.message}")
    refused = listener_not_programmed(seen.unwritten)
    if refused:
        return refused
    if seen.waits:
        return Problem("Pending", f"the configuration waits: {seen.waits}")
    if rule.name in seen.ports.left_out:
        return Problem(
            "Pending",
            f"the Service has the ports of one transport only, that of the first listener: annotate the Gateway "
            f'stunner.l7mp.io/enable-mixed-protocol-lb: "true" to expose {rule.name} too',
        )
    return None if address.value else Problem("Pending", f"no public address: {address.source}")


def _attached(db: Context, seen: _Seen, rule: ListenerRule) -> int:
    """Count the routes that the listener takes, whether or not it can be served (R5.19 to R5.22)."""
    taking = [route.key for route in attached_routes(db, seen.key) if rule.name in route.listeners]
    if not isinstance(seen.today, Accepted) or seen.today.parameters.spelling == "v1":
        return len(taking)
    name = seen.today.parameters.class_name
    return sum(route_left_out(db, name, route) is None for route in taking)
