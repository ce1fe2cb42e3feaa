"""What the API server offers: asked at the start, and again for as long as a kind is missing or a CRD changes.

CRDs come in any order, before us or after. A kind that is missing is looked for every ten seconds; a watch of CRDs,
or of a kind that is gone, has it looked for at once, and a few times more, because a server takes a while between
telling of a CRD and serving its objects. Who waits for a change reads what is offered first and then awaits
:meth:`Offer.change`, without anything awaited in between.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, final

from stunnergw.errors import ApiError, NotFoundOut
from stunnergw.kube.discovery import Served, discover
from stunnergw.resources.kinds import ENDPOINT_SLICE, ENDPOINTS
from stunnergw.sources.backing_off import Backoff

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stunnergw.kube.client import KubeClient
    from stunnergw.resources.kinds import Kind
    from stunnergw.sources.backing_off import Timing

MISSING_EVERY = 10.0
"""Seconds between two looks for kinds that are missing."""

ALL_EVERY = 6
"""So many looks for missing kinds to one for the versions of all."""

EAGER = 7
"""Looks after something stirred: over about ten seconds, the first at once."""

CROWD = 0.05
"""Seconds from the first thing that stirred to the look."""

_FIRST_PAUSE = 0.1


@final
class Offer:
    """The served versions of all kinds of ``table``, kept up to date. ``unread`` are kinds that nobody reads."""

    def __init__(
        self, client: KubeClient, *, table: Iterable[Kind[Any]], unread: frozenset[Kind[Any]], timing: Timing
    ) -> None:
        self._client = client
        self._table = tuple(table)
        self._unread = unread
        self._timing = timing
        self._groups = frozenset(kind.group for kind in self._table if kind.group)
        self._backoff = Backoff(timing, first=_FIRST_PAUSE, most=MISSING_EVERY)
        self._looks = 0
        self._eager = 0
        self._stirred = asyncio.Event()
        self._news = asyncio.Event()
        self.served = Served(MappingProxyType({}), frozenset())
        """What is served; kinds of which nothing is known yet are not in it."""
        self.failure: NotFoundOut | None = None
        """Why the API server does not say what it serves."""

    def versions(self, kind: Kind[Any]) -> tuple[str, ...] | None:
        """Return the served versions of a kind, most preferred first; None where nothing is known yet."""
        return self.served.versions.get(kind)

    def is_read(self, kind: Kind[Any]) -> bool:
        """Say whether anybody reads a kind: Endpoints only where there are no EndpointSlices to read."""
        if kind is ENDPOINTS and self.versions(ENDPOINT_SLICE) and self.is_read(ENDPOINT_SLICE):
            return False
        return kind not in self._unread

    async def change(self) -> None:
        """Return when something else is offered than now, or the failure changes."""
        await self._news.wait()

    def stir(self) -> None:
        """Have a look at once, and some more soon."""
        self._eager = EAGER
        self._backoff.succeeded()
        self._stirred.set()

    def notice(self, definition: str) -> None:
        """Heed a change of a CustomResourceDefinition, ``plural.group``, if it could be of a kind of ours."""
        if definition.partition(".")[2] in self._groups:
            self.stir()

    async def run(self) -> NoReturn:
        """Look again and again; runs for ever."""
        while True:
            # What stirs during a look may have come too late for it.
            self._stirred.clear()
            await self._look()
            await self._rest()

    async def _look(self) -> None:
        wholly = self._eager > 0 or self.failure is not None or self._looks % ALL_EVERY == 0
        kinds = self._table if wholly else [kind for kind in self._table if not self.versions(kind)]
        self._looks += 1
        self._eager = max(0, self._eager - 1)
        try:
            found = await discover(self._client, kinds)
        except NotFoundOut as error:
            self._fail(error)
        else:
            self._take(found, kinds)

    def _take(self, found: Served, kinds: Iterable[Kind[Any]]) -> None:
        asked = frozenset(kinds)
        kept = {kind: versions for kind, versions in self.served.versions.items() if kind not in asked}
        with_status = frozenset(pair for pair in self.served.with_status if pair[0] not in asked) | found.with_status
        served = Served(MappingProxyType(kept | dict(found.versions)), with_status)
        if self.failure is not None:
            # Else waits would stay as long as those of the failure.
            self._backoff.succeeded()
        news, self.served, self.failure = (served != self.served or self.failure is not None), served, None
        if news:
            self._tell()

    def _fail(self, error: NotFoundOut) -> None:
        news = self.failure is None or _gist(error) != _gist(self.failure)
        self.failure = error
        if news:
            self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _rest(self) -> None:
        if self.failure is not None or self._eager:
            pause = self._backoff.next(retry_after=getattr(self.failure, "retry_after", None))
        else:
            pause = MISSING_EVERY * (0.75 + self._timing.random() / 2)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._stirred.wait()
                # CRDs come in crowds, and each is told of several times.
                await self._timing.sleep(CROWD)


def _gist(error: NotFoundOut) -> tuple[object, ...]:
    """Return what does not hang on the request that met an error: of many, each time another may be the first."""
    if isinstance(error, ApiError):
        return error.status, error.reason
    return tuple(word for word in str(error).split() if not word.startswith("/"))
