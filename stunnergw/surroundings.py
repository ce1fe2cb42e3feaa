"""What the operator lives in: where its events come from, and where its writes go.

There are two: files of manifests (here), and a cluster (:mod:`stunnergw.clustered`, which costs half a second to
import). The operator brings the rest, the same for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, final

import structlog

from stunnergw.sources.manifests import ManifestSource

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from pathlib import Path
    from typing import Any

    from stunnergw.events.log import EventLog
    from stunnergw.projection.projector import WantedSecrets
    from stunnergw.projection.snapshots import SnapshotSource
    from stunnergw.serving.metrics import Instruments
    from stunnergw.serving.server import Servers
    from stunnergw.sources.problems import Problem
    from stunnergw.store.store import Store

log = structlog.get_logger(__name__)


class Surroundings(Protocol):
    """Where events come from and writes go, for one run."""

    def begin(self, events: EventLog, *, instruments: Instruments) -> WantedSecrets | None:
        """Make the source, which is to append to ``events``; return who reads Secrets, if they are read apart."""

    def attach(self, *, store: Store, snapshots: SnapshotSource, servers: Servers) -> None:
        """Make what writes, and add to the servers' checks and metrics."""

    def load(self) -> None:
        """Read what must be there before anything listens.

        Raises:
            UsageError: it cannot be read.
        """

    def tasks(self) -> Mapping[str, Coroutine[Any, Any, Any]]:
        """Return what is to run for as long as the operator does, by name."""

    async def close(self) -> None:
        """Let go of what is held outside, within half a second. Nothing else outside is touched."""


@final
class Manifests:
    """Files and folders of manifests. Nothing is written anywhere."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = paths
        self._source: ManifestSource | None = None
        self._instruments: Instruments | None = None

    def begin(self, events: EventLog, *, instruments: Instruments) -> None:
        """Make the source."""
        self._instruments = instruments
        self._source = ManifestSource(paths=self._paths, log=events, report=self._tell)

    def attach(self, *, store: Store, snapshots: SnapshotSource, servers: Servers) -> None:
        """There is nothing that writes."""

    def load(self) -> None:
        """Read all files.

        Raises:
            ManifestError: one cannot be read as a whole.
        """
        self._begun.load()

    def tasks(self) -> Mapping[str, Coroutine[Any, Any, Any]]:
        """Watch the files."""
        return {"manifests": self._begun.watch()}

    async def close(self) -> None:
        """There is nothing to let go of."""

    @property
    def _begun(self) -> ManifestSource:
        if self._source is None:
            raise RuntimeError("the run has not begun")
        return self._source

    def _tell(self, problem: Problem) -> None:
        if problem.note:
            log.info("manifest", said=str(problem))
            return
        if self._instruments is not None:
            self._instruments.manifest_problems.inc()
        log.warning("manifest", problem=str(problem))
