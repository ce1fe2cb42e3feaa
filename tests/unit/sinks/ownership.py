"""Field ownership as an API server keeps it, roughly: sets of paths, and what an apply does with them.

A path is a tuple of steps as fieldsV1 has them: ``f:name``, ``k:{…}`` for an item of a list that has keys, ``.`` for
such an item itself. Lists without keys, and selectors of workloads, are owned as a whole.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Path = tuple[str, ...]

_KEYS = {"ownerReferences": ("uid",), "containers": ("name",), "env": ("name",)}
_NOT_FIELDS = {"name", "namespace", "uid", "resourceVersion", "generation", "managedFields", "creationTimestamp"}


def body_paths(body: dict[str, Any]) -> set[Path]:
    """Return the paths of all that an object, as it is sent, says."""
    plain = {name: part for name, part in body.items() if name not in ("apiVersion", "kind", "status")}
    plain["metadata"] = {name: part for name, part in body["metadata"].items() if name not in _NOT_FIELDS}
    return set(_paths(plain, ()))


def _paths(value: Any, path: Path) -> Iterator[Path]:
    name = path[-1][2:] if path else ""
    if isinstance(value, dict) and value and "matchExpressions" not in value:
        for key, part in value.items():
            yield from _paths(part, (*path, f"f:{key}"))
    elif isinstance(value, list) and value and keys_of(name, value):
        for item in value:
            step = item_step(name, item)
            yield (*path, step, ".")
            yield from _paths(item, (*path, step))
    else:
        yield path


def keys_of(name: str, items: list[Any]) -> tuple[str, ...]:
    """Return the keys of a list's items; none of a list that is owned as a whole."""
    if name == "ports":
        return ("containerPort", "protocol") if "containerPort" in items[0] else ("port", "protocol")
    return _KEYS.get(name, ())


def item_step(name: str, item: dict[str, Any]) -> str:
    keys = {key: item.get(key, "TCP") for key in keys_of(name, [item])}
    return "k:" + json.dumps(keys, separators=(",", ":"))


def nested(paths: Iterable[Path]) -> dict[str, Any]:
    """Return a fieldsV1."""
    fields: dict[str, Any] = {}
    for path in sorted(paths):
        at = fields
        for step in path:
            at = at.setdefault(step, {})
    return fields


def flat(fields: dict[str, Any], path: Path = ()) -> set[Path]:
    """Return the paths of a fieldsV1."""
    if not fields and path:
        return {path}
    return {found for step, below in fields.items() for found in flat(below, (*path, step))}


def merge(live: Any, applied: Any, name: str = "") -> Any:
    """Return ``live`` with all that ``applied`` says."""
    if isinstance(live, dict) and isinstance(applied, dict) and "matchExpressions" not in applied:
        return live | {key: merge(live.get(key), part, key) for key, part in applied.items()}
    if isinstance(live, list) and isinstance(applied, list) and applied and keys_of(name, applied):
        merged = {item_step(name, item): item for item in live}
        for item in applied:
            step = item_step(name, item)
            merged[step] = merge(merged.get(step), item)
        return list(merged.values())
    return applied


def remove(live: Any, path: Path) -> None:
    """Take a field out of an object, where it is there."""
    for index, step in enumerate(path[:-1]):
        if step.startswith("k:"):
            name = path[index - 1][2:]
            found = [item for item in live if item_step(name, item) == step]
            if path[index + 1] == ".":
                live[:] = [item for item in live if item not in found]
                return
            live = found[0] if found else None
        else:
            live = live.get(step[2:]) if isinstance(live, dict) else None
        if live is None:
            return
    if isinstance(live, dict):
        live.pop(path[-1][2:], None)
