"""The recordings of tests/reference on the real API server: later steps, and what it refuses, included.

What stands in the cluster afterwards is what the reference operator made, or differs as docs/differences.md says.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.replaying import CRDS, replaying
from tests.cluster.stage import conditions, named, prepare
from tests.reference.patching import differing
from tests.reference.scenarios import Scenario, all_scenarios
from tests.reference.transforming import expected_world

if TYPE_CHECKING:
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster


REFUSED = {"07-auth-type-names": ("GatewayConfig odd",)}
"""What our own CRDs keep out."""


@pytest.fixture(scope="module")
def crds(cluster: Cluster) -> None:
    """Install the CRDs of the recordings."""

    async def install() -> None:
        async with cluster.api() as api:
            await prepare(api, *CRDS)

    asyncio.run(install())


def cases() -> list[Any]:
    return [
        pytest.param(scenario, mode, id=f"{scenario.name}-{mode}")
        for scenario in all_scenarios()
        for mode in scenario.modes
    ]


@pytest.mark.usefixtures("crds")
@pytest.mark.parametrize(("scenario", "mode"), cases())
async def test_recording(cluster: Cluster, api: Api, scenario: Scenario, mode: str) -> None:
    async with replaying(cluster, api, scenario, mode) as played:
        assert played.refused == REFUSED.get(scenario.name, ())
        expected, _ = expected_world(scenario, mode)
        told = list(differing(expected, played.world))
        assert not told, "neither as recorded nor as docs/differences.md says:\n" + "\n".join(told)


@pytest.mark.usefixtures("crds")
async def test_a_refusal_is_told_in_the_api_servers_words(cluster: Cluster, api: Api) -> None:
    scenario = next(found for found in all_scenarios() if found.name == "41-nodeport-refused")
    async with replaying(cluster, api, scenario, "managed"):
        said = conditions(await api.get(named("Gateway", "media", "edge")))["Programmed"]
        assert said.startswith("False AddressNotAssigned:")
        assert "provided port is not in the valid range" in said
