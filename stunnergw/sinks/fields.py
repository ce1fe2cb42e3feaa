"""Which fields of an object are ours, by its managedFields: what a server-side apply has left behind.

An object is as we want it when our entry still covers every field of the body: values are not compared, since the API
server rewrites some (``cpu: 1000m`` as ``1``). A field that somebody took from us by force is no longer in our entry.

Objects that the reference operator wrote carry its entry of plain updates. Were it left there, fields that we drop
would stay, and a port that moved would stand there twice; so what it wrote becomes ours once, before the first apply
(as client-go's csaupgrade does). What others may have written under its name, which many programs have, is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stunnergw.resources.metadata import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Fields = dict[str, Any]
"""A fieldsV1: ``f:name`` for a field, ``k:{…}`` for an item found by its keys, ``v:…`` for one found by its value."""

REFERENCE_BINARY = "manager"
REFERENCE_MANAGERS = (REFERENCE_BINARY, "stunner-gateway-operator")
"""Names under which the reference operator updates objects: that of its binary, and that of its image."""

_OUR_PREFIX = "stunner.l7mp.io/"

_THE_CLUSTERS = frozenset(
    {
        "f:replicas", "f:clusterIP", "f:clusterIPs", "f:ipFamilies", "f:ipFamilyPolicy", "f:loadBalancerClass",
        "f:healthCheckNodePort", "f:allocateLoadBalancerNodePorts", "f:internalTrafficPolicy", "f:nodePort",
    }
)  # fmt: skip
"""Fields of a spec that the cluster, an autoscaler or the user sets: never taken over, so never dropped."""

_IDENTITY = frozenset({"apiVersion", "kind"})
_NAMES = frozenset({"name", "namespace"})


# What our entry covers -------------------------------------------------------------------------------------------


def covers(fields: str, body: Mapping[str, Any]) -> bool:
    """Say whether ``fields``, a fieldsV1 as JSON, holds every field of ``body``, a whole object as it is applied."""
    if not fields:
        return False
    ours: Fields = orjson.loads(fields)
    for name, value in body.items():
        if name in _IDENTITY:
            continue
        below = ours.get(f"f:{name}")
        if name == "metadata":
            value = {key: part for key, part in value.items() if key not in _NAMES}
        if below is None or not _covers(below, value):
            return False
    return True


def _covers(fields: Fields, value: Any) -> bool:
    if not fields or not value:
        return True  # a leaf, or something that is owned as a whole
    if isinstance(value, dict):
        return all(f"f:{name}" in fields and _covers(fields[f"f:{name}"], part) for name, part in value.items())
    if isinstance(value, list):
        return all(_covers_item(fields, item) for item in value)
    return True


def _covers_item(fields: Fields, item: Any) -> bool:
    for name, below in fields.items():
        if name.startswith("k:") and isinstance(item, dict) and is_item(orjson.loads(name[2:]), item):
            return _covers(below, item)
        if name.startswith("v:") and orjson.loads(name[2:]) == item:
            return True
    return False


def is_item(keys: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """Say whether ``keys``, what follows ``k:``, are those of an item of a list."""
    # A key that the body leaves out has its default there; an owner's uid is kept as the empty text.
    return all(name not in item or value in (item[name], "") for name, value in keys.items())


# Taking over from the reference ----------------------------------------------------------------------------------


class Takeover(NamedTuple):
    """An object's managedFields with what others wrote made ours: the reference operator, or who moved our ports."""

    entries: list[dict[str, Any]]
    left: tuple[str, ...]
    """Annotations that stay and are nobody's now: where they come from cannot be seen, and clouds act on them."""
    ports: tuple[str, ...] = ()
    """Ports of a Service that others wrote, and that go (:mod:`stunnergw.sinks.clashing`)."""


def takeover(metadata: Mapping[str, Any], body: Mapping[str, Any]) -> Takeover | None:
    """Work out the managedFields of an object that the reference wrote; None where it did not."""
    entries: list[dict[str, Any]] = metadata.get("managedFields") or []
    theirs = [entry for entry in entries if _is_theirs(entry)]
    if not theirs:
        return None
    ours = our_entry(entries)
    fields: Fields = dict(ours["fieldsV1"]) if ours else {}
    for entry in theirs:
        fields = union(fields, _taken(entry.get("fieldsV1") or {}, body))
    made = {**(ours or theirs[0]), "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    rest = [entry for entry in entries if entry not in theirs and entry is not ours]
    return Takeover([*rest, made], _annotations_left(theirs, body))


def _is_theirs(entry: Mapping[str, Any]) -> bool:
    update = entry.get("operation") == "Update" and not entry.get("subresource")
    return update and entry.get("manager") in REFERENCE_MANAGERS


def our_entry(entries: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return our own entry among managedFields: that of our applies."""
    return next((entry for entry in entries if _is_ours(entry)), None)


def _is_ours(entry: Mapping[str, Any]) -> bool:
    apply = entry.get("operation") == "Apply" and not entry.get("subresource")
    return apply and entry.get("manager") == FIELD_MANAGER


def _taken(fields: Fields, body: Mapping[str, Any]) -> Fields:
    """Return the part of the reference's fields that becomes ours."""
    taken: Fields = {}
    metadata: Fields = fields.get("f:metadata") or {}
    kept = {name: metadata[name] for name in ("f:ownerReferences",) if name in metadata}
    labels = _known(metadata.get("f:labels") or {}, body["metadata"].get("labels") or {})
    if labels:
        kept["f:labels"] = labels
    if kept:
        taken["f:metadata"] = kept
    data = _known(fields.get("f:data") or {}, body.get("data") or {})
    if data:
        taken["f:data"] = data
    spec = _without(fields.get("f:spec") or {}, _THE_CLUSTERS)
    if spec:
        taken["f:spec"] = spec
    return taken


def _known(fields: Fields, wanted: Mapping[str, Any]) -> Fields:
    """Keep the names that we write, or that nobody else would."""
    return {name: below for name, below in fields.items() if name[2:] in wanted or name[2:].startswith(_OUR_PREFIX)}


def _without(fields: Fields, names: Iterable[str]) -> Fields:
    return {name: _without(below, names) for name, below in fields.items() if name not in names}


def union(one: Fields, other: Fields) -> Fields:
    """Return the fields of either."""
    return {
        name: union(one.get(name, {}), other.get(name, {}))
        for name in sorted({*one, *other})
    }  # fmt: skip


def _annotations_left(entries: Iterable[Mapping[str, Any]], body: Mapping[str, Any]) -> tuple[str, ...]:
    wanted = body["metadata"].get("annotations") or {}
    found: set[str] = set()
    for entry in entries:
        annotations = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {}
        found |= {name.removeprefix("f:") for name in annotations if name != "."}
    return tuple(sorted(found - set(wanted)))
