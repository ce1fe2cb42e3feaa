"""The workers of a write queue: at most so many keys are out at a time, each in a task of its own.

The loop takes what is due while a worker is free, and sleeps until one is, or something is due, or a change wakes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Generic, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from stunnergw.sinks.queue import WriteQueue

K = TypeVar("K", bound="Hashable")

WORKERS = 8

SHORTEST = 0.001
"""Seconds of the shortest sleep."""

FORBIDDEN = 0.5
"""Seconds after which to ask again whether we may work."""


@final
class Workers(Generic[K]):
    """Runs ``handle`` for each key of ``queue`` when it is due; ``handle`` gives the key back to the queue.

    Nothing is taken while ``allowed`` says no.
    """

    def __init__(
        self,
        queue: WriteQueue[K],
        *,
        handle: Callable[[K], Awaitable[None]],
        allowed: Callable[[], bool],
        clock: Callable[[], float],
        count: int = WORKERS,
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._allowed = allowed
        self._clock = clock
        self._count = count
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Say that the queue changed."""
        self._changed.set()

    async def run(self) -> None:
        """Work for ever. An error in a handler ends it."""
        async with asyncio.TaskGroup() as group:
            while True:
                free = self._queue.out < self._count and self._allowed()
                key = self._queue.take(now=self._clock()) if free else None
                if key is None:
                    await self._pause()
                else:
                    group.create_task(self._one(key), name=f"write {key}")

    async def _one(self, key: K) -> None:
        await self._handle(key)
        self.wake()

    async def _pause(self) -> None:
        due = self._queue.next_due() if self._queue.out < self._count else None
        # Never nothing: two clocks, or one in other steps, may differ in what has come and what is still to come.
        delay = None if due is None else max(SHORTEST if self._allowed() else FORBIDDEN, due - self._clock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._changed.wait()
        self._changed.clear()
