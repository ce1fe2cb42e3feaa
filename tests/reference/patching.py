"""Merge patches that must change something, and the telling of what differs.

A patch is a mapping as in RFC 7386: what it names is set or merged into, ``null`` takes away. A name with ``*`` stands
for every name there is that fits. What changes nothing is an error: a difference that is listed and does not occur.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ORDERED = "listeners"
"""Mappings of this name have an order that means something: a Gateway's."""


class NothingChanged(AssertionError):
    """A difference is listed and does not occur."""


def merge(value: dict[str, Any], patch: Mapping[str, Any], *, at: str) -> None:
    """Merge ``patch`` into ``value``.

    Raises:
        NothingChanged: a part of the patch found things as it wants them.
    """
    for name, part in patch.items():
        names = [found for found in list(value) if fnmatchcase(found, name)] if "*" in name else [name]
        if not names:
            raise NothingChanged(f"{at}: nothing is named {name}")
        for found in names:
            _merge_one(value, found, part, at=f"{at}.{found}")


def _merge_one(value: dict[str, Any], name: str, part: Any, *, at: str) -> None:
    if isinstance(part, dict) and part:
        below = value.get(name)
        if not isinstance(below, dict):
            below = value[name] = {}
        merge(below, part, at=at)
    elif part is None:
        if name not in value:
            raise NothingChanged(f"{at} is not there already")
        del value[name]
    elif name in value and value[name] == part:
        raise NothingChanged(f"{at} is {part!r} already")
    else:
        value[name] = part


def differing(expected: Any, ours: Any, *, at: str = "") -> Iterator[str]:
    """Tell where two worlds differ, one line each."""
    if isinstance(expected, dict) and isinstance(ours, dict):
        for name in sorted({*expected, *ours}):
            below = f"{at} › {name}" if at else name
            if name not in ours:
                yield f"{below}: missing; expected {expected[name]!r}"
            elif name not in expected:
                yield f"{below}: not expected: {ours[name]!r}"
            else:
                yield from differing(expected[name], ours[name], at=below)
        if at.rpartition(" › ")[2] == ORDERED and set(expected) == set(ours) and list(expected) != list(ours):
            yield f"{at}: expected in the order {list(expected)}, got {list(ours)}"
    elif expected != ours:
        yield f"{at}: expected {expected!r}, got {ours!r}"
