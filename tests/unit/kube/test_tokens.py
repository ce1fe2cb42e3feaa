"""Tokens that change: when another is fetched, and what becomes of requests while none can be."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from stunnergw.errors import Unreachable
from stunnergw.kube.tokens import LEFT_ALONE, STALE_AFTER, Fetched, Token, token_file

if TYPE_CHECKING:
    from pathlib import Path

FAILURE = Unreachable("there is none")


class Source:
    """What it gives next is ``gives``; the clock is the test's own."""

    def __init__(self, gives: Fetched | Unreachable) -> None:
        self.gives = gives
        self.asked = 0
        self.now = 1000.0
        self.token = Token(self._fetch, source="a test", clock=lambda: self.now)

    async def _fetch(self) -> Fetched:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.gives, Unreachable):
            raise self.gives
        return self.gives


async def test_many_requests_fetch_one_token() -> None:
    source = Source(Fetched("Bearer one"))
    assert set(await asyncio.gather(*(source.token.authorization() for _ in range(20)))) == {"Bearer one"}
    assert source.asked == 1


async def test_a_stale_token_is_fetched_anew_and_serves_while_that_fails() -> None:
    source = Source(Fetched("Bearer one", stale_in=60))
    await source.token.authorization()
    source.now += 61
    source.gives = FAILURE
    assert await source.token.authorization() == "Bearer one"
    assert str(source.token.failure) == "there is none"
    source.now += LEFT_ALONE
    source.gives = Fetched("Bearer two", stale_in=60)
    assert await source.token.authorization() == "Bearer two"
    assert source.token.failure is None


async def test_a_token_that_has_ended_does_not_serve() -> None:
    source = Source(Fetched("Bearer one", stale_in=60, ends_in=120))
    await source.token.authorization()
    source.gives = FAILURE
    source.now += 119
    assert await source.token.authorization() == "Bearer one"
    source.now += 1
    with pytest.raises(Unreachable, match="there is none"):
        await source.token.authorization()


async def test_a_source_that_fails_is_left_alone_for_a_while() -> None:
    source = Source(FAILURE)
    for _ in range(20):
        with pytest.raises(Unreachable, match="there is none"):
            await source.token.authorization()
    assert source.asked == 1
    source.now += LEFT_ALONE
    source.gives = Fetched("Bearer one")
    assert await source.token.authorization() == "Bearer one"


async def test_tokens_that_are_all_refused_are_not_fetched_without_end() -> None:
    source = Source(Fetched("Bearer one"))
    for _ in range(20):
        source.token.refuse(await source.token.authorization())
    assert source.asked == 1
    source.now += LEFT_ALONE
    await source.token.authorization()
    assert source.asked == 2


async def test_that_an_old_token_was_refused_says_nothing_of_the_new_one() -> None:
    source = Source(Fetched("Bearer one", stale_in=60))
    await source.token.authorization()
    source.now += 61
    source.gives = Fetched("Bearer two", stale_in=60)
    await source.token.authorization()
    source.token.refuse("Bearer one")
    source.now += LEFT_ALONE
    await source.token.authorization()
    assert source.asked == 2


@pytest.mark.looptime
async def test_keeping_a_token_goes_on_through_failures_and_complains_once() -> None:
    given = 0
    failure: Unreachable | None = FAILURE

    async def fetch() -> Fetched:
        nonlocal given
        if failure is not None:
            raise failure
        given += 1
        return Fetched(f"Bearer {given}", stale_in=STALE_AFTER)

    token = Token(fetch, source="a test", clock=asyncio.get_running_loop().time)
    with capture_logs() as logs:
        keeping = asyncio.create_task(token.keep())
        await asyncio.sleep(10 * STALE_AFTER)
        failure = Unreachable("another reason")
        await asyncio.sleep(10 * STALE_AFTER)
        failure = None
        await asyncio.sleep(3 * STALE_AFTER)
        assert not keeping.done()
        keeping.cancel()
        await asyncio.wait([keeping])
    assert given >= 3
    assert [line.get("problem", line["event"]) for line in logs] == [
        "there is none",
        "another reason",
        "new tokens are to be had again",
    ]


# Files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n"])
async def test_a_token_is_read_from_a_file(tmp_path: Path, end: str) -> None:
    (tmp_path / "token").write_text(f"abc.def{end}")
    assert await token_file(tmp_path / "token").authorization() == "Bearer abc.def"


async def test_a_file_that_the_kubelet_replaced_is_read_again(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "token"
    path.write_text("old")
    token = token_file(path, clock=lambda: now)
    assert await token.authorization() == "Bearer old"
    (tmp_path / "new").write_text("new")
    os.replace(tmp_path / "new", path)
    assert await token.authorization() == "Bearer old"
    now = STALE_AFTER
    assert await token.authorization() == "Bearer new"
    path.unlink()
    now = 3 * STALE_AFTER
    assert await token.authorization() == "Bearer new"
    assert str(token.failure) == f"the token in {path} cannot be read: No such file or directory"


@pytest.mark.parametrize("text", ["", "\n", "two words", "bell\a", "ümlaut"])
async def test_a_file_that_holds_no_token_is_told_without_its_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text, "utf-8")
    with pytest.raises(Unreachable) as error:
        await token_file(tmp_path / "token").authorization()
    assert str(error.value) == f"{tmp_path / 'token'} holds no token"
