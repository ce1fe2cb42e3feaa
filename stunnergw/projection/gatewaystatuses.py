"""Statuses of Gateways and their listeners (R4.1 to R4.6, R5.12 to R5.22).

A status says what is, by the objects alone; that something is held shows elsewhere, since replicas and restarts must
not differ in it. Listeners are judged on their own merits even where the class is broken, and addresses are given as
ever, so that a DNS controller does not drop the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.errors import Unknown
from stunnergw.projection.addresses import public_address
from stunnergw.projection.annotations import TARGET_PORT, own_annotations, port_map
from stunnergw.projection.attachments import attached_routes
from stunnergw.projection.classes import Accepted, Broken, Foreign, class_today
from stunnergw.projection.conditions import TRUE, positive
from stunnergw.projection.exposing import service_type
from stunnergw.projection.gateways import gateway_refusal, unusable_addresses
from stunnergw.projection.legacy import listeners, route_left_out
from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.serviceports import NO_PORTS, service_ports
from stunnergw.projection.services import external_name, missing_external_name
from stunnergw.projection.statuses import Condition, GatewayStatus, ListenerStatus
from stunnergw.resources.kinds import GATEWAY

if TYPE_CHECKING:
    from stunnergw.projection.addresses import PublicAddress
    from stunnergw.projection.classes import ClassToday
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
        Unknown: the class is missing: whose Gateway it is cannot be told.
    """
    found = db.get(GATEWAY, gateway)
    if found is None:
        return ABSENT
    today = class_today(db, found.spec.gateway_class_name)
    if today is None:
        raise Unknown(f"GatewayClass {found.spec.gateway_class_name} not found: Gateway {gateway} stays as it is")
    if isinstance(today, Foreign):
        return ABSENT
    rules = listeners(db, gateway)
    statuses = tuple(_listener_status(db, found, rule, today) for rule in rules)
    return Want(
        GatewayStatus(
            addresses=_addresses(db, gateway, rules),
            conditions=_conditions(db, found, rules, statuses, today),
            listeners=statuses,
        )
    )


def _addresses(db: Context, gateway: Key, rules: tuple[ListenerRule, ...]) -> tuple[AssignedAddress, ...]:
    found = (public_address(db, gateway, rule.name).assigned for rule in rules if rule.sound)
    return tuple(dict.fromkeys(address for address in found if address))


def _conditions(
    db: Context,
    gateway: Gateway,
    rules: tuple[ListenerRule, ...],
    statuses: tuple[ListenerStatus, ...],
    today: ClassToday,
) -> Conditions:
    generation = gateway.metadata.generation
    notes = _gateway_notes(db, gateway)
    return (
        _accepted(db, gateway, rules, today),
        positive(
            "Programmed",
            _with_notes(_not_programmed(db, gateway, rules, statuses, today), notes),
            message=sentence(_programmed_message(rules, statuses), *notes),
            generation=generation,
        ),
    )


def _accepted(db: Context, gateway: Gateway, rules: tuple[ListenerRule, ...], today: ClassToday) -> Condition:
    generation, name = gateway.metadata.generation, gateway.spec.gateway_class_name
    refused = [rule.name for rule in rules if rule.refused]
    if isinstance(today, Broken):
        problem: Problem | None = Problem(
            "InvalidParameters", f"GatewayClass {name} is not accepted: {today.problem.message}"
        )
    elif own := gateway_refusal(db, gateway.metadata.key):
        problem = own
    elif len(refused) == len(rules):
        problem = Problem("ListenersNotValid", f"no listener can be accepted: {_reasons(rules)}")
    else:
        problem = None
    if problem is None and refused:
        good = ", ".join(rule.name for rule in rules if not rule.refused)
        message = f"accepted: {good}; not accepted: {_reasons(rules)}"
        return Condition("Accepted", TRUE, "ListenersNotValid", message, generation)
    return positive("Accepted", problem, message=f"accepted as a Gateway of class {name}", generation=generation)


def _gateway_notes(db: Context, gateway: Gateway) -> tuple[str, ...]:
    """Return what is ignored of the Gateway as a whole."""
    key = gateway.metadata.key
    names = frozenset(listener.name for listener in gateway.spec.listeners)
    targets = port_map(own_annotations(db, key), TARGET_PORT, names)
    ignored = tuple(text for name, text in _ports(db, key).notes if not name)
    return (*targets.said(""), *ignored, service_type(db, key).note)


def _ports(db: Context, gateway: Key) -> ServicePorts:
    """Return the Service's ports; none while a certificate cannot be told, which the listener says itself."""
    found = service_ports.attempt(db, gateway)
    return NO_PORTS if isinstance(found, Undecided) else found


def _with_notes(problem: Problem | None, notes: tuple[str, ...]) -> Problem | None:
    return problem and problem._replace(message=sentence(problem.message, *notes))


def _reasons(rules: tuple[ListenerRule, ...]) -> str:
    return sentence(*(f"{rule.name}: {rule.refused.message}" for rule in rules if rule.refused)) or "there is none"


