"""The projector: it alone folds events into the store, and it keeps the snapshot up to date.

Events wake it; it waits a moment for more (5 ms from the first, so that a steady stream does not wait for quiet), folds
all that is there and runs the projection in slices of 5 ms, between which others get the loop. During a run nothing is
folded, so a projection never sees a store that moves. Each new snapshot goes to the subscribers at once.

Nothing is projected before every kind is listed, and nothing published before the Secrets that the first snapshot asks
for were looked at: a partial view would take away what runs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol, final

from stunnergw.dataplane.documents import Document
from stunnergw.events.types import Projected
from stunnergw.projection.bodies import OwnedObject
from stunnergw.projection.outputs import Undecided, Want

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stunnergw.events.log import EventLog
    from stunnergw.projection.projecting import Projection
    from stunnergw.projection.snapshots import Difference, Explanation, Snapshot
    from stunnergw.resources.metadata import Key
    from stunnergw.store.store import Input, Store

SLICE = 0.005
"""Seconds of work between two chances for others: yielding costs them about two slices."""


class WantedSecrets(Protocol):
    """Who reads the Secrets that snapshots ask for."""

    def want(self, keys: frozenset[Key]) -> None:
        """Read the data of these, and of no others."""

    @property
    def unsettled(self) -> frozenset[Key]:
        """Those that are not in the log yet as present or unreadable, and are not known to be absent."""

    async def settled(self) -> None:
        """Return once there are none."""


@final
class Projector:
    """Folds, projects, publishes. ``clock`` counts seconds; ``throttle`` is the wait after the first event.

    ``observe`` is told of each run how many seconds it took, turns of others in between included. ``secrets`` are read
    when a snapshot asks for them; without it they are all there from the first.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        store: Store,
        projection: Projection,
        clock: Callable[[], float],
        throttle: float = 0.005,
        observe: Callable[[float], None] = lambda _: None,
        secrets: WantedSecrets | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._projection = projection
        self._clock = clock
        self._throttle = throttle
        self._observe = observe
        self._secrets = secrets
        self._subscribers: list[Callable[[Snapshot], None]] = []
        self._dirty: dict[Input, int] = {}
        self.latest: Snapshot | None = None
        self.runs = 0
        self.folded: Counter[str] = Counter()
        """How many events of each type have been folded: every event of the log is, soon after it came."""
        self.progress = clock()
        """When the loop last came round, for the liveness check."""

    @property
    def idle(self) -> bool:
        """Whether all that is in the log has been taken in."""
        return self._log.folded == self._log.last

    def explain(self, config: Key) -> Explanation | None:
        """Say what last changed a configuration, and what it rests on; None where there is none."""
        return self._projection.explain(config)

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Have ``callback`` called with each new snapshot, in the loop; returns how to end that."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    async def run(self) -> None:
        """Fold and project for ever."""
        while True:
            await self._log.wait(after=self._log.folded)
            if self._throttle:
                await asyncio.sleep(self._throttle)
            await self.project()

    async def project(self) -> None:
        """Fold what waits, and run the projection if that changed anything."""
        self._fold()
        self.progress = self._clock()
        if self._store.waiting_for() or (self.latest is not None and not self._dirty):
            return
        dirty, self._dirty = self._dirty, {}
        await self._bring_up_to_date(dirty)
        if self.latest is None:
            await self._first_secrets()
        snapshot = self._projection.snapshot
        self._want_secrets(snapshot)
        difference = snapshot.since(self.latest)
        self._publish(snapshot)
        # Told of last, and in slices: clients should not wait for hashes.
        changed: list[tuple[str, str]] = []
        await self._work(_versions(snapshot, difference, changed))
        told = Projected(snapshot=snapshot.seq, changed=tuple(sorted(changed)), held=tuple(sorted(snapshot.held)))
        self._log.append([told], source="projector")

    async def _bring_up_to_date(self, dirty: dict[Input, int]) -> None:
        began = self._clock()
        await self._work(self._projection.steps(dirty))
        self._observe(self._clock() - began)

    async def _first_secrets(self) -> None:
        """Work the first snapshot out again until no Secret that it asks for is still to be read."""
        while self._secrets is not None:
            self._want_secrets(self._projection.snapshot)
            if not self._secrets.unsettled:
                return
            await self._secrets.settled()
            self._fold()
            dirty, self._dirty = self._dirty, {}
            await self._bring_up_to_date(dirty)

    def _want_secrets(self, snapshot: Snapshot) -> None:
        if self._secrets is not None:
            self._secrets.want(snapshot.wanted_secrets)

    def _fold(self) -> None:
        waiting = self._log.since(self._log.folded)
        self._dirty.update(self._store.fold(waiting))
        self.folded.update(type(event.fact).__name__ for event in waiting)
        self._log.mark_folded(self._store.seq)

    async def _work(self, steps: Iterator[None]) -> None:
        until = self._clock() + SLICE
        for _ in steps:
            if self._clock() >= until:
                await asyncio.sleep(0)
                self.progress = self._clock()
                until = self.progress + SLICE

    def _publish(self, snapshot: Snapshot) -> None:
        self.latest = snapshot
        self.runs += 1
        for callback in list(self._subscribers):
            callback(snapshot)


def _versions(snapshot: Snapshot, changed: Difference, found: list[tuple[str, str]]) -> Iterator[None]:
    """Add each changed output with its version to ``found``, a step each."""
    for key in changed.configs:
        found.append((f"config {key}", version_of(snapshot.configs.get(key))))
        yield
    for slot in changed.objects:
        found.append((f"{slot.kind} of {slot.owner}", version_of(snapshot.objects.get(slot))))
        yield
    for status in changed.statuses:
        found.append((f"status of {status.kind.name} {status.key}", version_of(snapshot.statuses.get(status))))
        yield


def version_of(output: Any) -> str:
    """Return 16 hex digits that tell one wanted output from another; a word where none is wanted."""
    match output:
        case None:
            return "absent"
        case Undecided():
            return "undecided"
        case Want(value=Document() as document):
            return document.version
        case Want(value=OwnedObject() as body):
            return blake2b(body.body, digest_size=8).hexdigest()
    # A status is made of tuples of text and numbers: its repr is as good as its JSON, and holds no secret.
    return blake2b(repr(output).encode(), digest_size=8).hexdigest()
