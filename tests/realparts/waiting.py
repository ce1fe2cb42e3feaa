"""Waiting for what programs of others do: asking again until it is so, within a deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

POLL = 0.05


async def wait_for(condition: Callable[[], Awaitable[T]], *, deadline: float = 10.0, what: str = "") -> T:
    """Await a condition again and again until its result is true, and return that.

    An assertion that fails in it says no, too. Raises ``AssertionError`` ``deadline`` seconds later, of which the cause
    is the last assertion that failed.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + deadline
    while True:
        refused: AssertionError | None = None
        try:
            if result := await condition():
                return result
        except AssertionError as error:
            refused = error
        if loop.time() > until:
            raise AssertionError(f"{what or 'what was awaited'}: not within {deadline:g} s") from refused
        await asyncio.sleep(POLL)
