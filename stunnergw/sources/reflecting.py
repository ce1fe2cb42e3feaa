"""One kind of the cluster, told to the event log as it is and as it changes.

Three loops, each inside the other: for ever (:meth:`Reflector.run`: find out which version is served, read, and begin
anew whatever happened); until the listed state is too old to go on from (:meth:`Reflector._follow`: list once, then
watch again and again from where the last watch ended); one watch (:meth:`Reflector._watch`). A watch ends sooner or
later: asked for, cut off or hung. Then the next goes on from the last resourceVersion, after a pause that grows with
each that came to nothing, so that nobody is asked in a tight loop.

A list is told as one batch of what is new and what is gone, so that nothing is decided from half of it. Whatever goes
wrong leaves what is known: a kind that cannot be read is *unavailable*, and says why.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, final

import structlog

from stunnergw.errors import ApiError, NotFoundOut, Unreachable
from stunnergw.events.types import Listed, Unavailable
from stunnergw.kube.paths import collection_path
from stunnergw.opaque import PROCESS_KEY
from stunnergw.resources.kinds import CUSTOM_RESOURCE_DEFINITION
from stunnergw.sources.backing_off import Backoff
from stunnergw.sources.decoding import Bookmark, Changed, Decoder, Gone, LeftOut
from stunnergw.sources.listing import accept, pages, selection
from stunnergw.sources.refusals import because, qualified, undiscovered

if TYPE_CHECKING:
    from collections.abc import Callable

    from stunnergw.events.types import Fact
    from stunnergw.kube.client import KubeClient
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.sources.backing_off import Timing
    from stunnergw.sources.complaining import Complaints
    from stunnergw.sources.offering import Offer
    from stunnergw.sources.remembering import Memory

log = structlog.get_logger(__name__)

WATCH_FOR = 240.0
"""Seconds after which the server is asked to end a watch, and up to a quarter more, so that not all end together."""

SILENCE = 200.0
"""Seconds without a word after which a watch counts as dead. A kube-apiserver sends a bookmark every minute, but the
first only after two."""

GRACE = 30.0
"""Seconds that a watch may outlast its time before we end it."""

AT_A_STRETCH = 0.005
"""Seconds of work after which others have a turn."""

WORTH_IT = 5.0
"""Seconds after which a watch was a success, whatever it brought."""

RELIST_AFTER = 3
"""Refusals of a watch in a row after which its version is suspected, and the kind is listed anew."""

POLL_AFTER = 6
"""Watches in a row that ended at once without a word after which the kind is listed anew each time: something in
between lets no watch through, and lists are all there is."""

DISPENSABLE = frozenset({CUSTOM_RESOURCE_DEFINITION})
"""Kinds that may be forbidden to us: they decide nothing but what a condition of the class says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindState:
    """How the reading of a kind stands."""

    kind: Kind[Any]
    listed: bool
    """It was read wholly, or the API server said that it does not serve it."""
    versions: tuple[str, ...]
    """What is served, as it was last told."""
    resource_version: str
    """How far the kind was read; empty where it is not."""
    silent_for: float | None
    """Seconds since the API server last said anything of it, bookmarks included; None where it never did."""
    unavailable: str
    """Why it cannot be read now; empty where it can."""
    objects: int
    left_out: int
    """Objects that do not fit their kind."""


