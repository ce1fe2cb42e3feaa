"""The operator within the test's own process, over the real API server: quicker than a process, and open to view.

What a scenario needs of it: that it has seen what was applied, and has nothing left to do.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from stunnergw.clustered import Cluster as Surroundings
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import connect
from stunnergw.operator import Operator
from stunnergw.resources.kinds import find
from stunnergw.resources.metadata import Key
from stunnergw.serving.server import CONFIG_DISCOVERY
from stunnergw.settings import Address, Settings
from tests.realparts.cluster import MASTERS
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from stunnergw.settings import Decisions
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object

WITHIN = 30.0


class Within:
    """An operator that runs."""

    def __init__(self, operator: Operator, surroundings: Surroundings) -> None:
        self.operator = operator
        self.surroundings = surroundings

    async def has_seen(self, things: Iterable[Object]) -> None:
        """Return once it has read these objects, as the API server answered them, or anything later."""
        for thing in things:
            kind = find(thing["apiVersion"], thing["kind"])
            assert kind is not None, f"the operator reads no {thing['kind']}"

            async def seen(kind: Any = kind, thing: Object = thing) -> bool:
                read = self.surroundings.source.states[kind].resource_version
                return int(read or 0) >= int(thing["metadata"]["resourceVersion"])

            await wait_for(seen, deadline=WITHIN, what=f"{thing['kind']} {thing['metadata']['name']} read")

    async def has_missed(self, thing: Object) -> None:
        """Return once it knows that an object is gone."""
        kind = find(thing["apiVersion"], thing["kind"])
        assert kind is not None
        key = Key(thing["metadata"].get("namespace", ""), thing["metadata"]["name"])

        async def gone() -> bool:
            return self.operator.store.get(kind, key) is None

        await wait_for(gone, deadline=WITHIN, what=f"{thing['kind']} {key} gone")

    async def has_finished(self) -> None:
        """Return once all that it has read is projected and written, or refused."""

        async def finished() -> bool:
            return self._is_finished() and await self._stays_finished()

        await wait_for(finished, deadline=WITHIN, what="nothing left to do")

    async def documents(self) -> list[dict[str, Any]]:
        """Return the documents that it serves."""
        address = self.operator.servers.addresses[CONFIG_DISCOVERY]
        async with aiohttp.ClientSession() as session, session.get(f"http://{address}/api/v1/configs") as answer:
            found: list[dict[str, Any]] = orjson.loads(await answer.read())["items"]
            return found

    def _is_finished(self) -> bool:
        events = self.operator.log
        return self.operator.projector.idle and events.folded >= events.last

    async def _stays_finished(self) -> bool:
        """What was written comes back as an event, and what was projected reaches the queue a moment later."""
        last = self.operator.log.last
        await self.surroundings.sinks.idle()
        await asyncio.sleep(0.05)
        return self._is_finished() and self.operator.log.last == last


@contextlib.asynccontextmanager
async def operating_within(cluster: Cluster, decisions: Decisions, *, user: str = "operator") -> AsyncIterator[Within]:
    """Run an operator within a block, ready at its beginning."""
    settings = Settings(
        decisions=decisions,
        config_discovery_address=Address("127.0.0.1", 0),
        inspection_address=None,
        health_probe_bind_address=None,
        metrics_bind_address=None,
    )
    connection = await connect(str(cluster.kubeconfig_for(user, [MASTERS])))
    async with KubeClient(connection) as client:
        surroundings = Surroundings(settings, client=client, connection=connection)
        operator = Operator(settings, surroundings=surroundings)
        running = asyncio.create_task(operator.run())
        try:
            ready = asyncio.create_task(operator.ready.wait())
            await asyncio.wait((running, ready), timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            if running.done():
                await running
            assert operator.ready.is_set(), f"not ready: {operator.servers.readiness.results()}"
            yield Within(operator, surroundings)
        finally:
            operator.stop()
            await running