def _not_programmed(
    db: Context,
    gateway: Gateway,
    rules: tuple[ListenerRule, ...],
    statuses: tuple[ListenerStatus, ...],
    today: ClassToday,
) -> Problem | None:
    if isinstance(today, Broken):
        return Problem(
            "Invalid",
            f"GatewayClass {gateway.spec.gateway_class_name} is not accepted: data planes keep what they have",
        )
    refused = gateway_refusal(db, gateway.metadata.key)
    if refused:
        return Problem("Invalid", f"{refused.message}; data planes keep what they have")
    if not any(rule.sound for rule in rules):
        reasons = (f"{rule.name}: {rule.withheld.message}" for rule in rules if rule.withheld)
        return Problem("Invalid", sentence("no listener can be served: data planes keep what they have", *reasons))
    unusable = unusable_addresses(db, gateway.metadata.key)
    if unusable:
        return Problem(
            "AddressNotUsable",
            f"spec.addresses: only the first can be served, {', '.join(unusable)} cannot: take the others out",
        )
    if service_type(db, gateway.metadata.key).type == "ExternalName" and not external_name(gateway):
        return Problem("AddressNotAssigned", missing_external_name(gateway.metadata.key))
    waiting = [
        f"{rule.name}: {_programmed(status).message}"
        for rule, status in zip(rules, statuses, strict=True)
        if rule.sound and _programmed(status).status != TRUE
    ]
    return Problem("AddressNotAssigned", sentence(*waiting)) if waiting else None


def _programmed(status: ListenerStatus) -> Condition:
    return next(condition for condition in status.conditions if condition.type == "Programmed")


def _programmed_message(rules: tuple[ListenerRule, ...], statuses: tuple[ListenerStatus, ...]) -> str:
    told = (_programmed(status).message for status in statuses if _programmed(status).status == TRUE)
    withheld = (f"not served: {rule.name}: {rule.withheld.message}" for rule in rules if rule.withheld)
    return sentence("data planes have their configuration", *dict.fromkeys(told), *withheld)


# -- listeners -----------------------------------------------------------------------------------------------------


def _listener_status(db: Context, gateway: Gateway, rule: ListenerRule, today: ClassToday) -> ListenerStatus:
    key, generation = gateway.metadata.key, gateway.metadata.generation
    address = public_address(db, key, rule.name)
    notes = _notes(db, key, rule)
    conditions: Conditions = (
        positive("Accepted", rule.refused, message=f"listener {rule.name} is valid", generation=generation),
        positive(
            "Programmed",
            _with_notes(_listener_not_programmed(db, key, rule, address, today), notes),
            message=sentence(_told(rule, address), *notes),
            generation=generation,
        ),
        positive("ResolvedRefs", rule.unresolved, message="all references resolve", generation=generation),
    )
    if rule.conflict:
        conditions += (Condition("Conflicted", TRUE, "ProtocolConflict", rule.conflict, generation),)
    return ListenerStatus(
        name=rule.name,
        attached_routes=_attached(db, gateway, rule) if isinstance(today, Accepted) else 0,
        supported_kinds=rule.supported_kinds,
        conditions=conditions,
    )


def _told(rule: ListenerRule, address: PublicAddress) -> str:
    return f"{rule.name}: clients reach it at {address.value} port {address.port}, from {address.source}"


def _notes(db: Context, gateway: Key, rule: ListenerRule) -> tuple[str, ...]:
    return (*rule.notes, *(text for name, text in _ports(db, gateway).notes if name == rule.name))


def _listener_not_programmed(
    db: Context, gateway: Key, rule: ListenerRule, address: PublicAddress, today: ClassToday
) -> Problem | None:
    if rule.refused:
        return Problem("Invalid", rule.refused.message)
    if rule.withheld:
        return rule.withheld
    if not isinstance(today, Accepted):
        return Problem("Pending", "waits for the GatewayClass to be accepted")
    refused = gateway_refusal(db, gateway)
    if refused:
        return Problem("Invalid", f"the Gateway is not accepted: {refused.message}")
    if rule.name in _ports(db, gateway).left_out:
        return Problem(
            "Pending",
            f"the Service has the ports of one transport only, that of the first listener: annotate the Gateway "
            f'stunner.l7mp.io/enable-mixed-protocol-lb: "true" to expose {rule.name} too',
        )
    if not address.value:
        return Problem("Pending", f"no public address: {address.source}")
    return None


def _attached(db: Context, gateway: Gateway, rule: ListenerRule) -> int:
    """Count the routes that the listener takes, whether or not it can be served (R5.19 to R5.22)."""
    key, class_name = gateway.metadata.key, gateway.spec.gateway_class_name
    taking = (route for route in attached_routes(db, key) if rule.name in route.listeners)
    today = class_today(db, class_name)
    old = isinstance(today, Accepted) and today.parameters.spelling == "v1alpha1"
    return sum(not (old and route_left_out(db, class_name, route.key)) for route in taking)
