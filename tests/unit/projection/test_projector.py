"""The projector on virtual time: when it folds, when it projects, and whom it tells."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from stunnergw.events.log import EventLog
from stunnergw.events.types import Listed, Projected
from stunnergw.projection.projecting import Projection
from stunnergw.projection.projector import Projector
from stunnergw.resources import kinds
from stunnergw.settings import Decisions
from stunnergw.store.store import Store
from tests.support.objects import endpoint_slice, gateway, healthy, listed, namespace, route, service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stunnergw.projection.snapshots import Snapshot

pytestmark = pytest.mark.looptime

THROTTLE = 0.005


class Stage:
    """A projector and what it was seen to do."""

    def __init__(self) -> None:
        self.log = EventLog(clock=lambda: 0)
        self.store = Store(table=kinds.TABLE)
        projection = Projection(store=self.store, settings=Decisions(), on_failure=self._fail)
        loop = asyncio.get_running_loop()
        self.projector = Projector(
            log=self.log, store=self.store, projection=projection, clock=loop.time, throttle=THROTTLE
        )
        self.seen: list[tuple[float, Snapshot]] = []
        self.projector.subscribe(lambda snapshot: self.seen.append((loop.time(), snapshot)))

    def _fail(self, query: str, error: Exception) -> None:
        raise AssertionError(query) from error

    async def quiet(self) -> None:
        """Wait until all is folded and nothing more comes."""
        await asyncio.sleep(1)
        assert self.projector.idle


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    running = asyncio.create_task(made.projector.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


WORLD = (*healthy(), gateway(), route(), service(), endpoint_slice("sfu-1", "10.0.0.1"))


async def test_it_runs_a_moment_after_the_first_event_and_takes_in_what_came_meanwhile() -> None:
    async with stage() as on:
        on.log.append(WORLD, source="test")
        await on.quiet()
        began = asyncio.get_running_loop().time()
        for number in range(20):
            on.log.append([endpoint_slice("sfu-1", f"10.0.1.{number}")], source="test")
            await asyncio.sleep(0.001)
        await on.quiet()
        times = [time - began for time, _ in on.seen[1:]]
        # A steady stream does not wait for quiet: a run every few milliseconds.
        assert times[0] == pytest.approx(THROTTLE, abs=0.0005)
        assert 3 <= len(times) <= 5


async def test_nothing_is_published_before_every_kind_is_listed() -> None:
    async with stage() as on:
        late = Listed(kind=kinds.NODE, versions=("v1",))
        on.log.append([fact for fact in WORLD if fact != late], source="test")
        await on.quiet()
        assert on.seen == []
        assert on.projector.latest is None
        on.log.append([late], source="test")
        await on.quiet()
        assert len(on.seen) == 1


async def test_events_that_dirty_nothing_start_no_run_and_are_folded_all_the_same() -> None:
    async with stage() as on:
        on.log.append(WORLD, source="test")
        await on.quiet()
        assert on.projector.runs == 1
        on.log.append([namespace(), gateway()], source="test")
        await on.quiet()
        assert on.projector.runs == 1
        assert on.log.folded == on.log.last


async def test_each_run_is_told_in_the_log_and_starts_no_other() -> None:
    async with stage() as on:
        on.log.append(WORLD, source="test")
        await on.quiet()
        (told,) = [event.fact for event in on.log.since(0) if isinstance(event.fact, Projected)]
        assert told.snapshot == on.seen[0][1].seq
        assert "config media/edge" in dict(told.changed)
        on.log.append([endpoint_slice("sfu-1", "10.0.0.2")], source="test")
        await on.quiet()
        last = on.log.since(0)[-1].fact
        assert isinstance(last, Projected)
        assert [label for label, _ in last.changed] == ["config media/edge"]


async def test_the_store_stands_still_during_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that come in the middle wait for the next one: a snapshot's seq is the last folded event."""
    async with stage() as on:
        on.log.append(WORLD, source="test")
        await on.quiet()
        steps, seqs = on.projector._projection.steps, set()

        def slow(dirty: object) -> object:
            for step in steps(dirty):  # type: ignore[arg-type]
                on.log.append([namespace(turn=str(on.log.last))], source="test")
                seqs.add(on.store.seq)
                yield step

        monkeypatch.setattr(on.projector._projection, "steps", slow)
        on.log.append([endpoint_slice("sfu-1", "10.0.0.3")], source="test")
        await on.projector.project()
        monkeypatch.undo()
        assert seqs == {on.seen[-1][1].seq}
        await on.quiet()


async def test_a_subscriber_may_leave() -> None:
    async with stage() as on:
        count: list[int] = []
        leave = on.projector.subscribe(lambda snapshot: count.append(snapshot.seq))
        on.log.append(listed(), source="test")
        await on.quiet()
        leave()
        on.log.append(WORLD, source="test")
        await on.quiet()
        assert len(count) == 1
        assert len(on.seen) == 2
