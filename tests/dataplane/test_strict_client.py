"""The strict client of the config discovery service: content with a good server, and with no other.

The good server is a few lines of aiohttp. The bad ones are scripts on a plain socket: a library would not
let them be as bad as they must.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import WSMsgType, web

from tests.support.strict_client import StrictClient, Timing, fetch
from tests.support.stunnerd_documents import zero_document
from tests.support.websocket_frames import Opcode, Violation, accept_of

FAST = Timing(ping=0.02, silence=5, reconnect=0.01, handshake=5)


def _document(name: str = "ns/gw", *, realm: str = "stunner.l7mp.io", address: str = "$STUNNER_ADDR") -> bytes:
    listener = {"name": f"{name}/udp", "protocol": "TURN-UDP", "address": address, "port": 3478}
    document = {
        "version": "v1",
        "admin": {
            "name": name,
            "loglevel": "all:INFO",
            "healthcheck_endpoint": "http://:8086",
            "offload_engine": "None",
        },
        "auth": {"type": "static", "realm": realm, "credentials": {"password": "p", "username": "é"}},
        "listeners": [listener],
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


# The good server.


@dataclass
class GoodServer:
    """Sends `greeting` on connect and whatever is put on `sent` after that; counts what it got."""

    port: int = 0
    greeting: list[bytes] = field(default_factory=lambda: [_document()])
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    pings: list[bytes] = field(default_factory=list)

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """Answer a watch, or a plain GET with the first greeting."""
        if "watch" not in request.query:
            return web.Response(body=self.greeting[0], content_type="application/json")
        connection = web.WebSocketResponse(autoping=False)
        await connection.prepare(request)
        self.sockets.append(connection)
        for text in self.greeting:
            await connection.send_str(text.decode())
        async for message in connection:
            if message.type is WSMsgType.PING:
                self.pings.append(bytes(message.data))
                await connection.pong(message.data)
        return connection


@asynccontextmanager
async def good_server(server: GoodServer) -> AsyncIterator[GoodServer]:
    application = web.Application()
    application.router.add_get("/{path:.*}", server.watch)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", server.port)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        for connection in server.sockets:
            await connection.close(code=1001)
        await runner.cleanup()


async def test_a_good_server_passes() -> None:
    async with good_server(GoodServer()) as server, StrictClient(server.port, "ns/gw", timing=FAST) as client:
        document = await client.document()
        assert document["admin"]["name"] == "ns/gw"
        assert client.running == document
        assert await client.next_message() == _document()
        await server.sockets[0].send_str(_document(realm="other").decode())
        assert (await client.document(after=1))["auth"]["realm"] == "other"
        assert await client.next_message() == _document(realm="other")
        await client.until(lambda client: client.pongs > 2)
        assert set(server.pings) == {b"keepalive"}
    assert client.connections == 1
    assert client.arrivals == sorted(client.arrivals)


async def test_the_zero_document_is_noted_and_ignored() -> None:
    async with good_server(GoodServer()) as server, StrictClient(server.port, "ns/gw", timing=FAST) as client:
        running = await client.document()
        await server.sockets[0].send_str(zero_document("ns/gw").decode())
        await client.until(lambda client: client.deletions == ["ns/gw"])
        assert client.running == running
        assert len(client.documents) == 1
        assert client.known == {}


async def test_a_close_frame_brings_it_back_in_a_moment() -> None:
    async with good_server(GoodServer()) as server, StrictClient(server.port, "ns/gw", timing=FAST) as client:
        await client.document()
        await server.sockets[0].close(code=1001, message=b"leaving")
        await client.document(after=1)
        assert client.closes == [1001]
    assert client.connections == 2


async def test_a_server_that_is_not_there_yet_is_asked_again() -> None:
    async with good_server(GoodServer()) as first:
        port = first.port
    async with StrictClient(port, "ns/gw", timing=FAST) as client:
        await client.until(lambda client: client.failures > 1)
        async with good_server(GoodServer(port=port)):
            await client.document()


@pytest.mark.parametrize("config", ["", "ns"])
async def test_lists_are_watched_with_the_placeholder_in_them(config: str) -> None:
    greeting = [_document("ns/gw", address="__node_address_placeholder"), _document("ns/other")]
    async with (
        good_server(GoodServer(greeting=greeting)) as server,
        StrictClient(server.port, config, timing=FAST) as client,
    ):
        await client.document(after=1)
        assert sorted(client.known) == ["ns/gw", "ns/other"]
        await server.sockets[0].send_str(zero_document("ns/other").decode())
        await client.until(lambda client: client.deletions == ["ns/other"])
        assert sorted(client.known) == ["ns/gw"]


async def test_a_named_node_may_see_its_address() -> None:
    greeting = [_document(address="192.0.2.9")]
    async with (
        good_server(GoodServer(greeting=greeting)) as server,
        StrictClient(server.port, "ns/gw", node="node-1", timing=FAST) as client,
    ):
        await client.document()


async def test_one_that_never_reads_fills_the_servers_buffers() -> None:
    async with (
        good_server(GoodServer(greeting=[])) as server,
        StrictClient(server.port, "ns/gw", timing=FAST, never_reads=True) as client,
    ):
        await client.connected()
        # A small buffer on this side too, so that little is enough to fill what lies between the two.
        server.sockets[0].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        big = _document(realm="x" * (1 << 17)).decode()
        sending = asyncio.create_task(_send_many(server.sockets[0], big, times=12))
        with pytest.raises(TimeoutError):
            await client.document(timeout=0.1)
        assert not sending.done()
        client.start_reading()
        await client.document(after=11)
        await sending


async def _send_many(connection: web.WebSocketResponse, text: str, *, times: int) -> None:
    for _ in range(times):
        await connection.send_str(text)


async def test_waiting_in_vain_says_what_did_happen() -> None:
    async with (
        good_server(GoodServer(greeting=[])) as server,
        StrictClient(server.port, "ns/gw", timing=FAST) as client,
    ):
        await client.connected()
        with pytest.raises(TimeoutError, match="0 documents, 0 deletions, 1 connections"):
            await client.document(timeout=0.01)


async def test_fetch_gives_status_headers_and_body() -> None:
    async with good_server(GoodServer()) as server:
        answer = await fetch(server.port, "/api/v1/configs/ns/gw", headers={"If-None-Match": '"x"'})
    assert (answer.status, answer.body) == (200, _document())
    assert answer.headers["content-type"].startswith("application/json")


async def test_fetch_understands_chunks_and_gzip() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        if "gzip" in request.query:
            response.enable_compression()
        await response.prepare(request)
        for part in (b"one ", b"two"):
            await response.write(part)
        await response.write_eof()
        return response

    server = GoodServer()
    server.watch = answer  # type: ignore[method-assign]
    async with good_server(server):
        for path in ("/", "/?gzip=1"):
            assert (await fetch(server.port, path)).body == b"one two"


# The bad ones.

Script = Callable[["Peer"], Awaitable[None]]


@dataclass
class Peer:
    """The server's end of one connection whose request has been read."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    request: list[str]

    def header(self, name: str) -> str:
        """The value of a header of the request."""
        return next(line.partition(": ")[2] for line in self.request if line.startswith(f"{name}: "))

    def answer(self, *more: str, status: str = "101 Switching Protocols", accept: str | None = None) -> None:
        """Send the head of an answer."""
        value = accept or accept_of(self.header("Sec-WebSocket-Key"))
        upgrade = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {value}"]
        self.writer.write("\r\n".join([f"HTTP/1.1 {status}", *upgrade, *more, "", ""]).encode())

    def send(self, opcode: int, payload: bytes = b"", *, first: int = 0x80) -> None:
        """Send a frame, whose first byte has `first` set beside the opcode."""
        size = len(payload)
        length = bytes([size]) if size < 126 else bytes([126]) + size.to_bytes(2, "big")
        self.writer.write(bytes([first | opcode]) + length + payload)

    async def receive(self) -> tuple[int, bytes]:
        """Read a frame of the client, which must be masked."""
        first, second = await self.reader.readexactly(2)
        assert first & 0x80
        assert second & 0x80
        mask = await self.reader.readexactly(4)
        payload = await self.reader.readexactly(second & 0x7F)
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


