"""A source over a server in memory, on virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from stunnergw.events.log import EventLog
from stunnergw.resources import kinds
from stunnergw.sources.backing_off import Timing
from stunnergw.sources.watching import SOURCE, ClusterSource
from tests.unit.sources.watching.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from stunnergw.events.types import Fact
    from stunnergw.kube.client import KubeClient
    from stunnergw.resources.kinds import Kind
    from stunnergw.sources.reflecting import KindState


class Stage:
    def __init__(self) -> None:
        self.server = Server()
        self.log = EventLog(clock=lambda: 0)
        self.unread: frozenset[Kind[Any]] = frozenset()
        self.batches: list[list[Fact]] = []
        self._source: ClusterSource | None = None

    @property
    def source(self) -> ClusterSource:
        assert self._source is not None
        return self._source

    @asynccontextmanager
    async def running(self, *, synced: bool = True) -> AsyncIterator[ClusterSource]:
        """Run a source; with ``synced`` until every kind is listed, and begin the record there."""
        timing = Timing(monotonic=self.now, sleep=asyncio.sleep, random=lambda: 0.5)
        self._source = ClusterSource(cast("KubeClient", self.server), log=self.log, unread=self.unread, timing=timing)
        append = self.log.append

        def record(facts: Any, *, source: str) -> int:
            self.batches.append(list(facts))
            return append(facts, source=source)

        self.log.append = record  # type: ignore[method-assign]
        running = asyncio.create_task(self._source.run())
        try:
            if synced:
                await self.until(lambda: self.source.synced and self.server.open >= len(kinds.TABLE) - 1)
                self.batches.clear()
            yield self._source
            if running.done():
                running.result()
        finally:
            running.cancel()
            await asyncio.wait([running])

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def until(self, holds: Callable[[], object], *, within: float = 60.0) -> None:
        """Let time pass until something holds."""
        began = self.now()
        while not holds():
            assert self.now() < began + within, f"not within {within} s; the log holds {self.log.since(0)[-5:]}"
            await asyncio.sleep(0.01 if self.now() < began + 5 else 0.5)

    async def settle(self, seconds: float = 0.05) -> None:
        """Let things happen that happen at once."""
        await asyncio.sleep(seconds)

    def state(self, kind: Kind[Any]) -> KindState:
        return self.source.states[kind]

    def told(self, kind: Kind[Any]) -> list[str]:
        """Return what was told of a kind since the record began, in few words."""
        return [text for batch in self.batches for fact in batch if (text := describe(fact, kind))]

    def all_from_cluster(self) -> bool:
        return {event.source for event in self.log.since(0)} == {SOURCE}


def describe(fact: Fact, kind: Kind[Any]) -> str:
    fact_: Any = fact
    if fact_.kind is not kind:
        return ""
    match type(fact).__name__:
        case "Applied":
            return f"+{fact_.key.name}@{fact_.object.metadata.resource_version}"
        case "Deleted":
            return f"-{fact_.key.name}"
        case "Listed":
            return f"listed {' '.join(fact_.versions)}".rstrip()
        case _:
            return f"unavailable {fact_.reason}"


@pytest.fixture
def stage() -> Stage:
    return Stage()
