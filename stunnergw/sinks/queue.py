"""The write queue: which key to write next, and when. Pure: the time is an argument, nothing waits in here.

A key stands for what is to be written (an object or a status); what that is gets looked up when the key is taken, so
that only the latest state is ever written. Changes are gathered: a key is due 100 ms after its last change, at the
latest one second after the first. One key is never out twice; what changes meanwhile is due again when it is back.

Of what is due, documents go first, then what changed, then the first list; but each fourth turn goes to the one that
has been due longest, so that endless changes starve nobody.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Hashable

K = TypeVar("K", bound="Hashable")

QUIET = 0.1
"""Seconds without a new desired state after which a write goes out."""

PATIENCE = 1.0
"""Seconds after which it goes out in any case."""

FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0

AGEING = 4
"""Of so many turns, one goes to whatever has been due longest."""


class Lane(IntEnum):
    """How urgent a write is; the lower, the sooner."""

    DOCUMENT = 0
    """A configuration: it goes out at once."""
    CHANGE = 1
    LIST = 2
    """Looked at because a leader begins, or because the object itself changed."""


@dataclass(slots=True)
class _Entry:
    """What is known of a key that waits, is out, or has failed."""

    lane: Lane
    since: float
    """When the first of the changes that wait came."""
    due: float | None = None
    """None while it does not wait."""
    out: bool = False
    held_until: float = 0.0
    """The server asked to be left in peace so long, whatever changes."""
    failures: int = 0
    retrying: bool = False
    """Nothing changed; it waits to be tried again."""
    forgotten: bool = False
    """It was out when all was forgotten, and nothing changed since."""


@final
class WriteQueue(Generic[K]):
    """Keys to write, each with its time."""

    def __init__(self) -> None:
        self._entries: dict[K, _Entry] = {}
        self._heaps: dict[Lane, list[tuple[float, int, K]]] = {lane: [] for lane in Lane}
        self._order = count()
        self._turns = 0
        self.out = 0
        """Keys taken and not back yet."""

    def __len__(self) -> int:
        return sum(entry.due is not None for entry in self._entries.values())

    @property
    def quiet(self) -> bool:
        """Whether nothing is out, and nothing waits but for another try."""
        return self.out == 0 and all(entry.due is None or entry.retrying for entry in self._entries.values())

    def put(self, key: K, *, now: float, lane: Lane = Lane.CHANGE) -> None:
        """Say that what is wanted under ``key`` changed."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(lane, now)
        elif entry.due is None or entry.retrying:
            entry.since = now
            entry.lane = lane
        else:
            entry.lane = min(entry.lane, lane)
        entry.retrying = entry.forgotten = False
        settled = now if lane is Lane.DOCUMENT else min(now + QUIET, entry.since + PATIENCE)
        self._wait(key, entry, max(settled, entry.held_until))

    def look(self, key: K, *, now: float, after: float = 0.0) -> None:
        """Have ``key`` looked at, unless it waits anyway: what is wanted did not change."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(Lane.LIST, now)
        entry.forgotten = False
        if entry.due is None:
            entry.lane, entry.since = Lane.LIST, now
            self._wait(key, entry, max(now + after, entry.held_until))

    def take(self, *, now: float) -> K | None:
        """Return the next key that is due, now out; None where none is."""
        ready = [lane for lane, heap in self._heaps.items() if self._head(heap, now)]
        if not ready:
            return None
        self._turns += 1
        aged = self._turns % AGEING == 0
        lane = min(ready, key=lambda lane: self._heaps[lane][0]) if aged else min(ready)
        _, _, key = heapq.heappop(self._heaps[lane])
        entry = self._entries[key]
        entry.due, entry.out, entry.retrying = None, True, False
        self.out += 1
        return key

    def done(self, key: K, *, now: float) -> None:
        """Take ``key`` back: it is as it should be."""
        entry = self._back(key)
        entry.failures, entry.held_until = 0, 0.0
        self._settle(key, entry, now)

    def failed(self, key: K, *, now: float, jitter: float, retry_after: float | None = None) -> float:
        """Take ``key`` back to try it again; returns in how many seconds. ``jitter`` is between 0 and 1.

        With ``retry_after`` no change of what is wanted makes it sooner.
        """
        entry = self._back(key)
        if entry.forgotten:
            del self._entries[key]
            return 0.0
        delay = min(FIRST_RETRY * 2.0 ** min(entry.failures, 30), LONGEST_RETRY) * (1 + 0.2 * jitter)
        entry.failures += 1
        if retry_after is not None:
            delay = max(delay, retry_after)
            entry.held_until = now + delay
        if entry.due is None:
            entry.retrying = True
            self._wait(key, entry, now + delay)
        else:
            self._wait(key, entry, max(entry.due, entry.held_until, now + FIRST_RETRY))
        return delay

    def later(self, key: K, *, now: float, after: float) -> None:
        """Take ``key`` back untried; it is due again after so many seconds."""
        entry = self._back(key)
        if entry.forgotten:
            del self._entries[key]
        elif entry.due is None:
            self._wait(key, entry, now + after)
        else:
            self._wait(key, entry, max(entry.due, now + after))

    def clear(self) -> None:
        """Forget all that waits. What is out stays out until it is back, so that nothing is out twice."""
        out = [key for key, entry in self._entries.items() if entry.out]
        self._entries = {key: _Entry(Lane.LIST, 0.0, out=True, forgotten=True) for key in out}
        self._heaps = {lane: [] for lane in Lane}

    def next_due(self) -> float | None:
        """Return when the next key that may be taken is due; None where none waits."""
        heads = [heap[0][0] for heap in self._heaps.values() if self._head(heap, float("inf"))]
        return min(heads, default=None)

    def _wait(self, key: K, entry: _Entry, due: float) -> None:
        entry.due = due
        if not entry.out:
            heapq.heappush(self._heaps[entry.lane], (due, next(self._order), key))

    def _back(self, key: K) -> _Entry:
        self.out -= 1
        entry = self._entries[key]
        entry.out = False
        return entry

    def _settle(self, key: K, entry: _Entry, now: float) -> None:
        if entry.due is None:
            del self._entries[key]
        else:
            self._wait(key, entry, max(entry.due, now))

    def _head(self, heap: list[tuple[float, int, K]], now: float) -> bool:
        """Say whether the first of a heap is due, after what was overtaken is gone from it."""
        while heap:
            due, _, key = heap[0]
            entry = self._entries.get(key)
            if entry is not None and entry.due == due and not entry.out and self._heaps[entry.lane] is heap:
                return due <= now
            heapq.heappop(heap)
        return False
