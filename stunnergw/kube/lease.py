"""Leader election on a Lease (coordination.k8s.io/v1): one replica writes, the others stand by.

A candidate judges a lease by what it sees: while the record changes, its holder lives; a record that stood still for
the lease's duration, by the candidate's own clock, is up for taking. So no clocks need to agree. The leader renews well
before its lease ends, and whoever writes asks :meth:`Election.may_write` whether the lease outlasts the request: by a
clock that runs on while the process is stopped, so that a leader that was asleep knows that it was deposed.

That a lease was lost is told when it runs out, whatever the request to renew it is doing then. What keeps a candidate
from the lease, such as a right or a namespace that is missing, is in :attr:`Election.failure`, and tried again.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, final

import structlog

from stunnergw.errors import ApiError, NotFoundOut
from stunnergw.kube.leaserecords import API_VERSION, Record, because, new_record, read_record, renewed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

log = structlog.get_logger(__name__)

DURATION = 15
"""Seconds that a lease lasts without renewal."""

RENEW_WITHIN = 10.0
"""Seconds without a successful renewal after which a leader gives up."""

RETRY = 2.0
"""Seconds between two tries, jittered."""

RELEASE_WITHIN = 0.7
"""Seconds that giving the lease up may take: an exit is to be over within one."""

DEFAULT_NAME = "92062b70.l7mp.io"
"""The name of the reference operator's lease: two operators, old and new, must not both write."""


class Requests(Protocol):
    """What an election needs of a client."""

    async def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None, within: float = 30.0
    ) -> bytes:
        """Make a request and return the whole answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Time, from outside: seconds that never stand still, the date, waiting, and a spread for waits."""

    running: Callable[[], float]
    date: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    """Between 0 and 1."""


def system_clocks() -> Clocks:
    """Return the clocks of this machine. What never stands still goes on while the machine is suspended, too."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return Clocks(
        running=time.monotonic if boottime is None else lambda: time.clock_gettime(boottime),
        date=lambda: datetime.now(UTC),
        sleep=asyncio.sleep,
        jitter=random.random,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For how long a lease is, in seconds: ``retry`` < ``renew_within`` < ``duration``."""

    duration: int = DURATION
    renew_within: float = RENEW_WITHIN
    retry: float = RETRY

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.renew_within < self.duration:
            raise ValueError("a lease is retried sooner than it must be renewed, and that sooner than it ends")


