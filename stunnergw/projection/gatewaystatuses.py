"""Statuses of Gateways (R4.1 to R4.12); those of their listeners are :mod:`~stunnergw.projection.listenerstatuses`.

A status says what is, by the objects and by what the API server said to ours; that something is held shows elsewhere,
since replicas and restarts must not differ in it. Listeners are judged on their own merits even where the class is
broken, and addresses are given as ever, so that a DNS controller does not drop the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.errors import Unknown
from stunnergw.projection.addresses import public_address
from stunnergw.projection.annotations import TARGET_PORT, port_map
from stunnergw.projection.answers import not_programmed, unwritten
from stunnergw.projection.bundles import only_v1alpha2
from stunnergw.projection.classes import Accepted, Broken, Foreign, class_today
from stunnergw.projection.conditions import FALSE, TRUE, UNKNOWN, positive, with_notes
from stunnergw.projection.exposing import service_type
from stunnergw.projection.infrastructure import reserved_keys
from stunnergw.projection.legacy import class_waits_for, listeners, waited_for
from stunnergw.projection.listenerstatuses import listener_status
from stunnergw.projection.oldernames import with_older_names
from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason
from stunnergw.projection.refusals import gateway_refusal, missing_addresses, unusable_addresses
from stunnergw.projection.serviceports import NO_PORTS, service_ports
from stunnergw.projection.services import external_name, missing_external_name
from stunnergw.projection.statuses import Condition, GatewayStatus
from stunnergw.resources.kinds import GATEWAY
from stunnergw.settings import DataplaneMode

if TYPE_CHECKING:
    from stunnergw.projection.answers import Unwritten
    from stunnergw.projection.classes import ClassToday
    from stunnergw.projection.exposing import ServiceType
    from stunnergw.projection.listeners import ListenerRule
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.queries import Context
    from stunnergw.projection.serviceports import ServicePorts
    from stunnergw.projection.statuses import AssignedAddress, Conditions, ListenerStatus
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
    statuses = tuple(listener_status(db, seen, rule) for rule in seen.rules)
    addresses = _addresses(db, seen)
    status = GatewayStatus(
        addresses=addresses[:MOST_ADDRESSES],
        conditions=_conditions(seen, statuses, addresses),
        listeners=statuses,
    )
    return Want(with_older_names(status) if only_v1alpha2(db) else status)


MOST_ADDRESSES = 16
"""Addresses that the schema of a Gateway's status allows (R2.11)."""


class Seen(NamedTuple):
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


def _look(db: Context, gateway: Gateway, today: ClassToday) -> Seen:
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
    return Seen(
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
        waits=_waits(db, gateway, key) if held else "",
        unwritten=objects,
        reachable=not objects or all(public_address(db, key, rule.name, held).value for rule in rules if rule.sound),
    )


def _waits(db: Context, gateway: Gateway, key: Key) -> str:
    waits = waited_for(db, key)
    if not waits and db.settings.dataplane_mode is DataplaneMode.LEGACY:
        return class_waits_for(db, gateway.spec.gateway_class_name)
    return waits


def _addresses(db: Context, seen: Seen) -> tuple[AssignedAddress, ...]:
    """Return the addresses of all listeners that are served, or would be but for a certificate.

    Such a one may be served on a held certificate, and has its port in the Service then: its name must stay in DNS.
    """
    served = (rule for rule in seen.rules if rule.sound or (rule.refused is None and rule.waits_for_certificate))
    found = (public_address(db, seen.key, rule.name, seen.held).assigned for rule in served)
    return tuple(dict.fromkeys(address for address in found if address))


def _conditions(seen: Seen, statuses: tuple[ListenerStatus, ...], addresses: tuple[AssignedAddress, ...]) -> Conditions:
    programmed = _of_listeners(statuses, "Programmed")
    notes = (*_too_many(addresses), *seen.notes)
    problem = _not_programmed(seen, programmed, addresses)
    message = "" if problem else sentence(_programmed_message(seen.rules, programmed), *notes)
    return (
        _accepted(seen),
        positive("Programmed", with_notes(problem, notes), message=message, generation=seen.generation),
        _resolved(_of_listeners(statuses, "ResolvedRefs"), seen.generation),
    )


def _of_listeners(statuses: tuple[ListenerStatus, ...], kind: str) -> tuple[Condition, ...]:
    return tuple(each for status in statuses for each in status.conditions if each.type == kind)


