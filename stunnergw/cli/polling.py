"""``stunnergw poll``: a file that always holds the last good document of one ``/config`` address.

For a stunnerd that reads a file (``-w -c file://…``). Each answer comes to one step: a new document is kept, no
change means to ask on, and whatever else comes leaves the file alone and is asked again after a pause. So does the
word that the Gateway is gone, which ends no call: who wants that ends stunnerd. A change of state is said once.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, final

import aiohttp
import structlog

from stunnergw.cli.asking import Answer, Asker, Deadlines, Document, Nothing, Refused, Unchanged
from stunnergw.cli.keeping import KeptFile
from stunnergw.cli.recognizing import check_url, serves_nobody
from stunnergw.errors import NotFoundOut, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between tries while something is wrong: from the first, doubling to the longest."""

BETWEEN = 1.0
"""Seconds between two questions that brought nothing new: a server that does not wait is not asked without end."""


INTERRUPTED = 130
"""The exit code of a single question that was not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """What the inputs do not determine."""

    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform
    clock: Callable[[], float] = time.monotonic
    log: Any = None


@final
class Poller:
    """Keeps a file in step with the answers to a question."""

    def __init__(
        self, *, ask: Callable[[str | None], Awaitable[Answer]], file: KeptFile, seams: Seams = Seams()
    ) -> None:
        self._ask = ask
        self._file = file
        self._seams = seams
        self._log = seams.log or structlog.get_logger(__name__)
        self._last: Document | None = None
        self._trouble: str | None = None
        self._failures = 0

    async def once(self) -> None:
        """Have the file hold the current document, by one question.

        Raises:
            UsageError: the question is wrong.
            NotFoundOut: there was no document, or it could not be written.
        """
        answer = await self._ask(None)
        if isinstance(answer, Document):
            answer = await self._keep(answer) or answer
        if isinstance(answer, Refused):
            raise UsageError(f"URL: {answer.problem}")
        if isinstance(answer, Nothing):
            raise NotFoundOut(f"poll: {answer.reason}; {self._standing()}")

    async def run(self) -> NoReturn:
        """Keep the file up to date for ever.

        Raises:
            UsageError: the question is wrong. Not once a document was had: then it is an outage like others.
        """
        while True:
            began = self._seams.clock()
            answer = await self._ask(self._last.etag or None if self._last else None)
            pause = await self._take(answer, took=self._seams.clock() - began)
            if pause > 0:
                await self._seams.sleep(pause)

    async def _take(self, answer: Answer, *, took: float) -> float:
        """Act on an answer, and return how long to pause before the next question."""
        if isinstance(answer, Refused):
            if self._last is None:
                raise UsageError(f"URL: {answer.problem}")
            answer = Nothing(answer.problem)
        before = self._last
        if isinstance(answer, Unchanged):
            # The file may have been taken away, or written by somebody else.
            answer = before or Nothing("304 though no document was named")
        if isinstance(answer, Document):
            answer = await self._keep(answer) or answer
        if isinstance(answer, Nothing):
            return self._bear(answer)
        self._recover()
        return 0.0 if before is None or before.body != answer.body else max(0.0, BETWEEN - took)

    async def _keep(self, document: Document) -> Nothing | None:
        """Put a document into the file, or say why it is not there."""
        try:
            written = await asyncio.to_thread(self._file.keep, document.body)
        except OSError as error:
            return Nothing(f"{self._file.path} cannot be written: {error.strerror or error}")
        if written:
            self._log.info("document written", file=str(self._file.path), bytes=len(document.body))
        elif self._last is None:
            self._log.info("document is current", file=str(self._file.path), bytes=len(document.body))
        if written and serves_nobody(document.body):
            self._log.warning("the document has no listeners: a stunnerd that reads it serves nobody")
        self._last = document
        return None

    def _bear(self, nothing: Nothing) -> float:
        if nothing.reason != self._trouble:
            self._log.warning(f"no document to be had: {self._standing()}", reason=nothing.reason)
        self._trouble = nothing.reason
        ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 10))
        self._failures += 1
        if nothing.retry_after:
            # A quarter more, by chance: those who were all sent away at once need not come back at once.
            return self._seams.uniform(nothing.retry_after, nothing.retry_after * 1.25)
        return self._seams.uniform(ceiling / 2, ceiling)

    def _recover(self) -> None:
        if self._trouble is not None:
            self._log.info("documents are to be had again", was=self._trouble)
        self._trouble, self._failures = None, 0

    def _standing(self) -> str:
        path = self._file.path
        return f"{path} stays as it is" if path.exists() else f"{path} is not there yet"


def run_poll(url: str, *, output: Path, wait: float, once: bool) -> int:
    """Poll until a signal, or once; 0 then.

    Raises:
        UsageError: the URL is wrong, or the file cannot be written.
        NotFoundOut: with ``once``, no document could be had.
    """
    check_url(url)
    file = KeptFile(output)
    file.prepare()
    deadlines = Deadlines(wait=0 if once else wait)
    work = _poll(url, file=file, deadlines=deadlines, once=once)
    return asyncio.run(_until_signalled(work, interrupted=INTERRUPTED if once else 0))


async def _poll(url: str, *, file: KeptFile, deadlines: Deadlines, once: bool) -> int:
    async with aiohttp.ClientSession() as session:
        poller = Poller(ask=Asker(session, url, deadlines=deadlines).ask, file=file)
        if not once:
            await poller.run()
        await poller.once()
        return 0


async def _until_signalled(work: Coroutine[Any, Any, int], *, interrupted: int) -> int:
    """Do ``work`` until SIGTERM or SIGINT, which give the exit code ``interrupted``."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, task.cancel)
    await asyncio.wait([task])
    return interrupted if task.cancelled() else task.result()
