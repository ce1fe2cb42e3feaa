"""A class that goes, and comes back: what runs stays as it is, and is served again."""

from __future__ import annotations

from stunnergw.events.types import Deleted
from stunnergw.projection.outputs import Undecided, Want
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from tests.benchmarks.worlds import Bench, world

EDGE = Key("ns0", "edge")


def test_a_deleted_class_is_unknown_and_not_left() -> None:
    bench = Bench()
    facts = list(world(1))
    bench.append(facts)
    bench.project()
    served = bench.projection.snapshot.configs[EDGE]
    assert isinstance(served, Want)
    bench.append([Deleted(kind=kinds.GATEWAY_CLASS, key=Key("", "turn"))])
    bench.project()
    snapshot = bench.projection.snapshot
    assert isinstance(snapshot.configs[EDGE], Undecided)
    assert all(isinstance(output, Undecided) for slot, output in snapshot.objects.items() if slot.owner == EDGE)
    bench.append(facts[:1])
    bench.project()
    assert bench.projection.snapshot.configs[EDGE] == served
