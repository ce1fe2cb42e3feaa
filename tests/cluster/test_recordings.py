"""The recordings of tests/reference on the real API server: later steps, and what it refuses, included.

What stands in the cluster afterwards is what the reference operator made, or differs as docs/differences.md says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.replaying import replaying
from tests.cluster.stage import conditions, named
from tests.reference.patching import differing
from tests.reference.scenarios import Scenario, all_scenarios, scenario
from tests.reference.transforming import expected_world

if TYPE_CHECKING:
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster


pytestmark = pytest.mark.usefixtures("recorded_crds")

REFUSED = {"07-auth-type-names": ("GatewayConfig odd",)}
"""What our own CRDs keep out."""


def cases() -> list[Any]:
    return [pytest.param(found, mode, id=f"{found.name}-{mode}") for found in all_scenarios() for mode in found.modes]


@pytest.mark.parametrize(("found", "mode"), cases())
async def test_recording(cluster: Cluster, api: Api, found: Scenario, mode: str) -> None:
    async with replaying(cluster, api, found, mode) as played:
        assert played.refused == REFUSED.get(found.name, ())
        expected, _ = expected_world(found, mode)
        told = list(differing(expected, played.world))
        assert not told, "neither as recorded nor as docs/differences.md says:\n" + "\n".join(told)


async def test_a_refusal_is_told_in_the_api_servers_words(cluster: Cluster, api: Api) -> None:
    async with replaying(cluster, api, scenario("41"), "managed"):
        said = conditions(await api.get(named("Gateway", "media", "edge")))["Programmed"]
        assert said.startswith("False AddressNotAssigned:")
        assert "provided port is not in the valid range" in said
