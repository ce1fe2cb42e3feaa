"""The election on a Lease, on a clock of the test's own: who leads, for how long, and when nobody may write."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from stunnergw.errors import Unreachable
from stunnergw.kube.lease import DURATION, RENEW_WITHIN, RETRY, Clocks, Election
from tests.unit.kube.lease_server import Server

START = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """A clock, and candidates that take a turn each time it moves."""

    def __init__(self) -> None:
        self.server = Server()
        self.now = 1000.0

    def candidate(self, name: str) -> Election:
        clocks = Clocks(
            running=lambda: self.now,
            date=lambda: START + timedelta(seconds=self.now),
            sleep=asyncio.sleep,
            jitter=lambda: 0.0,
        )
        return Election(self.server, namespace="system", name="lease", identity=name, clocks=clocks)

    async def turns(self, *candidates: Election, seconds: float) -> None:
        """Let time pass, each candidate trying every two seconds."""
        until = self.now + seconds
        while self.now < until:
            for candidate in candidates:
                await candidate.attempt()
            self.now += RETRY


async def test_the_first_leads_and_the_second_waits() -> None:
    world = World()
    one, two = world.candidate("one"), world.candidate("two")
    await world.turns(one, two, seconds=60)
    assert one.leading
    assert not two.leading
    assert two.holder == "one"


async def test_a_leader_that_is_gone_is_followed_after_the_leases_duration() -> None:
    world = World()
    one, two = world.candidate("one"), world.candidate("two")
    await world.turns(one, two, seconds=10)
    died = world.now
    while not two.leading:
        await two.attempt()
        world.now += RETRY
        assert world.now - died <= DURATION + 2 * RETRY
    assert not one.leading


async def test_a_leader_that_cannot_renew_stops_before_another_may_start() -> None:
    world = World()
    one = world.candidate("one")
    await one.attempt()
    world.server.failure = Unreachable("no answer")
    while one.leading:
        await one.attempt()
        world.now += 0.5
    assert world.now - 1000.0 <= RENEW_WITHIN + 0.5 < DURATION


async def test_nothing_is_written_that_could_outlast_the_lease() -> None:
    world = World()
    one = world.candidate("one")
    assert not one.may_write(within=0)
    await one.attempt()
    assert one.may_write(within=RENEW_WITHIN - 1)
    assert not one.may_write(within=RENEW_WITHIN)
    # Stopped for longer than its lease, and awake again: it knows before it asks anybody.
    world.now += DURATION + 1
    assert not one.may_write(within=0)


async def test_a_lease_without_a_holder_is_taken_at_once() -> None:
    world = World()
    one, two = world.candidate("one"), world.candidate("two")
    await world.turns(one, two, seconds=10)
    await one.release()
    assert not one.leading
    await two.attempt()
    assert two.leading
    assert world.server.lease is not None
    assert world.server.lease["spec"]["leaseTransitions"] == 1


async def test_of_two_that_take_it_at_once_one_leads() -> None:
    world = World()
    one, two = world.candidate("one"), world.candidate("two")
    await asyncio.gather(one.attempt(), two.attempt())
    assert [one.leading, two.leading].count(True) == 1


@pytest.mark.parametrize("time", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456Z", None])
async def test_the_times_of_other_programs_do_not_matter(time: str | None) -> None:
    """Whole seconds or parts of them: what counts is whether the record changes."""
    world = World()
    world.server.write(
        {
            "metadata": {"name": "lease", "namespace": "system"},
            "spec": {"holderIdentity": "reference", "leaseDurationSeconds": 15, "renewTime": time},
        }
    )
    one = world.candidate("one")
    await world.turns(one, seconds=DURATION - 1)
    assert not one.leading
    await world.turns(one, seconds=3 * RETRY)
    assert one.leading
