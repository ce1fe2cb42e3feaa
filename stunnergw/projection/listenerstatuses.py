"""Statuses of listeners (R5.1 to R5.22): accepted, served, and with references that resolve, each for itself.

Listeners are judged on their own merits even where the class is broken, and so are the routes that they take where the
listener cannot be served.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from stunnergw.projection.addresses import public_address
from stunnergw.projection.answers import listener_not_programmed
from stunnergw.projection.attachments import attached_routes
from stunnergw.projection.classes import Accepted
from stunnergw.projection.conditions import TRUE, UNKNOWN, positive, with_notes
from stunnergw.projection.legacy import route_left_out
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.reasons import Reason
from stunnergw.projection.statuses import Condition, ListenerStatus

if TYPE_CHECKING:
    from stunnergw.projection.addresses import PublicAddress
    from stunnergw.projection.gatewaystatuses import Seen
    from stunnergw.projection.listeners import ListenerRule
    from stunnergw.projection.queries import Context
    from stunnergw.projection.statuses import Conditions

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


def listener_status(db: Context, seen: Seen, rule: ListenerRule) -> ListenerStatus:
    """Work out the status of a listener of a Gateway of ours."""
    generation = seen.generation
    address = public_address(db, seen.key, rule.name, seen.held)
    notes = (*rule.notes, *(text for name, text in seen.ports.notes if name == rule.name))
    problem = _not_programmed(seen, rule, address)
    message = "" if problem else sentence(_told(rule, address), *notes, _RENEWAL.get(rule.protocol, ""))
    conditions: Conditions = (
        positive("Accepted", rule.refused, message=f"listener {rule.name} is valid", generation=generation),
        positive("Programmed", with_notes(problem, notes), message=message, generation=generation),
        _resolved(rule, generation),
    )
    if rule.conflict:
        conditions += (Condition("Conflicted", TRUE, Reason.PROTOCOL_CONFLICT, rule.conflict, generation),)
    return ListenerStatus(
        name=rule.name,
        attached_routes=_attached(db, seen, rule) if isinstance(seen.today, Accepted) else 0,
        supported_kinds=rule.supported_kinds,
        conditions=conditions,
    )


def _resolved(rule: ListenerRule, generation: int) -> Condition:
    if rule.unread and rule.unresolved is None:
        return Condition("ResolvedRefs", UNKNOWN, Reason.PENDING, rule.unread, generation)
    return positive("ResolvedRefs", rule.unresolved, message="all references resolve", generation=generation)


def _told(rule: ListenerRule, address: PublicAddress) -> str:
    return f"{rule.name}: clients reach it at {address.value} port {address.port}, from {address.source}"


def _not_programmed(seen: Seen, rule: ListenerRule, address: PublicAddress) -> Problem | None:
    if rule.refused:
        return Problem(Reason.INVALID, rule.refused.message)
    if rule.withheld:
        return rule.withheld
    if not isinstance(seen.today, Accepted):
        return Problem(
            Reason.PENDING,
            f"waits for GatewayClass {seen.gateway.spec.gateway_class_name} to be accepted: its status says what lacks",
        )
    if seen.refused:
        return Problem(Reason.INVALID, f"the Gateway is not accepted: {seen.refused.message}")
    refused = listener_not_programmed(seen.unwritten)
    if refused:
        return refused
    if seen.waits:
        return Problem(Reason.PENDING, f"the configuration may wait: {seen.waits}")
    if rule.name in seen.ports.left_out:
        return Problem(
            Reason.PENDING,
            f"the Service has the ports of one transport only, that of the first listener: annotate the Gateway "
            f'stunner.l7mp.io/enable-mixed-protocol-lb: "true" to expose {rule.name} too',
        )
    return None if address.value else Problem(Reason.PENDING, f"no public address: {address.source}")


def _attached(db: Context, seen: Seen, rule: ListenerRule) -> int:
    """Count the routes that the listener takes, whether or not it can be served (R5.19 to R5.22)."""
    taking = [route.key for route in attached_routes(db, seen.key) if rule.name in route.listeners]
    if not isinstance(seen.today, Accepted) or seen.today.parameters.spelling == "v1":
        return len(taking)
    name = seen.today.parameters.class_name
    return sum(route_left_out(db, name, route) is None for route in taking)
