"""Tasks of ours that run in this process, by the coroutine that each of them is: ``Projector.run``."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

OURS = "stunnergw."


def name_of(coroutine: Any) -> str:
    """Return the name of a coroutine of ours; of others nothing."""
    frame = getattr(coroutine, "cr_frame", None)
    module = frame.f_globals.get("__name__", "") if frame is not None else ""
    return str(coroutine.__qualname__) if module.startswith(OURS) else ""


def running() -> set[str]:
    """Return the tasks of ours that run now."""
    return {name_of(task.get_coro()) for task in asyncio.all_tasks()} - {""}


def current() -> str:
    """Return the task of ours that runs this code; nothing where it is none of ours."""
    task = asyncio.current_task()
    return name_of(task.get_coro()) if task is not None else ""


@contextlib.contextmanager
def noted() -> Generator[set[str], None, None]:
    """Note every task of ours that is started within a block."""
    started: set[str] = set()
    loop = asyncio.get_running_loop()

    def start(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        started.add(name_of(coroutine))
        return asyncio.Task(coroutine, loop=loop, **more)

    before = loop.get_task_factory()
    loop.set_task_factory(start)
    try:
        yield started
    finally:
        started.discard("")
        loop.set_task_factory(before)
