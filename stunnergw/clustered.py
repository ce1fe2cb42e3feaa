"""The operator in a cluster: events come from watches, writes go to the API server, one replica of several writes.

All replicas read, project and serve; the leader alone writes. At the end the lease is given up, so that another may
lead at once, and nothing else in the cluster is touched. Importing this costs half a second: only where there is a
cluster.
"""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING, Any, TypeVar, final

from stunnergw.kube.lease import DEFAULT_NAME, Election, system_clocks
from stunnergw.resources import kinds
from stunnergw.resources.kinds import ENDPOINT_SLICE
from stunnergw.serving.clustermetrics import ClusterCollector, ClusterFigures, KindFigures, WriteFigures
from stunnergw.sinks.cluster import ClusterSinks
from stunnergw.sources.refusals import qualified
from stunnergw.sources.watching import ClusterSource

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from stunnergw.events.log import EventLog
    from stunnergw.kube.client import KubeClient
    from stunnergw.kube.connecting import Connection
    from stunnergw.projection.projector import WantedSecrets
    from stunnergw.projection.snapshots import SnapshotSource
    from stunnergw.resources.metadata import Key
    from stunnergw.serving.metrics import Instruments
    from stunnergw.serving.server import Servers
    from stunnergw.settings import Settings
    from stunnergw.sources.reflecting import KindState
    from stunnergw.store.store import Store

T = TypeVar("T")

MOST_NAMED = 5


@final
class Cluster:
    """The surroundings of one run in a cluster, over a client that the caller closes.

    With ``dry_run`` nothing is ever written, and there is no lease; see :attr:`sinks`.
    """

    def __init__(self, settings: Settings, *, client: KubeClient, connection: Connection) -> None:
        self._settings = settings
        self._client = client
        self._connection = connection
        self._clocks = system_clocks()
        self.election = self._make_election()
        self._source: ClusterSource | None = None
        self._sinks: ClusterSinks | None = None
        self._events: EventLog | None = None

    @property
    def source(self) -> ClusterSource:
        """What reads; there once the run begins."""
        return _begun(self._source)

    @property
    def sinks(self) -> ClusterSinks:
        """What writes; there once all is attached."""
        return _begun(self._sinks)

    def begin(self, events: EventLog, *, instruments: Instruments) -> WantedSecrets:  # noqa: ARG002 - for sources that count
        """Make the source."""
        unread = frozenset() if self._settings.decisions.endpoint_slices else frozenset({ENDPOINT_SLICE})
        self._events = events
        self._source = ClusterSource(self._client, log=events, table=kinds.TABLE, unread=unread)
        return self._source.secrets

    def attach(self, *, store: Store, snapshots: SnapshotSource, servers: Servers) -> None:
        """Make what writes; add what is known of Secrets to readiness, and the cluster's metrics."""
        self._sinks = ClusterSinks(
            self._client,
            log=_begun(self._events),
            store=store,
            snapshots=snapshots,
            election=self.election,
            served=lambda: self.source.served,
            decisions=self._settings.decisions,
            clocks=self._clocks,
        )
        servers.readiness.add(
            "secrets", lambda: _named(self.source.secrets.unsettled) if snapshots.latest is None else None
        )
        servers.registry.register(
            ClusterCollector(
                ClusterFigures(
                    kinds=lambda: _kind_figures(self.source.states.values()),
                    writes=self._write_figures,
                    unread_secrets=lambda: len(self.source.secrets.unsettled),
                )
            )
        )

    def load(self) -> None:
        """There is nothing that must be there: what is not is waited for."""

    def tasks(self) -> Mapping[str, Coroutine[Any, Any, Any]]:
        """Read, write, and renew what lets us do so."""
        tasks: dict[str, Coroutine[Any, Any, Any]] = {"cluster": self.source.run(), "sinks": self.sinks.run()}
        if self._connection.token is not None:
            tasks["token"] = self._connection.renew()
        if self.election is not None:
            tasks["lease"] = self.election.run()
        return tasks

    async def close(self) -> None:
        """Give the lease up."""
        if self.election is not None:
            await self.election.release()

    def _make_election(self) -> Election | None:
        if not self._settings.leader_elect or self._settings.decisions.dry_run:
            return None
        return Election(
            self._client,
            namespace=self._settings.leader_election_namespace or self._connection.namespace,
            name=DEFAULT_NAME,
            identity=f"{socket.gethostname()}_{secrets.token_hex(4)}",
            clocks=self._clocks,
        )

    def _write_figures(self) -> WriteFigures:
        return WriteFigures(
            self.sinks.writes,
            waiting=self.sinks.waiting,
            leading=self.sinks.leading,
            lease_available=self.election is None or self.election.failure is None,
        )


def _begun(part: T | None) -> T:
    if part is None:
        raise RuntimeError("the run has not begun")
    return part


def _kind_figures(states: Iterable[KindState]) -> list[KindFigures]:
    return [
        KindFigures(
            name=qualified(state.kind),
            objects=state.objects,
            left_out=state.left_out,
            available=not state.unavailable,
            silent_for=state.silent_for,
            resource_version=state.resource_version,
        )
        for state in states
    ]


def _named(waiting: frozenset[Key]) -> str | None:
    if not waiting:
        return None
    first = ", ".join(map(str, sorted(waiting)[:MOST_NAMED]))
    return f"to be read: {first}{f' and {len(waiting) - MOST_NAMED} more' if len(waiting) > MOST_NAMED else ''}"
