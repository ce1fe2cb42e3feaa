"""Kubernetes Events: with the write that turns a condition, and never otherwise; nothing rests on them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from stunnergw.errors import ApiError, Unreachable
from stunnergw.resources import kinds
from stunnergw.sinks.reporting import LONGEST_MESSAGE, MOST_REMEMBERED, OF_ALL, OF_ONE
from tests.unit.sinks.stage import Lease, Stage, gateway, gateway_config, route

if TYPE_CHECKING:
    from tests.unit.sinks.apiserver import Body, Request

pytestmark = pytest.mark.looptime


def is_event(request: Request) -> bool:
    return request.path.endswith("/events")


def told(stage: Stage) -> list[tuple[str, str, str]]:
    return [
        (event["involvedObject"]["kind"], event["type"], event["reason"])
        for event in sorted(stage.server.events, key=lambda event: str(event["involvedObject"]["kind"]))
    ]


def with_address(stage: Stage, *addresses: str) -> None:
    ingress = [{"ip": address} for address in addresses]

    def change(body: Body) -> None:
        body["status"] = {"loadBalancer": {"ingress": ingress}}

    stage.server.edit(kinds.SERVICE, "edge", change, manager="cloud")


async def test_an_event_as_kubectl_describe_finds_it() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
    (event,) = stage.server.events
    assert event["metadata"] == {"generateName": "edge-", "namespace": "media"}
    assert event["involvedObject"] == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "namespace": "media",
        "name": "edge",
        "uid": stage.server.get(kinds.GATEWAY, "edge")["metadata"]["uid"],
    }
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "AddressNotAssigned", 1)
    assert event["message"].startswith("not Programmed: ")
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"


async def test_what_turns_is_told_once_and_a_restart_tells_nothing() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        with_address(stage, "198.51.100.7")
        await life.idle()
        assert told(stage) == [("Gateway", "Normal", "Programmed")]
        # Another message for the same.
        with_address(stage, "198.51.100.8")
        await life.idle()
        assert len(stage.server.events) == 1
        with_address(stage)
        await life.idle()
        assert told(stage)[1:] == [("Gateway", "Warning", "AddressNotAssigned")]
    stage.server.forget_requests()
    async with stage.running() as life:
        await life.idle()
        await asyncio.sleep(600)
    assert stage.server.events == []


async def test_a_class_that_breaks_says_that_its_gateways_go_on() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        stage.server.put(kinds.GATEWAY_CONFIG, gateway_config(password=None))
        await life.idle()
        assert told(stage) == [
            (kind, "Warning", "InvalidParameters") for kind in ("Gateway", "GatewayClass", "GatewayConfig")
        ]
        (of_class,) = [event for event in stage.server.events if event["involvedObject"]["kind"] == "GatewayClass"]
        assert of_class["metadata"]["namespace"] == "default"
        assert "namespace" not in of_class["involvedObject"]
        assert of_class["message"].startswith("Gateways that it served go on with what they have: no longer Accepted: ")
        stage.server.put(kinds.GATEWAY_CONFIG, gateway_config())
        await life.idle()
        # The Gateway still has no address: that it was not programmed is known.
        assert [each for each in told(stage) if each[1] == "Normal"] == [
            (kind, "Normal", "Accepted") for kind in ("Gateway", "GatewayClass", "GatewayConfig")
        ]
    assert "pa55word" not in str(stage.server.events)


async def test_a_service_that_somebody_else_has_taken_is_told() -> None:
    stage = Stage()
    theirs = {"metadata": {"name": "edge", "namespace": "media"}, "spec": {"selector": {"app": "theirs"}}}
    stage.server.put(kinds.SERVICE, theirs)
    async with stage.running() as life:
        await life.idle()
    (event,) = stage.server.events
    assert event["type"] == "Warning"
    assert "Service media/edge" in event["message"]
    assert "is not ours" in event["message"]


async def test_a_route_is_told_of() -> None:
    stage = Stage()
    stage.server.put(kinds.UDP_ROUTE, route("calls"))
    async with stage.running() as life:
        await life.idle()
    assert ("UDPRoute", "Warning", "BackendNotFound") in told(stage)


async def test_of_two_replicas_the_one_that_writes_tells() -> None:
    stage = Stage()
    async with stage.running(lease=Lease(leading=False)), stage.running(lease=Lease()) as leader:
        await leader.idle()
        await asyncio.sleep(60)
    assert len(stage.server.events) == 1


async def test_a_dry_run_tells_nothing() -> None:
    stage = Stage()
    async with stage.running(dry_run=True) as life:
        await life.idle()
        await life.sinks.plan()
    assert stage.server.events == []


@pytest.mark.parametrize(
    "error", [ApiError(403, reason="Forbidden", message="may not create events"), Unreachable("nobody there")]
)
async def test_what_cannot_be_told_holds_up_nothing_and_is_logged_once(error: Any) -> None:
    stage = Stage()
    stage.server.refuse(error, fits=is_event)
    with structlog.testing.capture_logs() as logged:
        async with stage.running() as life:
            await life.idle()
            with_address(stage, "198.51.100.7")
            await life.idle()
            await asyncio.sleep(600)
            assert life.sinks.waiting == 0
            assert sum(number for (_, kind, _), number in life.sinks.writes.items() if kind == "Event") == 2
            assert "failed" not in {fact.outcome for fact in life.wrote}
    assert len(stage.server.events) == 2  # tried once each
    assert [entry["event"] for entry in logged] == ["an Event could not be written, nothing rests on it"]
    assert stage.server.get(kinds.GATEWAY, "edge")["status"]["conditions"][1]["status"] == "True"


async def test_an_object_that_never_rests_is_told_of_now_and_then() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        for number in range(40):
            with_address(stage, *(["198.51.100.7"] if number % 2 else []))
            await life.idle()
        assert len(stage.server.events) <= OF_ONE.most + 1
        assert life.sinks.writes["create", "Event", "left out"] > 0
        stage.server.forget_requests()
        await asyncio.sleep(OF_ONE.most / OF_ONE.per_second)
        with_address(stage)
        await life.idle()
        assert len(stage.server.events) == 1


async def test_of_many_at_once_some_are_told() -> None:
    stage = Stage()
    for number in range(MOST_REMEMBERED + 200):
        stage.server.put(kinds.STATIC_SERVICE, static_service(number, "lab"))
    async with stage.running() as life:
        await life.idle()
        sent = len(stage.server.events)
        assert OF_ALL.most <= sent < OF_ALL.most + 100
        assert life.sinks.writes["create", "Event", "left out"] == MOST_REMEMBERED + 201 - sent


def static_service(number: int, prefix: str) -> Body:
    return {"metadata": {"name": f"lab-{number}", "namespace": "media"}, "spec": {"prefixes": [prefix]}}


async def test_names_and_messages_of_any_length_make_events_that_are_taken() -> None:
    stage = Stage()
    name = "a" * 49 + "." + "b" * 203
    lab: Body = {"metadata": {"name": name, "namespace": "media"}, "spec": {"prefixes": ["\\" * 64] * 20}}
    stage.server.put(kinds.STATIC_SERVICE, lab)
    async with stage.running() as life:
        await life.idle()
    (event,) = [each for each in stage.server.events if each["involvedObject"]["kind"] == "StaticService"]
    assert event["metadata"]["generateName"] == "a" * 49 + "-"
    assert event["involvedObject"]["name"] == name
    assert len(event["message"]) == LONGEST_MESSAGE


async def test_what_waits_is_dropped_with_the_lease() -> None:
    stage, lease = Stage(), Lease()
    stage.server.put(kinds.GATEWAY, gateway("core"))

    def lose() -> None:
        lease.set(leading=False)

    stage.server.before(lose, fits=is_event)
    async with stage.running(lease=lease):
        await asyncio.sleep(60)
    assert len(stage.server.events) == 1