@asynccontextmanager
async def scripted(*scripts: Script) -> AsyncIterator[int]:
    """A server whose nth connection follows the nth script, and the last one after that; gives its port."""
    waiting, failures, tasks = list(scripts), list[BaseException](), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await script(Peer(reader, writer, head.decode().split("\r\n")[:-2]))
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        except AssertionError as error:
            failures.append(error)
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert not failures, failures


async def test_it_asks_as_stunnerd_does() -> None:
    seen: list[list[str]] = []

    async def script(peer: Peer) -> None:
        seen.append(peer.request)
        peer.answer()

    async with (
        scripted(script) as port,
        StrictClient(port, "n s/g?w", node="node/1 a", timing=FAST) as client,
    ):
        await client.connected()
    origin = f"http://127.0.0.1:{port}?node=node%2F1+a&watch=true"
    request = [line for line in seen[0] if not line.startswith("Sec-WebSocket-Key: ")]
    assert request == [
        "GET /api/v1/configs/n%20s/g%3Fw?node=node%2F1+a&watch=true HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "User-Agent: Go-http-client/1.1",
        "Connection: Upgrade",
        f"Origin: {origin}",
        "Sec-WebSocket-Version: 13",
        "Upgrade: websocket",
    ]
    assert seen[0][5].startswith("Sec-WebSocket-Key: ")


