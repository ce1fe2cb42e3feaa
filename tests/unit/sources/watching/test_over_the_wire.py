"""The same with the client that is used in earnest, over a loopback connection: what bytes alone can do wrong."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from kubernetes_asyncio.client import Configuration

from stunnergw.events.log import EventLog
from stunnergw.events.types import Applied, Event
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import Connection
from stunnergw.kube.paths import collection_path, group_path
from stunnergw.resources.kinds import SERVICE
from stunnergw.sources.watching import ClusterSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PATH = collection_path(SERVICE, "v1")
EMPTY = b'{"metadata": {"resourceVersion": "1"}, "items": []}'

Answers = list["Callable[[web.Request], Any]"]
"""What to answer to the next requests, one each; then a watch that stays open."""


def service(name: str, version: int, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "media", "resourceVersion": str(version), **meta}}


def added(thing: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": "ADDED", "object": thing}) + b"\n"


async def listed(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=EMPTY, content_type="application/json")


async def proxys_page(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=502, text="<html>\n<body>Bad Gateway</body>\n</html>", content_type="text/html")


def watched(*chunks: bytes, then: str) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if then == "cut":
            assert request.transport is not None
            request.transport.abort()
        elif then == "stay":
            await asyncio.Event().wait()
        return response

    return answer


@asynccontextmanager
async def running(answers: Answers) -> AsyncIterator[tuple[EventLog, list[dict[str, str]]]]:
    asked: list[dict[str, str]] = []

    async def collection(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.query))
        answer = answers.pop(0) if answers else watched(then="stay")
        response: web.StreamResponse = await answer(request)
        return response

    async def discovery(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "APIResourceList", "resources": [{"name": SERVICE.plural}]})

    app = web.Application()
    app.router.add_get(PATH, collection)
    app.router.add_get(group_path("", "v1"), discovery)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    log = EventLog(clock=time.time_ns)
    async with KubeClient(Connection(configuration, "default", None)) as client:
        source = asyncio.create_task(ClusterSource(client, log=log, table=(SERVICE,)).run())
        try:
            yield log, asked
        finally:
            source.cancel()
            await asyncio.wait([source])
            await runner.cleanup()


async def applied(log: EventLog, *names: str) -> list[Event]:
    """Wait until these were told of, and return what was told."""
    async with asyncio.timeout(20):
        while True:
            last = log.last
            events = [event for event in log.since(0) if isinstance(event.fact, Applied)]
            if [event.fact.key.name for event in events if isinstance(event.fact, Applied)] == list(names):
                return events
            await log.wait(after=last)


async def test_a_line_is_longer_than_any_buffer() -> None:
    long = service("long", 2, annotations={"note": "x" * 6_000_000})
    whole = added(long) + added(service("next", 3))
    pieces = [whole[start : start + 1_000_003] for start in range(0, len(whole), 1_000_003)]
    async with running([listed, watched(*pieces, then="stay")]) as (log, _):
        events = await applied(log, "long", "next")
        assert events[0].resource_version == "2"


async def test_a_line_that_is_cut_off_comes_again() -> None:
    half = added(service("second", 3))[:40]
    answers: Answers = [
        listed,
        watched(added(service("first", 2)), half, then="cut"),
        watched(added(service("second", 3)), half, then="end"),
        watched(added(service("third", 4)), then="stay"),
    ]
    async with running(answers) as (log, asked):
        await applied(log, "first", "second", "third")
        assert [query.get("resourceVersion") for query in asked] == [None, "1", "2", "3"]


async def test_a_proxys_page_is_no_list_and_no_watch() -> None:
    answers: Answers = [
        proxys_page,
        listed,
        proxys_page,
        watched(b"<html>\n", b"<body>", then="end"),
        watched(added(service("first", 2)), then="stay"),
    ]
    async with running(answers) as (log, asked):
        await applied(log, "first")
        assert [("watch" in query) for query in asked] == [False, False, True, True, True]
