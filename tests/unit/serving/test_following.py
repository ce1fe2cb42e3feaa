"""``/events``, as pages and as streams."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.events.log import EventLog
from stunnergw.events.types import Deleted, Unavailable
from stunnergw.resources import kinds
from stunnergw.serving import following, paging
from tests.support.objects import applied
from tests.support.plain_http import fetch, read_head, request_head
from tests.unit.serving.stage import DEADLINE, serving, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stunnergw.events.types import Fact
    from tests.unit.serving.stage import Stage

EDGE = applied(kinds.GATEWAY, "edge", spec={"gatewayClassName": "turn", "listeners": []})
NODE = applied(kinds.NODE, "n1")
ROUTE = applied(kinds.STUNNER_UDP_ROUTE, "calls", spec={"rules": []})


def lost(number: int) -> Unavailable:
    return Unavailable(kind=kinds.NODE, reason=f"{number:06}")


def log_of(*facts: Fact, **bounds: int) -> EventLog:
    log = EventLog(clock=lambda: 1_767_225_600_000_000_000, **bounds)
    log.append(facts, source="test")
    log.mark_folded(log.last)
    return log


async def page(stage: Stage, query: str = "") -> Any:
    response = await fetch(stage.inspection, f"/events{query}")
    assert response.status == 200
    assert response.headers["cache-control"] == "no-store"
    return json.loads(response.body)


def seqs(told: Any) -> list[int]:
    return [event["seq"] for event in told["events"]]


async def test_all_of_a_short_log() -> None:
    async with serving(log=log_of(EDGE, NODE)) as stage:
        told = await page(stage)
    assert {name: told[name] for name in ("run", "last", "oldest", "next", "fellBehind")} == {
        "run": "run-1", "last": 2, "oldest": 1, "next": 2, "fellBehind": False,
    }  # fmt: skip
    assert [(event["seq"], event["type"], event["key"]) for event in told["events"]] == [
        (1, "Applied", "media/edge"), (2, "Applied", "n1"),
    ]  # fmt: skip


async def test_an_empty_log() -> None:
    async with serving() as stage:
        told = await page(stage, "?since=0")
    assert (told["last"], told["oldest"], told["next"], told["events"]) == (0, 1, 0, [])


async def test_pages_follow_each_other_to_the_end() -> None:
    async with serving(log=log_of(*map(lost, range(10)))) as stage:
        assert seqs(await page(stage, "?limit=4")) == [7, 8, 9, 10]
        after, found = 0, []
        while after < 10:
            told = await page(stage, f"?since={after}&limit=4")
            assert after < told["next"] <= 10
            found += seqs(told)
            after = told["next"]
        assert found == list(range(1, 11))
        assert seqs(await page(stage, "?since=10")) == []
        assert seqs(await page(stage, "?since=999")) == []


async def test_a_page_is_bounded_in_bytes_and_has_one_event_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stunnergw.serving.following.page_after", short_pages)
    async with serving(log=log_of(*map(lost, range(10)))) as stage:
        assert seqs(await page(stage, "?since=3")) == [4]


async def short_pages(log: EventLog, wanted: paging.EventQuestion, *, after: int) -> paging.Page:
    return await paging.page_after(log, wanted, after=after, bytes_at_most=1)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kind=Gateway", [1, 5]), ("kind=gateway", [1, 5]), ("kind=Node", [2, 4]), ("kind=UDPRoute", [3]),
        ("kind=UDPRoute.stunner.l7mp.io", [3]), ("key=media/edge", [1, 5]), ("key=n1", [2]),
        ("key=media/edge&kind=Node", []), ("kind=Node&limit=1", [4]), ("kind=Node&limit=1&since=0", [2]),
    ],
)  # fmt: skip
async def test_events_by_kind_and_key(query: str, expected: list[int]) -> None:
    deletion = Deleted(kind=kinds.GATEWAY, key=EDGE.key)
    async with serving(log=log_of(EDGE, NODE, ROUTE, lost(1), deletion)) as stage:
        told = await page(stage, f"?{query}")
    assert seqs(told) == expected


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=now", "since: "), ("since=-1", "since: "), ("limit=0", "limit: "), ("limit=ten", "limit: "),
        ("key=", "key: "), ("key=a/b/c", "key: "), ("kind=Pod", "GatewayClass, GatewayConfig"),
        ("sinse=1", "since, kind, key, limit"), ("since=1&since=2", "once"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_named_with_its_remedy(query: str, said: str) -> None:
    async with serving() as stage:
        response = await fetch(stage.inspection, f"/events?{query}")
    assert response.status == 400
    assert said in json.loads(response.body)["message"]


async def test_a_page_says_when_events_before_it_are_gone() -> None:
    async with serving(log=log_of(*map(lost, range(10)), max_events=4)) as stage:
        told = await page(stage, "?since=2")
        assert (told["fellBehind"], told["oldest"], seqs(told)) == (True, 7, [7, 8, 9, 10])
        told = await page(stage, "?since=6")
        assert (told["fellBehind"], seqs(told)) == (False, [7, 8, 9, 10])


class Stream:
    """A reader of server-sent events, chunk by chunk."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.text = ""

    async def block(self) -> list[str]:
        """The lines of the next event or comment."""
        async with asyncio.timeout(DEADLINE):
            while "\n\n" not in self.text:
                size = int(await self.reader.readline(), 16)
                if size == 0:
                    raise EOFError
                self.text += (await self.reader.readexactly(size)).decode()
                await self.reader.readexactly(2)
        block, _, self.text = self.text.partition("\n\n")
        return block.split("\n")

    async def event(self) -> tuple[str, Any]:
        """The id (or the name) of the next event, and its data; comments are passed over."""
        while (lines := await self.block())[0].startswith(":"):
            pass
        fields = dict(line.split(": ", 1) for line in lines)
        return fields.get("event") or fields["id"], json.loads(fields["data"])


