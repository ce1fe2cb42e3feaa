"""How conditions are put together: one place for types, order and the generation they speak of."""

from __future__ import annotations

from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.reasons import Reason
from stunnergw.projection.statuses import Condition

TRUE = "True"
FALSE = "False"
UNKNOWN = "Unknown"


def positive(kind: str, problem: Problem | None, *, message: str, generation: int) -> Condition:
    """Return a condition that is True for its own name, or False for the problem's reason."""
    if problem is None:
        return Condition(kind, TRUE, Reason(kind), message, generation)
    return Condition(kind, FALSE, problem.reason, problem.message, generation)


def with_notes(problem: Problem | None, notes: tuple[str, ...]) -> Problem | None:
    """Add to a problem what its author should know besides."""
    return problem and problem._replace(message=sentence(problem.message, *notes))
