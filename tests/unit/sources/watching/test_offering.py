"""CRDs in any order: kinds that come later, change their versions, and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.errors import Unreachable
from stunnergw.kube.paths import group_path
from stunnergw.resources import kinds
from stunnergw.resources.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    ENDPOINT_SLICE,
    ENDPOINTS,
    GATEWAY,
    GATEWAY_CLASS,
    GATEWAY_CONFIG,
    UDP_ROUTE,
)
from tests.unit.sources.watching.server import CUT, refusal
from tests.unit.sources.watching.test_reflecting import gaps, put_gateway

if TYPE_CHECKING:
    from stunnergw.resources.kinds import Kind
    from tests.unit.sources.watching.conftest import Stage

pytestmark = pytest.mark.looptime

GATEWAY_V1 = group_path(GATEWAY.group, "v1")


def put_definition(stage: Stage, kind: Kind[Any], **meta: Any) -> None:
    stage.server.put(CUSTOM_RESOURCE_DEFINITION, f"{kind.plural}.{kind.group}", meta=meta)


def looks(stage: Stage) -> int:
    return len([request for request in stage.server.requests if request.path == GATEWAY_V1])


async def test_a_kind_that_is_missing_is_said_to_be_missing_and_holds_up_nothing(stage: Stage) -> None:
    stage.server.withdraw(UDP_ROUTE)
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        assert stage.told(UDP_ROUTE) == ["listed"]
        assert not stage.server.asked("list", UDP_ROUTE)


async def test_a_kind_that_appears_is_found_at_once_when_its_definition_is_told_of(stage: Stage) -> None:
    for kind in (UDP_ROUTE, GATEWAY_CONFIG):
        stage.server.withdraw(kind)
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        await stage.settle(3)
        for kind in (UDP_ROUTE, GATEWAY_CONFIG):
            put_definition(stage, kind)
            stage.server.serve(kind)
        stage.server.put(UDP_ROUTE, "calls", spec={})
        await stage.until(lambda: stage.told(UDP_ROUTE)[1:], within=0.2)
        assert stage.told(UDP_ROUTE) == ["listed", "+calls@103", "listed v1 v1alpha2"]
        # Of a group that is not the Gateway API's nothing is told, and yet it is heeded.
        await stage.until(lambda: stage.told(GATEWAY_CONFIG) == ["listed", "listed v1 v1alpha1"], within=0.2)


async def test_a_kind_that_is_served_a_while_after_its_definition_is_found_soon(stage: Stage) -> None:
    stage.server.withdraw(UDP_ROUTE)
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        await stage.settle(1)
        put_definition(stage, UDP_ROUTE)
        await stage.settle(1)
        # First it is served and too busy to say what it has.
        stage.server.plan("list", UDP_ROUTE, refusal(429, retry_after=1.0), refusal(404))
        stage.server.serve(UDP_ROUTE)
        await stage.until(lambda: stage.told(UDP_ROUTE)[-1] == "listed v1 v1alpha2", within=4)


async def test_without_definitions_to_watch_a_kind_is_found_within_ten_seconds_or_so(stage: Stage) -> None:
    stage.server.withdraw(UDP_ROUTE)
    stage.server.always("list", CUSTOM_RESOURCE_DEFINITION, refusal(403))
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        await stage.settle(30)
        stage.server.serve(UDP_ROUTE, "v1alpha2")
        await stage.until(lambda: stage.told(UDP_ROUTE) == ["listed", "listed v1alpha2"], within=12.5)
        (asked,) = stage.server.asked("list", UDP_ROUTE, version="v1alpha2")
        assert asked.query["limit"] == "500"


async def test_a_crowd_of_definitions_is_looked_at_in_one_go(stage: Stage) -> None:
    async with stage.running():
        await stage.settle(5)
        before = looks(stage)
        for _ in range(20):
            put_definition(stage, GATEWAY)
        await stage.settle(0.06)
        assert looks(stage) == before + 1
        await stage.settle(600)
        # A few more after it, then one a minute.
        assert looks(stage) < before + 25


async def test_idle_costs_next_to_nothing(stage: Stage) -> None:
    async with stage.running():
        await stage.settle(1)
        before = len(stage.server.requests)
        await stage.settle(600)
        watches = 3 * len(kinds.TABLE)
        groups_and_versions = 10
        assert len(stage.server.requests) - before <= watches + 11 * groups_and_versions


async def test_versions_that_come_beside_the_one_we_read_are_told(stage: Stage) -> None:
    stage.server.serve(GATEWAY_CLASS, "v1")
    async with stage.running():
        stage.server.serve(GATEWAY_CLASS, "v1", "v1beta1")
        put_definition(stage, GATEWAY_CLASS)
        await stage.settle(0.2)
        assert stage.told(GATEWAY_CLASS) == ["listed v1 v1beta1"]
        assert len(stage.server.asked("list", GATEWAY_CLASS)) == 1
        assert len(stage.server.asked("watch", GATEWAY_CLASS)) == 1


async def test_a_better_version_is_read_from_when_it_is_served(stage: Stage) -> None:
    stage.server.serve(GATEWAY, "v1alpha2")
    put_gateway(stage.server, "edge")
    put_gateway(stage.server, "goes")
    async with stage.running():
        stage.server.delete(GATEWAY, "goes", silently=True)
        stage.server.serve(GATEWAY, "v1", "v1beta1")
        put_definition(stage, GATEWAY)
        await stage.until(lambda: stage.server.asked("watch", GATEWAY), within=1)
        # The same object may say more in the other version.
        assert stage.told(GATEWAY) == ["+edge@101", "-goes", "listed v1 v1beta1"]
        await stage.settle()
        assert stage.server.open == len(kinds.TABLE) - 1
        put_gateway(stage.server, "core")
        await stage.settle()
        assert stage.told(GATEWAY)[-1] == "+core@105"


async def test_a_kind_whose_definition_goes_keeps_what_nobody_said_was_deleted(stage: Stage) -> None:
    for name in ("stays", "goes"):
        put_gateway(stage.server, name)
    async with stage.running():
        stage.server.delete(GATEWAY, "goes")
        stage.server.delete(GATEWAY, "stays", silently=True)
        # Discovery is behind: for a while it still says that the kind is there.
        stage.server.always("list", GATEWAY, refusal(404))
        stage.server.always("watch", GATEWAY, refusal(404))
        stage.server.tell(GATEWAY, CUT)
        await stage.settle(5)
        assert stage.told(GATEWAY)[0] == "-goes"
        assert stage.told(GATEWAY)[1].startswith(
            "unavailable cannot watch gateways.gateway.networking.k8s.io: the API "
        )
        assert "install the CRD" in stage.state(GATEWAY).unavailable
        assert "listed" not in " ".join(stage.told(GATEWAY))
        stage.server.withdraw(GATEWAY)
        await stage.until(lambda: stage.told(GATEWAY)[-1] == "listed", within=15)
        assert "-stays" not in stage.told(GATEWAY)
        assert stage.state(GATEWAY).objects == 1
        # It comes back without the object: now that is known to be gone.
        stage.server.always("list", GATEWAY, None)
        stage.server.always("watch", GATEWAY, None)
        put_gateway(stage.server, "new")
        stage.server.serve(GATEWAY)
        put_definition(stage, GATEWAY)
        await stage.until(lambda: stage.told(GATEWAY)[-1] == "listed v1 v1beta1 v1alpha2", within=1)
        assert stage.told(GATEWAY)[-3:] == ["+new@105", "-stays", "listed v1 v1beta1 v1alpha2"]


async def test_a_discovery_that_forgets_a_kind_while_its_watch_lives_is_not_believed(stage: Stage) -> None:
    put_gateway(stage.server, "edge")
    async with stage.running():
        stage.server.withdraw(GATEWAY)
        put_definition(stage, GATEWAY)
        await stage.settle(60)
        put_gateway(stage.server, "core")
        await stage.settle()
        assert stage.told(GATEWAY) == ["+core@103"]


async def test_without_discovery_every_kind_says_why_and_is_tried_again(stage: Stage) -> None:
    core = group_path("", "v1")
    stage.server.always_at("discover", core, Unreachable("the API server did not answer /api/v1: refused"))
    async with stage.running(synced=False) as source:
        await stage.settle(60)
        reason = "the API server does not say what it serves: the API server did not answer /api/v1: refused"
        assert {state.unavailable for state in source.states.values()} == {reason}
        assert stage.told(GATEWAY) == [f"unavailable {reason}"]
        requests = [request for request in stage.server.requests if request.path == core]
        assert len(requests) < 15
        assert gaps(requests)[0] < 0.5
        assert str(source.failure) == "the API server did not answer /api/v1: refused"
        stage.server.always_at("discover", core, None)
        await stage.until(lambda: source.synced, within=11)
        assert source.failure is None


async def test_which_request_fails_first_is_no_news(stage: Stage) -> None:
    """While the API server is away that differs from look to look, and a long night of it must not fill the log."""

    def refused(path: str) -> Unreachable:
        return Unreachable(f"the API server did not answer {path}: refused")

    core = group_path("", "v1")
    stage.server.always_at("discover", core, refused(core))
    async with stage.running(synced=False) as source:
        await stage.settle(60)
        stage.server.always_at("discover", core, None)
        stage.server.always_at("discover", GATEWAY_V1, refused(GATEWAY_V1))
        await stage.settle(60)
        assert GATEWAY_V1 in str(source.failure)
        assert len(stage.told(GATEWAY)) == 1
        stage.server.always_at("discover", GATEWAY_V1, refusal(503))
        await stage.settle(60)
        assert "503" in stage.told(GATEWAY)[-1]


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "renew the token or client certificate that we use (401: no: 401)"),
        (403, "bind the ClusterRole system:discovery to the account that we use (403: no: 403)"),
        (500, "the API server refused (500: no: 500)"),
    ],
)
async def test_who_may_not_ask_what_is_served_is_told_what_to_do(stage: Stage, status: int, remedy: str) -> None:
    stage.server.always_at("discover", group_path("", "v1"), refusal(status))
    async with stage.running(synced=False):
        await stage.settle(5)
        (told,) = stage.told(GATEWAY)
        assert told.startswith("unavailable the API server does not say what it serves: ")
        assert told.endswith(remedy)


async def test_a_discovery_that_fails_later_changes_nothing(stage: Stage) -> None:
    async with stage.running():
        stage.server.always_at("discover", GATEWAY_V1, refusal(503))
        put_definition(stage, UDP_ROUTE)
        await stage.settle(300)
        assert "503" in str(stage.source.failure)
        stage.server.always_at("discover", GATEWAY_V1, b"<html>")
        await stage.settle(30)
        assert "is there a proxy in between?" in str(stage.source.failure)
        assert [kind for kind in kinds.TABLE if stage.told(kind)] == [CUSTOM_RESOURCE_DEFINITION]


async def test_endpoints_are_read_once_there_are_no_slices(stage: Stage) -> None:
    stage.server.put(ENDPOINTS, "sfu")
    async with stage.running():
        stage.server.withdraw(ENDPOINT_SLICE)
        stage.server.tell(ENDPOINT_SLICE, CUT)
        await stage.until(lambda: "+sfu@101" in stage.told(ENDPOINTS), within=10)
        stage.server.serve(ENDPOINT_SLICE, "v1beta1")
        await stage.until(lambda: stage.told(ENDPOINT_SLICE)[-1] == "listed v1beta1", within=15)
        open_before = stage.server.open
        await stage.settle(1)
        assert stage.server.open == open_before == len(kinds.TABLE) - 1


async def test_what_has_a_status_is_known(stage: Stage) -> None:
    async with stage.running() as source:
        assert source.served.version(GATEWAY) == "v1"
        assert source.served.with_status == frozenset()
