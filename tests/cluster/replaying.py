"""A scenario of tests/reference on the real API server: applied as it was for the recording, step by step.

The cloud's part, addresses of Services that the operator makes, comes once these are there.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from stunnergw.resources.kinds import find
from stunnergw.settings import DataplaneMode, Decisions
from tests.cluster.reading_back import read_back
from tests.cluster.within import Within, operating_within
from tests.realparts.api import ApiError
from tests.reference.playing import FLAGS
from tests.reference.worlds import World, recorded_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object
    from tests.reference.scenarios import Scenario

RECORDED_CRDS = ("v1.0.0", "experimental")
"""The Gateway API that was there when the recordings were made."""


class Played(NamedTuple):
    """A scenario that was played to its end; the operator still runs."""

    within: Within
    world: World
    refused: tuple[str, ...]
    """Manifests that the API server did not take."""


@contextlib.asynccontextmanager
async def replaying(cluster: Cluster, api: Api, scenario: Scenario, mode: str) -> AsyncIterator[Played]:
    """Play a whole scenario; within the block all stands as it was left."""
    first, *later = scenario.steps
    applied = await apply(api, [thing for thing in first if not is_given(thing)])
    async with operating_within(cluster, decisions_of(scenario, mode)) as within:
        await within.has_finished()
        await within.has_seen(await give(api, [thing for thing in first if is_given(thing)]))
        await within.has_finished()
        for step in later:
            await take_step(api, within, step)
        yield Played(within, await world_of(api, within), tuple(applied.refused))


async def world_of(api: Api, within: Within) -> World:
    """Return what an operator made, in the common form."""
    return recorded_world(await read_back(api, documents=await within.documents()))


def decisions_of(scenario: Scenario, mode: str) -> Decisions:
    """Return the settings that a scenario was recorded with."""
    given: dict[str, Any] = {}
    for flag in scenario.flags(mode):
        given |= FLAGS[flag]
    return Decisions(dataplane_mode=DataplaneMode(mode), **given)


def is_given(thing: Object) -> bool:
    """Say whether a manifest is the cluster's part: a status of what the operator makes."""
    return "status" in thing and "spec" not in thing and thing["kind"] == "Service"


class Applied(NamedTuple):
    """What became of manifests."""

    taken: list[Object]
    """As they are now."""
    refused: list[str]


async def apply(api: Api, things: list[Object]) -> Applied:
    """Apply manifests with their statuses, the namespaces they need first."""
    there = {thing["metadata"]["name"] for thing in things if thing["kind"] == "Namespace"}
    needed = {thing["metadata"]["namespace"] for thing in things if "namespace" in thing["metadata"]} - there
    spaces: list[Object] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in needed]
    spaces += [thing for thing in things if thing["kind"] == "Namespace"]
    await api.apply(spaces, at_once=8)
    # Of these the oldest goes first, and those of one second by name: so they come in the order of their names.
    aged = sorted((thing for thing in things if thing["kind"] in ("GatewayClass", "Gateway")), key=_name)
    outcomes = [await _one(api, thing) for thing in aged]
    rest = [thing for thing in things if thing["kind"] not in ("Namespace", "GatewayClass", "Gateway")]
    outcomes += await asyncio.gather(*(_one(api, thing) for thing in rest))
    taken = [outcome for outcome in outcomes if isinstance(outcome, dict)]
    return Applied(taken, [outcome for outcome in outcomes if isinstance(outcome, str)])


def _name(thing: Object) -> tuple[str, str]:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


async def _one(api: Api, thing: Object) -> Object | str:
    try:
        (taken,) = await api.apply(thing, status=True)
    except ApiError as error:
        if error.status != 422:
            raise
        return f"{thing['kind']} {thing['metadata']['name']}"
    return taken


async def give(api: Api, things: list[Object]) -> list[Object]:
    """Assign addresses to the Services that are there, as a cloud would."""
    there = [thing for thing in things if await api.find(thing) is not None]
    return [await api.patch_status(thing, thing["status"]) for thing in there]


async def take_step(api: Api, within: Within, step: list[Object]) -> None:
    """Apply, or delete, what a later step says, and wait until the operator has dealt with it."""
    for thing in step:
        if thing.get("delete"):
            await api.delete(thing)
            await within.has_missed(thing)
    changed = await apply(api, [thing for thing in step if not thing.get("delete")])
    await within.has_seen(thing for thing in changed.taken if find(thing["apiVersion"], thing["kind"]))
    await within.has_finished()
