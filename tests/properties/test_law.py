"""The law: what is worked out step by step equals what is worked out from scratch, byte for byte."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stunnergw.events.types import Applied, Deleted, Fact, Listed
from stunnergw.resources import kinds
from tests.support.bench import Bench, differences
from tests.support.purity import pure_to_the_bone
from tests.support.worlds import CLASS_KINDS, LEGACY, MANAGED, SETTINGS, answers, applies, histories, worlds

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.settings import Decisions
    from tests.support.bench import Answer
    from tests.support.worlds import Run


# A history is long, and its repr longer; nobody reads it before it is shrunk.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


def from_scratch(grown: Bench) -> Bench:
    """Work everything that ``grown`` was told out in one run, holding what it holds."""
    fresh = Bench(grown.settings, answering=False)
    fresh.borrow(grown)
    fresh.run(*(fact for run in grown.told for fact in run))
    return fresh


def check_law(runs: list[Run], settings: Decisions) -> None:
    grown = Bench(settings, answering=False)
    for number, run in enumerate(runs, start=1):
        grown.run(*run)
        assert differences(grown.snapshot, from_scratch(grown).snapshot) == [], f"after run {number}"


@given(histories(), MANAGED)
def test_incremental_equals_scratch_in_managed_mode(runs: list[Run], settings: Decisions) -> None:
    check_law(runs, settings)


@given(histories(), LEGACY)
def test_incremental_equals_scratch_in_legacy_mode(runs: list[Run], settings: Decisions) -> None:
    check_law(runs, settings)


@given(histories(), SETTINGS)
def test_each_event_for_itself_gives_the_same(runs: list[Run], settings: Decisions) -> None:
    grown = Bench(settings, answering=False)
    for fact in (fact for run in runs for fact in run):
        grown.run(fact)
    assert differences(grown.snapshot, from_scratch(grown).snapshot) == []


@cache
def noise(kind: Kind[Any], key: Key) -> SearchStrategy[list[Fact]]:
    """Draw what happened to an object before it became what it is."""
    # Deletions of others would undo them, wherever the order puts them.
    return st.lists(st.one_of(applies(kind, key=key), st.just(Deleted(kind=kind, key=key))), max_size=2)


@st.composite
def two_ways(draw: st.DrawFn) -> tuple[list[Run], list[Run]]:
    """Draw two histories that end in the same objects. What classes rest on comes once: few break on the way."""
    facts = draw(worlds())
    listing: list[Fact] = [Listed(kind=kind, versions=kind.versions[:1]) for kind in kinds.TABLE]
    ways: list[list[Run]] = []
    for _ in range(2):
        told: list[list[Fact]] = [[fact] for fact in listing]
        for fact in facts:
            assert isinstance(fact, Applied)
            told.append([*(draw(noise(fact.kind, fact.key)) if fact.kind not in CLASS_KINDS else []), fact])
        order = draw(st.permutations(told))
        stream = [fact for each in order for fact in each]
        cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=4)))
        ways.append([[*stream[low:high]] for low, high in zip([0, *cuts], [*cuts, len(stream)], strict=True)])
    return ways[0], ways[1]


@given(two_ways(), SETTINGS, st.lists(answers(), max_size=8, unique_by=lambda answer: answer.slot))
def test_the_order_of_arrival_does_not_show(
    ways: tuple[list[Run], list[Run]], settings: Decisions, said: list[Answer]
) -> None:
    one, other = Bench(settings, answering=False), Bench(settings, answering=False)
    for bench, runs in zip((one, other), ways, strict=True):
        for run in runs:
            bench.run(*run)
    # What is held is history, by its very purpose: a certificate that was good for a while, a class that an older one
    # with the same ConfigMap put out of order.
    assume(one.projection.held == other.projection.held)
    assert differences(one.snapshot, other.snapshot) == []
    # One each: of two answers to the write of one object, which two may want, the last counts.
    facts = {(type(fact), fact.kind, fact.key): fact for fact in map(one.fact, said)}
    one.run(*facts.values())
    for fact in reversed(facts.values()):
        other.run(fact)
    assert differences(one.snapshot, other.snapshot) == []


@given(histories(most_runs=2), SETTINGS)
def test_no_query_calls_the_outside_world(runs: list[Run], settings: Decisions) -> None:
    bench = Bench(settings)
    # The traps of `pure` are Python functions, and would themselves be seen: so they are set within.
    for run in runs:
        with pure_to_the_bone():
            bench.run(*run)
