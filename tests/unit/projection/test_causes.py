"""Causes of large runs: a run in which too much changed keeps none, and what a result rests on still tells."""

from __future__ import annotations

from stunnergw.projection.engine import MOST_EXPLAINED, Root
from tests.unit.projection.machine import Machine, say, value


def changed(machine: Machine, number: int) -> None:
    """Change so many inputs in one run, of which ``a`` is the last."""
    machine.run(*(say(f"n{other}", str(number)) for other in range(number - 1)), say("a", str(number)))


def kept(machine: Machine) -> bool:
    """Say whether the results of the last run keep their causes."""
    return all(node.cause is not None for nodes in machine.engine.nodes.values() for node in nodes.values())


def test_a_run_with_many_changes_keeps_no_causes() -> None:
    machine = Machine()
    read = machine.query("read")(lambda db: value(db, "a"))
    machine.want(read)
    machine.run()
    changed(machine, MOST_EXPLAINED)
    assert kept(machine)
    changed(machine, MOST_EXPLAINED + 1)
    assert not kept(machine)
    # The newest of its inputs stands for all.
    told = machine.engine.cause(Root(read, ()))
    assert told is not None
    assert [cause.label for cause in told.inputs()] == ["Namespace a"]


def test_the_next_small_run_keeps_them_again() -> None:
    machine = Machine()
    read = machine.query("read")(lambda db: value(db, "a"))
    machine.want(read)
    changed(machine, MOST_EXPLAINED + 1)
    machine.run(say("a", "again"))
    cause = machine.engine.nodes[read][()].cause
    assert cause is not None
    assert [leaf.label for leaf in cause.inputs()] == ["Namespace a"]
