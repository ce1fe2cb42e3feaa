"""Two replicas: both read and serve, one writes. When it goes, however it goes, the other writes, and it alone.

Each replica is a user of its own, so that the API server's audit log tells their writes apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.kube.lease import DURATION, RETRY
from tests.cluster.operating import MANAGED, operating, settled, writes
from tests.cluster.stage import INSTALLATION, install, named, prepare
from tests.realparts.audit import described
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cluster.operating import OperatorProcess
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

LONGEST_RETRY = RETRY * 1.2
"""Seconds between two tries, with the most jitter."""

SLACK = 3.0
"""Seconds for two loaded processes, the API server and the test's own look, every twentieth of a second."""


class Replica(NamedTuple):
    """One of the two."""

    user: str
    operator: OperatorProcess

    async def leads(self) -> bool:
        """Say whether it writes."""
        return (await self.operator.metric("stunnergw_leading"))[""] == 1

    async def port(self, namespace: str) -> int:
        """Return the port that its document has."""
        document = await self.operator.document(namespace, "edge")
        assert document is not None
        return int(document["listeners"][0]["port"])


class Stage(NamedTuple):
    """Two replicas over one installation, the first of which leads."""

    cluster: Cluster
    api: Api
    namespace: str
    first: Replica
    second: Replica

    async def move_to(self, port: int) -> None:
        """Change the listener's port, and so the Service and the document."""
        await install(self.api, self.namespace, text=INSTALLATION.replace("port: 3478", f"port: {port}"))

    async def service_port(self) -> int:
        """Return the port that the Service has."""
        service = await self.api.get(named("Service", self.namespace, "edge"))
        return int(service["spec"]["ports"][0]["port"])

    async def written(self, port: int, *, within: float) -> float:
        """Return after how many seconds the Service had a port, or one above it."""

        async def there() -> bool:
            return await self.service_port() >= port

        began = time.monotonic()
        await wait_for(there, deadline=within, what=f"port {port} in the Service")
        return time.monotonic() - began

    def writes_of(self, replica: Replica, mark: int, *, succeeded: bool | None = None) -> list[str]:
        """Return what a replica wrote since a mark, its tries for the lease left out."""
        return [described(event) for event in writes(self.cluster, mark, user=replica.user, succeeded=succeeded)]


@contextlib.asynccontextmanager
async def two(cluster: Cluster, api: Api, namespace: str, folder: Path) -> AsyncIterator[Stage]:
    """Run two replicas, of which the first leads and has written all."""
    await prepare(api)
    await install(api, namespace)
    flags = (*MANAGED, "--leader-elect", f"--leader-election-namespace={namespace}")
    async with operating(cluster, folder, *flags, user="replica-1") as one:
        first = Replica("replica-1", one)
        await wait_for(first.leads, deadline=30, what="the first to lead")
        async with operating(cluster, folder, *flags, user="replica-2") as other:
            await settled(cluster, one, user=first.user)
            yield Stage(cluster, api, namespace, first, Replica("replica-2", other))


async def test_both_serve_and_the_leader_hands_over_when_it_ends(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    mark = cluster.audit_log.mark()
    async with two(cluster, api, namespace, tmp_path) as stage:
        assert await stage.second.operator.get("health", "/readyz") == (200, b"ok\n")
        assert not await stage.second.leads()
        await stage.move_to(3479)
        for replica in (stage.first, stage.second):

            async def served(replica: Replica = replica) -> bool:
                return await replica.port(namespace) == 3479

            await wait_for(served)
        await settled(cluster, stage.first.operator, user=stage.first.user)
        assert stage.writes_of(stage.second, mark) == []
        assert await stage.service_port() == 3479
        assert await stage.first.operator.stop() == 0
        await stage.move_to(3480)
        await stage.written(3480, within=LONGEST_RETRY + SLACK)
        assert await stage.second.leads()
        assert await stage.second.operator.stop() == 0


async def test_a_killed_leader_is_followed_within_the_lease_and_one_retry(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    mark = cluster.audit_log.mark()
    async with two(cluster, api, namespace, tmp_path) as stage:
        await stage.first.operator.stop(signal.SIGKILL)
        await stage.move_to(3479)
        took = await stage.written(3479, within=DURATION + LONGEST_RETRY + SLACK)
        assert took > DURATION - LONGEST_RETRY - SLACK  # it did not take what was not up for taking
        await settled(cluster, stage.second.operator, user=stage.second.user)
        # What the first had written in its time was in order.
        assert sorted(stage.writes_of(stage.second, mark)) == [
            f"patch gateways/status {namespace}/edge: 200",
            f"patch services {namespace}/edge: 200",
        ]
        assert await stage.second.operator.stop() == 0


async def test_a_deposed_leader_that_wakes_changes_nothing(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    async with two(cluster, api, namespace, tmp_path) as stage, asyncio.TaskGroup() as group:
        changing = group.create_task(change_for_ever(stage))
        await stage.written(4003, within=20)
        # In the middle of its work: some of it is decided and not yet sent.
        stage.first.operator.send(signal.SIGSTOP)
        await wait_for(stage.second.leads, deadline=DURATION + LONGEST_RETRY + SLACK, what="the second to lead")
        mark = cluster.audit_log.mark()
        stage.first.operator.send(signal.SIGCONT)

        async def woken() -> bool:
            return not await stage.first.leads() and await stage.first.port(namespace) >= await stage.service_port()

        await wait_for(woken, deadline=30, what="the first to know that it does not lead, and what is new")
        await stage.written(await stage.service_port() + 5, within=20)
        changing.cancel()
        await asyncio.wait([changing])
        await stage.move_to(5000)
        await stage.written(5000, within=10)
        await settled(cluster, stage.second.operator, user=stage.second.user)
        assert stage.writes_of(stage.second, mark) != []
        assert stage.writes_of(stage.first, mark, succeeded=True) == []
        assert await stage.second.operator.stop() == 0
        # Until it leads again.
        await stage.move_to(5001)
        await stage.written(5001, within=LONGEST_RETRY + SLACK)
        assert stage.writes_of(stage.first, mark, succeeded=True) != []
        assert await stage.first.operator.stop() == 0


async def change_for_ever(stage: Stage) -> None:
    """Move the listener to port after port, each as soon as the one before could have been written."""
    port = 4000
    while True:
        port += 1
        await stage.move_to(port)
        await asyncio.sleep(0.3)
