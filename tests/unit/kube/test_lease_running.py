"""Elections that run, on virtual time: when what is lost is told, to how many, and what keeps one from the lease."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest
from structlog.testing import capture_logs

from stunnergw.errors import ApiError, Unreachable
from stunnergw.kube.lease import (
    DURATION,
    RELEASE_WITHIN,
    RENEW_WITHIN,
    RETRY,
    Clocks,
    Election,
    Terms,
    system_clocks,
)
from tests.unit.kube.lease_server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.looptime

LONGEST_PAUSE = RETRY * 1.2
AT_ONCE = 0.01


class World:
    """Elections on the loop's clock, and a clock that may be put forward, as by a stop of the process."""

    def __init__(self) -> None:
        self.server = Server()
        self.slept = 0.0

    def now(self) -> float:
        return asyncio.get_running_loop().time() + self.slept

    def election(self, name: str) -> Election:
        clocks = Clocks(
            running=self.now,
            date=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now()),
            sleep=asyncio.sleep,
            jitter=lambda: 1.0,
        )
        return Election(self.server, namespace="system", name="lease", identity=name, clocks=clocks)

    @contextlib.asynccontextmanager
    async def running(self, name: str) -> AsyncIterator[Election]:
        """Run an election, of which the process is killed at the end of the block."""
        election = self.election(name)
        task = asyncio.create_task(election.run())
        try:
            yield election
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def until(self, election: Election, *, leading: bool, within: float) -> float:
        """Wait as a writer does, and return the seconds that it took."""
        began = self.now()
        async with asyncio.timeout(within):
            while election.leading is not leading:
                await election.changed()
        return self.now() - began


@pytest.fixture
def world() -> World:
    return World()


# Telling ------------------------------------------------------------------------------------------------


async def test_everybody_who_waits_is_told(world: World) -> None:
    async with world.running("one") as one, asyncio.timeout(AT_ONCE):
        await asyncio.gather(*(world.until(one, leading=True, within=AT_ONCE) for _ in range(3)))


@pytest.mark.parametrize("hangs", [set(), {"GET"}, {"PUT"}, {"GET", "PUT"}])
async def test_that_a_lease_ran_out_is_told_at_that_moment(world: World, hangs: set[str]) -> None:
    async with world.running("one") as one:
        await world.until(one, leading=True, within=1)
        if hangs:
            world.server.hangs = hangs
        else:
            world.server.failure = Unreachable("no answer")
        waiters = [world.until(one, leading=False, within=20) for _ in range(2)]
        for took in await asyncio.gather(*waiters):
            assert took == pytest.approx(RENEW_WITHIN, abs=AT_ONCE)
        assert not one.may_write(within=0)


async def test_a_leader_that_lost_its_lease_campaigns_again(world: World) -> None:
    async with world.running("one") as one:
        await world.until(one, leading=True, within=1)
        world.server.failure = Unreachable("no answer")
        await world.until(one, leading=False, within=RENEW_WITHIN + AT_ONCE)
        world.server.failure = None
        await world.until(one, leading=True, within=LONGEST_PAUSE + AT_ONCE)


async def test_a_leader_that_was_stopped_for_longer_than_its_lease_tells_when_it_wakes(world: World) -> None:
    async with world.running("one") as one:
        await world.until(one, leading=True, within=1)
        await asyncio.sleep(1)
        world.slept += DURATION + 60
        assert not one.leading
        assert not one.may_write(within=0)
        # Another has it by now.
        world.server.steal("two")
        await world.until(one, leading=False, within=AT_ONCE)
        await asyncio.sleep(LONGEST_PAUSE)
        assert (one.holder, one.leading) == ("two", False)


async def test_a_stop_is_noticed_by_those_who_wait_before_anything_is_asked(world: World) -> None:
    async with world.running("one") as one:
        await world.until(one, leading=True, within=1)
        lost = asyncio.create_task(one.changed())
        await asyncio.sleep(1)
        asked = world.server.asked
        world.slept += DURATION
        world.server.hangs = {"GET"}
        # The next try is not answered, and still those who wait know.
        async with asyncio.timeout(LONGEST_PAUSE + AT_ONCE):
            await lost
        assert world.server.asked <= asked + 1


