"""Bearer tokens that change: of a service account, which the kubelet renews, or of a plug-in of a kubeconfig.

A token is fetched when the first request needs it, again once it is stale, and again when the API server refused it.
While fetching fails, the old token serves for as long as it may still be good; then each request fails with the reason.
A source that fails is left alone for a few seconds, so that twenty watches do not start twenty plug-ins.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple, NoReturn, final

import structlog

from stunnergw.errors import NotFoundOut, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

log = structlog.get_logger(__name__)

STALE_AFTER = 60.0
"""Seconds after which a file with a token is read again."""

LEFT_ALONE = 5.0
"""Seconds after a failure before the next try."""


class Fetched(NamedTuple):
    """A token, and how long it is good for. ``authorization`` is empty where a certificate says who we are."""

    authorization: str
    """The whole header, with its scheme."""
    stale_in: float | None = None
    """Seconds after which to fetch another; None: when it is refused."""
    ends_in: float | None = None
    """Seconds after which it is certainly refused."""


@final
class Token:
    """A token and where it comes from. ``fetch`` raises :class:`NotFoundOut` where it fails."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Fetched]], *, source: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._source = source
        self._clock = clock
        self._lock = asyncio.Lock()
        self._fetched: Fetched | None = None
        self._at = 0.0
        self._refused = False
        self._again_at = 0.0
        self.failure: NotFoundOut | None = None
        """Why no token could be fetched when it was last tried."""

    async def authorization(self) -> str:
        """Return the header of a request made now; empty where there is none.

        Raises:
            NotFoundOut: there is no token that could be good.
        """
        async with self._lock:
            now = self._clock()
            if self._is_due(now) and now >= self._again_at:
                await self._renew()
            if self._fetched is None or self._is_over():
                raise Unreachable(str(self.failure))
            return self._fetched.authorization

    def refuse(self, authorization: str) -> None:
        """Heed that the API server does not take this token."""
        if self._fetched is not None and self._fetched.authorization == authorization:
            self._refused = True

    async def keep(self, *, every: float = STALE_AFTER) -> NoReturn:
        """Fetch the token before a request would have to wait for it; runs for ever."""
        while True:
            await asyncio.sleep(every)
            # What went wrong was logged, and is in `failure`.
            with contextlib.suppress(NotFoundOut):
                await self.authorization()

    async def _renew(self) -> None:
        try:
            self._fetched = await self._fetch()
        except NotFoundOut as error:
            self._again_at = self._clock() + LEFT_ALONE
            if str(error) != str(self.failure):
                log.warning("no new token to be had", source=self._source, problem=str(error))
            self.failure = error
            return
        if self.failure is not None:
            log.info("new tokens are to be had again", source=self._source)
        self._at, self._refused, self.failure = self._clock(), False, None
        # A token that is refused as soon as it is fetched must not have us fetch without end.
        self._again_at = self._at + LEFT_ALONE

    def _is_due(self, now: float) -> bool:
        if self._fetched is None or self._refused:
            return True
        return self._fetched.stale_in is not None and now >= self._at + self._fetched.stale_in

    def _is_over(self) -> bool:
        ends_in = self._fetched.ends_in if self._fetched is not None else None
        return self.failure is not None and ends_in is not None and self._clock() >= self._at + ends_in


def token_file(path: Path, *, clock: Callable[[], float] = time.monotonic) -> Token:
    """Return the token in a file that somebody else renews."""

    async def fetch() -> Fetched:
        try:
            text = (await asyncio.to_thread(path.read_text, "utf-8")).strip()
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or "it is no text"
            raise Unreachable(f"the token in {path} cannot be read: {said}") from error
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise Unreachable(f"{path} holds no token")
        return Fetched(f"Bearer {text}", stale_in=STALE_AFTER)

    return Token(fetch, source=str(path), clock=clock)
