"""Statuses: a function of the objects and of what came of writes, at rest once they are written, and told in the docs.

What stands in a status already, ours of old or somebody else's, decides nothing; what is written comes back as an event
and changes nothing any more: no operator writes in circles.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunnergw.events.types import Applied, Listed, Wrote
from stunnergw.projection.outputs import Want
from stunnergw.resources import kinds
from stunnergw.settings import CONTROLLER_NAME
from stunnergw.sinks.statuses import merged_status
from stunnergw.sinks.statuswriting import differs, is_newer
from tests.house.statuses import ROWS, rows_of
from tests.support.bench import Bench, differences
from tests.support.worlds import SETTINGS, histories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stunnergw.events.types import Fact
    from stunnergw.projection.snapshots import StatusSlot
    from stunnergw.settings import Decisions
    from tests.support.worlds import Run

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

NOW, LATER = "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"
THEIRS = "example.org/other"


def a_condition(kind: str, status: str = "True") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": "X", "message": "", "observedGeneration": 1}


def an_entry(controller: str, name: str) -> dict[str, Any]:
    ref = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}
    return {"parentRef": ref, "controllerName": controller, "conditions": [a_condition("Accepted")]}


STORED = st.sampled_from(
    [
        None,
        {"conditions": [a_condition("example.org/Scanned"), a_condition("Accepted", "Unknown")]},
        {"conditions": [a_condition("Programmed"), a_condition("Ready")], "listeners": [{"name": "gone"}]},
        {"parents": [an_entry(THEIRS, "edge"), an_entry(CONTROLLER_NAME, "edge"), an_entry(CONTROLLER_NAME, "gone")]},
        {"supportedFeatures": [{"name": "HTTPRoute"}], "addresses": [{"type": "IPAddress", "value": "192.0.2.1"}]},
    ]
)
"""What may stand in a status before we come: others' words, ours of old, a CRD's defaults."""


def grown(runs: list[Run], settings: Decisions, *, answering: bool = True) -> Bench:
    made = Bench(settings, recheck=False, answering=answering)
    for run in runs:
        made.run(*run)
    return made


def wanted(bench: Bench) -> Iterator[tuple[StatusSlot, Any]]:
    for slot, output in bench.snapshot.statuses.items():
        if isinstance(output, Want):
            yield slot, output.value


def with_status(bench: Bench, slot: StatusSlot, status: dict[str, Any] | None) -> Applied:
    """The event by which an object comes back with another status."""
    thing: Any = copy(bench.store.get(slot.kind, slot.key))
    # Frozen, and right to be: made anew, its labels would be parsed again, which they are already.
    object.__setattr__(thing, "status", orjson.dumps(status) if status is not None else None)
    return Applied(kind=slot.kind, object=thing)


def stored(bench: Bench, slot: StatusSlot) -> bytes | None:
    thing: Any = bench.store.get(slot.kind, slot.key)
    text: bytes | None = thing.status
    return text


@given(histories(most_runs=3), SETTINGS, st.data())
def test_what_is_written_comes_back_and_changes_nothing(
    runs: list[Run], settings: Decisions, data: st.DataObject
) -> None:
    bench = grown(runs, settings)
    before = bench.snapshot
    bench.run(*(with_status(bench, slot, data.draw(STORED)) for slot, _ in wanted(bench)))
    assert differences(before, bench.snapshot) == []
    written = {slot: merged_status(value, stored(bench, slot), now=NOW) for slot, value in wanted(bench)}
    bench.run(*(with_status(bench, slot, status) for slot, status in written.items()))
    assert differences(before, bench.snapshot) == []
    for slot, value in wanted(bench):
        again = merged_status(value, stored(bench, slot), now=LATER)
        assert again == written[slot]
        assert not differs(again, stored(bench, slot))
        assert not is_newer(stored(bench, slot), value)


@given(histories(most_runs=2), SETTINGS, st.data())
def test_others_keep_their_words(runs: list[Run], settings: Decisions, data: st.DataObject) -> None:
    bench = grown(runs, settings)
    for _, value in wanted(bench):
        old: dict[str, Any] = data.draw(STORED) or {}
        new = merged_status(value, orjson.dumps(old), now=NOW)
        for part in ("conditions", "parents"):
            assert [each for each in new.get(part, ()) if theirs(each)] == [e for e in old.get(part, ()) if theirs(e)]


def theirs(part: dict[str, Any]) -> bool:
    return part.get("controllerName") == THEIRS or "/" in part.get("type", "")


def facts_of(bench: Bench) -> list[Fact]:
    """What is the case, without how it came about: kinds, objects, and the last outcome of each write."""
    listed = {fact.kind: fact for run in bench.told for fact in run if isinstance(fact, Listed)}
    objects: list[Fact] = [
        Applied(kind=kind, object=thing)
        for kind in kinds.TABLE
        for key in bench.store.keys(kind)
        if (thing := bench.store.get(kind, key)) is not None
    ]
    outcomes = {(fact.kind, fact.key): fact for run in bench.told for fact in run if isinstance(fact, Wrote)}
    return [*listed.values(), *objects, *outcomes.values()]


def differing(one: Bench, other: Bench) -> list[object]:
    ours, others = one.snapshot.statuses, other.snapshot.statuses
    slots = sorted(ours.keys() | others.keys(), key=str)
    return [(slot, ours.get(slot), others.get(slot)) for slot in slots if ours.get(slot) != others.get(slot)]


@given(histories(), SETTINGS)
def test_a_status_follows_from_the_objects_and_what_came_of_writes(runs: list[Run], settings: Decisions) -> None:
    """So a restart, and another replica, says the same: nothing of it is history."""
    bench = grown(runs, settings)
    fresh = Bench(settings, recheck=False)
    fresh.run(*facts_of(bench))
    assert differing(bench, fresh) == []


@given(histories(), SETTINGS)
def test_every_condition_that_there_can_be_is_told_in_the_docs(runs: list[Run], settings: Decisions) -> None:
    bench = grown(runs, settings)
    for slot, value in wanted(bench):
        told = merged_status(value, None, now=None)
        assert [row for row in rows_of(slot.kind.kind, told) if row not in ROWS] == []
