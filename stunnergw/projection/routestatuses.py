"""Statuses of UDPRoutes: one entry for each parentRef of ours (R6.2 to R6.13).

A parent that is gone, or another controller's, has no entry of ours. The entry for a Gateway whose class is missing, or
ours and not accepted, stays as stored: undecided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.projection.attachments import attachments, masked, parent_key
from stunnergw.projection.classes import Accepted, Broken, Foreign, class_today
from stunnergw.projection.clusters import resolution
from stunnergw.projection.conditions import TRUE, positive, with_notes
from stunnergw.projection.legacy import route_left_out
from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason
from stunnergw.projection.statuses import Condition, ParentStatus, RouteStatus
from stunnergw.resources.kinds import GATEWAY

if TYPE_CHECKING:
    from stunnergw.projection.attachments import Attachment
    from stunnergw.projection.clusters import Resolution
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.parameters import Parameters
    from stunnergw.projection.queries import Context
    from stunnergw.projection.statuses import Conditions
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.resources.routes import UDPRoute


@query("status of UDPRoute")
def route_status(db: Context, kind: Kind[UDPRoute], route: Key) -> Output[RouteStatus]:
    """Work out our entries in a route's status, in the order of its parentRefs."""
    found = db.get(kind, route)
    if found is None:
        return ABSENT
    parents = tuple(
        ParentStatus(parent, _entry(db, kind, found, index)) for index, parent in enumerate(found.spec.parent_refs)
    )
    return Want(RouteStatus(db.settings.controller_name, parents))


def _entry(db: Context, kind: Kind[UDPRoute], route: UDPRoute, index: int) -> Output[Conditions]:
    gateway = parent_key(route.metadata.key, route.spec.parent_refs[index])
    named = class_named(db, gateway) if gateway else None
    if gateway is None or named is None:
        return ABSENT
    today = class_today.attempt(db, named)
    match today:
        case Undecided():
            return today
        case None:
            return Undecided(f"GatewayClass {named} of Gateway {gateway} not found")
        case Foreign():
            return ABSENT
        case Broken():
            return Undecided(f"GatewayClass {named} of Gateway {gateway} is not accepted")
        case Accepted():
            unknown = attachments(db, kind, route.metadata.key)[index].unknown
            return (
                Undecided(unknown) if unknown else Want(_conditions(db, kind, route, index, gateway, today.parameters))
            )


@query("class named by Gateway")
def class_named(db: Context, gateway: Key) -> str | None:
    """Return the class that a Gateway names; None where there is no such Gateway."""
    found = db.get(GATEWAY, gateway)
    return found.spec.gateway_class_name if found else None


def _conditions(
    db: Context, kind: Kind[UDPRoute], route: UDPRoute, index: int, gateway: Key, parameters: Parameters
) -> Conditions:
    key, generation = route.metadata.key, route.metadata.generation
    attached = attachments(db, kind, key)[index]
    refused = _refusal(db, kind, key, attached, parameters)
    accepted = positive(
        "Accepted",
        refused,
        message=f"attached to Gateway {gateway}: {_listeners(attached)}",
        generation=generation,
    )
    found = resolution(db, kind, key, parameters.discovery)
    conditions: Conditions = (accepted, _resolved(found, generation))
    if refused is None and found.dropped:
        conditions += (Condition("PartiallyInvalid", TRUE, *found.dropped, generation),)
    return conditions


def _refusal(
    db: Context, kind: Kind[UDPRoute], route: Key, attached: Attachment, parameters: Parameters
) -> Problem | None:
    if masked(db, kind, route):
        message = (
            f"the stunner.l7mp.io UDPRoute {route} has the same name and is served in its place: "
            "delete or rename one of the two"
        )
        return Problem(Reason.PENDING, message)
    if attached.refused is None and parameters.spelling == "v1alpha1":
        return route_left_out(db, parameters.class_name, route)
    return attached.refused


def _listeners(attached: Attachment) -> str:
    names = attached.listeners
    return f"listener {names[0]}" if len(names) == 1 else f"listeners {', '.join(names)}"


def _resolved(found: Resolution, generation: int) -> Condition:
    problem = with_notes(found.problem, found.notes)
    return positive(
        "ResolvedRefs", problem, message=sentence("all backendRefs resolve", *found.notes), generation=generation
    )
