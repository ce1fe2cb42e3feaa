"""Leader election on a Lease (coordination.k8s.io/v1): one replica writes, the others stand by.

A candidate judges a lease by what it sees: while the record changes, its holder lives; a record that stood still for
the lease's duration, by the candidate's own clock, is up for taking. So no clocks need to agree. The leader renews well
before its lease ends, and whoever writes asks :meth:`Election.may_write` whether the lease outlasts the request: by a
clock that runs on while the process is stopped, so that a leader that was asleep knows that it was deposed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, final

import orjson
import structlog

from stunnergw.errors import ApiError, NotFoundOut
from stunnergw.kube.paths import group_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

log = structlog.get_logger(__name__)

DURATION = 15.0
"""Seconds that a lease lasts without renewal."""

RENEW_WITHIN = 10.0
"""Seconds without a successful renewal after which a leader gives up."""

RETRY = 2.0
"""Seconds between two tries, jittered."""

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


@final
class Election:
    """One candidate for one lease. ``identity`` must be unique among the replicas."""

    def __init__(self, client: Requests, *, namespace: str, name: str, identity: str, clocks: Clocks) -> None:
        self._client = client
        self._path = f"{group_path('coordination.k8s.io', 'v1')}/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._name = name
        self.identity = identity
        self._clocks = clocks
        self._lasts_until = 0.0
        self._seen: tuple[str, float] = ("", 0.0)
        """resourceVersion of the record as it was last seen to change, and when."""
        self._holder = ""
        self._changed = asyncio.Event()

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

    async def run(self) -> None:
        """Campaign, lead, and campaign again, for ever."""
        while True:
            was = self.leading
            await self.attempt()
            if self.leading != was:
                log.info("leading" if self.leading else "not leading", lease=self._name, holder=self._holder)
                self._tell()
            await self._clocks.sleep(RETRY * (1 + 0.2 * self._clocks.jitter()))
            if was and not self.leading:
                self._tell()

    async def changed(self) -> None:
        """Return when leadership was won or lost since the last call."""
        await self._changed.wait()
        self._changed.clear()

    async def release(self) -> None:
        """Give the lease up, so that another replica need not wait for its end; errors are left to its end."""
        if not self.leading:
            return
        self._lasts_until = 0.0
        with contextlib.suppress(NotFoundOut):
            lease = await self._read()
            if lease is not None and lease["spec"].get("holderIdentity") == self.identity:
                await self._write(lease, holder="", duration=1)

    def _tell(self) -> None:
        self._changed.set()

    async def attempt(self) -> None:
        """Renew the lease, or take it where nobody holds it; once."""
        try:
            lease = await self._read()
            if lease is None:
                await self._take_new()
                return
            self._observe(lease)
            if self._holder == self.identity or self._is_free(lease):
                await self._renew(lease)
        except NotFoundOut as error:
            # Not renewed: the lease runs on to its end, and may_write says so.
            log.warning("the lease could not be asked for", lease=self._name, error=str(error))

    async def _read(self) -> dict[str, Any] | None:
        try:
            answer = await self._client.request("GET", f"{self._path}/{self._name}", within=RENEW_WITHIN / 2)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        lease: dict[str, Any] = orjson.loads(answer)
        lease.setdefault("spec", {})
        return lease

    def _observe(self, lease: dict[str, Any]) -> None:
        version = str(lease["metadata"].get("resourceVersion", ""))
        self._holder = str(lease["spec"].get("holderIdentity") or "")
        if version != self._seen[0]:
            self._seen = (version, self._clocks.running())

    def _is_free(self, lease: dict[str, Any]) -> bool:
        if not self._holder:
            return True
        lasts = float(lease["spec"].get("leaseDurationSeconds") or DURATION)
        return self._clocks.running() >= self._seen[1] + lasts

    async def _take_new(self) -> None:
        began = self._clocks.running()
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._spec({}, holder=self.identity, duration=int(DURATION)),
        }
        try:
            await self._client.request("POST", self._path, body=body, within=RENEW_WITHIN / 2)
        except ApiError as error:
            if error.status == 409:
                return  # another candidate was quicker
            raise
        self._hold_from(began)

    async def _renew(self, lease: dict[str, Any]) -> None:
        began = self._clocks.running()
        try:
            await self._write(lease, holder=self.identity, duration=int(DURATION))
        except ApiError as error:
            if error.status == 409:
                return  # somebody else wrote: it is looked at again
            raise
        self._hold_from(began)

    def _hold_from(self, began: float) -> None:
        # From before the request was sent: the server may have taken it at once and answered late.
        self._holder = self.identity
        self._lasts_until = began + RENEW_WITHIN

    async def _write(self, lease: dict[str, Any], *, holder: str, duration: int) -> None:
        body = {**lease, "spec": self._spec(lease["spec"], holder=holder, duration=duration)}
        await self._client.request("PUT", f"{self._path}/{self._name}", body=body, within=RENEW_WITHIN / 2)

    def _spec(self, before: dict[str, Any], *, holder: str, duration: int) -> dict[str, Any]:
        now = self._clocks.date().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {**before, "holderIdentity": holder, "leaseDurationSeconds": duration, "renewTime": now}
        if before.get("holderIdentity") != holder:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(before.get("leaseTransitions") or 0) + (1 if before else 0)
        return spec


def system_clocks() -> Clocks:
    """Return the clocks of this machine; ``running`` goes on while the process, or the machine, is stopped."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return Clocks(
        running=time.monotonic if boot is None else lambda: time.clock_gettime(boot),
        date=lambda: datetime.now(UTC),
        sleep=asyncio.sleep,
        jitter=random.random,
    )
