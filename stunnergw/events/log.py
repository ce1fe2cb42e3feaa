"""The event log: every event in order, the newest kept, many readers.

Sources append batches; a batch is never split, so that no projection falls into the middle of a relist. The
projector says up to where it has folded; what is not folded is never dropped, however full the log. A reader that
asks for what is gone is told so (:class:`~stunnergw.errors.FellBehind`) and starts again from the store.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from stunnergw.errors import FellBehind
from stunnergw.events.types import Applied, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stunnergw.events.types import Fact

_FIXED_SIZE = 256
"""Bytes that an event costs beside its object, roughly."""


class EventLog:
    """Events of one run, in memory.

    ``clock`` gives nanoseconds since the epoch. At most ``max_events`` and about ``max_bytes`` are kept, beside
    those not folded yet. ``first`` is the first sequence number, for a run that goes on where a journal ended.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        max_events: int = 100_000,
        max_bytes: int = 64 * 1024 * 1024,
        first: int = 1,
    ) -> None:
        self._clock = clock
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._last = first - 1
        self._folded = first - 1
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def last(self) -> int:
        """Sequence number of the newest event; one less than the first where there is none."""
        return self._last

    @property
    def folded(self) -> int:
        """Up to where the store has taken events in."""
        return self._folded

    @property
    def oldest(self) -> int:
        """The first sequence number that can still be had."""
        return self._events[0].seq if self._events else self._last + 1

    def append(self, facts: Iterable[Fact], *, source: str) -> int:
        """Append a batch and return the sequence number of its last event."""
        at = self._clock()
        for fact in facts:
            self._last += 1
            self._events.append(Event(self._last, at, source, fact))
            self._bytes += _size(fact)
        self._trim()
        self._wake()
        return self._last

    def since(self, seq: int, *, limit: int | None = None) -> list[Event]:
        """Return the events after ``seq``, at most ``limit`` of them.

        Raises:
            FellBehind: some of them are gone.
        """
        if seq + 1 < self.oldest:
            raise FellBehind(seq, self.oldest)
        # From the newest back: readers are nearly always close behind.
        found = list(islice(reversed(self._events), max(0, self._last - seq)))
        found.reverse()
        return found if limit is None else found[:limit]

    def mark_folded(self, seq: int) -> None:
        """Say that the store holds everything up to ``seq``; older events may go now."""
        self._folded = max(self._folded, seq)
        self._trim()

    async def wait(self, *, after: int) -> None:
        """Return once there is an event after ``after``."""
        while self._last <= after:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    def _trim(self) -> None:
        while self._events and (len(self._events) > self._max_events or self._bytes > self._max_bytes):
            if self._events[0].seq > self._folded:
                return
            self._bytes -= _size(self._events.popleft().fact)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


def _size(fact: Fact) -> int:
    return _FIXED_SIZE + (fact.size if isinstance(fact, Applied) else 0)
