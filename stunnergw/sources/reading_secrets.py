"""Secrets: of all of them the metadata, of those that a snapshot wants the data.

The metadata comes by list and watch like any other kind, and stands in the log as a Secret whose data is not read.
Of a Secret that is wanted nothing is told before its data was asked for, and again whenever its resourceVersion
changes, so that no decision falls into the gap: the last data counts until the next is here. A read ends in one of
three ways: the data; nothing, because the Secret is gone; or a Secret that says why it cannot be read (at once where
that is forbidden, after ten seconds where the server fails), and is tried again. Each Secret has a task of its own
while it is read, a few of which may ask the server at a time: one that cannot be read holds up no other.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NoReturn, final

import structlog

from stunnergw.errors import ApiError, InvalidObject, NotFoundOut, Unreachable
from stunnergw.kube.paths import object_path
from stunnergw.opaque import PROCESS_KEY
from stunnergw.resources.kinds import SECRET
from stunnergw.resources.metadata import ObjectMeta
from stunnergw.resources.secrets import Secret
from stunnergw.sources.backing_off import Backoff
from stunnergw.sources.decoding import Decoder
from stunnergw.sources.refusals import because
from stunnergw.sources.remembering import Memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from stunnergw.events.types import Fact
    from stunnergw.kube.client import KubeClient
    from stunnergw.resources.metadata import Key, KubernetesObject
    from stunnergw.sources.backing_off import Timing

log = structlog.get_logger(__name__)

NOT_READ = "its data has not been read yet"
"""What an unread Secret says of itself that nobody wanted."""

AT_A_TIME = 8
"""Reads under way at the same time."""

READ_WITHIN = 5.0
"""Seconds for one read."""

GIVE_UP_AFTER = 10.0
"""Seconds of a failing server after which a Secret counts as unreadable. It is tried again all the same."""


class _Reading:
    """A Secret that is being read. ``changed``: it has another version than when it was last asked for."""

    __slots__ = ("changed", "task")
    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.changed = asyncio.Event()


class _Failing:
    """Reads that fail, one after the other."""

    __slots__ = ("_timing", "_until", "backoff")

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._until = timing.monotonic() + GIVE_UP_AFTER
        self.backoff = Backoff(timing, first=0.2, most=30.0)

    @property
    def left(self) -> float:
        """Seconds until the Secret counts as unreadable."""
        return self._until - self._timing.monotonic()


@final
class SecretReader(Memory):
    """What the log knows of Secrets, and the reading of those that are wanted."""

    def __init__(
        self,
        client: KubeClient,
        *,
        append: Callable[[list[Fact]], None],
        timing: Timing,
        opaque_key: bytes = PROCESS_KEY,
    ) -> None:
        super().__init__(SECRET)
        self._client = client
        self._append = append
        self._timing = timing
        self._decoder = Decoder(SECRET, opaque_key=opaque_key)
        self._wanted: frozenset[Key] = frozenset()
        self._newest: dict[Key, ObjectMeta] = {}
        """The metadata of the wanted ones, as it was last seen."""
        self._unsettled: set[Key] = set()
        self._settled = asyncio.Event()
        self._settled.set()
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._group: asyncio.TaskGroup | None = None
        self._readings: dict[Key, _Reading] = {}

    async def run(self) -> NoReturn:
        """Read what is wanted; runs for ever."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for key in sorted(self._unsettled):
                self._begin(key)
            while True:
                await asyncio.Event().wait()

    def want(self, keys: frozenset[Key]) -> None:
        """Read these from now on, and of the others the metadata alone."""
        if keys == self._wanted:
            return
        dropped, added = self._wanted - keys, keys - self._wanted
        self._wanted = keys
        facts = [fact for key in sorted(dropped) for fact in self._fall_back(key)]
        if facts:
            self._append(facts)
        for key in sorted(added):
            # One that the metadata does not know is not there; it is read when it appears.
            if (known := self._objects.get(key)) is not None:
                self._newest[key] = known.metadata
                self._unsettled.add(key)
                self._begin(key)
        self._look_whether_settled()

    @property
    def unsettled(self) -> frozenset[Key]:
        """The wanted Secrets that were not found present, absent or unreadable yet."""
        return frozenset(self._unsettled)

    async def settled(self) -> None:
        """Return once every wanted Secret was found present, absent or unreadable."""
        await self._settled.wait()

    def apply(self, thing: KubernetesObject, *, size: int, anew: bool = False) -> list[Fact]:
        """Take in the metadata of a Secret: of one that is wanted, have the data read."""
        metadata = thing.metadata
        key = metadata.key
        if key not in self._wanted:
            return super().apply(_unread(metadata), size=size, anew=anew)
        if self._versions.get(key) != metadata.resource_version:
            if key not in self._versions:
                self._unsettled.add(key)
                self._look_whether_settled()
            self._versions[key] = metadata.resource_version
            self._newest[key] = metadata
            self._begin(key)
        return []

    def forget(self, key: Key, *, uid: str = "") -> list[Fact]:
        """Take in that a Secret is gone, unless another of that name was read meanwhile."""
        known = self._newest.get(key)
        if known is not None and uid and known.uid and known.uid != uid:
            return []
        self._newest.pop(key, None)
        self._stop(key)
        return super().forget(key)

    # -- reading -----------------------------------------------------------------------------------------------

    def _fall_back(self, key: Key) -> list[Fact]:
        """Let go of the data of a Secret that nobody wants any more."""
        self._stop(key)
        metadata = self._newest.pop(key, None)
        return [] if metadata is None else self._told(key, _unread(metadata), size=0)

    def _begin(self, key: Key) -> None:
        reading = self._readings.get(key)
        if reading is not None:
            reading.changed.set()
        elif self._group is not None:
            # Before run there is no group; it begins with all that is unsettled then.
            self._readings[key] = reading = _Reading()
            reading.task = self._group.create_task(self._read(key, reading), name=f"secret {key}")

    def _stop(self, key: Key) -> None:
        reading = self._readings.pop(key, None)
        if reading is not None and reading.task is not asyncio.current_task():
            reading.task.cancel()
        self._settle(key)

    async def _read(self, key: Key, reading: _Reading) -> None:
        """Read one Secret until its data is that of the version last seen, or it is gone."""
        failing = _Failing(self._timing)
        while self._readings.get(key) is reading:
            reading.changed.clear()
            try:
                secret = await self._get(key)
            except NotFoundOut as error:
                await self._wait_out(error, key=key, reading=reading, failing=failing)
                continue
            failing = _Failing(self._timing)
            # If it changed meanwhile, what was read is still newer than what the log has; or it is another object.
            if not reading.changed.is_set() or secret.metadata.uid == self._newest[key].uid:
                self._take(key, secret)
            if not reading.changed.is_set():
                del self._readings[key]

    async def _wait_out(self, error: NotFoundOut, *, key: Key, reading: _Reading, failing: _Failing) -> None:
        status = error.status if isinstance(error, ApiError) else 0
        if status == 404:
            self._append(self.forget(key))
            return
        left = 0.0 if status == 403 else failing.left
        if left <= 0:
            self._tell(key, Secret(metadata=self._newest[key], unread=because(error, verb="get", kind=SECRET)))
        pause = failing.backoff.next(retry_after=getattr(error, "retry_after", None))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(pause, left) if left > 0 else pause):
                await reading.changed.wait()

    async def _get(self, key: Key) -> Secret:
        async with self._slots:
            answer = await self._client.request("GET", object_path(SECRET, "v1", key), within=READ_WITHIN)
        try:
            secret: Secret = self._decoder.whole(answer)
        except InvalidObject as error:
            raise Unreachable(f"the answer is no {error}") from None
        return secret

    def _take(self, key: Key, secret: Secret) -> None:
        self._newest[key] = secret.metadata
        self._versions[key] = secret.metadata.resource_version
        self._tell(key, secret)

    def _tell(self, key: Key, secret: Secret) -> None:
        facts = self._told(key, secret, size=0)
        if facts:
            self._append(facts)
        if facts and secret.unread:
            log.warning(
                "a Secret cannot be read; what rests on it stays as it is", secret=str(key), problem=secret.unread
            )
        self._settle(key)

    def _settle(self, key: Key) -> None:
        self._unsettled.discard(key)
        self._look_whether_settled()

    def _look_whether_settled(self) -> None:
        if self._unsettled:
            self._settled.clear()
        else:
            self._settled.set()


def _unread(metadata: ObjectMeta) -> Secret:
    """Return a Secret of which only the name is known: labels and annotations of all Secrets would cost megabytes."""
    slim = ObjectMeta(
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        managers=metadata.managers,
    )
    return Secret(metadata=slim, unread=NOT_READ)
