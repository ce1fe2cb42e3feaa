"""``/events``: the log as a page of JSON, or as a stream that goes on with it.

A stream (``Accept: text/event-stream``) is read by its own request handler, page by page, each written once the client
has taken the one before: a slow client holds up nobody, and holds no more than a page. One that the log has overtaken
is told so by an event ``fell-behind`` and goes on from the oldest event there is; one that does not read is hung up
on, and may come back with ``Last-Event-ID``. Without ``since`` both begin with the newest events.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from stunnergw.serving.answering import NO_STORE, answer, problem
from stunnergw.serving.paging import EventQuestion, is_number, page_after, read_event_question, start_of_newest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stunnergw.events.log import EventLog
    from stunnergw.serving.paging import Page

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent, so that neither side nor a proxy takes the other for gone."""
WRITE_AT_MOST = 20.0
"""Seconds that a client may take to make room for a page."""
STREAM_BYTES = 64 * 1024
"""A page of a stream takes no further event once it has so many bytes."""
STREAMS_AT_MOST = 100
"""Streams open at once; they are for a few people, not for data planes."""


class Following:
    """Answers ``/events``."""

    def __init__(self, log: EventLog, *, run: str) -> None:
        self._log = log
        self._run = run
        self._closing = False
        self._patience: set[asyncio.Timeout] = set()
        self.streams = 0
        """Streams that are open now."""

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered, and by whom."""
        return [web.get("/events", self.get_events)]

    def close(self) -> None:
        """Have all streams end now."""
        self._closing = True
        for patience in self._patience:
            if not patience.expired():
                patience.reschedule(asyncio.get_running_loop().time())

    async def get_events(self, request: web.Request) -> web.StreamResponse:
        """Answer with a page, or with a stream."""
        wanted = read_event_question(request.query)
        if isinstance(wanted, str):
            return problem(400, wanted)
        if request.method == "GET" and "text/event-stream" in request.headers.get("Accept", ""):
            return await self._stream(request, wanted)
        after = wanted.since if wanted.since is not None else await start_of_newest(self._log, wanted)
        page = await page_after(self._log, wanted, after=after)
        return answer(self._body(page))

    def _body(self, page: Page) -> bytes:
        return orjson.dumps(
            {
                "run": self._run,
                "last": self._log.last,
                "oldest": self._log.oldest,
                "next": page.next,
                "fellBehind": page.fell_behind,
                "events": [orjson.Fragment(event.json) for event in page.events],
            }
        )

    async def _stream(self, request: web.Request, wanted: EventQuestion) -> web.StreamResponse:
        if self._closing:
            return problem(503, "the server is stopping; come again in a second")
        if self.streams >= STREAMS_AT_MOST:
            return problem(503, f"{self.streams} streams are open, and that is the most; close one, or ask for a page")
        response = web.StreamResponse(headers={**NO_STORE, "Content-Type": "text/event-stream; charset=utf-8"})
        self.streams += 1
        try:
            await response.prepare(request)
            # The client goes when it likes: that is how most streams end.
            with suppress(ConnectionError):
                await self._follow(request, response, wanted)
        finally:
            self.streams -= 1
        return response

    async def _follow(self, request: web.Request, response: web.StreamResponse, wanted: EventQuestion) -> None:
        after = await self._start(request, wanted)
        # At once: whoever opens a stream waits for the headers to know that it is there.
        chunk = b": events of this run follow\n\n"
        while True:
            page = await page_after(self._log, wanted, after=max(after, 0), bytes_at_most=STREAM_BYTES)
            chunk += b"".join(self._pieces(page, fell_behind=after < 0 or page.fell_behind))
            if chunk and not await self._write(request, response, chunk):
                return
            chunk, after = b"", page.next
            if after == self._log.last and not await self._news(after):
                chunk = b": nothing new\nid: %s\n\n" % self._id(after)
            if self._closing:
                return

    async def _start(self, request: web.Request, wanted: EventQuestion) -> int:
        """Return after which event to begin; -1 where the client was at one that is of no use here."""
        given = request.headers.get("Last-Event-ID")
        if given is not None:
            run, _, seq = given.rpartition(":")
            ours = run == self._run and is_number(seq) and int(seq) <= self._log.last
            return int(seq) if ours else -1
        return wanted.since if wanted.since is not None else await start_of_newest(self._log, wanted)

    def _pieces(self, page: Page, *, fell_behind: bool) -> list[bytes]:
        pieces = []
        if fell_behind:
            told = orjson.dumps({"run": self._run, "oldest": self._log.oldest, "last": self._log.last})
            pieces.append(b"event: fell-behind\ndata: %s\n\n" % told)
        pieces += [b"id: %s\ndata: %s\n\n" % (self._id(event.seq), event.json) for event in page.events]
        return pieces

    def _id(self, seq: int) -> bytes:
        return f"{self._run}:{seq}".encode()

    async def _write(self, request: web.Request, response: web.StreamResponse, chunk: bytes) -> bool:
        """Write a piece; False where the client did not take it in time, or all is over."""
        try:
            async with self._within(WRITE_AT_MOST):
                await response.write(chunk)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            return False
        return True

    async def _news(self, after: int) -> bool:
        """Wait for an event after this one; False where none came for a while, or all is over."""
        try:
            async with self._within(HEARTBEAT):
                await self._log.wait(after=after)
        except TimeoutError:
            return False
        return True

    @asynccontextmanager
    async def _within(self, seconds: float) -> AsyncIterator[None]:
        """Bound what is done inside by a time limit, which :meth:`close` brings forward."""
        async with asyncio.timeout(0 if self._closing else seconds) as patience:
            self._patience.add(patience)
            try:
                yield
            finally:
                self._patience.discard(patience)
