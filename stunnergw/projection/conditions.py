"""How conditions are put together: one place for types, order and the generation they speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.projection.statuses import Condition

if TYPE_CHECKING:
    from stunnergw.projection.problems import Problem

TRUE = "True"
FALSE = "False"
UNKNOWN = "Unknown"


def positive(kind: str, problem: Problem | None, *, message: str, generation: int, reason: str = "") -> Condition:
    """Return a condition that is True for its own name (or ``reason``), or False for the problem's reason."""
    if problem is None:
        return Condition(kind, TRUE, reason or kind, message, generation)
    return Condition(kind, FALSE, problem.reason, problem.message, generation)
