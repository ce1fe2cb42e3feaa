"""What an object would be after our apply, worked out without asking: for a dry run, which sends nothing.

Server-side apply, as far as our bodies need it: fields that we say are set; fields that were ours, are no longer said
and are nobody else's, go, unless the API server has a default for them; all others stay. Items of lists are found by
their keys where somebody's managedFields know them by keys; other lists are replaced whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stunnergw.sinks.fields import is_item, union

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stunnergw.sinks.fields import Fields

_DEFAULTS: dict[str, Any] = {
    "dnsPolicy": "ClusterFirst",
    "externalTrafficPolicy": "Cluster",
    "internalTrafficPolicy": "Cluster",
    "maxSurge": "25%",
    "maxUnavailable": "25%",
    "progressDeadlineSeconds": 600,
    "restartPolicy": "Always",
    "revisionHistoryLimit": 10,
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "timeoutSeconds": 10800,
    "type": "RollingUpdate",
}
"""Values that the API server puts back when a field goes."""


class Owners(NamedTuple):
    """Who has which fields of an object, each a fieldsV1."""

    ours: Fields
    """Ours before the apply, with what was taken over."""
    others: Fields


def owners(entries: Iterable[Mapping[str, Any]], *, ours: Mapping[str, Any] | None) -> Owners:
    """Divide managedFields into our entry of applies and all others; those of subresources count, too."""
    mine: Fields = {}
    others: Fields = {}
    for entry in entries:
        fields = entry.get("fieldsV1") or {}
        if entry is ours:
            mine = fields
        else:
            others = union(others, fields)
    return Owners(mine, others)


def applied(found: Mapping[str, Any], body: Mapping[str, Any], *, by: Owners) -> dict[str, Any]:
    """Return ``found`` as it would be after an apply of ``body``; times, versions and managedFields as they are."""
    merged: dict[str, Any] = _merged(found, body, by.ours, by.others)
    return merged


def _merged(found: Any, body: Any, ours: Fields, others: Fields) -> Any:
    if isinstance(found, dict) and isinstance(body, dict):
        return _merged_mapping(found, body, ours, others)
    if isinstance(found, list) and isinstance(body, list):
        keys = _keys({**others, **ours})
        if keys:
            return _merged_items(found, body, ours, others, keys)
    return body


def _merged_mapping(found: dict[str, Any], body: dict[str, Any], ours: Fields, others: Fields) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in found.items():
        mine, theirs = ours.get(f"f:{name}"), others.get(f"f:{name}")
        if name in body:
            made[name] = _merged(value, body[name], mine or {}, theirs or {})
        elif mine is None or _DEFAULTS.get(name, _NOTHING) == value:
            made[name] = value
        elif (rest := _rest(value, mine, theirs)) is not _NOTHING:
            made[name] = rest
    return made | {name: value for name, value in body.items() if name not in found}


def _merged_items(found: list[Any], body: list[Any], ours: Fields, others: Fields, keys: tuple[str, ...]) -> list[Any]:
    made: list[Any] = []
    waiting = list(body)
    for item in found:
        wanted = next((each for each in waiting if _same(each, item, keys)), None)
        mine, theirs = _fields_of(item, ours), _fields_of(item, others)
        if wanted is not None:
            waiting.remove(wanted)
            made.append(_merged(item, wanted, mine or {}, theirs or {}))
        elif mine is None:
            made.append(item)
        elif theirs and (rest := _rest(item, mine, theirs)) is not _NOTHING:
            made.append(rest)
    return made + waiting


def _rest(value: Any, ours: Fields, others: Fields | None) -> Any:
    """Return what is left of a value of which we let go."""
    if isinstance(value, dict) and ours:
        left = {}
        for name, part in value.items():
            mine, theirs = ours.get(f"f:{name}"), (others or {}).get(f"f:{name}")
            kept = part if mine is None or _DEFAULTS.get(name, _NOTHING) == part else _rest(part, mine, theirs)
            if kept is not _NOTHING:
                left[name] = kept
        return left or _NOTHING
    return value if others is not None else _NOTHING


def _keys(fields: Fields) -> tuple[str, ...]:
    named = next((name for name in fields if name.startswith("k:")), None)
    return tuple(orjson.loads(named[2:])) if named else ()


def _same(one: Any, other: Any, keys: tuple[str, ...]) -> bool:
    return all(one.get(key, other.get(key)) == other.get(key, one.get(key)) for key in keys)


def _fields_of(item: Any, fields: Fields) -> Fields | None:
    for name, below in fields.items():
        if name.startswith("k:") and is_item(orjson.loads(name[2:]), item):
            found: Fields = below
            return found
    return None


class _Nothing:
    """Stands for a field that goes; None is a value."""


_NOTHING = _Nothing()
