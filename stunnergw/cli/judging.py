"""What the projection finds wrong with manifests, as problems with a file and a line.

Conditions say it, each about one object: those that are False are problems, but for what only a cluster can give.
What several conditions of an object say in the same words is said once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection.oldernames import OLDER_NAMES
from stunnergw.projection.outputs import Undecided, Want
from stunnergw.projection.snapshots import StatusSlot
from stunnergw.projection.statuses import ClassStatus, GatewayStatus, RouteStatus
from stunnergw.resources.kinds import GATEWAY, GATEWAY_CLASS, ROUTE_KINDS
from stunnergw.resources.metadata import Key
from stunnergw.sources.examining import ObjectId
from stunnergw.sources.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stunnergw.cli.rendering import Rendering
    from stunnergw.projection.statuses import Condition, Conditions, Status
    from stunnergw.resources.gateways import Gateway
    from stunnergw.resources.routes import UDPRoute

NOT_WRONG = ("AddressNotAssigned", "Pending")
"""Reasons of Programmed=False that are no fault of the manifests: a cluster assigns addresses; the rest follows."""


class Said(NamedTuple):
    """One thing that the projection says of an object."""

    id: ObjectId
    field: str
    message: str
    """What is wrong and what to do."""
    note: bool = False


def judge(rendering: Rendering) -> list[Problem]:
    """Return what the projection finds wrong, and notes, in the order of the objects."""
    found: dict[tuple[ObjectId, str], Said] = {}
    for said in _all(rendering):
        found.setdefault((said.id, said.message), said)
    return [_located(rendering, said) for said in found.values()]


def _located(rendering: Rendering, said: Said) -> Problem:
    place = rendering.loaded.places.get(said.id)
    return Problem(
        file=place.file if place else "",
        line=place.line if place else None,
        object=str(said.id),
        field=said.field,
        problem=said.message,
        note=said.note,
    )


def _all(rendering: Rendering) -> Iterator[Said]:
    # What is wrong with the others is said of the classes and routes that use them.
    for kind in (GATEWAY_CLASS, GATEWAY, *ROUTE_KINDS):
        for slot in sorted(slot for slot in rendering.snapshot.statuses if slot.kind is kind):
            yield from _of_object(rendering, ObjectId(kind, slot.key))


def _of_object(rendering: Rendering, name: ObjectId) -> Iterator[Said]:
    output = rendering.snapshot.statuses[StatusSlot(*name)]
    faults: list[Said] = []
    if isinstance(output, Undecided):
        faults.append(Said(name, "", output.reason))
    elif isinstance(output, Want):
        faults += _of_status(rendering, name, output.value)
    yield from faults
    config = rendering.snapshot.configs.get(name.key) if name.kind in (GATEWAY, GATEWAY_CLASS) else None
    # Why there is no document has mostly been said of the object.
    if isinstance(config, Undecided) and all(said.note for said in faults):
        yield Said(name, "", f"no configuration: {config.reason}")


def _of_status(rendering: Rendering, name: ObjectId, status: Status) -> Iterator[Said]:
    if isinstance(status, ClassStatus):
        yield from _of_conditions(name, "", status.conditions)
    elif isinstance(status, GatewayStatus):
        yield from _of_gateway(rendering, name, status)
    elif isinstance(status, RouteStatus):
        yield from _of_route(rendering, name, status)


def _of_gateway(rendering: Rendering, name: ObjectId, status: GatewayStatus) -> Iterator[Said]:
    gateway: Gateway | None = rendering.store.get(GATEWAY, name.key)
    places = {listener.name: index for index, listener in enumerate(gateway.spec.listeners)} if gateway else {}
    for listener in status.listeners:
        field = f"spec.listeners[{places.get(listener.name, listener.name)}]"
        yield from _of_conditions(name, field, listener.conditions)
    yield from _of_conditions(name, "", status.conditions)
    for condition in status.conditions:
        if condition.reason == "AddressNotAssigned":
            yield Said(name, "", f"has no public address yet: {condition.message}", note=True)


def _of_route(rendering: Rendering, name: ObjectId, status: RouteStatus) -> Iterator[Said]:
    route: UDPRoute | None = rendering.store.get(name.kind, name.key)
    for index, entry in enumerate(status.parents):
        field = f"spec.parentRefs[{index}]"
        if isinstance(entry.conditions, Want):
            yield from _of_conditions(name, field, entry.conditions.value)
        elif isinstance(entry.conditions, Undecided):
            yield Said(name, field, f"cannot be judged: {entry.conditions.reason}", note=True)
        elif route is not None:
            yield from _missing_parent(rendering, name, field, route, index)


def _missing_parent(rendering: Rendering, name: ObjectId, field: str, route: UDPRoute, index: int) -> Iterator[Said]:
    """Tell of a parent that is not there: no status does, since there may be other controllers."""
    parent = route.spec.parent_refs[index]
    if (parent.group, parent.kind) != (GATEWAY.group, GATEWAY.kind):
        return
    key = Key(parent.namespace or name.key.namespace, parent.name)
    if rendering.store.get(GATEWAY, key) is None:
        yield Said(name, field, f"there is no {GATEWAY.describe(key)}: mend the name, or add the Gateway")


def _of_conditions(name: ObjectId, field: str, conditions: Conditions) -> Iterator[Said]:
    faulty = [condition for condition in conditions if _is_fault(condition)]
    if any(condition.type == "Accepted" for condition in faulty):
        # What is not accepted is not programmed either, which in other words is nothing new.
        faulty = [each for each in faulty if each.type != "Programmed"]
    for message, faults in _by_message(faulty).items():
        types = ", ".join(f"{each.type}={each.status}/{each.reason}" for each in faults)
        resolved = name.kind in ROUTE_KINDS and all(each.type == "ResolvedRefs" for each in faults)
        # What backends a route has is the same for all its parents.
        yield Said(name, "spec.rules" if resolved else field, f"{message} ({types})")


def _by_message(conditions: Iterable[Condition]) -> dict[str, list[Condition]]:
    grouped: dict[str, list[Condition]] = {}
    for condition in conditions:
        grouped.setdefault(condition.message, []).append(condition)
    return grouped


def _is_fault(condition: Condition) -> bool:
    if condition.type in OLDER_NAMES:
        return False
    if condition.type == "Conflicted":
        return condition.status == "True"
    if condition.type == "Programmed" and condition.reason in NOT_WRONG:
        return False
    return condition.status == "False"
