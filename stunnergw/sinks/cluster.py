"""The sinks of a cluster: what snapshots want is made so, by the leader alone, and only where it is not so already.

Two things lead to a look at an object or status: what is wanted changed, or the thing itself did (somebody edited or
deleted it). Either way its key goes into the queue; when its turn comes, what is wanted *then* is compared with what is
there, and mostly that is the end of it: our own writes come back, a restart finds all in order.

A new leader looks at everything, and at objects that are there and wanted no longer; what an old queue held is
forgotten. Every write is told to the event log, with the snapshot that wanted it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, final

import structlog

from stunnergw.errors import FellBehind
from stunnergw.events.types import Applied, Deleted
from stunnergw.projection.projector import version_of
from stunnergw.projection.snapshots import OwnedSlot, StatusSlot
from stunnergw.resources.kinds import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    GATEWAY,
    GATEWAY_CLASS,
    OWNED_KINDS,
    SERVICE,
    STATUS_KINDS,
)
from stunnergw.resources.metadata import Key
from stunnergw.settings import DataplaneMode
from stunnergw.sinks.knowing import Known
from stunnergw.sinks.objects import ObjectWriter
from stunnergw.sinks.owning import kind_of, possible_keys, sibling
from stunnergw.sinks.places import Places
from stunnergw.sinks.queue import QUIET, Lane, WriteQueue
from stunnergw.sinks.removing import Remover
from stunnergw.sinks.repeating import Repeats
from stunnergw.sinks.reporting import Reporter
from stunnergw.sinks.sending import Effect, Planned, Sender
from stunnergw.sinks.statuswriting import StatusWriter
from stunnergw.sinks.verdicts import Outcome, Verdict
from stunnergw.sinks.working import WORKERS, Workers

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from stunnergw.events.log import EventLog
    from stunnergw.events.types import Fact
    from stunnergw.kube.discovery import Served
    from stunnergw.kube.lease import Clocks
    from stunnergw.projection.snapshots import Snapshot, SnapshotSource
    from stunnergw.settings import Decisions
    from stunnergw.sinks.sending import Leadership, Requests
    from stunnergw.store.store import Store

log = structlog.get_logger(__name__)

Slot = OwnedSlot | StatusSlot

FOLDED_WITHIN = 0.02
"""Seconds to give the projector to fold what came in, before we look at it in the store."""

UNSENT_AGAIN = 0.5
"""Seconds after which to ask again whether we may write."""


@final
class ClusterSinks:
    """Writes owned objects and statuses to the API server.

    ``election`` None: nobody else writes. ``served`` says what the API server serves now. In a dry run nothing is ever
    written, whoever leads: see :meth:`plan`.
    """

    def __init__(
        self,
        client: Requests,
        *,
        log: EventLog,
        store: Store,
        snapshots: SnapshotSource,
        election: Leadership | None,
        served: Callable[[], Served],
        decisions: Decisions,
        clocks: Clocks,
        workers: int = WORKERS,
    ) -> None:
        self._log = log
        self._store = store
        self._snapshots = snapshots
        self._election = election
        self._decisions = decisions
        self._clocks = clocks
        self._known = Known(store)
        self._sender = Sender(client, leadership=election, dry=decisions.dry_run)
        remover = Remover(sender=self._sender, known=self._known, served=served, controller=decisions.controller_name)
        self._objects = ObjectWriter(sender=self._sender, known=self._known, remover=remover, clocks=clocks)
        self._moved = asyncio.Event()
        self._reporter = Reporter(
            sender=self._sender, clocks=clocks, controller=decisions.controller_name, moved=self._moved.set
        )
        self._statuses = StatusWriter(
            sender=self._sender,
            known=self._known,
            served=served,
            clocks=clocks,
            controller=decisions.controller_name,
            reporter=self._reporter,
        )
        self._queue: WriteQueue[Slot] = WriteQueue()
        self._workers = Workers(
            self._queue,
            handle=self._handle,
            allowed=lambda: self._sender.allowed,
            clock=clocks.running,
            count=workers,
        )
        self._repeats: Repeats[Slot] = Repeats()
        self._places = Places()
        self._seen: Snapshot | None = None
        self._leading = False
        self._followed = log.folded

    @property
    def leading(self) -> bool:
        """Whether we write."""
        return self._leading

    @property
    def writes(self) -> Counter[tuple[str, str, str]]:
        """Requests that write, by verb, kind and outcome (``ok``, the server's status, ``unreachable``)."""
        return self._sender.writes

    @property
    def waiting(self) -> int:
        """How many objects and statuses wait for their turn, or to be tried again."""
        return len(self._queue)

    async def run(self) -> None:
        """Write for ever."""
        unsubscribe = self._snapshots.subscribe(self._take)
        try:
            if self._snapshots.latest is not None:
                self._take(self._snapshots.latest)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lead(), name="leading")
                group.create_task(self._follow(), name="following what we wrote")
                group.create_task(self._workers.run(), name="writing")
                group.create_task(self._reporter.run(), name="reporting")
        finally:
            unsubscribe()

    async def idle(self) -> None:
        """Return once all that is known is written, or waits to be tried again."""
        while not self._is_idle():
            self._moved.clear()
            await self._moved.wait()

    async def plan(self) -> list[Planned]:
        """Return what would be written now, sorted, and what could not be. Only of a dry run, after the first snapshot.

        A deletion that has to wait for another write is among the deletions.
        """
        snapshot = self._snapshots.latest
        if snapshot is None or not self._sender.dry:
            raise ValueError("a plan is made in a dry run, of a snapshot")
        self._sender.planned.clear()
        slots: list[Slot] = [*self._all_objects(snapshot), *snapshot.statuses]
        for slot in slots:
            for verdict in await self._write(slot, snapshot):
                said = Effect((verdict.message,))
                if verdict.outcome in (Outcome.REFUSED, Outcome.FAILED, Outcome.TIMEOUT):
                    self._sender.planned.append(Planned("none", verdict.kind, verdict.key, said))
                elif verdict.outcome is Outcome.WAIT:
                    self._sender.planned.append(Planned("delete", verdict.kind, verdict.key, said))
        return sorted(self._sender.planned, key=lambda planned: (planned.kind, planned.key, planned.verb))

    # -- what is to be looked at ---------------------------------------------------------------------------------

    def _take(self, snapshot: Snapshot) -> None:
        difference, first = snapshot.since(self._seen), self._seen is None
        self._seen = snapshot
        self._places.update(difference, snapshot)
        gone: list[Slot] = [*(difference.objects - snapshot.objects.keys())]
        gone += difference.statuses - snapshot.statuses.keys()
        for slot in gone:
            self._repeats.forget(slot)
        if not self._leading:
            return
        if first:
            self._fill()
            return
        now = self._clocks.running()
        for changed in difference.objects:
            self._queue.put(changed, now=now, lane=_lane(changed))
        for status in difference.statuses:
            self._queue.put(status, now=now)
        self._wake()

    async def _lead(self) -> None:
        while True:
            await self._until(leading=True)
            self._leading = True
            self._fill()
            await self._until(leading=False)
            self._leading = False
            self._queue.clear()
            self._reporter.forget()
            self._wake()

    async def _until(self, *, leading: bool) -> None:
        while self._may_lead is not leading:
            if self._election is None:
                await asyncio.get_running_loop().create_future()  # for ever
            else:
                await self._election.changed()

    @property
    def _may_lead(self) -> bool:
        return not self._sender.dry and (self._election is None or self._election.leading)

    def _fill(self) -> None:
        """Look at everything: objects first, since a status may depend on them."""
        snapshot = self._seen
        if snapshot is None:
            return
        now = self._clocks.running()
        for slot in self._all_objects(snapshot):
            if slot.kind == CONFIG_MAP.kind:
                self._queue.put(slot, now=now, lane=Lane.DOCUMENT)
            else:
                self._queue.look(slot, now=now)
        for status in snapshot.statuses:
            self._queue.look(status, now=now, after=QUIET)
        self._wake()

    def _all_objects(self, snapshot: Snapshot) -> Iterator[OwnedSlot]:
        """Go through the slots that want an object, and those of our Gateways that have one and want none."""
        yield from snapshot.objects
        managed = self._decisions.dataplane_mode is DataplaneMode.MANAGED
        kinds = (SERVICE, DEPLOYMENT, DAEMON_SET) if managed else (SERVICE,)
        for gateway in self._store.keys(GATEWAY):
            if self._is_ours(gateway):
                for kind in kinds:
                    slot = OwnedSlot(kind.kind, gateway)
                    if slot not in snapshot.objects and self._has_any(slot):
                        yield slot

    def _is_ours(self, key: Key) -> bool:
        gateway = self._store.get(GATEWAY, key)
        if gateway is None:
            return False
        named = self._store.get(GATEWAY_CLASS, Key("", gateway.spec.gateway_class_name))
        return named is not None and named.spec.controller_name == self._decisions.controller_name

    def _has_any(self, slot: OwnedSlot) -> bool:
        return any(self._store.get(kind_of(slot), key) is not None for key in possible_keys(slot))

    async def _follow(self) -> None:
        """Look again at what we write when it changed: our own writes come back here, too."""
        while True:
            await self._log.wait(after=self._followed)
            await self._clocks.sleep(FOLDED_WITHIN)
            folded = self._log.folded
            try:
                for event in self._log.since(self._followed):
                    if event.seq > folded:
                        break
                    self._notice(event.fact)
                    self._followed = event.seq
            except FellBehind:
                self._followed = folded
                if self._leading:
                    self._fill()
            self._wake()

    def _notice(self, fact: Fact) -> None:
        if not isinstance(fact, Applied | Deleted):
            return
        slot: Slot | None = None
        if fact.kind in OWNED_KINDS:
            slot = self._places.slot(fact.kind, fact.key)
        elif fact.kind in STATUS_KINDS:
            slot = StatusSlot(fact.kind, fact.key)
        else:
            return
        self._known.forget(fact.kind, fact.key)
        # Before the first snapshot nothing is wanted yet; then everything is looked at, objects first.
        if slot is not None and self._leading and self._seen is not None:
            now = self._clocks.running()
            self._queue.look(slot, now=now, after=max(QUIET, self._repeats.calm(slot, now=now)))

    # -- writing -------------------------------------------------------------------------------------------------

    async def _handle(self, slot: Slot) -> None:
        snapshot = self._seen
        verdicts = await self._write(slot, snapshot) if snapshot is not None else []
        if snapshot is not None:
            self._tell(verdicts, snapshot)
        now = self._clocks.running()
        if all(verdict.right for verdict in verdicts):
            self._queue.done(slot, now=now)
            if snapshot is not None and any(verdict.outcome is Outcome.WRITTEN for verdict in verdicts):
                self._after(slot, snapshot, now)
        elif any(verdict.outcome is Outcome.UNSENT for verdict in verdicts):
            self._queue.later(slot, now=now, after=UNSENT_AGAIN)
        else:
            hold = max((verdict.retry_after for verdict in verdicts if verdict.retry_after is not None), default=None)
            delay = self._queue.failed(slot, now=now, jitter=self._clocks.jitter(), retry_after=hold)
            _complain(verdicts, delay)
        self._moved.set()

    async def _write(self, slot: Slot, snapshot: Snapshot) -> list[Verdict]:
        if isinstance(slot, OwnedSlot):
            return await self._objects.write(slot, snapshot)
        return await self._statuses.write(slot, snapshot)

    def _after(self, slot: Slot, snapshot: Snapshot, now: float) -> None:
        # By its version, not the digest that is told: with another secret it is not the same again.
        if isinstance(slot, OwnedSlot):
            output, other = version_of(snapshot.objects.get(slot)), sibling(slot)
        else:
            output, other = version_of(snapshot.statuses.get(slot)), None
        self._repeats.wrote(slot, output, now=now)
        if other is not None and self._has_any(other):
            self._queue.put(other, now=now)  # it may have waited for this one

    def _tell(self, verdicts: list[Verdict], snapshot: Snapshot) -> None:
        events = [verdict.event(snapshot=snapshot.seq) for verdict in verdicts if not self._is_told(verdict)]
        told = [event for event in events if event is not None]
        if told:
            self._log.append(told, source="sinks")

    def _is_told(self, verdict: Verdict) -> bool:
        """Say whether the log has the same of it already: a refusal that is tried again would fill the log."""
        last = self._store.wrote(verdict.kind, verdict.key)
        said = (verdict.outcome.value, verdict.digest, verdict.message)
        return verdict.outcome is not Outcome.WRITTEN and last is not None and said == (
            last.outcome, last.digest, last.message
        )  # fmt: skip

    def _wake(self) -> None:
        self._workers.wake()
        self._moved.set()

    def _is_idle(self) -> bool:
        settled = self._leading is self._may_lead
        return (
            settled
            and self._seen is not None
            and self._queue.quiet
            and self._reporter.quiet
            and self._followed >= self._log.last
        )


def _lane(slot: OwnedSlot) -> Lane:
    return Lane.DOCUMENT if slot.kind == CONFIG_MAP.kind else Lane.CHANGE


def _complain(verdicts: list[Verdict], delay: float) -> None:
    for verdict in verdicts:
        if not verdict.right:
            log.warning(
                "not written",
                object=f"{verdict.kind} {verdict.key}",
                outcome=verdict.outcome.value,
                message=verdict.message,
                again_in=round(delay, 1),
            )
