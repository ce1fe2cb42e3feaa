"""What docs/differences.md says: which differences there are, and which recordings show each.

A difference that a recording shows has a line of its own: its name in backquotes, then ``· recordings 16, 23``, or
``· everywhere``. That line is the only place that says where a difference
holds: the tests take it from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "differences.md"
_LINE = re.compile(r"^`(?P<name>[a-z0-9-]+)` · (?:everywhere|recordings? (?P<numbers>\d\d(?:, \d\d)*))$", re.MULTILINE)


@dataclass(frozen=True)
class Documented:
    """One difference, as the document places it."""

    name: str
    numbers: frozenset[str] | None
    """The recordings that show it; None: wherever it can occur."""

    def shown_by(self, number: str) -> bool:
        """Tell whether it holds for a recording."""
        return self.numbers is None or number in self.numbers


@cache
def documented() -> dict[str, Documented]:
    """Read the document."""
    found: dict[str, Documented] = {}
    for line in _LINE.finditer(DOCUMENT.read_text()):
        assert line["name"] not in found, f"{DOCUMENT.name} has {line['name']} twice"
        numbers = frozenset(line["numbers"].split(", ")) if line["numbers"] else None
        found[line["name"]] = Documented(line["name"], numbers)
    return found
