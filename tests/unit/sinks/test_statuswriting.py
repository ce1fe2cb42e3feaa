"""Statuses on the API server: only differences, other controllers' entries kept, later views left alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog

from stunnergw.errors import ApiError
from stunnergw.projection.outputs import Want
from stunnergw.projection.reasons import Reason
from stunnergw.projection.statuses import ClassStatus, Condition, ParentStatus, RouteStatus
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.resources.routes import ParentReference
from stunnergw.sinks.statuswriting import differs, is_newer
from tests.unit.sinks.apiserver import SERVED, to
from tests.unit.sinks.stage import Stage, gateway, gateway_config, route

if TYPE_CHECKING:
    from tests.unit.sinks.apiserver import Body

looptime = pytest.mark.looptime

THEIRS = {
    "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"},
    "controllerName": "example.org/other",
    "conditions": [
        {"type": "Accepted", "status": "True", "observedGeneration": 9, "reason": "Accepted", "message": ""}
    ],
}
CALLS = Key("media", "calls")


def add_theirs(stage: Stage, marker: str) -> None:
    """Another controller writes its entry, over the latest version."""

    def change(body: Body) -> None:
        parents = body.setdefault("status", {}).setdefault("parents", [])
        others = [parent for parent in parents if parent["controllerName"] != THEIRS["controllerName"]]
        body["status"]["parents"] = [{**THEIRS, "marker": marker}, *others]

    stage.server.edit(kinds.UDP_ROUTE, "calls", change, manager="other")


def parents(stage: Stage) -> list[Any]:
    found: list[Any] = stage.server.get(kinds.UDP_ROUTE, "calls")["status"]["parents"]
    return found


@looptime
async def test_two_controllers_at_once_lose_nothing_of_each_other() -> None:
    stage = Stage()
    stage.server.put(kinds.UDP_ROUTE, route("calls"))
    count = iter(range(100))
    stage.server.before(lambda: add_theirs(stage, str(next(count))), fits=to(kinds.UDP_ROUTE, method="PATCH"), times=3)
    async with stage.running() as life:
        await life.idle()
        mine = [parent for parent in parents(stage) if parent["controllerName"].startswith("stunner")]
        assert len(mine) == 1
        assert parents(stage)[0]["marker"] == "2"
        assert life.outcomes("UDPRoute") == ["written"]
    assert stage.server.writes.count("PATCH UDPRoute media/calls/status") == 4
    assert stage.server.reads.count("UDPRoute media/calls") == 3


@looptime
async def test_a_writer_that_always_loses_gives_up_and_comes_again() -> None:
    stage = Stage()
    stage.server.put(kinds.UDP_ROUTE, route("calls"))
    count = iter(range(10_000))
    stage.server.before(lambda: add_theirs(stage, str(next(count))), fits=to(kinds.UDP_ROUTE, method="PATCH"), times=5)
    async with stage.running() as life:
        await life.idle()
        assert life.outcomes("UDPRoute") == ["failed", "written"]
        (failed,) = [fact for fact in life.wrote if fact.outcome == "failed"]
        assert failed.message == "others keep changing UDPRoute media/calls"
        assert len(parents(stage)) == 2


@looptime
async def test_a_status_that_somebody_wiped_is_written_again() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.edit(kinds.GATEWAY_CLASS, "turn", lambda body: body["status"].update(conditions=[]))
        await life.idle()
        assert stage.server.get(kinds.GATEWAY_CLASS, "turn")["status"]["conditions"]


@looptime
async def test_a_message_alone_keeps_the_time_of_the_transition() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        before = stage.server.get(kinds.GATEWAY, "edge")["status"]["conditions"][0]
        assert before["lastTransitionTime"].startswith("2026-01-01T")
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3479))
        await life.idle()
        after = stage.server.get(kinds.GATEWAY, "edge")["status"]["conditions"][0]
        assert after["lastTransitionTime"] == before["lastTransitionTime"]
        assert after["observedGeneration"] == before["observedGeneration"] + 1


@looptime
async def test_a_status_of_a_later_view_is_left_alone() -> None:
    stage = Stage()
    later = {"type": "Accepted", "status": "False", "observedGeneration": 7, "reason": "Invalid", "message": ""}
    body = gateway("edge")
    stage.server.put(kinds.GATEWAY, {**body, "status": {"conditions": [later]}})
    async with stage.running() as life:
        await life.idle()
        assert stage.server.get(kinds.GATEWAY, "edge")["status"]["conditions"] == [later]
        assert life.outcomes("Gateway") == []


@looptime
async def test_a_status_of_what_is_gone_is_no_trouble() -> None:
    stage = Stage()
    stage.server.refuse(ApiError(404, reason="NotFound", message="gone"), fits=to(kinds.GATEWAY, subresource="/status"))
    async with stage.running() as life:
        await life.idle()
        assert life.outcomes("Gateway") == []


@looptime
async def test_own_kinds_that_have_no_status_there_are_passed_by_in_silence() -> None:
    # With the CRDs of the operator that came before.
    without = {kinds.GATEWAY_CONFIG, kinds.DATAPLANE, kinds.STATIC_SERVICE}
    with_status = frozenset(pair for pair in SERVED.with_status if pair[0] not in without)
    stage = Stage(served=SERVED._replace(with_status=with_status))
    stage.server.put(kinds.STATIC_SERVICE, {"metadata": {"name": "lab", "namespace": "media"}, "spec": {}})
    with structlog.testing.capture_logs() as logged:
        async with stage.running() as life:
            await life.idle()
            await asyncio.sleep(600)
    assert "status" not in stage.server.get(kinds.GATEWAY_CONFIG, "turn")
    assert {fact.kind for fact in life.wrote} == {"Deployment", "Gateway", "GatewayClass", "Service"}
    assert logged == []


@looptime
async def test_what_others_wrote_into_a_status_of_an_own_kind_stays() -> None:
    stage = Stage()
    theirs = {"type": "example.org/Checked", "status": "True", "reason": "Checked", "message": ""}
    body = {**gateway_config(), "status": {"conditions": [theirs], "classes": ["gone"], "other": 1}}
    stage.server.put(kinds.GATEWAY_CONFIG, body)
    await stage.once()
    status = stage.server.get(kinds.GATEWAY_CONFIG, "turn")["status"]
    assert status["conditions"][0] == theirs
    assert [each["type"] for each in status["conditions"]] == ["example.org/Checked", "Accepted"]
    assert (status["classes"], status["other"]) == (["turn"], 1)


# Comparing -------------------------------------------------------------------------------------------------------


def condition(kind: str = "Accepted", **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": "True", "observedGeneration": 2, **more}


AT_A, AT_B = {"lastTransitionTime": "a"}, {"lastTransitionTime": "b"}


@pytest.mark.parametrize(
    ("merged", "stored", "verdict"),
    [
        ({"conditions": [condition()]}, None, True),
        ({}, None, False),
        (
            {"conditions": [condition(lastTransitionTime="a")]},
            {"conditions": [condition(lastTransitionTime="b")]},
            False,
        ),
        ({"conditions": [condition("A"), condition("B")]}, {"conditions": [condition("B"), condition("A")]}, False),
        ({"conditions": [condition(reason="A")]}, {"conditions": [condition(reason="B")]}, True),
        ({"conditions": [condition(), condition("B")]}, {"conditions": [condition()]}, True),
    ],
)
def test_times_and_order_make_no_difference(merged: Any, stored: Any, verdict: bool) -> None:
    assert differs(merged, orjson.dumps(stored) if stored is not None else None) is verdict


@pytest.mark.parametrize(("generation", "newer"), [(1, False), (2, False), (3, True)])
def test_a_condition_of_a_later_generation_is_newer(generation: int, newer: bool) -> None:
    wanted = ClassStatus((Condition("Accepted", "True", Reason.ACCEPTED, "", 2),))
    stored = orjson.dumps(
        {"conditions": [condition(observedGeneration=generation), condition("X", observedGeneration=9)]}
    )
    assert is_newer(stored, wanted) is newer


def test_entries_of_other_controllers_say_nothing_of_our_view() -> None:
    ours = Want((Condition("Accepted", "True", Reason.ACCEPTED, "", 2),))
    wanted = RouteStatus("us", (ParentStatus(ParentReference(name="edge"), ours),))
    stored = {"parents": [{"controllerName": "them", "conditions": [condition(observedGeneration=9)]}]}
    assert not is_newer(orjson.dumps(stored), wanted)
    stored["parents"][0]["controllerName"] = "us"
    assert is_newer(orjson.dumps(stored), wanted)
