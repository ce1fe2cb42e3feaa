"""The status of an object as it is to stand: ours merged into what is stored.

Entries and conditions of other controllers stay as they are and where they are. A condition's lastTransitionTime is
that of the stored condition of the same type and status; only a change of status makes a new one, and it takes no part
in any comparison (R2.1, R2.5, R6.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.projection.outputs import ABSENT, Want
from stunnergw.projection.statuses import (
    ClassStatus,
    Conditions,
    GatewayStatus,
    ParameterStatus,
    RouteStatus,
    StaticServiceStatus,
    parent_json,
)

if TYPE_CHECKING:
    from stunnergw.projection.statuses import Status
    from stunnergw.resources.routes import ParentReference

CLASS_CONDITIONS = ("Accepted", "SupportedVersion")
GATEWAY_CONDITIONS = ("Accepted", "Programmed", "ResolvedRefs")
LISTENER_CONDITIONS = (*GATEWAY_CONDITIONS, "Conflicted")
ROUTE_CONDITIONS = ("Accepted", "ResolvedRefs", "PartiallyInvalid")
OWN_CONDITIONS = ("Accepted",)
"""The condition types that are ours to set and to take away, in each place (R2.1)."""

OLDER_GATEWAY_CONDITIONS = ("Scheduled", "Ready")
OLDER_LISTENER_CONDITIONS = ("Detached", "Ready")
"""Those that we wrote beside them for Gateway API v0.4. ``Ready`` alone may be somebody else's, and stays."""

MOST_CONDITIONS = 8
MOST_PARENTS = 32
"""What the schemas allow (R2.11). Beyond it ours give way: one too many, and the API server refuses the whole."""


def merged_status(wanted: Status, stored: bytes | None, *, now: str | None) -> dict[str, Any]:
    """Return the whole status: ``wanted`` merged into ``stored``, which is its JSON, or None.

    ``now`` is the time of new transitions, RFC 3339; with None they carry none, so that the result rests on its
    inputs alone.
    """
    old: dict[str, Any] = orjson.loads(stored) if stored else {}
    match wanted:
        case RouteStatus():
            return old | {"parents": _parents(wanted, old.get("parents") or [], now)}
        case GatewayStatus():
            return old | wanted.as_json() | _gateway_parts(wanted, old, now)
        case ClassStatus():
            conditions = _conditions(CLASS_CONDITIONS, wanted.conditions, old.get("conditions") or [], now)
            return old | wanted.as_json() | {"conditions": conditions}
        case ParameterStatus() | StaticServiceStatus():
            conditions = _conditions(OWN_CONDITIONS, wanted.conditions, old.get("conditions") or [], now)
            return old | wanted.as_json() | {"conditions": conditions}


def _gateway_parts(wanted: GatewayStatus, old: dict[str, Any], now: str | None) -> dict[str, Any]:
    stored = {listener.get("name"): listener for listener in old.get("listeners") or []}
    listeners = []
    for listener in wanted.listeners:
        before = stored.get(listener.name, {}).get("conditions") or []
        listeners.append(
            listener.as_json() | {"conditions": _conditions(LISTENER_CONDITIONS, listener.conditions, before, now)}
        )
    return {
        "conditions": _conditions(GATEWAY_CONDITIONS, wanted.conditions, old.get("conditions") or [], now),
        "listeners": listeners,
    }


def _conditions(
    own: tuple[str, ...], wanted: Conditions, stored: list[dict[str, Any]], now: str | None
) -> list[dict[str, Any]]:
    """Merge conditions by type, keeping the stored order; of our ``own`` types those no longer wanted go."""
    own += _older_names(own, {condition.get("type", "") for condition in stored})
    ours = {condition.type: condition for condition in wanted}
    merged = []
    for condition in stored:
        kind = condition.get("type", "")
        if kind in ours:
            merged.append(_stamped(ours.pop(kind).as_json(), condition, now))
        elif kind not in own:
            merged.append(condition)
    return _at_most(MOST_CONDITIONS, merged, [_stamped(condition.as_json(), None, now) for condition in ours.values()])


def _older_names(own: tuple[str, ...], stored: set[str]) -> tuple[str, ...]:
    """Return the older names that are ours in this place, by those that only we can have written."""
    older = {GATEWAY_CONDITIONS: OLDER_GATEWAY_CONDITIONS, LISTENER_CONDITIONS: OLDER_LISTENER_CONDITIONS}
    names = older.get(own)
    return names if names and names[0] in stored else ()


def _stamped(condition: dict[str, Any], stored: dict[str, Any] | None, now: str | None) -> dict[str, Any]:
    same = stored is not None and stored.get("status") == condition["status"]
    time = stored.get("lastTransitionTime") if stored is not None and same else now
    return condition | ({"lastTransitionTime": time} if time else {})


def _parents(wanted: RouteStatus, stored: list[dict[str, Any]], now: str | None) -> list[dict[str, Any]]:
    """Merge the entries: those of others stay in their places, ours follow the route's parentRefs."""
    ours = {_ref(parent_json(entry.parent)): entry for entry in wanted.parents}
    merged = []
    for before in stored:
        if before.get("controllerName") != wanted.controller:
            merged.append(before)
            continue
        found = ours.pop(_ref(before.get("parentRef") or {}), None)
        if found is not None and isinstance(found.conditions, Want):
            merged.append(_parent(wanted, found.parent, found.conditions, before, now))
        elif found is not None and found.conditions is not ABSENT:
            merged.append(before)
    added = [
        _parent(wanted, entry.parent, entry.conditions, None, now)
        for entry in ours.values()
        if isinstance(entry.conditions, Want)
    ]
    return _at_most(MOST_PARENTS, merged, added)


def _at_most(most: int, stored: list[dict[str, Any]], added: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add as many as there is room for beside what stands there already."""
    return stored + added[: max(0, most - len(stored))]


def _parent(
    wanted: RouteStatus,
    parent: ParentReference,
    conditions: Want[Conditions],
    stored: dict[str, Any] | None,
    now: str | None,
) -> dict[str, Any]:
    before = (stored.get("conditions") or []) if stored is not None else []
    return {
        "parentRef": parent_json(parent),
        "controllerName": wanted.controller,
        "conditions": _conditions(ROUTE_CONDITIONS, conditions.value, before, now),
    }


def _ref(ref: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(ref.get(field) for field in ("group", "kind", "namespace", "name", "sectionName", "port"))
