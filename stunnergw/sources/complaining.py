"""Trouble with the API server, told in the log so that it can be read.

When the server is away, every kind fails at once and comes back at once: that is one line each, not one for every
kind. What concerns a kind alone, such as a right that is missing, is told of that kind. Nothing is lost: each kind's
own reason is in its state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import structlog

from stunnergw.errors import ApiError

if TYPE_CHECKING:
    from stunnergw.errors import NotFoundOut
    from stunnergw.resources.kinds import Kind

log = structlog.get_logger(__name__)


@final
class Complaints:
    """What all reflectors complain of."""

    def __init__(self) -> None:
        self._away: set[Kind[Any]] = set()

    def fails(self, kind: Kind[Any], error: NotFoundOut, *, reason: str) -> None:
        """Tell that a kind cannot be read."""
        if not _is_general(error):
            log.warning("a kind cannot be read; what is known of it stays", kind=kind.name, problem=reason)
            return
        if not self._away:
            log.warning("the API server does not answer well; what is known stays", problem=reason)
        self._away.add(kind)

    def recovers(self, kind: Kind[Any]) -> None:
        """Tell that a kind can be read again."""
        if kind not in self._away:
            log.info("a kind can be read again", kind=kind.name)
            return
        self._away.discard(kind)
        if not self._away:
            log.info("the API server answers well again")


def _is_general(error: NotFoundOut) -> bool:
    """Say whether an error is hardly one of a kind alone."""
    return not isinstance(error, ApiError) or error.status == 429 or error.status >= 500