@pytest.mark.parametrize(("config", "path"), [("", ""), ("ns", "/ns"), ("ns/gw", "/ns/gw")])
async def test_it_asks_for_lists_too(config: str, path: str) -> None:
    seen: list[str] = []

    async def script(peer: Peer) -> None:
        seen.append(peer.request[0])
        peer.answer()

    async with scripted(script) as port, StrictClient(port, config, timing=FAST) as client:
        await client.connected()
    assert seen == [f"GET /api/v1/configs{path}?watch=true HTTP/1.1"]


async def test_it_pings_masked_and_answers_pings() -> None:
    seen: set[tuple[int, bytes]] = set()

    async def script(peer: Peer) -> None:
        peer.answer()
        peer.send(Opcode.PING, b"are you there")
        while len(seen) < 2:
            seen.add(await peer.receive())
        peer.send(Opcode.TEXT, _document())

    async with scripted(script) as port, StrictClient(port, "ns/gw", timing=FAST) as client:
        await client.document()
    assert seen == {(Opcode.PONG, b"are you there"), (Opcode.PING, b"keepalive")}


async def test_it_answers_a_close_frame_with_its_code() -> None:
    seen: list[tuple[int, bytes]] = []

    async def script(peer: Peer) -> None:
        peer.answer()
        peer.send(Opcode.CLOSE, (1001).to_bytes(2, "big") + b"leaving")
        while not seen or seen[-1][0] != Opcode.CLOSE:
            seen.append(await peer.receive())

    async with scripted(script, _well) as port, StrictClient(port, "ns/gw", timing=FAST) as client:
        await client.document()
        assert client.closes == [1001]
    assert seen[-1] == (Opcode.CLOSE, (1001).to_bytes(2, "big"))


async def test_a_message_in_pieces_with_a_ping_between_is_one_message() -> None:
    async def script(peer: Peer) -> None:
        text = _document()
        peer.answer()
        peer.send(Opcode.TEXT, text[:150], first=0)
        peer.send(Opcode.PING)
        peer.send(Opcode.CONTINUATION, text[150:160], first=0)
        peer.send(Opcode.CONTINUATION, text[160:])

    async with scripted(script) as port, StrictClient(port, "ns/gw", timing=FAST) as client:
        await client.document()
        assert client.messages == [_document()]


async def _binary(peer: Peer) -> None:
    peer.answer()
    peer.send(Opcode.BINARY, _document())


async def _silent(peer: Peer) -> None:
    peer.answer()


async def _only_pings(peer: Peer) -> None:
    peer.answer()
    with contextlib.suppress(OSError):
        while True:
            peer.send(Opcode.PING)
            await peer.receive()


async def _well(peer: Peer) -> None:
    peer.answer()
    peer.send(Opcode.TEXT, _document())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (_binary, "a binary message"),
        (_silent, "neither pong nor message for 0.05 s"),
        (_only_pings, "neither pong nor message for 0.05 s"),
    ],
)
async def test_what_stunnerd_would_drop_is_dropped_and_told(script: Script, reason: str) -> None:
    short = replace(FAST, silence=0.05)
    with pytest.raises(Violation, match=f"had to drop its connection: {reason}"):
        async with scripted(script) as port, StrictClient(port, "ns/gw", timing=short) as client:
            await client.until(lambda client: bool(client.drops))


async def test_a_drop_may_be_allowed_and_it_comes_back() -> None:
    async with (
        scripted(_binary, _well) as port,
        StrictClient(port, "ns/gw", timing=FAST, may_drop=True) as client,
    ):
        await client.document()
        assert client.drops == ["a binary message"]
        assert client.connections == 2


async def test_a_connection_that_just_ends_is_no_violation() -> None:
    async def ends(peer: Peer) -> None:
        peer.answer()
        peer.send(Opcode.TEXT, b"{", first=0)
        peer.writer.close()

    async with scripted(ends, _well) as port, StrictClient(port, "ns/gw", timing=FAST) as client:
        await client.document()
        assert client.closes == [1006]


async def _ends_before_it_answers(peer: Peer) -> None:
    peer.writer.close()


async def _never_answers(peer: Peer) -> None:
    await peer.reader.read()


@pytest.mark.parametrize("script", [_ends_before_it_answers, _never_answers])
async def test_no_answer_is_a_failure_and_no_violation(script: Script) -> None:
    short = replace(FAST, handshake=0.05)
    async with scripted(script, _well) as port, StrictClient(port, "ns/gw", timing=short) as client:
        await client.document()
        assert client.failures == 1


def _answers(*more: str, status: str = "101 Switching Protocols", accept: str | None = None) -> Script:
    async def script(peer: Peer) -> None:
        peer.answer(*more, status=status, accept=accept)

    return script


