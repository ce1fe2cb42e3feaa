"""The cluster as a source of events: one reflector a kind, what is offered, and the Secrets that are wanted.

Everything runs in one task group: an error that nobody foresaw ends it all, since a source that is half dead would
show a cluster that stands still.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, final

from stunnergw.opaque import PROCESS_KEY
from stunnergw.resources import kinds
from stunnergw.resources.metadata import GATEWAY_GROUP
from stunnergw.sources.backing_off import Timing
from stunnergw.sources.complaining import Complaints
from stunnergw.sources.offering import Offer
from stunnergw.sources.reading_secrets import SecretReader
from stunnergw.sources.reflecting import KindState, Reflector
from stunnergw.sources.remembering import Memory, NamedIn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.errors import NotFoundOut
    from stunnergw.events.log import EventLog
    from stunnergw.events.types import Fact
    from stunnergw.kube.client import KubeClient
    from stunnergw.kube.discovery import Served
    from stunnergw.resources.kinds import Kind

SOURCE = "cluster"
"""The source that events of the cluster name."""


@final
class ClusterSource:
    """Keeps an event log in step with a cluster.

    Every kind of ``table`` gets its ``Listed``; those of ``unread`` without their objects ever being asked for, and so
    Endpoints where EndpointSlices are served and read.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        log: EventLog,
        table: tuple[Kind[Any], ...] = kinds.TABLE,
        unread: frozenset[Kind[Any]] = frozenset(),
        timing: Timing | None = None,
        opaque_key: bytes = PROCESS_KEY,
    ) -> None:
        self._client = client
        self._log = log
        self._timing = timing or Timing()
        self._opaque_key = opaque_key
        self._offer = Offer(client, table=table, unread=unread, timing=self._timing)
        self._complaints = Complaints()
        self.secrets = SecretReader(client, append=self._append, timing=self._timing, opaque_key=opaque_key)
        """Who reads the data of Secrets that are wanted, and of no others."""
        self._reflectors = {kind: self._reflector(kind) for kind in table}

    async def run(self) -> NoReturn:
        """Read the cluster and keep up with it; runs for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._offer.run(), name="discovery")
            group.create_task(self.secrets.run(), name="secrets")
            for kind, reflector in self._reflectors.items():
                group.create_task(reflector.run(), name=f"reflector {kind.name}")
        raise AssertionError("endless tasks ended")

    # -- how it stands -----------------------------------------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether every kind was read wholly, or is known not to be served."""
        return all(state.listed for state in self.states.values())

    @property
    def states(self) -> Mapping[Kind[Any], KindState]:
        """How the reading of each kind stands."""
        return {kind: reflector.state for kind, reflector in self._reflectors.items()}

    @property
    def served(self) -> Served:
        """What the API server serves, as far as it is known, and which versions have a status to write."""
        return self._offer.served

    @property
    def failure(self) -> NotFoundOut | None:
        """Why the API server does not say what it serves."""
        return self._offer.failure

    # -- building ----------------------------------------------------------------------------------------------

    def _append(self, facts: list[Fact]) -> None:
        self._log.append(facts, source=SOURCE)

    def _reflector(self, kind: Kind[Any]) -> Reflector:
        definitions = kind is kinds.CUSTOM_RESOURCE_DEFINITION
        return Reflector(
            self._memory(kind),
            client=self._client,
            append=self._append,
            offer=self._offer,
            complaints=self._complaints,
            timing=self._timing,
            opaque_key=self._opaque_key,
            notice=(lambda key: self._offer.notice(key.name)) if definitions else None,
        )

    def _memory(self, kind: Kind[Any]) -> Memory:
        if kind is kinds.SECRET:
            return self.secrets
        if kind is kinds.CUSTOM_RESOURCE_DEFINITION:
            return NamedIn(kind, group=GATEWAY_GROUP)
        return Memory(kind)
