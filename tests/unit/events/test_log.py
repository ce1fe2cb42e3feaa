from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunnergw.errors import FellBehind
from stunnergw.events.log import EventLog
from stunnergw.events.types import Applied, Deleted, Event, Fact
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.resources.parsing import parse


class Clock:
    """Each look at it is a nanosecond later."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


def log(**settings: Any) -> EventLog:
    return EventLog(clock=Clock(), **settings)


def facts(count: int, *, size: int = 0) -> list[Fact]:
    thing = parse(
        kinds.NAMESPACE,
        {"metadata": {"name": "media", "resourceVersion": "7", "managedFields": [{"manager": "kubectl"}]}},
    )
    return [Applied(kind=kinds.NAMESPACE, object=thing, size=size) for _ in range(count)]


def seqs(events: list[Event]) -> list[int]:
    return [event.seq for event in events]


def filled(count: int, **settings: Any) -> EventLog:
    full = log(**settings)
    full.append(facts(count), source="test")
    return full


# Appending and reading ----------------------------------------------------------------------------------------


def test_an_empty_log() -> None:
    empty = log()
    assert (empty.last, empty.folded, empty.oldest) == (0, 0, 1)
    assert empty.since(0) == []


def test_sequence_numbers_have_no_gaps() -> None:
    growing = log()
    assert [growing.append(facts(count), source="test") for count in (2, 0, 3)] == [2, 2, 5]
    assert seqs(growing.since(0)) == [1, 2, 3, 4, 5]
    assert growing.last == 5


def test_a_run_may_go_on_where_a_journal_ended() -> None:
    later = log(first=101)
    assert (later.last, later.folded, later.oldest) == (100, 100, 101)
    assert later.append(facts(1), source="test") == 101
    with pytest.raises(FellBehind) as caught:
        later.since(50)
    assert caught.value.oldest == 101


def test_a_batch_has_one_time_and_one_source() -> None:
    growing = log()
    growing.append(facts(2), source="watch")
    growing.append(facts(1), source="manifests")
    first, second, third = growing.since(0)
    assert first.at == second.at < third.at
    assert [first.source, second.source, third.source] == ["watch", "watch", "manifests"]


def test_a_batch_that_is_made_on_the_way_is_seen_whole() -> None:
    growing = log()
    seen: list[int] = []

    def batch() -> Any:
        for fact in facts(3):
            seen.append(len(growing.since(0)))
            yield fact

    growing.append(batch(), source="test")
    assert seqs(growing.since(0)) == [1, 2, 3]
    assert seen == [0, 1, 2]  # synchronous: no reader can run in between


def test_since_gives_what_comes_after() -> None:
    full = filled(5)
    assert seqs(full.since(3)) == [4, 5]
    assert seqs(full.since(1, limit=2)) == [2, 3]
    assert full.since(5) == full.since(99) == []


def test_events_tell_version_and_manager_of_their_object() -> None:
    growing = log()
    growing.append(facts(1), source="test")
    growing.append([Deleted(kind=kinds.NAMESPACE, key=Key("", "media"))], source="test")
    applied, deleted = growing.since(0)
    assert (applied.resource_version, applied.by) == ("7", "kubectl")
    assert (deleted.resource_version, deleted.by) == ("", "")
    assert isinstance(applied.fact, Applied)
    assert applied.fact.key == Key("", "media")


# Keeping ------------------------------------------------------------------------------------------------------


def test_what_is_not_folded_is_never_dropped() -> None:
    full = filled(10, max_events=3)
    assert seqs(full.since(0)) == list(range(1, 11))


def test_what_is_folded_goes_down_to_the_bound() -> None:
    full = filled(10, max_events=3)
    full.mark_folded(4)
    assert full.oldest == 5
    full.mark_folded(10)
    assert seqs(full.since(7)) == [8, 9, 10]
    full.append(facts(2), source="test")
    assert full.oldest == 10
    assert full.folded == 10


def test_the_bound_in_bytes_counts_objects() -> None:
    full = log(max_bytes=10_000)
    full.append(facts(4, size=3_000), source="test")
    full.mark_folded(4)
    assert full.oldest == 2
    full.append(facts(1, size=50_000), source="test")
    assert seqs(full.since(4)) == [5]
    assert full.oldest == 5
    full.mark_folded(5)
    assert full.since(5) == []
    assert (full.oldest, full.last) == (6, 5)


def test_folding_does_not_go_back() -> None:
    full = filled(5, max_events=1)
    full.mark_folded(4)
    full.mark_folded(2)
    assert full.folded == 4


def test_a_reader_that_fell_behind_is_told_where_to_go_on() -> None:
    full = filled(10, max_events=3)
    full.mark_folded(10)
    with pytest.raises(FellBehind) as caught:
        full.since(6)
    assert caught.value.oldest == 8
    assert seqs(full.since(caught.value.oldest - 1)) == [8, 9, 10]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400), st.integers(0, 30)), max_size=20),
    st.integers(1, 8),
    st.integers(1, 3_000),
)
def test_whatever_is_appended_and_folded(steps: list[tuple[int, int, int]], events: int, size: int) -> None:
    full = log(max_events=events, max_bytes=size)
    for count, each, folded in steps:
        full.append(facts(count, size=each), source="test")
        full.mark_folded(min(folded, full.last))
        kept = seqs(full.since(full.oldest - 1))
        assert kept == list(range(full.oldest, full.last + 1))
        assert full.oldest <= full.folded + 1
        assert len(kept) <= max(events, full.last - full.folded)


# Waiting ------------------------------------------------------------------------------------------------------


async def test_wait_returns_at_once_when_there_is_something() -> None:
    async with asyncio.timeout(1):
        await filled(3).wait(after=2)


async def test_wait_returns_with_the_next_event() -> None:
    growing = filled(3)
    asyncio.get_running_loop().call_soon(lambda: growing.append(facts(1), source="test"))
    async with asyncio.timeout(1):
        await growing.wait(after=3)
    assert growing.last == 4


async def test_an_empty_batch_wakes_nobody() -> None:
    growing = log()
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: growing.append([], source="test"))
    loop.call_soon(lambda: loop.call_soon(lambda: growing.append(facts(1), source="test")))
    async with asyncio.timeout(1):
        await growing.wait(after=0)
    assert growing.last == 1


async def test_wait_for_an_event_further_on() -> None:
    growing = log()
    loop = asyncio.get_running_loop()
    for _ in range(3):
        loop.call_soon(lambda: growing.append(facts(1), source="test"))
    async with asyncio.timeout(1):
        await growing.wait(after=2)
    assert growing.last == 3


async def test_all_who_wait_are_woken() -> None:
    growing = log()
    async with asyncio.timeout(1), asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(growing.wait(after=0))
        group.create_task(_append(growing))


async def _append(growing: EventLog) -> None:
    growing.append(facts(1), source="test")


async def test_who_stops_waiting_is_forgotten() -> None:
    growing = log()
    waiting = asyncio.create_task(growing.wait(after=0))
    asyncio.get_running_loop().call_soon(waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    growing.append(facts(1), source="test")
    async with asyncio.timeout(1):
        await growing.wait(after=0)
