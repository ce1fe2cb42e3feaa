"""Kubernetes Events: what ``kubectl describe`` shows of an object below its status.

They go out only for conditions that our own write of a status turned, so a restart, or a second replica, makes none.
Core v1, since every kubectl looks there. Nothing rests on them: they wait in a short queue for one worker, are left out
where there are too many, and one that cannot be written is counted, told in the log once, and forgotten.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple, final

import structlog

from stunnergw.errors import NotFoundOut
from stunnergw.kube.paths import collection_path
from stunnergw.resources.kinds import EVENT
from stunnergw.resources.metadata import FIELD_MANAGER, Key
from stunnergw.sinks.sending import Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from stunnergw.kube.lease import Clocks
    from stunnergw.resources.kinds import Kind
    from stunnergw.sinks.sending import Sender
    from stunnergw.sinks.transitions import Transition

log = structlog.get_logger(__name__)

MOST_WAITING = 100
"""Events that wait to be sent; what comes beyond is left out."""

LONGEST_MESSAGE = 1_024
"""Characters of a message: what the newer API of Events allows."""

CLUSTER_NAMESPACE = "default"
"""Where Events of objects without a namespace belong."""

_LONGEST_PREFIX = 50
"""Characters of the object's name in the Event's; the server adds some that make it unique."""


class About(NamedTuple):
    """The object that an Event is about."""

    kind: Kind[Any]
    version: str
    key: Key
    uid: str


@dataclass(slots=True)
class _Bucket:
    """How many may still go out; ``left`` grows with time."""

    left: float
    at: float


class _Rate(NamedTuple):
    most: int
    """At once."""
    per_second: float
    """Afterwards."""

    def take(self, bucket: _Bucket, now: float) -> bool:
        """Take one out of a bucket, if there is one."""
        bucket.left = min(self.most, bucket.left + (now - bucket.at) * self.per_second)
        bucket.at = now
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True


OF_ALL = _Rate(most=50, per_second=1.0)
OF_ONE = _Rate(most=10, per_second=1 / 300)
"""Of one object."""

MOST_REMEMBERED = 1_000
"""Objects whose rates are remembered, the latest."""


@final
class Reporter:
    """Writes Events, some time, if it can. ``moved`` is called when one is done with."""

    def __init__(self, *, sender: Sender, clocks: Clocks, controller: str, moved: Callable[[], None]) -> None:
        self._sender = sender
        self._clocks = clocks
        self._controller = controller
        self._moved = moved
        self._waiting: deque[Write] = deque()
        self._came = asyncio.Event()
        self._sending = False
        self._failing = False
        self._of_all = _Bucket(OF_ALL.most, clocks.running())
        self._of_one: dict[tuple[str, Key], _Bucket] = {}

    @property
    def quiet(self) -> bool:
        """Whether none waits."""
        return not self._waiting and not self._sending

    def report(self, about: About, found: Iterable[Transition]) -> None:
        """Have Events written of what turned. Returns at once."""
        for transition in found:
            if len(self._waiting) < MOST_WAITING and self._may(about):
                self._waiting.append(self._write(about, transition))
                self._came.set()
            else:
                self._left_out()

    def forget(self) -> None:
        """Drop what waits: another writes now."""
        self._waiting.clear()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                self._sending = True
                await self._send(self._waiting.popleft())
                self._sending = False
            self._moved()

    def _may(self, about: About) -> bool:
        now, name = self._clocks.running(), (about.kind.name, about.key)
        bucket = self._of_one.pop(name, None) or _Bucket(OF_ONE.most, now)
        self._of_one[name] = bucket
        if len(self._of_one) > MOST_REMEMBERED:
            del self._of_one[next(iter(self._of_one))]
        return OF_ONE.take(bucket, now) and OF_ALL.take(self._of_all, now)

    async def _send(self, write: Write) -> None:
        try:
            answer = await self._sender.send(write)
        except NotFoundOut as error:
            if not self._failing:
                self._failing = True
                log.warning("an Event could not be written, nothing rests on it", message=str(error))
            return
        self._failing = False
        if answer is None:
            self._left_out()

    def _left_out(self) -> None:
        self._sender.writes["create", EVENT.name, "left out"] += 1

    def _write(self, about: About, transition: Transition) -> Write:
        namespace = about.key.namespace or CLUSTER_NAMESPACE
        prefix = about.key.name[:_LONGEST_PREFIX].rstrip("-.")
        body = {
            "apiVersion": EVENT.api_version(),
            "kind": EVENT.kind,
            "metadata": {"generateName": f"{prefix}-", "namespace": namespace},
            "involvedObject": _reference(about),
            "type": "Warning" if transition.warning else "Normal",
            "reason": transition.reason,
            "message": _cut(transition.message),
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": self._controller,
            "firstTimestamp": _time(self._clocks.date()),
            "lastTimestamp": _time(self._clocks.date()),
            "count": 1,
        }
        path = collection_path(EVENT, EVENT.versions[0], namespace=namespace)
        return Write("create", EVENT, Key(namespace, f"{prefix}-"), "POST", path, body)


def _reference(about: About) -> dict[str, str]:
    named = {"namespace": about.key.namespace} if about.key.namespace else {}
    return {
        "apiVersion": about.kind.api_version(about.version),
        "kind": about.kind.kind,
        **named,
        "name": about.key.name,
        "uid": about.uid,
    }


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…"


def _time(date: datetime) -> str:
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
