"""Taking over what the reference operator left: its objects and statuses become what we would have made from nothing.

What it left is written as it wrote it (:mod:`tests.cluster.impersonating`). What stays, stays on purpose: values whose
source nobody can see any more, and what others wrote.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.cluster.impersonating import LONG_AGO, MANAGER, leave
from tests.cluster.operating import writes
from tests.cluster.reading_back import OWNED, applied_fields
from tests.cluster.replaying import apply, decisions_of, give, is_given, world_of
from tests.cluster.stage import named
from tests.cluster.within import operating_within
from tests.realparts.audit import described
from tests.reference.patching import differing
from tests.reference.scenarios import Scenario, scenario
from tests.reference.transforming import expected_world

if TYPE_CHECKING:
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object

pytestmark = pytest.mark.usefixtures("recorded_crds")

TAKEN = ("01", "10", "16", "26", "38", "44", "47", "49", "51", "52", "53", "55", "56")
"""Those where all that is wanted, and nothing else, must stand there afterwards."""

STAYS = {
    ("53", "legacy"): "Service media/edge",
    ("56", "legacy"): "ConfigMap turn-system/stunnerd-config",
}
"""What stays on purpose: the Service of a Gateway with nothing to serve, a ConfigMap that pods may have mounted."""

EDGE = named("Service", "media", "edge")
EDGE_WORKLOAD = named("Deployment", "media", "edge")


def cases() -> list[Any]:
    return [
        pytest.param(found, mode, id=f"{found.name}-{mode}") for found in map(scenario, TAKEN) for mode in found.modes
    ]


async def left_behind(api: Api, found: Scenario, mode: str, recording: dict[str, Any] | None = None) -> None:
    """Have all of a scenario there, with what the reference operator made of it."""
    (step,) = found.steps
    await apply(api, [thing for thing in step if not is_given(thing)])
    await leave(api, recording or found.recording(mode))
    await give(api, [thing for thing in step if is_given(thing)])


async def start(cluster: Cluster, found: Scenario, mode: str) -> list[str]:
    """Run the operator until it has nothing left to do, and return what it wrote."""
    mark = cluster.audit_log.mark()
    async with operating_within(cluster, decisions_of(found, mode)) as within:
        await within.has_finished()
    return [described(event) for event in writes(cluster, mark)]


def managers(thing: Object) -> set[tuple[str, str]]:
    """Return who manages an object's fields, those of its status left out."""
    entries = thing["metadata"]["managedFields"]
    return {(entry["manager"], entry["operation"]) for entry in entries if not entry.get("subresource")}


@pytest.mark.parametrize(("found", "mode"), cases())
async def test_all_is_as_if_made_from_nothing(cluster: Cluster, api: Api, found: Scenario, mode: str) -> None:
    await left_behind(api, found, mode)
    expected, _ = expected_world(found, mode)
    async with operating_within(cluster, decisions_of(found, mode)) as within:
        await within.has_finished()
        world = await world_of(api, within)
        stays = STAYS.get((found.number, mode))
        if stays:
            del world["objects"][stays]
            world["configs"].pop(stays.removeprefix("ConfigMap "), None)
        told = list(differing(expected, world))
        assert not told, "\n".join(told)
    ours = [thing for kind in OWNED for thing in await api.all_of(*kind) if applied_fields(thing)]
    assert ours
    assert [thing["metadata"]["name"] for thing in ours if (MANAGER, "Update") in managers(thing)] == []
    assert await start(cluster, found, mode) == []


