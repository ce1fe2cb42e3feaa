"""A client of the config discovery service that behaves as stunnerd does and forgives nothing.

It watches one config (`ns/gw`), the configs of a namespace (`ns`) or all of them (``): asks with stunnerd's
own headers, pings, drops a connection that is silent for too long or sends a binary message, and comes back
a second after any loss, for ever. Each message must be one document that keeps every promise of ours
(check_ours), or the zero document, which is noted and ignored. Whatever breaks a rule ends the client:
whoever waits on it gets the Violation, at the latest the end of the `async with`.

    async with StrictClient(port, "ns/gw") as client:
        first = await client.document()
        ...
        second = await client.document(after=1, timeout=5)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from tests.support.plain_http import Head, Response, fetch, read_body, read_head
from tests.support.stunnerd_documents import Served, check_ours, is_zero_document, zero_document
from tests.support.watch_requests import check_upgrade, upgrade_request
from tests.support.websocket_frames import (
    NO_CLOSE_FRAME,
    Frame,
    Opcode,
    Violation,
    close_code,
    masked_frame,
    new_key,
    read_frame,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Document", "Response", "StrictClient", "Timing", "Violation", "fetch"]

Document = dict[str, Any]

_PING = b"keepalive"
_TINY_BUFFER = 4096
_LARGE_BUFFER = 1 << 20


@dataclass(frozen=True)
class Timing:
    """stunnerd's intervals in seconds: between pings, of silence, before it comes back, for an answer."""

    ping: float = 5.0
    silence: float = 8.0
    reconnect: float = 1.0
    handshake: float = 45.0


class _Dropped(Exception):
    """The client gives a connection up, as stunnerd would."""


class _Closed(Exception):
    """The server sent a close frame."""


