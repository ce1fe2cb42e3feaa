"""What came of looking at one thing to write: the value between the writers, the queue and the event log."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.errors import ApiError
from stunnergw.events.types import Wrote

if TYPE_CHECKING:
    from stunnergw.errors import NotFoundOut
    from stunnergw.resources.metadata import Key


class Outcome(StrEnum):
    """How it ended. The first four are told as events."""

    WRITTEN = "written"
    REFUSED = "refused"
    FAILED = "failed"
    TIMEOUT = "timeout"
    UNCHANGED = "unchanged"
    """It is as we want it."""
    NOTHING = "nothing"
    """There is nothing to do."""
    WAIT = "wait"
    """It cannot be done yet."""
    UNSENT = "unsent"
    """We may not write now, or the run is dry."""


_TOLD = frozenset({Outcome.WRITTEN, Outcome.REFUSED, Outcome.FAILED, Outcome.TIMEOUT})
_RIGHT = frozenset({Outcome.WRITTEN, Outcome.UNCHANGED, Outcome.NOTHING})


class Verdict(NamedTuple):
    """What came of one object or status."""

    outcome: Outcome
    kind: str
    key: Key
    digest: str = ""
    message: str = ""
    retry_after: float | None = None
    """Seconds, where the API server asked for them."""

    @property
    def right(self) -> bool:
        """Whether it is as it should be; else it is tried again."""
        return self.outcome in _RIGHT

    def event(self, *, snapshot: int) -> Wrote | None:
        """Return what the log is told; None where nothing was tried."""
        if self.outcome not in _TOLD:
            return None
        return Wrote(
            kind=self.kind,
            key=self.key,
            digest=self.digest,
            snapshot=snapshot,
            outcome=self.outcome.value,
            message=self.message,
        )

    def after(self, error: NotFoundOut, *, said: str = "") -> Verdict:
        """Return the verdict that a request's error makes of this one. ``said`` stands in for its message."""
        message = said or str(error)
        if not isinstance(error, ApiError):
            timeout = isinstance(error.__cause__, TimeoutError)
            return self._replace(outcome=Outcome.TIMEOUT if timeout else Outcome.FAILED, message=message)
        outcome = Outcome.FAILED if error.status in (401, 409, 429) or error.status >= 500 else Outcome.REFUSED
        hold = error.retry_after if error.status in (429, 503) else None
        if error.status == 429 and hold is None:
            hold = 1.0
        return self._replace(outcome=outcome, message=message, retry_after=hold)
