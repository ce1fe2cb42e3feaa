"""The client over a loopback connection: whose word an answer is, and who we say that we are."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from kubernetes_asyncio.client import Configuration

from stunnergw.errors import ApiError, Unreachable
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import Connection
from stunnergw.kube.tokens import Fetched, Token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PATH = "/api/v1"


@asynccontextmanager
async def talking_to(handler: Handler, *, token: Token | None = None) -> AsyncIterator[KubeClient]:
    app = web.Application()
    app.router.add_route("*", PATH, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with KubeClient(Connection(configuration, "default", token)) as client:
            yield client
    finally:
        await runner.cleanup()


def page(status: int, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            status=status,
            text="<html>pa55word</html>",
            content_type="text/html",
            headers={name.replace("_", "-"): text for name, text in headers.items()},
        )

    return answer


def status(code: int, reason: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(
            {"kind": "Status", "code": code, "reason": reason, "message": "so it said"}, status=code
        )

    return answer


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT"])
async def test_a_page_that_a_proxy_serves_with_200_is_no_answer(method: str) -> None:
    async with talking_to(page(200)) as client:
        with pytest.raises(Unreachable) as error:
            await client.request(method, PATH, body={})
    assert (
        str(error.value) == f"the answer to {PATH} is no JSON but a web page of 21 bytes: is there a proxy in between?"
    )


async def test_a_proxys_404_does_not_mean_that_something_is_gone() -> None:
    async with talking_to(page(404)) as client:
        with pytest.raises(Unreachable, match="though 404"):
            await client.request("GET", PATH)
        with pytest.raises(Unreachable, match="though 404"):
            async with client.stream(PATH, query={}, silence=5):
                pass


async def test_an_api_servers_404_means_it() -> None:
    async with talking_to(status(404, "NotFound")) as client:
        with pytest.raises(ApiError) as error:
            await client.request("GET", PATH)
    assert (error.value.status, error.value.reason, error.value.message) == (404, "NotFound", "so it said")


async def test_a_wait_that_a_server_asks_for_is_passed_on() -> None:
    async with talking_to(page(429, retry_after="7")) as client:
        with pytest.raises(ApiError) as error:
            await client.request("GET", PATH)
    assert (error.value.status, error.value.retry_after) == (429, 7.0)


# Tokens -------------------------------------------------------------------------------------------------


class Tokens:
    """Gives out one token after another."""

    def __init__(self, *, takes: float = 0.0) -> None:
        self.given = 0
        self.failure: Unreachable | None = None
        self.takes = takes
        self.now = 0.0

    async def fetch(self) -> Fetched:
        await asyncio.sleep(self.takes)
        if self.failure is not None:
            raise self.failure
        self.given += 1
        return Fetched(f"Bearer {self.given}")

    def token(self) -> Token:
        return Token(self.fetch, source="a test", clock=lambda: self.now)


class Guard:
    """Takes one token alone."""

    def __init__(self, takes: str) -> None:
        self.takes = takes
        self.seen: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.headers.get("Authorization", ""))
        known = self.seen[-1] == self.takes
        return web.json_response(
            {"kind": "APIResourceList"} if known else {"message": "who?"}, status=200 if known else 401
        )


async def test_a_request_shows_the_token_and_one_that_is_refused_is_not_shown_again() -> None:
    guard, tokens = Guard("Bearer 2"), Tokens()
    async with talking_to(guard.answer, token=tokens.token()) as client:
        with pytest.raises(ApiError) as error:
            await client.request("GET", PATH)
        assert error.value.status == 401
        tokens.now += 5
        await client.request("GET", PATH)
        await client.request("GET", PATH)
    assert guard.seen == ["Bearer 1", "Bearer 2", "Bearer 2"]


async def test_a_watch_shows_the_token_too() -> None:
    guard, tokens = Guard("Bearer 1"), Tokens()
    async with talking_to(guard.answer, token=tokens.token()) as client, client.stream(PATH, query={}, silence=5):
        pass
    assert guard.seen == ["Bearer 1"]


async def test_without_a_token_to_be_had_nothing_is_asked_and_the_reason_is_told() -> None:
    guard, tokens = Guard("Bearer 1"), Tokens()
    tokens.failure = Unreachable("the plug-in ended with 1")
    async with talking_to(guard.answer, token=tokens.token()) as client:
        with pytest.raises(Unreachable, match="the plug-in ended with 1"):
            await client.request("GET", PATH)
    assert guard.seen == []


async def test_a_token_that_is_long_in_coming_counts_as_time_of_the_request() -> None:
    guard, tokens = Guard("Bearer 1"), Tokens(takes=60)
    async with talking_to(guard.answer, token=tokens.token()) as client:
        with pytest.raises(Unreachable, match="nothing came within"):
            await client.request("GET", PATH, within=0.05)
    assert guard.seen == []
