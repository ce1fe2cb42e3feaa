"""Outputs and snapshots: three values, nothing secret, and what differs from an older one."""

from __future__ import annotations

import pytest

from stunnergw.dataplane.documents import Document
from stunnergw.events.types import Deleted
from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.projection.snapshots import Difference, OwnedSlot, Snapshot, StatusSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from tests.support.bench import Bench, bench
from tests.support.objects import CORE, EDGE, PASSWORD, deleted, gateway, healthy, listener, route, service


def document(version: str) -> Document:
    return Document(str(EDGE), version, b'{"password":"hush"}')


def test_outputs_are_equal_by_value_and_show_no_document() -> None:
    assert Want(document("1")) == Want(document("1"))
    assert Want(document("1")) != Want(document("2"))
    assert Undecided("why") != Undecided("another why")
    assert repr(ABSENT) == "ABSENT"
    assert "hush" not in repr(Want(document("1")))


def test_the_difference_to_nothing_is_everything() -> None:
    snapshot = Snapshot(seq=1, configs={EDGE: Want(document("1"))})
    assert snapshot.since(None).configs == frozenset({EDGE})
    assert not snapshot.since(snapshot)
    assert not Difference()


def test_the_difference_to_the_one_before_is_at_hand() -> None:
    changed = Difference(configs=frozenset({CORE}))
    old, new = Snapshot(seq=4), Snapshot(seq=9, previous=4, changed=changed)
    assert new.since(old) is changed


def test_the_difference_to_older_ones_is_found_by_comparing() -> None:
    same = {EDGE: Want(document("1"))}
    old = Snapshot(seq=1, configs={**same, CORE: Want(document("1")), Key("a", "gone"): Undecided("why")})
    new = Snapshot(seq=9, previous=4, configs={**same, CORE: Want(document("2")), Key("a", "new"): Undecided("why")})
    assert new.since(old).configs == frozenset({CORE, Key("a", "gone"), Key("a", "new")})


def slots(difference: Difference) -> set[str]:
    return {
        *(f"config {key}" for key in difference.configs),
        *(f"{slot.kind} {slot.owner}" for slot in difference.objects),
        *(f"status {slot.kind.kind} {slot.key.name}" for slot in difference.statuses),
    }


def running() -> Bench:
    return bench(*healthy(), gateway(), gateway("core"), route(), service("sfu", "10.0.0.7"))


def test_only_what_changed_is_in_the_difference() -> None:
    world = running()
    before = world.snapshot
    world.run(service("sfu", "10.0.0.8"))
    assert slots(world.snapshot.since(before)) == {"config media/edge"}
    before = world.snapshot
    world.run(gateway("core", listener(port=3479)))
    assert slots(world.snapshot.since(before)) == {"config media/core", "Service media/core"}


def test_what_goes_is_in_the_difference_and_no_longer_in_the_maps() -> None:
    world = running()
    before = world.snapshot
    world.run(deleted(gateway()))
    assert slots(world.snapshot.since(before)) == {
        "config media/edge", "Service media/edge", "Deployment media/edge", "status Gateway edge",
        "status UDPRoute calls",
    }  # fmt: skip
    assert EDGE not in world.snapshot.configs
    assert StatusSlot(kinds.GATEWAY, EDGE) not in world.snapshot.statuses
    assert OwnedSlot("Service", EDGE) not in world.snapshot.objects


def test_what_came_and_went_between_two_snapshots_never_was() -> None:
    world = running()
    before = world.snapshot
    world.run(gateway("brief"), Deleted(kind=kinds.GATEWAY, key=Key("media", "brief")))
    assert not world.snapshot.since(before)
    assert world.snapshot.seq == before.seq + 2


def test_older_snapshots_stay_as_they_were() -> None:
    world = running()
    before = world.snapshot
    documents = dict(before.configs)
    world.run(deleted(gateway()), service("sfu", "10.0.0.9"))
    assert dict(before.configs) == documents


def test_a_snapshot_says_what_changed_it() -> None:
    world = running()
    world.run(service("sfu", "10.0.0.8"))
    (slot,) = world.snapshot.causes
    assert slot == EDGE
    assert [cause.label for cause in world.snapshot.causes[slot].inputs()] == ["Service media/sfu"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_in_which_nothing_changes_gives_the_same_maps(times: int) -> None:
    world = running()
    before = world.snapshot
    for _ in range(times):
        world.run()
    assert world.snapshot.configs is before.configs
    assert not world.snapshot.changed


def test_no_secret_in_a_snapshot() -> None:
    assert PASSWORD not in repr(running().snapshot)