@final
class Reflector:
    """Keeps the log in step with one kind. ``notice`` is told of each object that changes once all are listed."""

    def __init__(
        self,
        memory: Memory,
        *,
        client: KubeClient,
        append: Callable[[list[Fact]], None],
        offer: Offer,
        complaints: Complaints,
        timing: Timing,
        opaque_key: bytes = PROCESS_KEY,
        notice: Callable[[Key], None] | None = None,
    ) -> None:
        self.kind: Kind[Any] = memory.kind
        self.memory = memory
        self._client = client
        self._append = append
        self._offer = offer
        self._complaints = complaints
        self._timing = timing
        self._notice = notice
        self._decoder = Decoder(self.kind, opaque_key=opaque_key)
        self._failed = Backoff(timing, first=0.2, most=30.0)
        self._ended = Backoff(timing, first=0.1, most=10.0)
        self._told: tuple[str, ...] | None = None
        self._unavailable = ""
        self._read_in = ""
        """The version that the objects of the memory were read in."""
        self._resource_version = ""
        self._opened = False
        """The watch that ended last was opened at all."""
        self._heard = -1.0
        """When the API server last said anything; negative where it never did."""
        self._left_out: dict[Key, str] = {}

    @property
    def state(self) -> KindState:
        """How the reading stands."""
        heard = self._heard
        return KindState(
            kind=self.kind,
            listed=self._told is not None,
            versions=self._told or (),
            resource_version=self._resource_version,
            silent_for=None if heard < 0 else self._timing.monotonic() - heard,
            unavailable=self._unavailable,
            objects=len(self.memory),
            left_out=len(self._left_out),
        )

    # -- for ever ----------------------------------------------------------------------------------------------

    async def run(self) -> NoReturn:
        """Read the kind in the version that is served; runs for ever."""
        while True:
            version = await self._version_to_read()
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._follow(version), name=f"{self.kind.name} {version}")
                moving = group.create_task(self._until_moved(version), name=f"{self.kind.name} versions")
                await asyncio.wait((following, moving), return_when=asyncio.FIRST_COMPLETED)
                following.cancel()
                moving.cancel()

    async def _version_to_read(self) -> str:
        """Return the served version that we like best; while there is none, or nobody reads the kind, say so."""
        while True:
            versions = self._offer.versions(self.kind)
            if versions is None:
                if self._offer.failure is not None:
                    self._say_unavailable(self._offer.failure, reason=undiscovered(self._offer.failure))
            elif versions and self._offer.is_read(self.kind):
                return versions[0]
            else:
                self._resource_version = ""
                if facts := self._listed(versions):
                    self._append_all(facts)
                    self._warn_if_missing(versions)
                self._failed.succeeded()
            await self._offer.change()

    async def _until_moved(self, version: str) -> None:
        """Return when another version is to be read, or none; tell of those that come and go beside it."""
        while self._offer.is_read(self.kind):
            versions = self._offer.versions(self.kind)
            # If there are none, the watch will notice that itself. As long as it lives, it knows better.
            if versions and versions[0] != version:
                return
            if versions and self._told and self._read_in == version and not self._unavailable:
                self._append_all(self._listed(versions))
            await self._offer.change()

    # -- until the state is too old ----------------------------------------------------------------------------

    async def _follow(self, version: str) -> None:
        """List the kind, then watch it for as long as one watch can go on where another ended."""
        try:
            await self._list(version)
        except NotFoundOut as error:
            await self._wait_out(error, verb="list")
            return
        while await self._watch_and_pause(version):
            pass

    async def _list(self, version: str) -> None:
        anew = self._read_in not in ("", version)
        seen: set[Key] = set()
        facts: list[Fact] = []
        since = ""
        async for page in pages(self._client, self.kind, version, decoder=self._decoder):
            since = since or page.version
            for thing in page.objects:
                key = thing.metadata.key
                changes = self.memory.apply(thing, size=page.size, anew=anew)
                seen.add(key)
                self._left_out.pop(key, None)
                self._notice_if(key, changes)
                facts += changes
            for problem in page.left_out:
                # It is there all the same: its last good state stays.
                seen.add(problem.key)
                self._leave_out(problem)
            self._heard = self._timing.monotonic()
            if self._told is None:
                # Nobody sees the objects of a first list before its end, so they need not be one batch.
                self._append_all(facts)
                facts = []
        for key in self.memory.missing(seen):
            facts += self.memory.forget(key)
        for key in self._left_out.keys() - seen:
            del self._left_out[key]
        self._read_in, self._resource_version = version, since
        self._append_all([*facts, *self._listed(self._versions(version))])

    async def _watch_and_pause(self, version: str) -> bool:
        """Watch once, do not come back too soon, and say whether to watch again rather than list anew."""
        began, heard = self._timing.monotonic(), self._heard
        self._opened = False
        try:
            await self._watch(version)
        except NotFoundOut as error:
            if self._timing.monotonic() - began >= WORTH_IT:
                self._failed.succeeded()
            list_anew = _needs_list(error) or (_is_refusal(error) and self._failed.tries >= RELIST_AFTER)
            await self._wait_out(error, verb="watch", quietly=self._opened and self._failed.tries == 0)
            return not list_anew
        if self._timing.monotonic() - began >= WORTH_IT:
            self._ended.succeeded()
            self._failed.succeeded()
            return True
        await self._timing.sleep(self._ended.next())
        return self._ended.tries < POLL_AFTER or self._heard != heard

    async def _wait_out(self, error: NotFoundOut, *, verb: str, quietly: bool = False) -> None:
        """Say that the kind cannot be read, and wait before the next try."""
        status = error.status if isinstance(error, ApiError) else 0
        if _is_too_old(error):
            log.debug("listing anew: the API server does not remember that far", kind=self.kind.name)
        elif not quietly:
            self._say_unavailable(error, reason=because(error, verb=verb, kind=self.kind))
        if status == 404:
            self._offer.stir()
        await self._timing.sleep(self._failed.next(retry_after=getattr(error, "retry_after", None)))

    # -- one watch ---------------------------------------------------------------------------------------------

    async def _watch(self, version: str) -> None:
        """Heed what one watch says, until it ends."""
        seconds = WATCH_FOR * (1 + self._timing.random() / 4)
        query = {
            **selection(self.kind),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._resource_version,
            "timeoutSeconds": str(int(seconds)),
        }
        path = collection_path(self.kind, version)
        try:
            async with (
                asyncio.timeout(seconds + GRACE),
                self._client.stream(path, query=query, accept=accept(self.kind, many=False), silence=SILENCE) as lines,
            ):
                self._opened = True
                self._append_all(self._listed(self._versions(version)))
                since = self._timing.monotonic()
                async for line in lines:
                    self._heed(line)
                    if self._heard - since > AT_A_STRETCH:
                        # Lines that have come already are read without a pause, and there may be thousands.
                        await asyncio.sleep(0)
                        since = self._timing.monotonic()
        except TimeoutError as error:
            raise Unreachable(f"the API server did not end the watch of {path} in time") from error

    def _heed(self, line: bytes) -> None:
        told = self._decoder.line(line)
        self._heard = self._timing.monotonic()
        facts: list[Fact] = []
        match told:
            case Changed(thing):
                key, version = thing.metadata.key, thing.metadata.resource_version
                facts = self.memory.apply(thing, size=len(line))
                self._left_out.pop(key, None)
                self._notice_if(key, True)
            case Gone(key, uid, version):
                facts = self.memory.forget(key, uid=uid)
                self._left_out.pop(key, None)
                self._notice_if(key, True)
            case Bookmark(version):
                pass
            case LeftOut(_, version, _):
                self._leave_out(told)
        self._append_all(facts)
        self._resource_version = version or self._resource_version

    # -- telling -----------------------------------------------------------------------------------------------

    def _append_all(self, facts: list[Fact]) -> None:
        if facts:
            self._append(facts)

    def _versions(self, version: str) -> tuple[str, ...]:
        """Return what is served, now that ``version`` is known to be, whatever discovery says."""
        return self._offer.versions(self.kind) or self._told or (version,)

    def _listed(self, versions: tuple[str, ...]) -> list[Fact]:
        """Return the event that the kind is listed in these versions, unless that was said and still holds."""
        if self._told == versions and not self._unavailable:
            return []
        if self._unavailable:
            self._complaints.recovers(self.kind)
        self._told, self._unavailable = versions, ""
        return [Listed(kind=self.kind, versions=versions)]

    def _warn_if_missing(self, versions: tuple[str, ...]) -> None:
        if self.kind.needed and not versions:
            log.warning(
                "a kind that is needed is not installed: without it nothing is served; install its CRD",
                crd=qualified(self.kind),
            )

    def _say_unavailable(self, error: NotFoundOut, *, reason: str) -> None:
        if self._unavailable == reason:
            return
        # A kind that is of no consequence must not hold up the others.
        forbidden = isinstance(error, ApiError) and error.status == 403
        facts = self._listed(()) if forbidden and self.kind in DISPENSABLE and self._told is None else []
        self._unavailable = reason
        self._complaints.fails(self.kind, error, reason=reason)
        self._append([*facts, Unavailable(kind=self.kind, reason=reason)])

    def _leave_out(self, problem: LeftOut) -> None:
        said = str(problem.problem)
        if self._left_out.get(problem.key) != said:
            self._left_out[problem.key] = said
            log.warning("an object is left out; its last good state stays", kind=self.kind.name, problem=said)

    def _notice_if(self, key: Key, changes: object) -> None:
        if changes and self._notice is not None and self._told is not None:
            self._notice(key)


def _is_refusal(error: NotFoundOut) -> bool:
    """Say whether the server had something against the watch itself."""
    return isinstance(error, ApiError) and error.status != 429


def _needs_list(error: NotFoundOut) -> bool:
    return isinstance(error, ApiError) and (error.status == 404 or _is_too_old(error))


def _is_too_old(error: NotFoundOut) -> bool:
    return isinstance(error, ApiError) and (error.status == 410 or error.reason in ("Expired", "Gone"))
