"""A long run is no long pause: the projector gives others a turn after each slice, and nothing moves meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from stunnergw.events.log import EventLog
from stunnergw.projection.projecting import Projection
from stunnergw.projection.projector import SLICE, Projector
from stunnergw.resources import kinds
from stunnergw.settings import Decisions
from stunnergw.store.store import Store
from tests.support.objects import EDGE, gateway, healthy

if TYPE_CHECKING:
    from collections.abc import Callable

    from stunnergw.projection.snapshots import Snapshot

pytestmark = pytest.mark.looptime


class Ticking:
    """A clock by which every look takes a slice, so that each step of a run fills one; ``each`` sees every look."""

    def __init__(self) -> None:
        self.at = 0.0
        self.each: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        self.at += SLICE
        self.each()
        return self.at


class Stage:
    """A projector by a ticking clock, over a few Gateways."""

    def __init__(self) -> None:
        self.clock = Ticking()
        self.log = EventLog(clock=lambda: 0)
        self.store = Store(table=kinds.TABLE)
        projection = Projection(store=self.store, settings=Decisions(), on_failure=lambda label, error: None)
        self.projector = Projector(log=self.log, store=self.store, projection=projection, clock=self.clock)
        self.seen: list[Snapshot] = []
        self.projector.subscribe(self.seen.append)
        self.log.append([*healthy(), *(gateway(f"gw{number}") for number in range(10))], source="test")


async def test_others_get_a_turn_after_each_slice() -> None:
    stage = Stage()
    looks: list[int] = []
    turns: list[int] = []

    def look() -> None:
        looks.append(stage.projector.runs)
        asyncio.get_running_loop().call_soon(turns.append, stage.projector.runs)

    stage.clock.each = look
    await stage.projector.project()
    during = sum(runs == 0 for runs in looks)
    assert during > 50
    # Two looks, at least, to each turn: one that finds the slice over, one that begins the next.
    assert turns.count(0) >= during - 3


async def test_what_comes_during_a_run_waits_for_the_next() -> None:
    stage = Stage()
    batch = stage.log.last
    folded: set[int] = set()

    def look() -> None:
        if not stage.seen and stage.store.seq:
            if not folded:
                stage.log.append([gateway()], source="test")
            folded.add(stage.store.seq)

    stage.clock.each = look
    await stage.projector.project()
    assert folded == {batch}
    assert (stage.seen[0].seq, EDGE in stage.seen[0].configs) == (batch, False)
    assert not stage.projector.idle
    await stage.projector.project()
    assert EDGE in stage.seen[1].configs


async def test_a_configuration_can_be_explained() -> None:
    stage = Stage()
    await stage.projector.project()
    stage.log.append([gateway("gw1", annotations={"stunner.l7mp.io/targetport": '{"udp": 3479}'})], source="test")
    await stage.projector.project()
    key = gateway("gw1").key
    explanation = stage.projector.explain(key)
    assert explanation is not None
    assert [cause.label for cause in explanation.cause.inputs()] == [f"Gateway {key}"]
    assert explanation.inputs[-1].label == f"Gateway {key}"
    assert stage.projector.explain(EDGE) is None
