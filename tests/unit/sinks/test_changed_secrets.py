"""A secret that changes, here or there, is seen though the hash on the object says nothing of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from stunnergw.projection.bodies import APPLIED
from stunnergw.resources import kinds
from stunnergw.settings import ConfigVersion, DataplaneMode, Decisions
from tests.unit.sinks.stage import Stage, gateway_config

if TYPE_CHECKING:
    from tests.unit.sinks.apiserver import Body

pytestmark = pytest.mark.looptime

LEGACY = Decisions(dataplane_mode=DataplaneMode.LEGACY, config_version=ConfigVersion.V1)
MANAGER = "stunner-gateway-operator"


def plane(token: str, **more: Any) -> Body:
    env = [{"name": "TOKEN", "value": token}, {"name": "EMPTY", "value": ""}]
    return {"metadata": {"name": "default"}, "spec": {"env": env, **more}}


def token(stage: Stage) -> str:
    return str(variable(stage.server.get(kinds.DEPLOYMENT, "edge"))["value"])


def variable(workload: Body) -> Body:
    env = workload["spec"]["template"]["spec"]["containers"][0]["env"]
    (found,) = [each for each in env if each["name"] == "TOKEN"]
    return found  # type: ignore[no-any-return]


def password(stage: Stage) -> str:
    document = orjson.loads(stage.server.get(kinds.CONFIG_MAP, "stunnerd-config")["data"]["stunnerd.conf"])
    return str(document["auth"]["credentials"]["password"])


def applied(stage: Stage, kind: Any, name: str) -> str:
    return str(stage.server.get(kind, name)["metadata"]["annotations"][APPLIED])


def _steal(body: Body) -> None:
    """Change the value, and leave the field ours, as nobody could but by our own name."""
    variable(body)["value"] = "stolen"


async def test_a_changed_variable_is_applied_under_the_same_hash() -> None:
    stage = Stage()
    stage.server.put(kinds.DATAPLANE, plane("one"))
    async with stage.running() as life:
        await life.idle()
        before = applied(stage, kinds.DEPLOYMENT, "edge")
        stage.server.put(kinds.DATAPLANE, plane("two"))
        await life.idle()
        assert token(stage) == "two"
        assert applied(stage, kinds.DEPLOYMENT, "edge") == before
        assert {fact.digest for fact in life.wrote if fact.kind == "Deployment"} == {before}
        assert life.outcomes("Deployment") == ["written", "written"]


async def test_a_variable_that_changed_while_we_were_away_is_applied() -> None:
    stage = Stage()
    stage.server.put(kinds.DATAPLANE, plane("one"))
    await stage.once()
    stage.server.put(kinds.DATAPLANE, plane("two"))
    async with stage.running() as life:
        await life.idle()
        assert token(stage) == "two"
    # The Dataplane has another generation, which its status tells.
    assert sorted(stage.server.writes) == ["PATCH Dataplane default/status", "PATCH Deployment media/edge"]


async def test_a_restart_writes_no_secret_again() -> None:
    stage = Stage()
    stage.server.put(kinds.DATAPLANE, plane("one"))
    await stage.once()
    async with stage.running() as life:
        await life.idle()
        await asyncio.sleep(600)
    assert stage.server.requests == []


async def test_a_variable_that_somebody_changed_is_put_back() -> None:
    stage = Stage()
    stage.server.put(kinds.DATAPLANE, plane("one"))
    async with stage.running() as life:
        await life.idle()
        stage.server.edit(kinds.DEPLOYMENT, "edge", _steal, manager=MANAGER)
        await life.idle()
        assert token(stage) == "one"


async def test_a_document_that_changes_is_written_each_time_at_once() -> None:
    """All of a ConfigMap's document is a secret: its hash never changes, and no change of it is a repetition."""
    stage = Stage(decisions=LEGACY)
    async with stage.running() as life:
        await life.idle()
        before = applied(stage, kinds.CONFIG_MAP, "stunnerd-config")
        for number in range(12):
            stage.server.put(kinds.GATEWAY_CONFIG, gateway_config(password=f"pa55-{number}"))
            await asyncio.sleep(0.03)
            assert password(stage) == f"pa55-{number}"
        assert applied(stage, kinds.CONFIG_MAP, "stunnerd-config") == before
        await asyncio.sleep(1)

        def forge(body: Body) -> None:
            body["data"]["stunnerd.conf"] = body["data"]["stunnerd.conf"].replace("pa55-11", "forged")

        stage.server.edit(kinds.CONFIG_MAP, "stunnerd-config", forge, manager=MANAGER)
        await asyncio.sleep(1)
        assert password(stage) == "pa55-11"


async def test_no_event_and_no_annotation_tells_one_password_from_another() -> None:
    told: list[set[str]] = []
    for secret in ("pa55word", "another"):
        stage = Stage(decisions=LEGACY)
        stage.server.put(kinds.GATEWAY_CONFIG, gateway_config(password=secret))
        async with stage.running() as life:
            await life.idle()
            digests = {fact.digest for fact in life.wrote if fact.kind == "ConfigMap"}
            told.append({applied(stage, kinds.CONFIG_MAP, "stunnerd-config"), *digests})
    assert told[0] == told[1]
    assert len(told[0]) == 1


async def test_what_bears_another_hash_is_applied_once() -> None:
    """As objects do that an earlier version wrote."""
    stage = Stage()
    await stage.once()

    def older(body: Body) -> None:
        body["metadata"]["annotations"][APPLIED] = "0123456789abcdef"

    stage.server.edit(kinds.SERVICE, "edge", older, manager=MANAGER)
    stage.server.edit(kinds.DEPLOYMENT, "edge", older, manager=MANAGER)
    async with stage.running() as life:
        await life.idle()
    assert sorted(stage.server.writes) == ["PATCH Deployment media/edge", "PATCH Service media/edge"]
