from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

import pytest

from stunnergw.errors import UsageError
from stunnergw.events.log import EventLog
from stunnergw.serving.binding import SEND_BUFFER, bind
from stunnergw.serving.health import Checks
from stunnergw.serving.server import CONFIG_DISCOVERY, HEALTH, INSPECTION, METRICS, Servers
from stunnergw.settings import Address
from tests.support.plain_http import fetch, read_head
from tests.support.websocket_frames import Opcode, close_code, masked_frame
from tests.unit.serving.stage import (
    EDGE,
    FakeSource,
    Watcher,
    document,
    serving,
    settings,
    until,
    watching,
)


async def bare(**addresses: Any) -> Servers:
    return Servers(settings(**addresses), FakeSource(), EventLog(clock=lambda: 0), run="run-1")


async def test_each_address_may_be_off() -> None:
    off = dict.fromkeys(
        ("config_discovery_address", "inspection_address", "health_probe_bind_address", "metrics_bind_address")
    )
    servers = await bare(**off)
    await servers.start()
    assert servers.addresses == {}
    await servers.stop()
    await servers.stop()


async def test_free_ports_are_told_by_flag() -> None:
    async with serving({}) as stage:
        assert set(stage.servers.addresses) == {CONFIG_DISCOVERY, INSPECTION, HEALTH, METRICS}
        assert all(address.port > 0 for address in stage.servers.addresses.values())


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_port_in_use_is_said_in_one_line_and_nothing_is_left_open(everywhere: bool) -> None:
    taken = await bind(Address("127.0.0.1", 0), flag="x")
    with taken:
        address = Address("" if everywhere else "127.0.0.1", taken.getsockname()[1])
        free = await bind(Address("127.0.0.1", 0), flag="x")
        first = Address("127.0.0.1", free.getsockname()[1])
        free.close()
        servers = await bare(config_discovery_address=first, metrics_bind_address=address)
        with pytest.raises(UsageError, match=f"--metrics-bind-address: cannot listen on {address}: another"):
            await servers.start()
        await servers.stop()
        # The discovery address is free again.
        (await bind(first, flag="x")).close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "a..b"])
async def test_an_address_that_is_not_ours_is_said(host: str) -> None:
    with pytest.raises(UsageError, match=f"--metrics-bind-address: cannot listen on {host}:80"):
        await bind(Address(host, 8080), flag="metrics-bind-address")


async def test_an_empty_host_takes_both_families_on_one_port() -> None:
    listening = await bind(Address("", 0), flag="x")
    with listening:
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER
        families = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
        for host in families.values() if listening.family == socket.AF_INET6 else ["127.0.0.1"]:
            _, writer = await asyncio.open_connection(host, listening.getsockname()[1])
            writer.transport.abort()


async def fill(stack: contextlib.AsyncExitStack, port: int, *, count: int) -> list[Watcher]:
    """Watchers with a small window, of which every second never reads."""
    return [
        await stack.enter_async_context(watching(port, "media/edge", **({"window": 4096} if number % 2 else {})))
        for number in range(count)
    ]


async def test_stopping_takes_less_than_a_second_whatever_the_clients_do() -> None:
    async with serving({EDGE: document(EDGE, padding=500_000)}) as stage, contextlib.AsyncExitStack() as stack:
        watchers = await fill(stack, stage.port(), count=50)
        readers, port = watchers[::2], stage.port()
        for watcher in readers:
            await watcher.message()
        # One that never reads the answer to its GET, one that says nothing, one that is half-way.
        for request in (b"GET /api/v1/configs/media/edge HTTP/1.1\r\nHost: x\r\n\r\n", b"", b"GET /config?wa"):
            other = Watcher(*await asyncio.open_connection("127.0.0.1", port))
            stack.callback(other.abort)
            other.writer.write(request)
        goodbyes = asyncio.gather(*(answered_goodbye(watcher) for watcher in readers))
        began = time.perf_counter()
        await stage.servers.stop()
        assert time.perf_counter() - began < 1
        assert await goodbyes == [1001] * 25
        assert len(stage.servers.fanout) == 0
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def answered_goodbye(watcher: Watcher) -> int:
    """The code of the close frame that comes next; nothing comes after it."""
    frame = await watcher.frame()
    assert frame.opcode is Opcode.CLOSE
    watcher.writer.write(masked_frame(Opcode.CLOSE, frame.payload[:2]))
    async with asyncio.timeout(5):
        assert await watcher.reader.read() == b""
    return close_code(frame.payload)