def _sends(opcode: int, payload: bytes = b"", *, first: int = 0x80) -> Script:
    async def script(peer: Peer) -> None:
        peer.answer()
        peer.send(opcode, payload, first=first)

    return script


def _writes(raw: bytes) -> Script:
    async def script(peer: Peer) -> None:
        peer.answer()
        peer.writer.write(raw)

    return script


_VIOLATIONS: list[tuple[str, Script, str]] = [
    ("wrong accept", _answers(accept=accept_of("another")), "Sec-WebSocket-Accept is"),
    ("extension", _answers("Sec-WebSocket-Extensions: permessage-deflate"), "sec-websocket-extensions"),
    ("subprotocol", _answers("Sec-WebSocket-Protocol: x"), "sec-websocket-protocol"),
    ("not found", _answers("Content-Length: 0", status="404 Not Found"), "answered with 404"),
    ("no upgrade", _answers("Content-Length: 0", status="200 OK"), "answered with 200"),
    ("compressed", _sends(Opcode.TEXT, b"\xaa\x56\x02\x00", first=0xC0), "reserved bit"),
    ("masked", _writes(b"\x81\x81abcdx"), "masked a TEXT frame"),
    ("opcode", _sends(0x3), "unknown opcode 3"),
    ("long control frame", _sends(Opcode.PING, b"x" * 126), "longer than 125"),
    ("control frame in pieces", _sends(Opcode.PING, first=0), "in pieces"),
    ("length not the shortest", _writes(b"\x81\x7e\x00\x01x"), "shortest"),
    ("long length not the shortest", _writes(b"\x81\x7f" + bytes(6) + b"\xff\xffx"), "shortest"),
    ("continuation of nothing", _sends(Opcode.CONTINUATION, b"x"), "without a message"),
    ("message in a message", _writes(b"\x01\x01{\x81\x01}"), "inside a message"),
    ("close of one byte", _sends(Opcode.CLOSE, b"\x03"), "no code to send"),
    ("close with no code to send", _sends(Opcode.CLOSE, (1005).to_bytes(2, "big")), "no code to send"),
    ("close with a bad reason", _sends(Opcode.CLOSE, b"\x03\xe9\xff"), "reason of a close frame"),
    ("not UTF-8", _sends(Opcode.TEXT, b'"\xff"'), "a text message is not UTF-8"),
    ("not JSON", _sends(Opcode.TEXT, b"version: v1"), "not one JSON document"),
    ("empty", _sends(Opcode.TEXT), "not one JSON document"),
    ("two documents", _sends(Opcode.TEXT, b"{}{}"), "not one JSON document"),
    ("a list", _sends(Opcode.TEXT, b"[]"), "not a document"),
    ("no name", _sends(Opcode.TEXT, b"{}"), "no admin.name"),
    ("another's document", _sends(Opcode.TEXT, _document("ns/other")), "got the document of 'ns/other'"),
    ("a broken promise", _sends(Opcode.TEXT, _document() + b"\n"), "not compact"),
    ("the placeholder", _sends(Opcode.TEXT, _document(address="__node_address_placeholder")), "placeholder"),
    ("another zero document", _sends(Opcode.TEXT, zero_document("ns/gw") + b" "), "not written as agreed"),
]


@pytest.mark.parametrize(("script", "sentence"), [row[1:] for row in _VIOLATIONS], ids=[row[0] for row in _VIOLATIONS])
async def test_a_violation_reaches_whoever_waits(script: Script, sentence: str) -> None:
    async with scripted(script) as port:
        with pytest.raises(Violation, match=sentence):
            async with StrictClient(port, "ns/gw", timing=FAST) as client:
                await client.until(lambda _: False)


async def test_a_violation_reaches_the_end_where_nobody_waits() -> None:
    async with scripted(_sends(Opcode.TEXT, b"{}")) as port:
        with pytest.raises(Violation, match=r"no admin\.name"):
            async with StrictClient(port, "ns/gw", timing=FAST) as client:
                await client.until(lambda client: bool(client.messages))


async def test_an_answer_other_than_101_may_be_allowed() -> None:
    refusing = _answers("Content-Length: 0", status="403 Forbidden")
    async with (
        scripted(refusing, _well) as port,
        StrictClient(port, "ns/gw", timing=FAST, may_refuse=True) as client,
    ):
        await client.document()
        assert client.refusals == [403]


async def test_arrivals_are_stamped_by_the_clock_that_it_was_given() -> None:
    ticks = iter(range(10, 20))
    async with (
        scripted(_well) as port,
        StrictClient(port, "ns/gw", timing=FAST, clock=lambda: next(ticks)) as client,
    ):
        await client.document()
        assert client.arrivals == [10]
