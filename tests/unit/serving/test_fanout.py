from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from stunnergw.serving import fanout
from tests.support.websocket_frames import Opcode, masked_frame
from tests.unit.serving.stage import EDGE, Watcher, document, serving, until, watching

if TYPE_CHECKING:
    import pytest

    from stunnergw.dataplane.documents import Document
    from tests.unit.serving.stage import Stage

BIG = 100_000
WINDOW = 4096


async def publish_many(stage: Stage, reader: Watcher, *, count: int) -> Document:
    """Publish big documents one after the other, each once ``reader`` has the one before; return the last."""
    for number in range(count):
        latest = document(EDGE, str(number), padding=BIG)
        stage.source.publish({EDGE: latest})
        assert await reader.message() == latest.body
    return latest


async def test_who_does_not_read_holds_up_nobody_costs_little_and_gets_the_latest() -> None:
    async with (
        serving({EDGE: document(EDGE, padding=BIG)}) as stage,
        watching(stage.port(), "media/edge", window=WINDOW) as slow,
        watching(stage.port(), "media/edge") as quick,
    ):
        await quick.message()
        latest = await publish_many(stage, quick, count=40)
        buffers = [client.transport.get_write_buffer_size() for client in stage.servers.fanout.clients()]
        assert max(buffers) < 256 * 1024
        assert stage.servers.fanout.behind == 1
        received = 1
        while await slow.message() != latest.body:
            received += 1
        assert received < 10
        assert await slow.is_silent()
        await until(lambda: stage.servers.fanout.behind == 0)


async def test_who_stays_behind_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "BEHIND_AT_MOST", 0.1)
    async with (
        serving({EDGE: document(EDGE, padding=10 * BIG)}) as stage,
        watching(stage.port(), "media/edge", window=WINDOW),
        watching(stage.port(), "media/edge") as quick,
    ):
        await quick.message()
        await until(lambda: stage.servers.fanout.dropped == 1)
        await until(lambda: len(stage.servers.fanout) == 1)
        assert await quick.is_silent()


async def test_pings_of_a_client_that_does_not_read_pile_up_nowhere() -> None:
    async with (
        serving({EDGE: document(EDGE, padding=10 * BIG)}) as stage,
        watching(stage.port(), "media/edge", window=WINDOW) as slow,
    ):
        [client] = stage.servers.fanout.clients()
        full = client.transport.get_write_buffer_size()
        for number in range(1000):
            slow.writer.write(masked_frame(Opcode.PING, f"{number:0100}".encode()))
        await until(lambda: client.owed_pong is not None and client.owed_pong.endswith(b"0999"))
        assert client.transport.get_write_buffer_size() <= full
        assert (await slow.frame()).opcode is Opcode.TEXT
        assert (await slow.frame()).payload.endswith(b"0999")


async def test_nobody_misses_the_newest_while_a_pass_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "SLICE", 2)
    async with serving({EDGE: document(EDGE, "first")}) as stage, contextlib.AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(watching(stage.port(), "media/edge")) for _ in range(20)]
        for watcher in watchers:
            await watcher.message()
        for number in range(30):
            stage.source.publish({EDGE: document(EDGE, f"{number:02}")})
            await asyncio.sleep(0)
        expected = [document(EDGE, f"{number:02}").body for number in range(30)]
        for watcher in watchers:
            received = [await watcher.message()]
            while received[-1] != expected[-1]:
                received.append(await watcher.message())
            assert received == sorted(received)
            assert len(set(received)) == len(received)
            assert await watcher.is_silent()


async def test_changes_that_wait_too_long_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        assert stage.servers.liveness.results() == {"fan-out": None}
        monkeypatch.setattr(fanout, "STALLED_AFTER", -1.0)
        stage.source.publish({EDGE: document(EDGE, "2")})
        assert "wait" in str(stage.servers.liveness.results()["fan-out"])
        await until(lambda: stage.servers.fanout.stalled() is None)


async def test_clients_that_left_are_forgotten() -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        for _ in range(20):
            async with watching(stage.port(), "media/edge") as watcher:
                await watcher.message()
        await until(lambda: len(stage.servers.fanout) == 0)
        stage.source.publish({EDGE: document(EDGE, "2")})
        assert stage.servers.fanout.behind == 0