@final
class Election:
    """One candidate for one lease. ``identity`` must be unique among the replicas."""

    def __init__(
        self,
        client: Requests,
        *,
        namespace: str,
        name: str,
        identity: str,
        clocks: Clocks,
        terms: Terms | None = None,
    ) -> None:
        self._client = client
        self._path = f"/apis/{API_VERSION}/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._name = name
        self.identity = identity
        self.failure: NotFoundOut | None = None
        """Why the lease could not be asked for when it was last tried; None: it could."""
        self._clocks = clocks
        self._terms = terms or Terms()
        self._lasts_until = 0.0
        self._seen: tuple[str, float] = ("", 0.0)
        """resourceVersion of the record as it was last seen to change, and when."""
        self._free_at = 0.0
        """When the record, as it was last seen, is up for taking."""
        self._holder = ""
        self._asked = False
        """A request of ours may have made us the holder."""
        self._released = False
        self._told = False
        """Whether we lead, as it was last told."""
        self._news = asyncio.Event()
        self._held = asyncio.Event()

    # -- how it stands -------------------------------------------------------------------------------------------

    @property
    def leading(self) -> bool:
        """Whether the lease is ours and has not run out."""
        return self._clocks.running() < self._lasts_until

    @property
    def holder(self) -> str:
        """Who holds the lease, as last seen; empty where nobody does."""
        return self._holder

    def may_write(self, *, within: float) -> bool:
        """Say whether a request that ends within so many seconds ends before the lease does."""
        return self._clocks.running() + within < self._lasts_until

    async def changed(self) -> None:
        """Return when leadership is won or lost next; look at ``leading`` first. Any number may wait."""
        await self._news.wait()

    # -- what it does --------------------------------------------------------------------------------------------

    async def run(self) -> NoReturn:
        """Campaign, lead, and campaign again, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._campaign(), name="campaigning")
            group.create_task(self._notice_the_end(), name="end of the lease")
        raise AssertionError("endless tasks ended")

    async def attempt(self) -> None:
        """Renew the lease, or take it where nobody holds it; once."""
        if self._released:
            return
        self._judge()
        try:
            if not await self._try():
                # Somebody wrote in between, and perhaps nothing but an annotation.
                await self._try()
        except NotFoundOut as error:
            # Not renewed: the lease runs on to its end, and may_write says so.
            self._fail(error)
        else:
            if self.failure is not None:
                log.info("the lease can be asked for again", lease=self._label)
            self.failure = None
        self._judge()

    async def release(self) -> None:
        """Give the lease up for good, so that another replica need not wait for its end.

        Takes less than a second, whatever the API server does; what fails is left to the end of the lease.
        """
        self._released = True
        self._step_down()
        if not self._asked:
            return
        try:
            async with asyncio.timeout(RELEASE_WITHIN):
                while not await self._give_up():
                    pass
        except (NotFoundOut, TimeoutError) as error:
            said = str(error) or f"no answer within {RELEASE_WITHIN:g} s"
            log.warning("the lease could not be given up; it runs out by itself", lease=self._label, problem=said)

    async def _campaign(self) -> NoReturn:
        while True:
            await self.attempt()
            await self._clocks.sleep(self._pause())

    async def _notice_the_end(self) -> NoReturn:
        """Tell that the lease is lost at the moment that it runs out."""
        while True:
            left = self._lasts_until - self._clocks.running()
            if left > 0:
                await self._clocks.sleep(left)
            else:
                self._judge()
                self._held.clear()
                await self._held.wait()

    def _pause(self) -> float:
        pause = self._terms.retry * (1 + 0.2 * self._clocks.jitter())
        # Whoever waits for a holder that is gone takes the lease the moment that it may.
        left = self._free_at - self._clocks.running()
        return min(pause, left) if left > 0 and not self.leading else pause

    # -- one try -------------------------------------------------------------------------------------------------

    async def _try(self) -> bool:
        """Renew or take the lease if we may; False: another writer was quicker."""
        record = await self._read()
        if record is None:
            return await self._take_new()
        self._observe(record)
        if self._holder not in ("", self.identity):
            # Whoever took it may write by now, whatever we thought.
            self._step_down()
            if self._clocks.running() < self._free_at:
                return True
        return await self._renew(record)

    async def _read(self) -> Record | None:
        path = f"{self._path}/{self._name}"
        try:
            answer = await self._client.request("GET", path, within=self._terms.renew_within / 2)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return read_record(answer, path=path)

    def _observe(self, record: Record) -> None:
        self._holder = record.holder
        if record.version != self._seen[0]:
            self._seen = (record.version, self._clocks.running())
        self._free_at = self._seen[1] + (record.duration or self._terms.duration)

    async def _take_new(self) -> bool:
        # There is no record any more that could be ours.
        self._step_down()
        body = new_record(
            namespace=self._namespace,
            name=self._name,
            holder=self.identity,
            duration=self._terms.duration,
            now=self._clocks.date(),
        )
        return await self._hold("POST", self._path, body)

    async def _renew(self, record: Record) -> bool:
        body = renewed(record, holder=self.identity, duration=self._terms.duration, now=self._clocks.date())
        return await self._hold("PUT", f"{self._path}/{self._name}", body)

    async def _hold(self, method: str, path: str, body: dict[str, Any]) -> bool:
        began = self._clocks.running()
        self._asked = True
        try:
            await self._client.request(method, path, body=body, within=self._terms.renew_within / 2)
        except ApiError as error:
            if error.status == 409 or (error.status == 404 and method == "PUT"):
                return False
            raise
        if not self._released:
            self._holder = self.identity
            # From before the request was sent: the server may have taken it at once and answered late.
            self._lasts_until = began + self._terms.renew_within
            self._held.set()
        return True

    async def _give_up(self) -> bool:
        """Take our name out of the lease; False: another writer was quicker."""
        record = await self._read()
        if record is None or record.holder != self.identity:
            return True
        body = renewed(record, holder="", duration=1, now=self._clocks.date())
        try:
            await self._client.request("PUT", f"{self._path}/{self._name}", body=body, within=RELEASE_WITHIN)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        self._holder = ""
        return True

    # -- telling -------------------------------------------------------------------------------------------------

    @property
    def _label(self) -> str:
        return f"{self._namespace}/{self._name}"

    def _step_down(self) -> None:
        self._lasts_until = 0.0
        self._judge()

    def _judge(self) -> None:
        """Tell whether we lead, if that is news."""
        leading = self.leading
        if leading == self._told:
            return
        self._told = leading
        log.info("leading" if leading else "not leading", lease=self._label, holder=self._holder)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _fail(self, error: NotFoundOut) -> None:
        failure = because(error, label=self._label, namespace=self._namespace)
        if str(failure) != str(self.failure):
            log.warning("the lease could not be asked for", lease=self._label, problem=str(failure))
        self.failure = failure
