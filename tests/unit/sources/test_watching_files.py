"""Changes of files become events by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, TypeVar

import pytest

from stunnergw.sources.watching_files import each_burst, places_of
from tests.unit.sources.support import CLASS, GATEWAY, Bench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

T = TypeVar("T")
DEADLINE = 20


class Stirring:
    """Something changed whenever a test says so."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[None] = asyncio.Queue()

    def say(self) -> None:
        self._said.put_nowait(None)

    async def changes(self) -> AsyncIterator[object]:
        while True:
            await self._said.get()
            yield None


async def at_once(work: Callable[[], T]) -> T:
    return work()


@contextlib.asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Run something that never ends for as long as the block lasts."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def watched(bench: Bench) -> AsyncIterator[None]:
    bench.source.load()
    bench.news()
    async with running(bench.source.watch()):
        yield


async def next_news(bench: Bench) -> list[str]:
    async with asyncio.timeout(DEADLINE):
        await bench.log.wait(after=bench.log.last)
    return bench.news()


@pytest.mark.looptime
async def test_a_burst_is_told_once_after_50_ms_of_quiet() -> None:
    stirring, times = Stirring(), asyncio.Queue[float]()
    loop = asyncio.get_running_loop()

    async def note() -> None:
        times.put_nowait(loop.time())

    async with running(each_burst(stirring.changes(), then=note)):
        begun = loop.time()
        for _ in range(3):
            stirring.say()
            await asyncio.sleep(0.03)
        assert times.empty()
        assert await times.get() - begun == pytest.approx(0.06 + 0.05)
        stirring.say()
        assert await times.get() - begun == pytest.approx(0.06 + 0.05 + 0.05)
        assert times.empty()


@pytest.mark.looptime
async def test_changes_without_end_do_not_put_it_off_for_ever() -> None:
    async def endless() -> AsyncIterator[None]:
        while True:
            await asyncio.sleep(0.01)
            yield None

    told = asyncio.Event()

    async def note() -> None:
        told.set()

    async with running(each_burst(endless(), then=note)), asyncio.timeout(1.1):
        await told.wait()


async def test_what_ends_the_watcher_ends_the_watch(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[object]:
        yield None
        raise OSError("no more watches")

    bench = Bench(tmp_path, changes=broken)
    with pytest.raises(ExceptionGroup) as caught:
        await bench.source.watch()
    assert caught.group_contains(OSError, match="no more watches")


@pytest.mark.looptime
async def test_the_source_rescans_when_it_is_told(tmp_path: Path) -> None:
    stirring = Stirring()
    bench = Bench(tmp_path, changes=stirring.changes, offload=at_once)
    async with watched(bench):
        bench.write("a.yaml", CLASS)
        stirring.say()
        assert await next_news(bench) == ["+ GatewayClass turn"]
        bench.write("a.yaml", "a: [")
        bench.write("b.yaml", GATEWAY)
        stirring.say()
        assert await next_news(bench) == ["+ Gateway media/edge", "+ Namespace media"]


async def test_files_of_a_folder_are_watched_new_subfolders_too(bench: Bench) -> None:
    async with watched(bench):
        bench.write("a.yaml", CLASS)
        assert await next_news(bench) == ["+ GatewayClass turn"]
        bench.write("new/deep/b.yaml", GATEWAY)
        assert await next_news(bench) == ["+ Gateway media/edge", "+ Namespace media"]
        bench.write("new/deep/b.yaml", GATEWAY.replace("3478", "3479"))
        assert await next_news(bench) == ["+ Gateway media/edge"]
        (bench.folder / "a.yaml").unlink()
        assert await next_news(bench) == ["- GatewayClass turn"]


async def test_a_mount_that_flips_is_seen(tmp_path: Path) -> None:
    mount = Bench(tmp_path)
    mount.write("..one/a.yaml", CLASS)
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    for path in (tmp_path, tmp_path / "a.yaml"):
        bench = Bench(tmp_path, path)
        async with watched(bench):
            bench.write("..two/a.yaml", CLASS.replace("turn}", "two}"))
            (tmp_path / "..data_tmp").symlink_to("..two")
            os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
            assert await next_news(bench) == ["+ GatewayClass two", "- GatewayClass turn"]
            (tmp_path / "..data_tmp").symlink_to("..one")
            os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
            assert await next_news(bench) == ["+ GatewayClass turn", "- GatewayClass two"]


async def test_a_link_that_is_turned_and_what_it_leads_to_are_seen(tmp_path: Path) -> None:
    one, two = Bench(tmp_path / "one"), Bench(tmp_path / "two")
    one.write("sub/a.yaml", CLASS)
    two.write("sub/a.yaml", CLASS.replace("turn}", "two}"))
    link = tmp_path / "links" / "link"
    link.parent.mkdir()
    link.symlink_to("../one")
    bench = Bench(tmp_path, link / "sub")
    async with watched(bench):
        (tmp_path / "new").symlink_to("../two")
        os.replace(tmp_path / "new", link)
        assert await next_news(bench) == ["+ GatewayClass two", "- GatewayClass turn"]
        two.write("sub/a.yaml", CLASS.replace("turn}", "three}"))
        assert await next_news(bench) == ["+ GatewayClass three", "- GatewayClass two"]


async def test_a_path_that_disappears_and_comes_back_is_seen(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "up" / "folder")
    bench.write("a.yaml", CLASS)
    async with watched(bench):
        gone = tmp_path / "gone"
        (tmp_path / "up").rename(gone)
        async with asyncio.timeout(DEADLINE):
            await bench.told.wait()
        assert bench.news() == []
        bench.write("b.yaml", GATEWAY)
        assert "+ Gateway media/edge" in await next_news(bench)
        bench.write("b.yaml", GATEWAY.replace("3478", "3479"))
        assert await next_news(bench) == ["+ Gateway media/edge"]


def test_neighbours_are_nobodys_concern(tmp_path: Path) -> None:
    real = os.path.realpath(tmp_path)
    path = tmp_path / "folder"
    path.mkdir()
    (path / "sub").mkdir()
    places = places_of([path, tmp_path / "a.yaml", tmp_path / "not" / "there"])
    assert places.watched == [real, f"{real}/folder", f"{real}/folder/sub"]
    for name in ("folder", "folder/..data", "folder/sub/x", "a.yaml", "not"):
        assert places.concerned_by([f"{real}/busy", f"{real}/{name}"]), name
    assert not places.concerned_by([f"{real}/busy", f"{real}/folder.swp", f"{real}/busy/folder"])


def test_links_that_go_round_are_no_trap(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    assert os.path.realpath(tmp_path) in places_of([tmp_path, tmp_path / "a.yaml"]).watched
