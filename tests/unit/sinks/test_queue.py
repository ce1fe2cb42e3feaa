"""The write queue by itself: what is due when, and in what order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunnergw.sinks.queue import AGEING, LONGEST_RETRY, PATIENCE, QUIET, Lane, WriteQueue


def taken(queue: WriteQueue[str], *, now: float) -> list[str]:
    """Take and give back all that is due."""
    found = []
    while (key := queue.take(now=now)) is not None:
        found.append(key)
        queue.done(key, now=now)
    return found


def test_a_change_waits_for_quiet_and_a_document_does_not() -> None:
    queue: WriteQueue[str] = WriteQueue()
    queue.put("status", now=0.0)
    queue.put("document", now=0.0, lane=Lane.DOCUMENT)
    assert taken(queue, now=0.0) == ["document"]
    assert queue.next_due() == pytest.approx(QUIET)
    assert taken(queue, now=QUIET) == ["status"]
    assert queue.next_due() is None
    assert len(queue) == 0


def test_changes_without_end_go_out_after_a_second() -> None:
    queue: WriteQueue[str] = WriteQueue()
    out = []
    for step in range(40):
        now = step * 0.05
        queue.put("key", now=now)
        out += [now for _ in taken(queue, now=now)]
    assert out == pytest.approx([PATIENCE])


def test_one_key_is_never_out_twice_and_is_due_again_after_a_change() -> None:
    queue: WriteQueue[str] = WriteQueue()
    queue.put("key", now=0.0, lane=Lane.DOCUMENT)
    assert queue.take(now=0.0) == "key"
    queue.put("key", now=1.0, lane=Lane.DOCUMENT)
    assert queue.take(now=5.0) is None
    assert queue.next_due() is None
    queue.done("key", now=6.0)
    assert taken(queue, now=6.0) == ["key"]


def test_changes_go_before_the_list_and_each_fourth_turn_is_for_the_oldest() -> None:
    queue: WriteQueue[str] = WriteQueue()
    for index in range(4):
        queue.look(f"list {index}", now=0.0)
    for index in range(8):
        queue.put(f"change {index}", now=1.0)
    order = taken(queue, now=2.0)
    assert [index for index, key in enumerate(order) if key.startswith("list")] == [3, 7, 10, 11]
    assert order[:3] == ["change 0", "change 1", "change 2"]


def test_endless_changes_starve_no_first_write() -> None:
    queue: WriteQueue[str] = WriteQueue()
    waiting = {f"list {index}" for index in range(100)}
    for key in sorted(waiting):
        queue.look(key, now=0.0)
    turns = 0
    while waiting:
        now = turns * 0.01
        queue.put("busy", now=now, lane=Lane.DOCUMENT)
        queue.put("busier", now=now, lane=Lane.DOCUMENT)
        found = queue.take(now=now)
        assert found is not None
        queue.done(found, now=now)
        waiting.discard(found)
        turns += 1
    assert turns <= AGEING * 101


def test_failures_come_back_later_and_later_and_success_forgets_them() -> None:
    queue: WriteQueue[str] = WriteQueue()
    queue.look("key", now=0.0)
    now, delays = 0.0, []
    for _ in range(12):
        assert queue.take(now=now) == "key"
        delays.append(queue.failed("key", now=now, jitter=0.0))
        assert queue.quiet
        now += delays[-1]
    assert delays[:4] == [1.0, 2.0, 4.0, 8.0]
    assert delays[-1] == LONGEST_RETRY
    assert taken(queue, now=now) == ["key"]
    queue.look("key", now=now)
    queue.take(now=now)
    assert queue.failed("key", now=now, jitter=1.0) == pytest.approx(1.2)


def test_a_change_makes_a_failed_write_sooner_unless_the_server_asked_for_peace() -> None:
    queue: WriteQueue[str] = WriteQueue()
    for retry_after, sooner in ((None, True), (60.0, False)):
        queue.look("key", now=0.0)
        queue.take(now=0.0)
        for _ in range(5):
            queue.failed("key", now=0.0, jitter=0.0, retry_after=retry_after)
            assert queue.take(now=1000.0) == "key"
        queue.failed("key", now=1000.0, jitter=0.0, retry_after=retry_after)
        queue.put("key", now=1000.0)
        assert (queue.take(now=1001.0) == "key") is sooner
        assert (queue.take(now=1100.0) == "key") is not sooner
        queue.done("key", now=1100.0)


def test_a_look_changes_nothing_about_what_waits() -> None:
    queue: WriteQueue[str] = WriteQueue()
    queue.put("key", now=0.0)
    queue.look("key", now=0.01)
    queue.look("key", now=0.01, after=50.0)
    assert queue.next_due() == pytest.approx(QUIET)


def test_what_is_out_when_all_is_forgotten_does_not_come_back_by_itself() -> None:
    queue: WriteQueue[str] = WriteQueue()
    for key in ("failing", "done", "later", "waiting", "changed"):
        queue.look(key, now=0.0)
    assert len([queue.take(now=0.0) for _ in range(5)]) == queue.out == 5
    queue.put("waiting", now=0.0)
    queue.clear()
    assert len(queue) == 0
    queue.put("changed", now=0.0)
    assert queue.take(now=5.0) is None, "it is still out"
    queue.failed("failing", now=5.0, jitter=0.0)
    queue.later("later", now=5.0, after=1.0)
    for key in ("done", "waiting", "changed"):
        queue.done(key, now=5.0)
    assert taken(queue, now=1000.0) == ["changed"]
    assert queue.quiet


KEYS = st.sampled_from("abcd")


@given(
    st.lists(st.tuples(st.sampled_from(["put", "look", "take", "done", "failed", "later", "clear"]), KEYS), max_size=60)
)
def test_nothing_is_lost_and_nothing_is_out_twice(steps: list[tuple[str, str]]) -> None:
    queue: WriteQueue[str] = WriteQueue()
    out: set[str] = set()
    wanted: set[str] = set()
    now = 0.0
    for step, key in steps:
        now += 0.07
        if step == "put":
            queue.put(key, now=now, lane=Lane(ord(key) % 3))
            wanted.add(key)
        elif step == "look":
            queue.look(key, now=now)
            wanted.add(key)
        elif step == "take":
            found = queue.take(now=now)
            if found is not None:
                assert found not in out
                out.add(found)
                wanted.discard(found)
        elif step == "clear":
            queue.clear()
            wanted.clear()
        elif key in out:
            out.discard(key)
            if step == "done":
                queue.done(key, now=now)
            elif step == "failed":
                queue.failed(key, now=now, jitter=0.5)
            else:
                queue.later(key, now=now, after=0.3)
    assert queue.out == len(out)
    for key in sorted(out):
        queue.done(key, now=now)
    assert wanted <= set(taken(queue, now=now + 2 * LONGEST_RETRY))