# Others -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 0.6, 1.2, 1.8])
async def test_a_leader_that_dies_is_followed_within_the_lease_and_one_retry(world: World, offset: float) -> None:
    async with contextlib.AsyncExitStack() as stack:
        two = await stack.enter_async_context(world.running("two"))
        await world.until(two, leading=True, within=1)
        await asyncio.sleep(offset)
        async with world.running("one") as one:
            await asyncio.sleep(30)
            assert two.leading
            # Right after a renewal.
            world.server.written.clear()
            await world.server.written.wait()
            await stack.aclose()
            took = await world.until(one, leading=True, within=60)
            assert DURATION <= took <= DURATION + LONGEST_PAUSE + AT_ONCE
            assert not two.leading


async def test_at_no_time_do_two_lead(world: World) -> None:
    async with world.running("one") as one, world.running("two") as two, world.running("three") as three:
        elections = (one, two, three)
        led: set[str] = set()
        for turn in range(400):
            await asyncio.sleep(0.25)
            if turn % 80 == 79:
                world.server.failure = Unreachable("no answer") if world.server.failure is None else None
            if turn % 60 == 30:
                world.server.lease = None
            leaders = [each.identity for each in elections if each.leading]
            assert len(leaders) <= 1
            led.update(leaders)
        assert led


async def test_whose_lease_somebody_else_holds_steps_down_when_it_sees_that(world: World) -> None:
    async with world.running("one") as one:
        await world.until(one, leading=True, within=1)
        world.server.steal("two")
        await world.until(one, leading=False, within=LONGEST_PAUSE + AT_ONCE)
        assert one.holder == "two"
        await world.until(one, leading=True, within=DURATION + LONGEST_PAUSE)


async def test_whose_lease_is_deleted_and_taken_steps_down(world: World) -> None:
    one, two = world.election("one"), world.election("two")
    await one.attempt()
    world.server.lease = None
    await two.attempt()
    await one.attempt()
    assert (one.leading, two.leading) == (False, True)


async def test_an_annotation_in_between_costs_no_turn(world: World) -> None:
    one = world.election("one")
    await one.attempt()
    await asyncio.sleep(RENEW_WITHIN - 1)
    world.server.before = lambda: world.server.steal("one")  # the same holder, another version
    await one.attempt()
    assert one.may_write(within=RENEW_WITHIN - 1)


# Giving up ----------------------------------------------------------------------------------------------


async def test_who_gives_up_is_followed_at_the_next_look(world: World) -> None:
    async with world.running("two") as two, world.running("one") as one:
        await world.until(one if two.holder == "one" else two, leading=True, within=5)
        leader, other = (one, two) if one.leading else (two, one)
        await leader.release()
        assert not leader.leading
        await world.until(other, leading=True, within=LONGEST_PAUSE + AT_ONCE)
        # For good: the one that gave up does not come back.
        await asyncio.sleep(60)
        assert other.leading


async def test_giving_up_takes_less_than_a_second_without_an_api_server(world: World) -> None:
    one = world.election("one")
    await one.attempt()
    world.server.hangs = {"GET", "PUT"}
    began = world.now()
    await one.release()
    assert world.now() - began <= RELEASE_WITHIN < 1
    assert not one.leading


async def test_giving_up_goes_on_after_a_conflict(world: World) -> None:
    one = world.election("one")
    await one.attempt()
    world.server.before = lambda: world.server.steal("one")
    await one.release()
    assert world.server.holder == ""


async def test_whose_request_was_cut_off_gives_up_what_it_may_have_got(world: World) -> None:
    """The server took the lease for us, and we were stopped before it could say so."""
    one = world.election("one")
    world.server.hangs = {"POST"}
    trying = asyncio.create_task(one.attempt())
    await asyncio.sleep(1)
    trying.cancel()
    await asyncio.wait([trying])
    world.server.write(
        {
            "metadata": {"name": "lease", "namespace": "system"},
            "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15},
        }
    )
    await one.release()
    assert world.server.holder == ""