class StrictClient:
    """One watcher, as the module tells. Its attributes hold what it saw; `until` waits for them to change."""

    def __init__(
        self,
        port: int,
        config: str,
        *,
        node: str | None = None,
        host: str = "127.0.0.1",
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
        never_reads: bool = False,
        may_drop: bool = False,
        may_refuse: bool = False,
        short_protocols: bool = False,
    ) -> None:
        """Set a client up; entering it starts it.

        clock: stamps `arrivals`.
        never_reads: after the upgrade it neither reads nor pings, until `start_reading`.
        may_drop: a connection that it gave up (binary message, silence) is no violation.
        may_refuse: an answer other than 101 is no violation.
        """
        self._port, self._host, self._config, self._node = port, host, config, node
        self._timing, self._clock = timing or Timing(), clock
        self._may_drop, self._may_refuse, self._short_protocols = may_drop, may_refuse, short_protocols
        self._never_reads = never_reads
        self._reading = asyncio.Event()
        if not never_reads:
            self._reading.set()
        self._news = asyncio.Event()
        self._told = 0
        self._writer: asyncio.StreamWriter | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._violation: Violation | None = None
        self.messages: list[bytes] = []
        self.arrivals: list[float] = []
        self.documents: list[Document] = []
        self.deletions: list[str] = []
        self.running: Document | None = None
        self.known: dict[str, Document] = {}
        self.connections = 0
        self.pongs = 0
        self.failures = 0
        self.closes: list[int] = []
        self.drops: list[str] = []
        self.refusals: list[int] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"strict client of {self._config!r}")
        self._task.add_done_callback(lambda _: self._tell())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        ended_by = self._violation if self._task.cancelled() else self._task.exception()
        if error is not None:
            return
        if ended_by is not None:
            raise ended_by
        if self.drops and not self._may_drop:
            raise Violation(f"the client had to drop its connection: {'; '.join(self.drops)}")

    # What tests wait for.

    async def document(self, *, after: int = 0, timeout: float = 5) -> Document:  # noqa: ASYNC109
        """The document that follows the first `after` ones."""
        await self.until(lambda client: len(client.documents) > after, timeout=timeout)
        return self.documents[after]

    async def next_message(self, *, timeout: float = 5) -> bytes:  # noqa: ASYNC109
        """The oldest message that this has not given yet, as it came."""
        await self.until(lambda client: len(client.messages) > client._told, timeout=timeout)
        self._told += 1
        return self.messages[self._told - 1]

    async def connected(self, *, times: int = 1, timeout: float = 5) -> None:  # noqa: ASYNC109
        """Wait until it has been connected `times` times."""
        await self.until(lambda client: client.connections >= times, timeout=timeout)

    async def until(
        self,
        happened: Callable[[StrictClient], bool],
        *,
        timeout: float = 5,  # noqa: ASYNC109
    ) -> None:
        """Wait until `happened` is true of this client, for at most `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self._is_sound() and not happened(self):
                    await self._news.wait()
        except TimeoutError as error:
            raise TimeoutError(f"in {timeout} s it did not happen; {self._state()}") from error

    def start_reading(self) -> None:
        """End `never_reads`."""
        self._never_reads = False
        if self._writer is not None:
            # The tiny buffer has done its work, and would make a crawl of what comes now.
            connection: socket.socket = self._writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LARGE_BUFFER)
            _read_transport(self._writer).resume_reading()
        self._reading.set()

    def _is_sound(self) -> bool:
        if self._violation is not None:
            raise self._violation
        if self._task.done():
            self._task.result()
        return True

    def _state(self) -> str:
        return (
            f"{len(self.documents)} documents, {len(self.deletions)} deletions, "
            f"{self.connections} connections, {self.failures} failures, "
            f"closes {self.closes}, drops {self.drops}, refusals {self.refusals}"
        )

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # The connection: for ever, once, while it lasts.

    async def _run(self) -> None:
        while True:
            await self._connect_once()
            self._tell()
            await asyncio.sleep(self._timing.reconnect)

    async def _connect_once(self) -> None:
        try:
            async with asyncio.timeout(self._timing.handshake):
                reader, writer = await self._open()
        except OSError:
            self.failures += 1
            return
        self._writer = writer
        try:
            if await self._upgrade(reader, writer):
                await self._stay(reader, writer)
        except Violation as violation:
            # Noted at once: the client may be cancelled while it hangs up.
            self._violation = violation
            raise
        finally:
            await self._hang_up(writer)

    async def _hang_up(self, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()
        self._writer = None
        pinging, self._pinging = self._pinging, None
        if pinging is not None:
            pinging.cancel()
            await asyncio.wait([pinging])
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            if self._never_reads:
                # Before it connects: later the window is already as large as it likes.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _TINY_BUFFER)
            await asyncio.get_running_loop().sock_connect(connection, (self._host, self._port))
            return await asyncio.open_connection(sock=connection)
        except BaseException:
            connection.close()
            raise

    async def _upgrade(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        key = new_key()
        writer.write(upgrade_request(self._config, key=key, host=self._host, port=self._port, node=self._node))
        try:
            async with asyncio.timeout(self._timing.handshake):
                head = await read_head(reader)
                if head.status != 101:
                    return await self._refused(head, reader)
        except (OSError, asyncio.IncompleteReadError):
            self.failures += 1
            return False
        check_upgrade(head, key=key)
        return True

    async def _refused(self, head: Head, reader: asyncio.StreamReader) -> bool:
        if not self._may_refuse:
            body = await read_body(reader, head=head)
            raise Violation(f"the upgrade was answered with {head.status}: {body[:500]!r}")
        self.refusals.append(head.status)
        return False

    async def _stay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._never_reads:
            _read_transport(writer).pause_reading()
        self.connections += 1
        self._tell()
        await self._reading.wait()
        self._pinging = asyncio.create_task(self._keep_pinging(writer))
        try:
            await self._read_until_silence(reader, writer)
        except _Dropped as reason:
            self.drops.append(str(reason))
        except _Closed:
            # The answer to a close frame was its code; nothing may follow, nothing is waited for.
            pass
        except (OSError, asyncio.IncompleteReadError):
            self.closes.append(NO_CLOSE_FRAME)

    async def _keep_pinging(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(self._timing.ping)
            writer.write(masked_frame(Opcode.PING, _PING))

    async def _read_until_silence(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silence, loop = self._timing.silence, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(silence) as limit:
                await self._read_messages(reader, writer, alive=lambda: limit.reschedule(loop.time() + silence))
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise _Dropped(f"neither pong nor message for {silence} s") from error

    # The messages.

    async def _read_messages(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, alive: Callable[[], None]
    ) -> None:
        message: bytearray | None = None
        while True:
            frame = await read_frame(reader)
            if frame.opcode.is_control:
                self._take_control(frame, writer, alive)
                continue
            message = _lengthened(message, frame)
            if frame.final:
                alive()
                self._take_message(bytes(message))
                message = None

    def _take_control(self, frame: Frame, writer: asyncio.StreamWriter, alive: Callable[[], None]) -> None:
        if frame.opcode is Opcode.PING:
            # Answered, but no sign of life: stunnerd counts the pongs to its own pings only.
            writer.write(masked_frame(Opcode.PONG, frame.payload))
        elif frame.opcode is Opcode.PONG:
            self.pongs += 1
            alive()
            self._tell()
        else:
            self.closes.append(close_code(frame.payload))
            writer.write(masked_frame(Opcode.CLOSE, frame.payload[:2]))
            raise _Closed

    def _take_message(self, message: bytes) -> None:
        self.messages.append(message)
        self.arrivals.append(self._clock())
        document = _parsed(message)
        name = _name_of(document)
        self._check_is_watched(name)
        if not document.get("listeners") and is_zero_document(message):
            if message != zero_document(name):
                raise Violation(f"a deletion is not written as agreed: {message!r}")
            self.deletions.append(name)
            self.known.pop(name, None)
        else:
            self._check_promises(message)
            self.documents.append(document)
            self.running = self.known[name] = document
        self._tell()

    def _check_is_watched(self, name: str) -> None:
        watched = self._config.strip("/")
        if watched not in ("", name, name.partition("/")[0]):
            raise Violation(f"a watcher of {self._config!r} got the document of {name!r}")

    def _check_promises(self, message: bytes) -> None:
        served = Served.CLIENT if self._node is None else Served.NODE
        if "/" not in self._config.strip("/"):
            served = Served.RENDERED  # the lists show documents as they are
        try:
            check_ours(message, short_protocols=self._short_protocols, served=served)
        except AssertionError as broken:
            raise Violation(str(broken)) from broken


def _read_transport(writer: asyncio.StreamWriter) -> asyncio.ReadTransport:
    transport = writer.transport
    if not isinstance(transport, asyncio.ReadTransport):
        raise TypeError(f"{transport!r} cannot be read from")
    return transport


def _lengthened(message: bytearray | None, frame: Frame) -> bytearray:
    if frame.opcode is Opcode.BINARY:
        raise _Dropped("a binary message")
    if (message is None) is (frame.opcode is Opcode.CONTINUATION):
        raise Violation(f"a {frame.opcode.name} frame {'without' if message is None else 'inside'} a message")
    return (bytearray() if message is None else message) + frame.payload


def _parsed(message: bytes) -> Document:
    text = text_of(message, what="a text message")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Violation(f"a message is not one JSON document: {error}: {text[:200]!r}") from error
    if not isinstance(document, dict):
        raise Violation(f"a message is not a document but {text[:200]!r}")
    return document


def _name_of(document: Document) -> str:
    admin = document.get("admin")
    name = admin.get("name") if isinstance(admin, dict) else None
    if not isinstance(name, str):
        raise Violation("a document has no admin.name")
    return name
