"""A plan as text for a person, one block an object, or as JSON for a program."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.cli.marks import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stunnergw.cli.planning import Plan, Step

_VERBS = {
    "create": "is created",
    "apply": "is changed",
    "take over": "is taken over: what the reference operator wrote becomes ours",
    "delete": "is deleted",
    "status": "gets another status",
    "none": "cannot be written",
}
_ORDER = ("none", "take over", "create", "apply", "status", "delete")
_TROUBLES = {
    Trouble.CALLS: "end or hold up calls",
    Trouble.ADDRESS: "drop an address",
    Trouble.SHUT_OUT: "shut something out",
    Trouble.NOT_WRITTEN: "cannot be written",
}


def as_text(plan: Plan) -> Iterator[str]:
    """Yield the lines for a person."""
    for (kind, key), steps in groupby(plan.steps, key=lambda step: (step.planned.kind, step.planned.key)):
        yield f"{kind} {key}"
        for step in sorted(steps, key=lambda step: _ORDER.index(step.planned.verb)):
            yield from _block(step)
        yield ""
    if plan.undecided:
        yield "Cannot be decided, so it stays as it is:"
        yield from (f"  {line}" for line in plan.undecided)
        yield ""
    yield summary(plan)


def as_json(plan: Plan) -> bytes:
    """Return it for a program."""
    return orjson.dumps(
        {
            "writes": [_entry(step) for step in plan.steps],
            "undecided": list(plan.undecided),
            "marks": {trouble.value: count for trouble, count in _counts(plan).items()},
        },
        option=orjson.OPT_INDENT_2,
    )


def summary(plan: Plan) -> str:
    """Return the last line."""
    verbs = Counter(step.planned.verb for step in plan.steps)
    if not verbs:
        return "Nothing to write."
    named = {"create": "created", "apply": "changed", "delete": "deleted", "status": "statuses", "none": "left alone"}
    parts = ", ".join(f"{verbs[verb]} {word}" for verb, word in named.items() if verbs[verb])
    counts = _counts(plan)
    marked = ", ".join(f"{count} {_TROUBLES[trouble]}" for trouble, count in counts.items() if count)
    return f"To write: {parts}. Marked with !: {marked or 'nothing'}."


def _counts(plan: Plan) -> dict[Trouble, int]:
    """Count the objects that each trouble concerns."""
    return {
        trouble: len(
            {(step.planned.kind, step.planned.key) for step in plan.steps for mark in step.marks if mark[0] is trouble}
        )
        for trouble in Trouble
    }


def _block(step: Step) -> Iterator[str]:
    verb, changes = step.planned.verb, step.planned.effect.changes
    yield f"  {_VERBS[verb]}"
    if verb != "none":
        yield from (f"    {line}" for line in _lines(changes, short=verb == "status"))
    yield from (f"  ! {mark.trouble.value}: {mark.what}" for mark in step.marks)


def _lines(changes: tuple[str, ...], *, short: bool) -> Iterator[str]:
    """Leave out, of a status, what says the same in other words."""
    words = [line for line in changes if short and line.partition(": ")[0].endswith(".message")]
    yield from (line for line in changes if line not in words)
    if words:
        yield f"{len(words)} message{'s' if len(words) > 1 else ''} in other words"


def _entry(step: Step) -> dict[str, Any]:
    planned = step.planned
    return {
        "verb": planned.verb,
        "kind": planned.kind,
        "namespace": planned.key.namespace,
        "name": planned.key.name,
        "changes": list(planned.effect.changes),
        "marks": [{"trouble": mark.trouble.value, "what": mark.what} for mark in step.marks],
    }