async def test_who_never_asked_for_it_gives_up_without_a_request(world: World) -> None:
    await world.election("one").release()
    assert world.server.asked == 0


async def test_the_lease_of_another_is_left_alone(world: World) -> None:
    one = world.election("one")
    await one.attempt()
    world.server.steal("two")
    before = world.server.version
    await one.release()
    assert (world.server.holder, world.server.version) == ("two", before)


# What keeps one from it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (403, "grant get, create and update on leases.coordination.k8s.io in system"),
        (401, "renew the token or client certificate"),
        (429, "asks us to wait"),
        (500, "the API server refused"),
    ],
)
async def test_a_refusal_is_told_with_its_remedy_and_tried_again(world: World, status: int, remedy: str) -> None:
    world.server.failure = ApiError(status, reason="Reason", message="so it said", retry_after=1.0)
    async with world.running("one") as one:
        await asyncio.sleep(AT_ONCE)
        assert isinstance(one.failure, ApiError)
        assert (one.failure.status, one.failure.reason, one.failure.retry_after) == (status, "Reason", 1.0)
        assert remedy in str(one.failure)
        assert "so it said" in str(one.failure)
        assert "system/lease" in str(one.failure)
        world.server.failure = None
        await world.until(one, leading=True, within=LONGEST_PAUSE + AT_ONCE)
        assert one.failure is None


async def test_a_namespace_that_is_not_there_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_namespace(_body: object) -> bytes:
        raise ApiError(404, reason="NotFound", message='namespaces "system" not found')

    one = world.election("one")
    with monkeypatch.context() as patch:
        patch.setattr(world.server, "write", no_namespace)
        await one.attempt()
    assert "create the namespace system" in str(one.failure)
    assert not one.leading
    await one.attempt()
    assert (one.leading, one.failure) == (True, None)


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"[]", b'{"kind": "Status", "metadata": {}}', b'{"kind": "Lease"}', b'{"kind": "Lease", "spec": []}'],
)
async def test_what_is_no_lease_is_not_taken_for_one(world: World, answer: bytes) -> None:
    class Proxy:
        async def request(self, *_: object, **__: object) -> bytes:
            return answer

    one = world.election("one")
    one._client = Proxy()
    await one.attempt()
    assert not one.leading
    assert "is there a proxy in between?" in str(one.failure)


async def test_the_same_complaint_is_logged_once(world: World) -> None:
    world.server.failure = Unreachable("no answer")
    with capture_logs() as logs:
        async with world.running("one"):
            await asyncio.sleep(60)
            world.server.failure = Unreachable("another reason")
            await asyncio.sleep(60)
            world.server.failure = None
            await asyncio.sleep(60)
    complaints = [line["problem"] for line in logs if line["event"] == "the lease could not be asked for"]
    assert complaints == [f"cannot ask for the lease system/lease: {why}" for why in ("no answer", "another reason")]
    assert [line["event"] for line in logs].count("the lease can be asked for again") == 1


async def test_a_lease_that_holds_a_null_spec_is_free(world: World) -> None:
    world.server.write({"metadata": {"name": "lease", "namespace": "system"}, "spec": None})
    one = world.election("one")
    await one.attempt()
    assert one.leading
    assert world.server.holder == "one"
    assert world.server.lease is not None
    assert orjson.loads(orjson.dumps(world.server.lease))["spec"]["leaseDurationSeconds"] == DURATION


# Terms and clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("duration", "renew_within", "retry"), [(10, 10, 2), (15, 2, 2), (15, 10, 0)])
def test_terms_that_cannot_work_are_refused(duration: int, renew_within: float, retry: float) -> None:
    with pytest.raises(ValueError, match="retried sooner"):
        Terms(duration=duration, renew_within=renew_within, retry=retry)


def test_the_clock_of_a_lease_goes_on_while_the_machine_sleeps() -> None:
    running = system_clocks().running
    before, now, after = time.clock_gettime(time.CLOCK_BOOTTIME), running(), time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= now <= after


def test_where_there_is_no_such_clock_the_monotonic_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    before, now, after = time.monotonic(), system_clocks().running(), time.monotonic()
    assert before <= now <= after
