"""A thousand Gateways: all are served, exposed and told, and a restart writes nothing. Nothing stands still.

It takes minutes, so it runs in CI, and elsewhere when it is asked for: ``pytest -m many``.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.benchmarks.clusterwork import addresses, make, space
from tests.cluster.operating import operating, writes
from tests.realparts.audit import described
from tests.realparts.cluster import running
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.cluster.operating import OperatorProcess
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

GATEWAYS = 1_000
WITHIN = 180.0
"""Seconds after which it stands still rather than works, on any machine that tests are run on."""

pytestmark = [pytest.mark.many, pytest.mark.timeout(900)]


@pytest.fixture
async def crowd(cluster: Cluster, tmp_path: Path, saying: Callable[[str], None]) -> AsyncIterator[tuple[Cluster, Api]]:
    """A cluster with a thousand Gateways: its own, since to take all that away again would take longer."""
    with running(tmp_path / "crowd", say=saying) as made:
        async with made.api() as api:
            began = time.monotonic()
            await make(api, GATEWAYS)
            saying(f"{GATEWAYS} Gateways made in {time.monotonic() - began:.0f} s")
            yield made, api


async def test_a_thousand_gateways_converge_and_a_restart_writes_nothing(
    crowd: tuple[Cluster, Api], tmp_path: Path, saying: Callable[[str], None]
) -> None:
    cluster, api = crowd
    began = time.monotonic()
    async with operating(cluster, tmp_path) as operator:
        await all_written(operator)
        saying(f"all written {time.monotonic() - began:.0f} s after the start")
        patches = Counter(described(event) for event in writes(cluster, 0) if event["verb"] == "patch")
        assert [write for write, times in patches.items() if times > 1] == []
        # A class, its GatewayConfig and Dataplane, and of each Gateway a Service, a workload, its status, its route's.
        assert len(patches) == 3 + 4 * GATEWAYS
        documents = await served(operator)
        await every_status_is_written(api)
        assert await operator.stop() == 0
    mark, began = cluster.audit_log.mark(), time.monotonic()
    async with operating(cluster, tmp_path) as operator:
        await all_written(operator)
        saying(f"looked through {time.monotonic() - began:.0f} s after the restart")
        assert await served(operator) == documents
        assert [described(event) for event in writes(cluster, mark)] == []
        assert await operator.stop() == 0


async def all_written(operator: OperatorProcess) -> None:
    """Return once nothing waits to be written, and has not for a while."""

    async def nothing_waits() -> bool:
        for _ in range(3):
            waiting = await operator.metric("stunnergw_writes_waiting")
            undecided = await operator.metric("stunnergw_undecided_outputs")
            if waiting[""] or any(undecided.values()):
                return False
            await asyncio.sleep(1)
        return True

    await wait_for(nothing_waits, deadline=WITHIN, what="all to be written")


async def served(operator: OperatorProcess) -> dict[str, object]:
    """Return all documents by name; fails the test where one is missing or lacks its endpoints."""
    code, body = await operator.get("discovery", "/api/v1/configs")
    assert code == 200
    documents = {document["admin"]["name"]: document for document in orjson.loads(body)["items"]}
    for number in range(GATEWAYS):
        (cluster,) = documents[f"{space(number)}/edge"]["clusters"]
        assert set(addresses(number)) <= set(cluster["endpoints"])
    assert len(documents) == GATEWAYS
    return documents


async def every_status_is_written(api: Api) -> None:
    """Look at all of them, as the API server has them."""
    gateways = await api.all_of("gateway.networking.k8s.io/v1", "Gateway")
    routes = await api.all_of("stunner.l7mp.io/v1", "UDPRoute")
    assert [len(gateways), len(routes)] == [GATEWAYS, GATEWAYS]
    for gateway in gateways:
        conditions = {each["type"]: each for each in gateway["status"]["conditions"]}
        assert conditions["Accepted"]["status"] == "True"
        assert "has no load-balancer address" in conditions["Programmed"]["message"]
        assert gateway["status"]["listeners"][0]["attachedRoutes"] == 1
    for route in routes:
        (parent,) = route["status"]["parents"]
        assert {each["type"]: each["status"] for each in parent["conditions"]}["Accepted"] == "True"
