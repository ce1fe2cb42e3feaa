"""What a write would change, for a person to read in a dry run: paths, with the values where none can be a secret.

The two sides are whole objects, or statuses. Items of lists are found by their names.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stunnergw.projection.bodies import APPLIED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LONGEST = 80
"""Characters of a value that are shown."""

_OUR_ENV = ("STUNNER_ADDR", "STUNNER_NAME", "STUNNER_NAMESPACE", "STUNNER_NODENAME", "STUNNER_CONFIG_ORIGIN")
"""Variables whose values are no secrets: how a data plane finds its configuration."""

_UNSAID = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", APPLIED})

_SECRETIVE = frozenset({"env", "data", "binaryData"})

_SUFFIXES = {
    "": Decimal(1), "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
}  # fmt: skip


class Change(NamedTuple):
    """One field that would be another. None: it is not there."""

    path: tuple[str, ...]
    old: Any
    new: Any

    def __str__(self) -> str:
        """Say it in a line."""
        path = "".join(part if part.startswith("[") else f".{part}" for part in self.path).removeprefix(".")
        if _may_be_secret(self.path):
            what = "goes" if self.new is None else "comes" if self.old is None else "changes"
            return f"{path}: {what}"
        return f"{path}: {_shown(self.old)} → {_shown(self.new)}"


def differences(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> tuple[Change, ...]:
    """Return the fields that differ; none where there was no ``old``: all of it is new then."""
    return () if old is None else tuple(_differences(new, old, ()))


def _differences(new: Any, old: Any, path: tuple[str, ...]) -> Iterator[Change]:
    if isinstance(new, dict) and isinstance(old, dict):
        for name in (*old, *(name for name in new if name not in old)):
            if name not in _UNSAID:
                yield from _differences(new.get(name), old.get(name), (*path, name))
    elif (new or old) and _have_names(new) and _have_names(old):
        before, after = _by_name(old), _by_name(new)
        for name in (*before, *(name for name in after if name not in before)):
            yield from _differences(after.get(name), before.get(name), (*path, f"[{name}]"))
    elif new != old and not _same_quantity(new, old, path):
        yield Change(path, old, new)


def _have_names(items: Any) -> bool:
    return not items or (isinstance(items, list) and bool(_names(items)))


def _by_name(items: Any) -> dict[str, Any]:
    return dict(zip(_names(items), items or (), strict=True))


def _names(items: Any) -> list[str]:
    """Return a name for each item, by which it is found on the other side; empty where they have none."""
    names = [_name(item) for item in items or ()]
    return names if all(names) and len(set(names)) == len(names) else []


def _name(item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    for field in ("name", "type", "containerPort"):
        if isinstance(item.get(field), str | int):
            return str(item[field])
    parent = item.get("parentRef")
    return _parent_name(parent) if isinstance(parent, dict) else ""


def _parent_name(parent: dict[str, Any]) -> str:
    parts = (parent.get("namespace"), parent.get("name"), parent.get("sectionName"), parent.get("port"))
    return "/".join(str(part) for part in parts if part)


def _same_quantity(new: Any, old: Any, path: tuple[str, ...]) -> bool:
    """Say whether two quantities are one: the API server keeps ``1000m`` as ``1``."""
    if not {"limits", "requests"} & set(path) or new is None or old is None:
        return False
    one, other = _quantity(str(new)), _quantity(str(old))
    return one is not None and one == other


def _quantity(text: str) -> Decimal | None:
    number = text.rstrip("mkKMGTi")
    try:
        return Decimal(number) * _SUFFIXES[text[len(number) :]]
    except (InvalidOperation, KeyError):
        return None


def _may_be_secret(path: tuple[str, ...]) -> bool:
    """Say whether values there are not to be shown: data of a ConfigMap, and a user's environment variables."""
    if path[:1] in (("data",), ("binaryData",)):
        return True
    for part, name in zip(path, (*path[1:], ""), strict=True):
        if part == "env":
            return name.strip("[]") not in _OUR_ENV
    return False


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict) and {"type", "status", "reason"} <= value.keys():
        return f"{value['status']}/{value['reason']}"  # a condition
    text = orjson.dumps(_without_secrets(value)).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(part) for name, part in value.items() if name not in _SECRETIVE}
    return [_without_secrets(part) for part in value] if isinstance(value, list) else value
