"""The engine where it is easy to get wrong: readers that come and go in one run, diamonds, circles, late readers."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.events.types import Listed, Wrote
from stunnergw.projection.engine import MARK_AT_ONCE, ImpureQuery, Root
from stunnergw.projection.outputs import Undecided
from stunnergw.resources import kinds
from stunnergw.store import indexes
from tests.support.objects import gateway
from tests.unit.projection.machine import Machine, key, say, value

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context


def test_equal_is_not_enough_where_types_differ() -> None:
    machine = Machine()
    odd = machine.query("odd")(lambda db: True if value(db, "a") == "bool" else 1)
    machine.want(odd)
    machine.run()
    assert machine.run(say("a", "bool")) == {"odd": True}


def test_a_diamond_is_worked_out_once() -> None:
    machine = Machine()
    base = machine.query("base")(lambda db: value(db, "a"))
    left = machine.query("left")(lambda db: base(db) + "l")
    right = machine.query("right")(lambda db: base(db) + "r")
    top = machine.query("top")(lambda db: left(db) + right(db))
    machine.want(top)
    assert machine.run(say("a", "x")) == {"top": "xlxr"}
    assert machine.run(say("a", "y")) == {"top": "ylyr"}
    assert machine.counts == {"base": 1, "left": 1, "right": 1, "top": 1}


def test_what_is_no_longer_asked_for_is_not_worked_out() -> None:
    """A result behind a switch that is off now may not even be defined."""
    machine = Machine()
    fraction = machine.query("fraction")(lambda db: 1 / int(value(db, "divisor")))
    guarded = machine.query("guarded")(lambda db: fraction(db) if value(db, "divisor") != "0" else 0.0)
    machine.want(guarded)
    assert machine.run(say("divisor", "4")) == {"guarded": 0.25}
    assert machine.run(say("divisor", "0")) == {"guarded": 0.0}
    assert machine.failures == []


def test_an_index_change_concerns_the_old_value_and_the_new() -> None:
    machine = Machine()
    counted = machine.query("count")(lambda db, name: len(db.select(indexes.GATEWAYS_BY_CLASS, name)))
    a = machine.query("a")(lambda db: counted(db, "a"))
    b = machine.query("b")(lambda db: counted(db, "b"))
    machine.want(a)
    machine.want(b)
    assert machine.run(gateway("edge", class_name="a")) == {"a": 1, "b": 0}
    assert machine.run(gateway("edge", class_name="b")) == {"a": 0, "b": 1}
    assert machine.run(gateway("edge", class_name="c")) == {"b": 0}
    machine.run(gateway("edge", class_name="c", annotations={"x": "y"}))
    assert machine.counts == {}


def test_served_versions_are_an_input() -> None:
    machine = Machine()
    served = machine.query("served")(lambda db: db.versions(kinds.GATEWAY))
    machine.want(served)
    assert machine.run() == {"served": ("v1",)}
    assert machine.run(Listed(kind=kinds.GATEWAY, versions=("v1beta1",))) == {"served": ("v1beta1",)}


def test_what_came_of_a_write_is_an_input() -> None:
    machine = Machine()

    def outcome(db: Context) -> str:
        last = db.wrote(kinds.SERVICE, key("edge"))
        return last.outcome if last else "none"

    asked = machine.query("outcome")(outcome)
    machine.want(asked)
    assert machine.run() == {"outcome": "none"}
    told = Wrote(kind="Service", key=key("edge"), digest="d", snapshot=1, outcome="refused")
    assert machine.run(told) == {"outcome": "refused"}
    assert machine.inputs(asked) == ["write of Service edge"]
    machine.run(replace(told, snapshot=2))
    assert machine.counts == {}
    machine.unwant(asked)
    machine.run()
    assert machine.engine.reads == 0


def test_a_held_entry_that_goes_leaves_nothing() -> None:
    machine = Machine()
    held = machine.query("held")(lambda db: db.held("table", "x"))
    machine.want(held)
    assert machine.run(held={"x": 1}) == {"held": 1}
    assert machine.run(held={"x": 1}) == {}
    assert machine.run(held={"x": None}) == {"held": None}
    assert machine.engine.held == {}


def test_who_reads_for_the_first_time_in_the_run_of_a_change_knows_the_cause() -> None:
    machine = Machine()
    late = machine.query("late")(lambda db: value(db, "b"))
    machine.want(late)
    machine.run(say("b", "2"))
    cause = machine.engine.cause(Root(late, ()))
    assert cause is not None
    assert [part.label for part in cause.inputs()] == ["Namespace b"]


def test_what_led_to_an_input_that_is_no_longer_read_is_a_cause() -> None:
    machine = Machine()
    read = machine.query("read")(lambda db: value(db, "a") or value(db, "b"))
    machine.want(read)
    machine.run(say("b", "1"))
    machine.run(say("a", "2"))
    cause = machine.engine.cause(Root(read, ()))
    assert cause is not None
    assert [leaf.label for leaf in cause.inputs()] == ["Namespace a"]


def test_the_latest_change_comes_last_among_the_inputs() -> None:
    machine = Machine()
    part = machine.query("part")(value)
    whole = machine.query("whole")(lambda db: part(db, "a") + part(db, "b") + value(db, "c"))
    machine.want(whole)
    machine.run(say("a", "1"), say("b", "2"))
    assert machine.inputs(whole) == ["Namespace c", "Namespace a", "Namespace b"]
    machine.run(say("a", "3"))
    assert machine.inputs(whole) == ["Namespace c", "Namespace b", "Namespace a"]


def test_marking_much_gives_others_a_turn() -> None:
    machine = Machine()
    many = machine.query("many")(lambda db, number: value(db, "a") + str(number))
    for number in range(MARK_AT_ONCE + 1):
        machine.want(many, number)
    machine.run()
    dirty = machine.fold(say("a", "x"))
    machine.engine.begin()
    assert len(list(machine.engine.mark(dirty))) == 1


def test_what_is_wanted_again_comes_again() -> None:
    machine = Machine()
    read = machine.query("read")(lambda db: value(db, "a"))
    machine.want(read)
    assert machine.run(say("a", "1")) == {"read": "1"}
    machine.unwant(read)
    assert machine.run(say("a", "2")) == {}
    machine.want(read)
    assert machine.run() == {"read": "2"}
    assert machine.engine.unwant(read, ("never",)) is False


def test_what_is_forsaken_by_one_and_read_by_another_in_one_run_stays() -> None:
    machine = Machine()
    base = machine.query("base")(lambda db: value(db, "a"))
    one = machine.query("one")(lambda db: base(db) if value(db, "switch") == "1" else "")
    two = machine.query("two")(lambda db: base(db) if value(db, "switch") == "2" else "")
    machine.want(one)
    machine.want(two)
    assert machine.run(say("a", "x"), say("switch", "1")) == {"one": "x", "two": ""}
    assert machine.run(say("switch", "2")) == {"one": "", "two": "x"}
    assert machine.counts == {"one": 1, "two": 1}
    assert machine.run(say("a", "y")) == {"two": "y"}


def test_an_input_that_changes_readers_within_one_result_is_still_watched() -> None:
    machine = Machine()
    switch = machine.query("switch")(lambda db: value(db, "a") if value(db, "switch") == "on" else "")
    # `outer` reads the input, then asks for `switch`, until then the only reader, which stops reading it.
    outer = machine.query("outer")(lambda db: (value(db, "a"), switch(db)))
    gate = machine.query("gate")(lambda db: outer(db) if value(db, "gate") == "open" else switch(db))
    machine.want(gate)
    assert machine.run(say("a", "1"), say("switch", "on")) == {"gate": "1"}
    assert machine.run(say("switch", "off"), say("gate", "open")) == {"gate": ("1", "")}
    assert machine.run(say("a", "2")) == {"gate": ("2", "")}


def test_a_result_that_others_read_is_given_when_it_is_wanted_too() -> None:
    machine = Machine()
    base = machine.query("base")(lambda db: value(db, "a"))
    top = machine.query("top")(lambda db: base(db))
    machine.want(top)
    machine.run(say("a", "1"))
    machine.want(base)
    assert machine.run() == {"base": "1"}
    # By then its reader had it brought up to date: it is not worked out again.
    machine.run(say("a", "2"))
    assert machine.counts == {"base": 1, "top": 1}


def test_the_same_failure_again_is_no_change() -> None:
    machine = Machine()
    number = machine.query("number")(lambda db: int(value(db, "a")))
    machine.want(number)
    machine.run(say("a", "x"))
    assert machine.run(say("a", "y")) == {}
    # Nothing but the reason is kept: a traceback would keep the whole stack alive.
    stored = [node.value for nodes in machine.engine.nodes.values() for node in nodes.values()]
    assert stored == [Undecided("working out number  failed with ValueError")]


def test_a_query_that_reads_other_things_each_time_is_found_out() -> None:
    machine = Machine(recheck=True)
    numbers = count()
    roaming = machine.query("roaming")(lambda db: value(db, f"n{next(numbers)}") and 1)
    machine.want(roaming)
    with pytest.raises(ImpureQuery, match="roaming"):
        machine.run()


def circle(machine: Machine) -> Any:
    """Two queries that ask each other while the switch is on."""

    @machine.query("ping")
    def ping(db: Context) -> str:
        return str(pong(db)) if value(db, "switch") == "on" else "quiet"

    @machine.query("pong")
    def pong(db: Context) -> str:
        return str(ping(db))

    return pong


def test_a_circle_that_is_checked_twice_is_contained_and_heals() -> None:
    machine = Machine(recheck=True)
    pong = circle(machine)
    machine.want(pong)
    for _ in range(2):
        found = machine.run(say("switch", "on"))
        assert isinstance(found["pong"], Undecided)
        assert "RecursionError" in found["pong"].reason
        assert machine.run(say("switch", "off")) == {"pong": "quiet"}
