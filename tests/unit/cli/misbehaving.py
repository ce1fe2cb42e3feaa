"""A server of ``/config`` that does whatever it is told to, and a poller whose pauses take no time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from aiohttp import web

from stunnergw.cli.asking import Asker, Deadlines
from stunnergw.cli.keeping import KeptFile
from stunnergw.cli.polling import Poller, Seams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

DEADLINE = 10.0


def document(text: str = "one", **more: Any) -> bytes:
    """A small document that is good."""
    return orjson.dumps(
        {
            "version": "v1",
            "admin": {"name": "media/edge", "loglevel": text},
            "auth": {"type": "static", "credentials": {"username": "user-1", "password": "pass-1"}},
            "listeners": [{"name": "media/edge/udp"}],
            **more,
        }
    )


def answers(
    body: bytes, *, status: int = 200, etag: str = "", content_type: str = "application/json", **headers: str
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answer so."""

    async def answer(request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()} | ({"ETag": etag} if etag else {})
        return web.Response(body=body, status=status, content_type=content_type, headers=named)

    return answer


def problem(status: int, message: str, **more: Any) -> bytes:
    return orjson.dumps({"code": status, "message": message, **more})


async def half(request: web.Request) -> web.StreamResponse:
    """Promise a document, give half of it, and hang up."""
    body = document("half")
    response = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    hang_up(request)
    return response


async def half_without_length(request: web.Request) -> web.StreamResponse:
    """Give half a document as if that were all."""
    body = document("half")
    return await answers(body[: len(body) // 2])(request)


async def no_answer(request: web.Request) -> web.StreamResponse:
    """Hang up at once."""
    hang_up(request)
    return web.Response()


async def never(request: web.Request) -> web.StreamResponse:
    """Say nothing until the client goes."""
    await asyncio.Event().wait()
    raise AssertionError


def hang_up(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


class Server:
    """Answers each request with the next behaviour, and the last one for ever."""

    def __init__(self) -> None:
        self.script: list[Callable[[web.Request], Awaitable[web.StreamResponse]]] = []
        self.asked: list[web.Request] = []
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/config?gateway=media/edge"

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/config", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def kill(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await behaviour(request)


@contextlib.asynccontextmanager
async def misbehaving() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


class Log:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **more: Any) -> None:
        self.said.append((event, more))

    warning = info

    @property
    def reasons(self) -> list[str]:
        return [more["reason"] for _, more in self.said if "reason" in more]


class Pauses:
    """Takes no time to sleep, and tells of each pause."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self._changed = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)
        self._changed.set()
        await asyncio.sleep(0)

    async def until(self, count: int) -> None:
        """Wait for the ``count``-th pause."""
        async with asyncio.timeout(DEADLINE):
            while len(self.taken) < count:
                self._changed.clear()
                await self._changed.wait()


class Rig:
    """A poller of one server, its file, and what it said."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.log = Log()
        self.pauses = Pauses()
        self.poller: Poller


@contextlib.asynccontextmanager
async def rig(server: Server, file: Path, *, deadlines: Deadlines | None = None) -> AsyncIterator[Rig]:
    made = Rig(file)
    # The highest that chance allows: what a test sees is the bound.
    seams = Seams(sleep=made.pauses.sleep, uniform=lambda _low, high: high, log=made.log)
    async with aiohttp.ClientSession() as session:
        made.poller = Poller(
            ask=Asker(session, server.url, deadlines=deadlines or Deadlines(wait=0)).ask,
            file=KeptFile(file),
            seams=seams,
        )
        yield made


@contextlib.asynccontextmanager
async def polling(server: Server, file: Path, **more: Any) -> AsyncIterator[Rig]:
    """A poller that runs until the block ends."""
    async with rig(server, file, **more) as made:
        task = asyncio.create_task(made.poller.run())
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                raise AssertionError("the poller came to an end") from task.exception()