@asynccontextmanager
async def streaming(
    stage: Stage, query: str = "", *, last: str | None = None, window: int = 0
) -> AsyncIterator[Stream]:
    connection = socket.socket()
    connection.setblocking(False)
    if window:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", stage.inspection))
    reader, writer = await asyncio.open_connection(sock=connection, limit=window or 1 << 16)
    headers = {"Host": "localhost", "Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    writer.write(request_head(f"/events{query}", headers=headers))
    try:
        async with asyncio.timeout(DEADLINE):
            head = await read_head(reader)
        assert head.status == 200
        assert head.headers["content-type"].startswith("text/event-stream")
        yield Stream(reader, writer)
    finally:
        writer.transport.abort()


async def test_a_stream_begins_with_the_newest_and_goes_on() -> None:
    async with serving(log=log_of(EDGE)) as stage, streaming(stage) as stream:
        assert (await stream.block())[0].startswith(":")
        name, data = await stream.event()
        assert (name, data["key"], data["object"]["metadata"]["name"]) == ("run-1:1", "media/edge", "edge")
        stage.log.append([NODE], source="test")
        assert (await stream.event())[0] == "run-1:2"


async def test_a_stream_is_resumed_where_it_broke() -> None:
    async with serving(log=log_of(*map(lost, range(5)))) as stage:
        async with streaming(stage, "?since=0", last="run-1:3") as stream:
            assert [(await stream.event())[0] for _ in range(2)] == ["run-1:4", "run-1:5"]
        async with streaming(stage, "?since=4") as stream:
            assert (await stream.event())[0] == "run-1:5"
        await until(lambda: stage.servers._following.streams == 0)


@pytest.mark.parametrize("last", ["run-0:3", "run-1:999", "nonsense", "run-1:x"])
async def test_an_id_of_another_run_is_told_apart(last: str) -> None:
    async with serving(log=log_of(EDGE)) as stage, streaming(stage, last=last) as stream:
        assert await stream.event() == ("fell-behind", {"run": "run-1", "oldest": 1, "last": 1})
        assert (await stream.event())[0] == "run-1:1"


async def test_a_stream_goes_by_kind_and_key() -> None:
    async with serving() as stage, streaming(stage, "?kind=Gateway&key=media/edge") as stream:
        stage.log.append([NODE, EDGE, NODE, EDGE], source="test")
        assert [(await stream.event())[0] for _ in range(2)] == ["run-1:2", "run-1:4"]


async def test_silence_is_broken_by_heartbeats_that_tell_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "HEARTBEAT", 0.01)
    async with serving(log=log_of(NODE)) as stage, streaming(stage, "?kind=Gateway") as stream:
        await stream.block()
        assert await stream.block() == [": nothing new", "id: run-1:1"]


async def test_who_does_not_read_is_overtaken_and_told_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(clock=lambda: 0, max_events=2000)
    async with serving(log=log) as stage, streaming(stage, window=4096) as slow, streaming(stage) as quick:
        seen = 0
        while log.oldest < 6000:
            log.append([lost(number) for number in range(500)], source="test")
            log.mark_folded(log.last)
            while seen < log.last:
                name, _ = await quick.event()
                assert name == f"run-1:{seen + 1}"
                seen += 1
        buffers = [
            transport.get_write_buffer_size()
            for runner in stage.servers._runners
            if runner.server is not None
            for transport in (handler.transport for handler in runner.server.connections)
            if transport is not None
        ]
        assert max(buffers) < 256 * 1024
        names, told = [], 0
        while (name := (await slow.event())[0]) != f"run-1:{log.last}":
            told += name == "fell-behind"
            names.append(name)
        assert told >= 1
        jump = names.index("fell-behind")
        assert int(names[jump + 1].partition(":")[2]) > int(names[jump - 1].partition(":")[2]) + 1


async def test_who_never_reads_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WRITE_AT_MOST", 0.05)
    big = applied(kinds.NODE, "n1", meta={"labels": {"x": "y" * 1_000_000}})
    async with serving(log=log_of(big)) as stage, streaming(stage, window=4096):
        await until(lambda: stage.servers._following.streams == 0)


async def test_streams_are_counted_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "STREAMS_AT_MOST", 1)
    async with serving() as stage:
        async with streaming(stage):
            refused = await fetch(stage.inspection, "/events", headers={"Accept": "text/event-stream"})
            assert refused.status == 503
            assert "close one" in json.loads(refused.body)["message"]
            assert (await page(stage))["events"] == []
        await until(lambda: stage.servers._following.streams == 0)


@pytest.mark.parametrize("reads", [True, False])
async def test_streams_end_when_all_stops(reads: bool) -> None:
    big = applied(kinds.NODE, "n1", meta={"labels": {"x": "y" * 1_000_000}})
    log = log_of(*[] if reads else [big])
    async with serving(log=log) as stage, streaming(stage, window=0 if reads else 4096) as stream:
        await until(lambda: bool(stage.servers._following._patience))
        began = time.perf_counter()
        await stage.servers.stop()
        assert time.perf_counter() - began < 1
        assert stage.servers._following.streams == 0
        if reads:
            with pytest.raises(EOFError):
                await stream.event()


async def test_other_hosts_are_refused_here_too() -> None:
    async with serving(log=log_of(EDGE)) as stage:
        for path in ("/events", "/why/media/edge"):
            response = await fetch(stage.inspection, path, headers={"Host": "evil.example"})
            assert response.status == 421