async def test_there_and_back_and_there_again(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    await left_behind(api, found, "managed")
    before = await api.get(EDGE_WORKLOAD)
    await start(cluster, found, "managed")
    expected, _ = expected_world(found, "managed")
    # The reference operator again: it updates the whole of what it finds to what it wants.
    ours = await api.get(EDGE_WORKLOAD)
    ours["spec"] = before["spec"]
    path = await api.path(EDGE_WORKLOAD)
    _, its = await api.request("PUT", path, body=ours, query={"fieldManager": MANAGER})
    assert "20M" in str(its["spec"])
    async with operating_within(cluster, decisions_of(found, "managed")) as within:
        await within.has_finished()
        told = list(differing(expected, await world_of(api, within)))
    assert not told, "\n".join(told)
    assert await start(cluster, found, "managed") == []


async def test_a_port_that_moved_meanwhile_is_there_once(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    await left_behind(api, found, "managed")
    moved = copy.deepcopy(next(thing for thing in found.objects if thing["kind"] == "Gateway"))
    moved["spec"]["listeners"][0]["port"] = 3500
    await api.apply(moved)
    await start(cluster, found, "managed")
    (port,) = (await api.get(EDGE))["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (3500, 3500)
    assert await start(cluster, found, "managed") == []


async def test_annotations_of_unknown_source_stay_and_are_nobodys(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    # It never takes an annotation away: here are those of a Gateway and a GatewayConfig that had some once.
    await left_behind(api, found, "managed", scenario("45").recording("managed"))
    await start(cluster, found, "managed")
    service = await api.get(EDGE)
    assert service["metadata"]["annotations"]["example.org/b"] == "config"
    assert all("f:example.org/b" not in str(entry) for entry in service["metadata"]["managedFields"])
    assert [port["name"] for port in service["spec"]["ports"]] == ["udp"]
    assert await start(cluster, found, "managed") == []


async def test_what_an_autoscaler_or_a_cloud_set_stays(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    recording = copy.deepcopy(found.recording("managed"))
    recording["objects"]["Deployment media/edge"]["spec"]["replicas"] = 3
    recording["objects"]["Service media/edge"]["spec"]["loadBalancerClass"] = "example.org/lb"
    await left_behind(api, found, "managed", recording)
    before = await api.get(EDGE)
    await start(cluster, found, "managed")
    assert (await api.get(EDGE_WORKLOAD))["spec"]["replicas"] == 3
    service = await api.get(EDGE)
    assert service["spec"]["loadBalancerClass"] == "example.org/lb"
    kept = ("clusterIP", "ports", "allocateLoadBalancerNodePorts")
    assert [service["spec"][field] for field in kept] == [before["spec"][field] for field in kept]
    assert service["metadata"]["uid"] == before["metadata"]["uid"]


async def test_statuses_lose_its_conditions_and_keep_those_of_others(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    await left_behind(api, found, "managed")
    gateway, route = named("Gateway", "media", "edge"), {**named("UDPRoute", "media", "sfu"), "apiVersion": ROUTES}
    theirs = {
        "type": "example.org/Scanned",
        "status": "True",
        "reason": "Clean",
        "message": "",
        "observedGeneration": 1,
    }
    theirs |= {"lastTransitionTime": LONG_AGO}
    status = (await api.get(gateway))["status"]
    await api.patch_status(gateway, {"conditions": [*status["conditions"], theirs]})
    entry = {"controllerName": "example.org/other", "parentRef": {"name": "theirs"}, "conditions": [theirs]}
    parents = (await api.get(route))["status"]["parents"]
    await api.patch_status(route, {"parents": [entry, *parents]})
    stored = (await api.get(route))["status"]["parents"][0]

    await start(cluster, found, "managed")

    now = (await api.get(gateway))["status"]
    assert theirs in now["conditions"]
    (listener,) = now["listeners"]
    assert {each["type"] for each in listener["conditions"]} == {"Accepted", "Programmed", "ResolvedRefs"}
    accepted = next(each for each in listener["conditions"] if each["type"] == "Accepted")
    assert accepted["lastTransitionTime"] == LONG_AGO, "it was accepted all the time"
    parents = (await api.get(route))["status"]["parents"]
    assert parents[0] == stored
    assert [parent["controllerName"] for parent in parents[1:]] == ["stunner.l7mp.io/gateway-operator"]
    assert await start(cluster, found, "managed") == []


async def test_a_route_of_a_broken_class_keeps_what_stands_there(cluster: Cluster, api: Api) -> None:
    found = scenario("15")
    await left_behind(api, found, "managed")
    route = {**named("UDPRoute", "media", "sfu"), "apiVersion": ROUTES}
    before = (await api.get(route))["status"]
    await start(cluster, found, "managed")
    assert orjson.dumps((await api.get(route))["status"]) == orjson.dumps(before)


ROUTES = "stunner.l7mp.io/v1"
