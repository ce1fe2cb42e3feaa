"""The operator: builds the parts, runs them side by side, and stops them in order.

Whatever is not determined by the inputs (clocks, the file watcher, the run's name) comes in here. All long-lived work
runs in one task group: an error in any of it ends the process, since a dead task in a live process is the worst state
there is. At the end nothing outside is touched.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, final

import orjson
import structlog

from stunnergw import __version__
from stunnergw.events.log import EventLog
from stunnergw.events.types import Started
from stunnergw.projection.projecting import Projection
from stunnergw.projection.projector import Projector
from stunnergw.resources import kinds
from stunnergw.serving.descriptors import make_room
from stunnergw.serving.metrics import Instruments, ProjectionCollector
from stunnergw.serving.server import Servers
from stunnergw.store.store import Store
from stunnergw.surroundings import Manifests

if TYPE_CHECKING:
    from collections.abc import Callable

    from stunnergw.settings import Settings
    from stunnergw.surroundings import Surroundings

log = structlog.get_logger(__name__)

STALLED = 30.0
"""Seconds without progress, though there is work, after which the projector counts as stuck."""

YOUNG = 0.1
"""Seconds between two collections of young garbage."""

OLDER_EVERY = 300
"""So many young collections to one older: a closed WebSocket leaves cycles that no young one frees later."""


@final
class Operator:
    """One run of the operator: over the settings' manifests, or in other ``surroundings``.

    ``collect`` lets it take garbage collection into its own hands, for a process that does nothing else.
    """

    def __init__(self, settings: Settings, *, surroundings: Surroundings | None = None, collect: bool = False) -> None:
        self.settings = settings
        self.run_id = secrets.token_hex(6)
        self.log = EventLog(clock=time.time_ns)
        self.store = Store(table=kinds.TABLE)
        self.projection = Projection(store=self.store, settings=settings.decisions, on_failure=_tell_failure)
        self._instruments = Instruments()
        self._surroundings = surroundings if surroundings is not None else Manifests(settings.manifests)
        reader = self._surroundings.begin(self.log, instruments=self._instruments)
        self.projector = Projector(
            log=self.log,
            store=self.store,
            projection=self.projection,
            clock=time.monotonic,
            throttle=settings.throttle_timeout,
            observe=self._instruments.projections.observe,
            secrets=reader,
        )
        self.servers = Servers(
            settings,
            self.projector,
            self.log,
            run=self.run_id,
            explainer=self.projector,
            store=self.store,
            instruments=self._instruments,
        )
        self.servers.registry.register(
            ProjectionCollector(self.projector, results=lambda: self.projection.engine.size, store=self.store)
        )
        self._surroundings.attach(store=self.store, snapshots=self.projector, servers=self.servers)
        self._collect = collect
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()
        """Set once the first snapshot is served."""
        self.servers.liveness.add("projector", self._stalled)
        self.servers.readiness.add("listed", self._waiting)

    def stop(self) -> None:
        """Have :meth:`run` come to its end."""
        self._stopping.set()

    async def run(self, *, on_ready: Callable[[Operator], None] | None = None) -> None:
        """Load, serve, and keep up with changes until :meth:`stop`.

        Raises:
            ManifestError: a file cannot be read as a whole.
            UsageError: an address cannot be listened on.
        """
        started = Started(run=self.run_id, version=__version__, settings=orjson.dumps(asdict(self.settings.decisions)))
        self.log.append([started], source="operator")
        self._surroundings.load()
        make_room()
        try:
            await self.servers.start()
            await self._work(on_ready)
        finally:
            await self.servers.stop()
            await self._surroundings.close()

    async def _work(self, on_ready: Callable[[Operator], None] | None) -> None:
        async with asyncio.TaskGroup() as group:
            endless = [
                group.create_task(self.projector.run(), name="projector"),
                group.create_task(self.servers.run(), name="servers"),
                group.create_task(self._become_ready(on_ready), name="ready"),
                *(group.create_task(work, name=name) for name, work in self._surroundings.tasks().items()),
            ]
            await self._stopping.wait()
            # Goodbyes first, while the loops that say them still run.
            await self.servers.stop()
            for task in endless:
                task.cancel()

    async def _become_ready(self, on_ready: Callable[[Operator], None] | None) -> None:
        await self._first_snapshot()
        self.ready.set()
        if on_ready is not None:
            on_ready(self)
        if self._collect:
            await collect_garbage()

    async def _first_snapshot(self) -> None:
        if self.projector.latest is not None:
            return
        first = asyncio.Event()
        unsubscribe = self.projector.subscribe(lambda _: first.set())
        await first.wait()
        unsubscribe()

    def _stalled(self) -> str | None:
        if self.projector.idle or time.monotonic() - self.projector.progress < STALLED:
            return None
        return f"no progress for {STALLED:.0f} s, with events waiting"

    def _waiting(self) -> str | None:
        """Say which kinds are not listed yet, those with the same reason together."""
        reasons = self.store.unavailable()
        waiting: dict[str, list[str]] = {}
        for kind in self.store.waiting_for():
            waiting.setdefault(reasons.get(kind.name, ""), []).append(kind.name)
        told = [f"{', '.join(names)}{reason and f' ({reason})'}" for reason, names in waiting.items()]
        return f"not listed yet: {'; '.join(told)}" if told else None


async def collect_garbage() -> None:
    """Keep collections short: what lives now lives for good, and young garbage goes often."""
    gc.freeze()
    gc.enable()
    rounds = 0
    while True:
        await asyncio.sleep(YOUNG)
        rounds += 1
        gc.collect(0 if rounds % OLDER_EVERY else 1)


def _tell_failure(query: str, error: Exception) -> None:
    log.error("a decision failed; what rests on it stays as it is", query=query, exc_info=error)
