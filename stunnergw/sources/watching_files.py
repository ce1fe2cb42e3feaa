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
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from stunnergw.errors import UsageError
from stunnergw.sources.reading import list_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
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
            watched, watcher = await asyncio.to_thread(_begin, paths)
        except FileNotFoundError:
            # A folder went away between the look at it and the watch on it: look again.
            await asyncio.sleep(QUIET)
            continue
        except (OSError, WatchfilesRustInternalError) as error:
            limits = "raise fs.inotify.max_user_watches and max_user_instances"
            raise UsageError(f"manifests cannot be watched: {error}: {limits}") from error
        try:
            yield None
            while not watched.concerned_by(await _next_burst(watcher)):
                pass
        finally:
            watcher.close()


def _begin(paths: Sequence[Path]) -> tuple[Places, RustNotify]:
    places = places_of(paths)
    watcher = RustNotify(
        places.watched,
        debug=False,
        force_polling=False,
        poll_delay_ms=0,
        recursive=False,
        ignore_permission_denied=True,
    )
    return places, watcher


async def _next_burst(watcher: RustNotify) -> set[str]:
    """Return the paths that changed."""
    stop = threading.Event()
    waiting = asyncio.ensure_future(asyncio.to_thread(watcher.watch, 20 * _STEP, _STEP, 0, stop))
    try:
        changes = await asyncio.shield(waiting)
    finally:
        # The thread is done before the watcher is closed under it.
        stop.set()
        await asyncio.wait([waiting])
    # Words such as "stop" stand for no change.
    return set() if isinstance(changes, str) else {path for _, path in changes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to watch, by real paths."""

    folders: frozenset[str]
    """Every entry of these counts."""
    entries: frozenset[str]
    """Single files, folders and links; their neighbours, say in a busy ``/tmp``, are nobody's concern."""

    @property
    def watched(self) -> list[str]:
        """The folders that tell of all of them; subfolders do not go with them."""
        return sorted(self.folders | {os.path.dirname(entry) for entry in self.entries})

    def concerned_by(self, changed: Iterable[str]) -> bool:
        """Say whether one of the ``changed`` paths may change what the manifests are."""
        return any(
            path in self.entries or path in self.folders or os.path.dirname(path) in self.folders for path in changed
        )


def places_of(paths: Sequence[Path]) -> Places:
    """Return the places that decide what ``paths`` hold."""
    listing = list_files(paths)
    seen: set[Path] = set()
    entries: set[str] = set()
    for path in (*paths, *listing.folders, *listing.files):
        entries.update(_entry(step) for step in _way(path.absolute(), seen))
    return Places(folders=frozenset(map(os.path.realpath, listing.folders)), entries=frozenset(entries))


def _way(path: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield ``path`` and each link on the way to what it really is."""
    yield path
    for step in (path, *path.parents):
        if step in seen:
            return
        seen.add(step)
        if os.path.islink(step):
            yield step
            yield from _way(step.parent / step.readlink(), seen)


def _entry(path: Path) -> str:
    """Return ``path`` as an entry of a real folder; of a missing folder, the entry by which it will appear."""
    while not os.path.isdir(path.parent):
        path = path.parent
    return os.path.join(os.path.realpath(path.parent), path.name)