def _too_many(addresses: tuple[AssignedAddress, ...]) -> tuple[str, ...]:
    if len(addresses) <= MOST_ADDRESSES:
        return ()
    return (f"status.addresses has the first {MOST_ADDRESSES} of {len(addresses)} addresses, it holds no more",)


def _resolved(listeners: tuple[Condition, ...], generation: int) -> Condition:
    """Sum up the references of the listeners, which are all that a Gateway of ours has; nothing else hangs on it."""
    wrong = tuple(each.message for each in listeners if each.status == FALSE)
    unread = tuple(each.message for each in listeners if each.status == UNKNOWN)
    if unread and not wrong:
        return Condition("ResolvedRefs", UNKNOWN, Reason.PENDING, sentence(*unread), generation)
    problem = Problem(Reason.LISTENERS_NOT_RESOLVED, sentence(*wrong, *unread)) if wrong else None
    return positive("ResolvedRefs", problem, message="the references of all listeners resolve", generation=generation)


def _accepted(seen: Seen) -> Condition:
    name, rules = seen.gateway.spec.gateway_class_name, seen.rules
    refused = [rule.name for rule in rules if rule.refused]
    problem: Problem | None = None
    if isinstance(seen.today, Broken):
        reason = f"GatewayClass {name} is not accepted: {seen.today.problem.message}"
        problem = Problem(Reason.INVALID_PARAMETERS, reason)
    elif seen.refused:
        problem = seen.refused
    elif len(refused) == len(rules):
        problem = Problem(Reason.LISTENERS_NOT_VALID, f"no listener can be accepted: {_reasons(rules)}")
    elif refused:
        good = ", ".join(rule.name for rule in rules if not rule.refused)
        message = f"accepted: {good}; not accepted: {_reasons(rules)}"
        return Condition("Accepted", TRUE, Reason.LISTENERS_NOT_VALID, message, seen.generation)
    return positive("Accepted", problem, message=f"accepted as a Gateway of class {name}", generation=seen.generation)


def _reasons(rules: tuple[ListenerRule, ...]) -> str:
    return sentence(*(f"{rule.name}: {rule.refused.message}" for rule in rules if rule.refused)) or "there is none"


def _not_programmed(
    seen: Seen, programmed: tuple[Condition, ...], addresses: tuple[AssignedAddress, ...]
) -> Problem | None:
    if isinstance(seen.today, Broken):
        name = seen.gateway.spec.gateway_class_name
        return Problem(Reason.INVALID, f"GatewayClass {name} is not accepted: data planes keep what they have")
    if seen.refused:
        return Problem(Reason.INVALID, f"{seen.refused.message}; data planes keep what they have")
    if seen.waits and not any(rule.sound for rule in seen.rules):
        return Problem(Reason.PENDING, _waiting(seen))
    if not any(rule.sound for rule in seen.rules):
        reasons = (f"{rule.name}: {rule.withheld.message}" for rule in seen.rules if rule.withheld and not rule.refused)
        return Problem(Reason.INVALID, sentence("no listener can be served: data planes keep what they have", *reasons))
    refused = not_programmed(seen.unwritten, reachable=seen.reachable)
    if refused:
        return refused
    if seen.waits:
        return Problem(Reason.PENDING, _waiting(seen))
    unusable = unusable_addresses(seen.gateway)
    if unusable:
        return unusable
    if seen.kind.type == "ExternalName" and not external_name(seen.gateway):
        return Problem(Reason.ADDRESS_NOT_ASSIGNED, missing_external_name(seen.key))
    waiting = [
        f"{rule.name}: {condition.message}"
        for rule, condition in zip(seen.rules, programmed, strict=True)
        if rule.sound and condition.status != TRUE
    ]
    if waiting:
        return Problem(Reason.ADDRESS_NOT_ASSIGNED, sentence(*waiting))
    return missing_addresses(seen.gateway, addresses)


def _waiting(seen: Seen) -> str:
    """Say that the document may wait: whether an earlier certificate stands in is nothing that a status may know."""
    return f"{seen.waits}; until then data planes may not get what is new"


def _programmed_message(rules: tuple[ListenerRule, ...], programmed: tuple[Condition, ...]) -> str:
    told = [condition.message for condition in programmed if condition.status == TRUE]
    # Those that are refused are told of by Accepted, for what is the nearer reason.
    withheld = [
        f"not served: {rule.name}: {rule.withheld.message}" for rule in rules if rule.withheld and not rule.refused
    ]
    return sentence("data planes have their configuration", *told, *withheld)
