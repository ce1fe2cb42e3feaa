"""Why something is not as its author meant it: a reason for machines, a sentence for people."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """A reason of the Gateway API and a sentence that names the object, the field and the remedy."""

    reason: str
    message: str


LONGEST_MESSAGE = 32_768
"""Characters that the schema of a condition allows."""


def sentence(*parts: str) -> str:
    """Join the parts that say something into one message, cut where the API server would refuse the whole status."""
    text = "; ".join(part for part in parts if part)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"
