"""What a write would change, for a person to read in a dry run: paths, and values where no secret is among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LONGEST = 60
"""Characters of a value that are shown."""


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any] | None, *, secret: bool) -> tuple[str, ...]:
    """Return the fields of ``wanted`` that ``found`` lacks or has otherwise; none of what is new altogether.

    With ``secret`` no values are shown.
    """
    if found is None:
        return ()
    told = []
    for path, new, old in _differences(wanted, found, ""):
        told.append(path if secret else f"{path}: {_shown(old)} → {_shown(new)}")
    return tuple(told)


def _differences(new: Any, old: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(new, dict) and isinstance(old, dict):
        for name, part in new.items():
            yield from _differences(part, old.get(name), f"{path}.{name}" if path else name)
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        for index, (part, before) in enumerate(zip(new, old, strict=True)):
            yield from _differences(part, before, f"{path}[{index}]")
    elif new != old:
        yield path, new, old


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
