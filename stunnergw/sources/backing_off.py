"""How long to wait before the next try: longer each time, never the same for two, and as long as the server asks.

Nothing here waits by itself. The clock, the waiting and the chance come in through :class:`Timing`, so that tests run
on a time of their own.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LONGEST_OBEYED = 120.0
"""Seconds of a Retry-After that are obeyed; a server that asks for more is asked again by then."""

_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Time and chance, from outside."""

    monotonic: Callable[[], float] = time.monotonic
    """Seconds by a clock that never goes back."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    """From 0 up to 1."""


@final
class Backoff:
    """Waits that double from ``first`` to ``most`` seconds, each jittered down to its half."""

    def __init__(self, timing: Timing, *, first: float, most: float) -> None:
        self._timing = timing
        self._first = first
        self._most = most
        self.tries = 0
        """Waits since the last success."""

    def next(self, *, retry_after: float | None = None) -> float:
        """Return the seconds to wait now; ``retry_after`` is what the server asked for."""
        bound = min(self._most, self._first * 2.0 ** min(self.tries, _MOST_DOUBLINGS))
        self.tries += 1
        chance = self._timing.random()
        ours = bound * (0.5 + chance / 2)
        if retry_after is None:
            return ours
        # Not at the very moment that everybody else was told, too.
        return max(ours, min(retry_after, LONGEST_OBEYED) * (1 + chance / 10))

    def succeeded(self) -> None:
        """Begin with short waits again."""
        self.tries = 0