async def test_who_dials_on_an_open_connection_while_we_stop_is_told_to_come_again() -> None:
    async with serving({}) as stage:
        stage.servers.fanout.closing = True
        watcher, head = await Watcher.dial(stage.port(), "media/edge")
        watcher.abort()
    assert head.status == 503


async def test_changes_before_run_are_pushed_by_it() -> None:
    source = FakeSource()
    servers = Servers(settings(), source, EventLog(clock=lambda: 0), run="run-1")
    await servers.start()
    async with watching(servers.addresses[CONFIG_DISCOVERY].port, "media/edge") as one:
        source.publish({EDGE: document(EDGE)})
        running = asyncio.create_task(servers.run())
        assert await one.message() == document(EDGE).body
        await servers.stop()
        async with asyncio.timeout(1):
            await running
    assert source.callbacks == []


async def test_liveness_and_readiness_are_told_apart() -> None:
    readiness, liveness = Checks(), Checks()
    readiness.add("listed", lambda: "Gateway: forbidden")
    async with serving(readiness=readiness, liveness=liveness) as stage:
        ready = await fetch(stage.health, "/readyz")
        assert (ready.status, ready.body.decode().splitlines()) == (
            503, ["[-]listed: Gateway: forbidden", "[-]projected: the first projection is not done"],
        )  # fmt: skip
        assert (await fetch(stage.health, "/healthz")).body == b"ok\n"
        stage.source.publish({})
        verbose = await fetch(stage.health, "/readyz?verbose")
        assert (verbose.status, verbose.body.decode().splitlines()) == (
            503, ["[-]listed: Gateway: forbidden", "[+]projected ok", "[+]serving ok"],
        )  # fmt: skip
        readiness.add("listed", lambda: None)
        well = await fetch(stage.health, "/readyz?verbose")
        assert (well.status, well.body) == (200, b"[+]listed ok\n[+]projected ok\n[+]serving ok\nok\n")
        liveness.add("watching", lambda: "stuck for 90 s")
        assert (await fetch(stage.health, "/healthz")).status == 503
        assert (await fetch(stage.health, "/readyz")).status == 200
        await stage.servers.stop()
        assert "serving" in [name for name, wrong in readiness.results().items() if wrong]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel is not asked to do this")
@pytest.mark.parametrize("path", ["/api/v1/configs/media/edge", "/config", "/api/v1/configs"])
async def test_who_does_not_read_the_answer_to_a_get_does_not_stay(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stunnergw.serving.binding.UNREAD_AT_MOST", 100)
    async with serving({EDGE: document(EDGE, padding=1_000_000)}) as stage:
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with connection:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(connection, ("127.0.0.1", stage.port()))
            await loop.sock_sendall(connection, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await until(lambda: open_connections(stage.servers) == 1)
            await until(lambda: open_connections(stage.servers) == 0)


def open_connections(servers: Servers) -> int:
    return sum(len(runner.server.connections) for runner in servers._runners if runner.server is not None)


async def test_http_connections_are_kept_and_pipelined_requests_answered() -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port())
        writer.write(b"GET /api/v1/license HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        async with asyncio.timeout(5):
            for _ in range(2):
                head = await read_head(reader)
                await reader.readexactly(int(head.headers["content-length"]))
        writer.transport.abort()
