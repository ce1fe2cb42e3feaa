"""Noticing that files may have changed, without a word on what changed: whoever asks reads them all again.

What is watched is every folder whose entries decide what the paths hold: the folders themselves, those that the
files are really in, and those that hold a link on the way or the path itself, so that a path that is replaced,
a link that is turned or a ConfigMap mount that flips is seen. Each burst of changes gets a new watcher: what was
replaced is watched as it is now, and what changed in between is told by the first word of the new one.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, NoReturn

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from stunnergw.errors import UsageError
from stunnergw.sources.reading import list_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

QUIET = 0.05
"""Seconds without a change after which files are read."""

LONGEST = 1.0
"""Seconds after which they are read though changes go on."""

_STEP = 25  # milliseconds between two looks of the watcher; its longest burst is 20 of them


async def each_burst(
    changes: AsyncIterator[object],
    *,
    then: Callable[[], Awaitable[None]],
    quiet: float = QUIET,
    longest: float = LONGEST,
) -> NoReturn:
    """Call ``then`` after each burst of ``changes``; runs for ever."""
    stirred = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_stir(changes, stirred), name="file changes")
        while True:
            await stirred.wait()
            await _calm(stirred, quiet=quiet, longest=longest)
            await then()


async def _stir(changes: AsyncIterator[object], stirred: asyncio.Event) -> None:
    async for _ in changes:
        stirred.set()


async def _calm(stirred: asyncio.Event, *, quiet: float, longest: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + longest
    while loop.time() < end:
        stirred.clear()
        try:
            async with asyncio.timeout(quiet):
                await stirred.wait()
        except TimeoutError:
            return


async def file_changes(paths: Sequence[Path]) -> AsyncIterator[None]:
    """Yield once at the beginning and after each burst of changes.

    Raises:
        UsageError: the system gives out no more watches.
    """
    while True:
        try:
            watcher = RustNotify(places(paths), False, False, 0, False, True)
        except FileNotFoundError:
            # A folder went away between the look at it and the watch on it: look again.
            await asyncio.sleep(QUIET)
            continue
        except (OSError, WatchfilesRustInternalError) as error:
            limits = "raise fs.inotify.max_user_watches and max_user_instances"
            raise UsageError(f"manifests cannot be watched: {error}: {limits}") from error
        try:
            yield None
            await _next_burst(watcher)
        finally:
            watcher.close()


async def _next_burst(watcher: RustNotify) -> None:
    stop = threading.Event()
    waiting = asyncio.ensure_future(asyncio.to_thread(watcher.watch, 20 * _STEP, _STEP, 0, stop))
    try:
        await asyncio.shield(waiting)
    finally:
        # The thread is done before the watcher is closed under it.
        stop.set()
        await asyncio.wait([waiting])


def places(paths: Sequence[Path]) -> list[str]:
    """Return the folders to watch, each by its real path; subfolders stand for themselves."""
    listing = list_files(paths)
    found: set[Path] = set()
    seen: set[Path] = set()
    for path in (*paths, *listing.folders, *listing.files):
        found.update(_way(path.absolute(), seen))
    found.update(listing.folders)
    return sorted({os.path.realpath(_existing(folder)) for folder in found})


def _way(path: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield the folders that hold ``path`` and each link on the way to it."""
    yield path.parent
    for step in (path, *path.parents):
        if step in seen:
            return
        seen.add(step)
        if step.is_symlink():
            target = step.parent / step.readlink()
            yield step.parent
            yield from _way(target, seen)


def _existing(folder: Path) -> Path:
    """Return ``folder``, or the nearest above it that there is: where a missing one will appear."""
    return next(each for each in (folder, *folder.parents) if each.is_dir())
