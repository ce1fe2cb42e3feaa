"""Why something is not as its author meant it: a reason for machines, a sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stunnergw.projection.reasons import Reason


class Problem(NamedTuple):
    """A reason of the Gateway API and a sentence that names the object, the field and the remedy."""

    reason: Reason
    message: str


def group_and_kind(group: str, kind: str) -> str:
    """Write what a reference names; the core group has no name, whatever people call it."""
    hint = ' (the core group is written group: "")' if group == "core" else ""
    return f"{group or 'core'}/{kind}{hint}"


LONGEST_MESSAGE = 32_768
"""Characters that the schema of a condition allows."""


def sentence(*parts: str) -> str:
    """Join the parts that say something into one message, cut where the API server would refuse the whole status."""
    text = "; ".join(part for part in parts if part)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"
