"""Statuses of StaticServices: which prefixes do not parse. Such a one is left out; the others are served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.dataplane.endpoints import normalise_prefix
from stunnergw.projection.conditions import positive
from stunnergw.projection.outputs import ABSENT, Want
from stunnergw.projection.problems import Problem
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason
from stunnergw.projection.statuses import StaticServiceStatus
from stunnergw.resources.kinds import STATIC_SERVICE

if TYPE_CHECKING:
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.queries import Context
    from stunnergw.resources.metadata import Key

MOST_NAMED = 10
"""Prefixes that a message names."""

LONGEST_NAMED = 64
"""Characters of a prefix that it repeats."""


@query("status of StaticService")
def static_service_status(db: Context, key: Key) -> Output[StaticServiceStatus]:
    """Work out the status of a StaticService. Who uses it is not said: routes come and go."""
    found = db.get(STATIC_SERVICE, key)
    if found is None:
        return ABSENT
    prefixes = found.spec.prefixes
    message = f"prefixes that can be reached: {len(prefixes)}" if prefixes else "spec.prefixes is empty: add one"
    accepted = positive("Accepted", _problem(prefixes), message=message, generation=found.metadata.generation)
    return Want(StaticServiceStatus((accepted,)))


def _problem(prefixes: tuple[str, ...]) -> Problem | None:
    wrong = [
        f"spec.prefixes[{index}] {text[:LONGEST_NAMED]!r}"
        for index, text in enumerate(prefixes)
        if normalise_prefix(text) is None
    ]
    if not wrong:
        return None
    named = ", ".join(wrong[:MOST_NAMED])
    more = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
    left = len(prefixes) - len(wrong)
    return Problem(
        Reason.UNSUPPORTED_VALUE,
        f"{named}{more}: no IP address or prefix, so left out: correct it, as in 10.0.0.0/8 or 2001:db8::/64; "
        f"the other prefixes are served: {left}",
    )
