"""What the tests of serving stand on: a source of snapshots by hand, servers on free ports, a bare watcher."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

import orjson

from stunnergw.dataplane.documents import Document
from stunnergw.events.log import EventLog
from stunnergw.projection.outputs import Output, Want
from stunnergw.projection.snapshots import Snapshot
from stunnergw.resources.metadata import Key
from stunnergw.serving.server import CONFIG_DISCOVERY, HEALTH, INSPECTION, METRICS, Servers
from stunnergw.settings import Address, DataplaneMode, Decisions, Settings
from tests.support.plain_http import Head, read_head
from tests.support.watch_requests import check_upgrade, upgrade_request
from tests.support.websocket_frames import Frame, Opcode, masked_frame, new_key, read_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

EDGE = Key("media", "edge")
CORE = Key("media", "core")
OTHER = Key("games", "edge")

DEADLINE = 5.0


def document(key: Key, text: str = "", *, padding: int = 0, address: str = "$STUNNER_ADDR") -> Document:
    """A document that says ``text``, of at least ``padding`` bytes."""
    body = orjson.dumps(
        {
            "version": "v1",
            "admin": {"name": str(key), "loglevel": text},
            "auth": {"type": "static", "credentials": {"username": "u", "password": "s3cret"}},
            "listeners": [{"name": f"{key}/udp", "address": address}],
            "padding": "x" * padding,
        }
    )
    return Document(str(key), blake2b(body, digest_size=8).hexdigest(), body)


class FakeSource:
    """Snapshots by hand."""

    def __init__(self) -> None:
        self.latest: Snapshot | None = None
        self.callbacks: list[Callable[[Snapshot], None]] = []

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def publish(self, configs: dict[Key, Output[Document] | Document], **more: Any) -> None:
        outputs = {key: Want(output) if isinstance(output, Document) else output for key, output in configs.items()}
        seq = self.latest.seq + 1 if self.latest is not None else 1
        self.latest = Snapshot(seq=seq, configs=outputs, **more)
        for callback in self.callbacks:
            callback(self.latest)


class Stage:
    """Running servers and where to find them."""

    def __init__(self, servers: Servers, source: FakeSource, log: EventLog) -> None:
        self.servers = servers
        self.source = source
        self.log = log

    def port(self, flag: str = CONFIG_DISCOVERY) -> int:
        return self.servers.addresses[flag].port

    @property
    def inspection(self) -> int:
        return self.port(INSPECTION)

    @property
    def health(self) -> int:
        return self.port(HEALTH)

    @property
    def metrics(self) -> int:
        return self.port(METRICS)


def settings(*, legacy: bool = False, **addresses: Address | None) -> Settings:
    local = Address("127.0.0.1", 0)
    everything: dict[str, Any] = {
        "config_discovery_address": local,
        "inspection_address": local,
        "health_probe_bind_address": local,
        "metrics_bind_address": local,
        **addresses,
    }
    mode = DataplaneMode.LEGACY if legacy else DataplaneMode.MANAGED
    return Settings(decisions=Decisions(dataplane_mode=mode), **everything)


@asynccontextmanager
async def serving(
    configs: dict[Key, Output[Document] | Document] | None = None,
    *,
    legacy: bool = False,
    log: EventLog | None = None,
    **more: Any,
) -> AsyncIterator[Stage]:
    """Servers that run; with ``configs`` the first snapshot is there."""
    log = EventLog(clock=lambda: 0) if log is None else log
    source = FakeSource()
    if configs is not None:
        source.publish(configs)
    servers = Servers(settings(legacy=legacy), source, log, run="run-1", **more)
    await servers.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(servers.run())
        try:
            yield Stage(servers, source, log)
        finally:
            await servers.stop()


class Watcher:
    """A bare WebSocket client: what comes is seen frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, port: int, config: str, *, node: str | None = None, window: int = 0) -> tuple[Self, Head]:
        """Ask for a watch; ``window`` bounds what the kernel takes before anybody reads."""
        connection = socket.socket()
        connection.setblocking(False)
        if window:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=connection, limit=window or 1 << 16)
        key = new_key()
        writer.write(upgrade_request(config, key=key, host="127.0.0.1", port=port, node=node))
        async with asyncio.timeout(DEADLINE):
            head = await read_head(reader)
        if head.status == 101:
            check_upgrade(head, key=key)
        return cls(reader, writer), head

    async def frame(self) -> Frame:
        async with asyncio.timeout(DEADLINE):
            return await read_frame(self.reader)

    async def message(self) -> bytes:
        frame = await self.frame()
        assert frame.opcode is Opcode.TEXT
        return frame.payload

    async def is_silent(self) -> bool:
        """Nothing was sent before the answer to a ping."""
        self.writer.write(masked_frame(Opcode.PING, b"anything?"))
        return await self.frame() == Frame(Opcode.PONG, b"anything?")

    def abort(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def watching(port: int, config: str, **more: Any) -> AsyncIterator[Watcher]:
    watcher, head = await Watcher.dial(port, config, **more)
    try:
        assert head.status == 101
        yield watcher
    finally:
        watcher.abort()


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something that is not told, in turns of the loop."""
    async with asyncio.timeout(DEADLINE):
        while not happened():  # noqa: ASYNC110 - some things that tests look at tell nobody
            await asyncio.sleep(0.001)
