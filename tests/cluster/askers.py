"""Data planes that never rest: they ask for one Gateway's document in every way, again and again, through restarts.

What an operator says in the first moments of its life, when it knows little, is what such clients are for: so the port
has to be one that they know beforehand.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import aiohttp

from tests.realparts.waiting import wait_for
from tests.support.strict_client import StrictClient, Timing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAUSE = 0.01
"""Seconds between two questions."""

WITHIN = 60.0

AT_ONCE = Timing(reconnect=0.02)

NOT_YET = 503

WAYS = ("one", "poll", "list", "watch")


class Asker:
    """Asks for one Gateway's document, and for all of its namespace, and watches it; keeps what it is told."""

    def __init__(self, port: int, namespace: str, name: str) -> None:
        self._port = port
        one, all_of_them = f"/api/v1/configs/{namespace}/{name}", f"/api/v1/configs/{namespace}"
        self._paths = (one, f"/config?gateway={namespace}/{name}", all_of_them)
        self._answers: dict[str, Counter[tuple[int, bytes]]] = {path: Counter() for path in self._paths}
        self._watcher = StrictClient(port, f"{namespace}/{name}", timing=AT_ONCE, may_refuse=True)
        self._connections = 0

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[Asker]:
        """Ask within a block."""
        async with (
            self._watcher,
            aiohttp.ClientSession(f"http://127.0.0.1:{self._port}") as session,
            asyncio.TaskGroup() as group,
        ):
            tasks = [group.create_task(self._ask(session, path)) for path in self._paths]
            yield self
            for task in tasks:
                task.cancel()

    def begin(self) -> None:
        """Forget all answers so far, and what was watched, but for the newest document."""
        for answers in self._answers.values():
            answers.clear()
        self._connections = self._watcher.connections
        del self._watcher.messages[:-1]

    async def answered(self) -> None:
        """Return once each question was answered since it began, and not with "not yet"."""

        async def each() -> bool:
            return all(self._statuses(path) - {NOT_YET} for path in self._paths)

        await wait_for(each, deadline=WITHIN, what="an answer to each question")

    async def told_to_wait(self) -> None:
        """Return once the questions for the document were answered with "not yet" since it began."""

        async def each() -> bool:
            return all(NOT_YET in self._statuses(path) for path in self._paths[:2])

        await wait_for(each, deadline=WITHIN, what="to be told to wait")

    async def watched_again(self) -> None:
        """Return once the watch was taken up again since it began."""
        await self._watcher.until(lambda watcher: watcher.connections > self._connections, timeout=WITHIN)

    def statuses(self) -> set[int]:
        """Return the statuses of all answers since it began."""
        return {status for path in self._paths for status in self._statuses(path)}

    def documents(self) -> dict[str, set[bytes]]:
        """Return what was given out since it began, by the way of asking: for one document, for a poller's, for a list
        of all in the namespace, and what a watch was told.
        """
        told = [{body for status, body in answers if status == 200} for answers in self._answers.values()]
        return dict(zip(WAYS, [*told, set(self._watcher.messages)], strict=True))

    def _statuses(self, path: str) -> set[int]:
        return {status for status, _ in self._answers[path]}

    async def _ask(self, session: aiohttp.ClientSession, path: str) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError):  # nobody is there just now
                async with session.get(path) as answer:
                    self._answers[path][answer.status, await answer.read()] += 1
            await asyncio.sleep(PAUSE)
