"""What goes, when, and only after its owner was read again; and what takes the place of another is made first."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.errors import ApiError, Unreachable
from stunnergw.resources import kinds
from stunnergw.resources.metadata import OWNED_BY, OWNER
from stunnergw.settings import ConfigVersion, DataplaneMode, Decisions
from stunnergw.store.indexes import RELATED_GATEWAY
from tests.unit.sinks.apiserver import to
from tests.unit.sinks.stage import Stage, gateway, gateway_class

if TYPE_CHECKING:
    from tests.unit.sinks.apiserver import Body

pytestmark = pytest.mark.looptime

NO_SERVICE = {"stunner.l7mp.io/service-type": "None"}
NO_WORKLOAD = {"stunner.l7mp.io/disable-managed-dataplane": "true"}
DELETED = "DELETE Service media/edge"


async def test_a_service_that_is_no_longer_asked_for_goes_after_its_owner_was_read() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        uid = stage.server.get(kinds.SERVICE, "edge")["metadata"]["uid"]
        stage.server.put(kinds.GATEWAY, gateway("edge", annotations=NO_SERVICE))
        await life.idle()
        assert not stage.server.has(kinds.SERVICE, "edge")
        assert stage.server.reads == ["Gateway media/edge", "GatewayClass turn"]
        (request,) = [request for request in stage.server.requests if request.method == "DELETE"]
        assert request.body["preconditions"]["uid"] == uid
        assert request.body["preconditions"]["resourceVersion"]
        last = [fact for fact in life.wrote if fact.kind == "Service"][-1]
        assert (last.outcome, last.message) == ("written", "deleted")


async def test_what_was_no_longer_asked_for_while_we_were_down_goes_too() -> None:
    stage = Stage()
    await stage.once()
    stage.server.put(kinds.GATEWAY, gateway("edge", annotations=NO_WORKLOAD))
    async with stage.running() as life:
        await life.idle()
    assert not stage.server.has(kinds.DEPLOYMENT, "edge")
    assert stage.server.has(kinds.SERVICE, "edge")


async def test_a_service_that_we_did_not_make_stays() -> None:
    stage = Stage()
    stage.server.put(kinds.GATEWAY, gateway("edge", annotations=NO_SERVICE))
    labels = {OWNED_BY: OWNER}
    stage.server.put(kinds.SERVICE, {"metadata": {"name": "edge", "namespace": "media", "labels": labels}, "spec": {}})
    async with stage.running() as life:
        await life.idle()
        await asyncio.sleep(100)
    assert stage.server.has(kinds.SERVICE, "edge")


async def test_the_objects_of_a_gateway_that_is_gone_are_left_to_garbage_collection() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        stage.server.delete(kinds.GATEWAY, "edge")
        await life.idle()
        await asyncio.sleep(100)
    assert not [write for write in stage.server.writes if "edge" in write]
    async with stage.running() as life:
        await life.idle()
    assert stage.server.has(kinds.SERVICE, "edge")
    assert not [write for write in stage.server.writes if "edge" in write]


async def test_a_gateway_that_changed_meanwhile_is_looked_at_anew() -> None:
    """What we decided rests on a Gateway that is no longer so."""
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.put(kinds.GATEWAY, gateway("edge", annotations=NO_SERVICE))
        stage.server.lag = True
        stage.server.put(kinds.GATEWAY, gateway("edge"))
        await asyncio.sleep(60)
        assert stage.server.has(kinds.SERVICE, "edge")
        stage.server.catch_up()
        await life.idle()
        await asyncio.sleep(600)
        assert stage.server.has(kinds.SERVICE, "edge")
    assert DELETED not in stage.server.writes


@pytest.mark.parametrize("kind", [kinds.GATEWAY, kinds.GATEWAY_CLASS])
@pytest.mark.parametrize("error", [ApiError(500, reason="", message="?"), Unreachable("?")])
async def test_an_owner_that_cannot_be_read_is_not_gone(kind: Any, error: Exception) -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.refuse(error, fits=to(kind, method="GET") if kind.namespaced else _of_class)  # type: ignore[arg-type]
        stage.server.put(kinds.GATEWAY, gateway("edge", annotations=NO_SERVICE))
        await asyncio.sleep(600)
        assert DELETED not in stage.server.writes
        stage.server.relent()
        await asyncio.sleep(600)
        assert DELETED in stage.server.writes


def _of_class(request: Any) -> bool:
    return bool(request.method == "GET" and "/gatewayclasses/" in request.path)


async def test_a_service_that_somebody_changed_at_the_last_moment_is_looked_at_again() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.lag = True
        stage.server.edit(kinds.SERVICE, "edge", lambda body: body["metadata"]["labels"].pop(OWNED_BY))
        stage.server.lag = False
        stage.server.put(kinds.GATEWAY, gateway("edge", annotations=NO_SERVICE))
        await life.idle()
        stage.server.catch_up()
        await asyncio.sleep(600)
        assert stage.server.has(kinds.SERVICE, "edge"), "whose label is gone is no longer ours to delete"


# Moves and other classes -----------------------------------------------------------------------------------------


async def test_what_we_made_goes_when_the_gateway_moves_to_a_class_of_others() -> None:
    stage = Stage()
    stage.server.put(kinds.GATEWAY_CLASS, gateway_class("foreign", controller="example.org/other"))
    async with stage.running() as life:
        await life.idle()
        stage.server.put(kinds.GATEWAY, gateway("edge", class_name="foreign"))
        await life.idle()
        assert not stage.server.has(kinds.SERVICE, "edge")
        assert not stage.server.has(kinds.DEPLOYMENT, "edge")


async def test_a_second_operator_s_objects_stay_where_they_are() -> None:
    """They look like ours, but we have no business with their Gateway."""
    other = Stage(decisions=Decisions(controller_name="example.org/second"))
    other.server.put(kinds.GATEWAY_CLASS, gateway_class("turn", controller="example.org/second"))
    await other.once()
    ours = Stage()
    ours.server = other.server
    async with ours.running() as life:
        await life.idle()
        ours.server.put(kinds.GATEWAY, gateway("edge", class_name="turn", port=3479))
        await life.idle()
    assert ours.server.writes == []


async def test_what_another_operator_has_taken_over_is_not_deleted() -> None:
    stage = Stage()
    stage.server.put(kinds.GATEWAY_CLASS, gateway_class("foreign", controller="example.org/other"))

    def adopt(body: Body) -> None:
        body["metadata"]["annotations"]["stunner.l7mp.io/applied"] = "theirs"

    async with stage.running() as life:
        await life.idle()
        stage.server.put(kinds.GATEWAY, gateway("edge", class_name="foreign"))
        stage.server.edit(kinds.SERVICE, "edge", adopt)
        await life.idle()
        assert stage.server.has(kinds.SERVICE, "edge")


async def test_a_missing_class_takes_nothing_away() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        stage.server.delete(kinds.GATEWAY_CLASS, "turn")
        await life.idle()
        await asyncio.sleep(100)
        # That no class uses them any more is all that there is to say.
        assert sorted(stage.server.writes) == [
            "PATCH Dataplane default/status",
            "PATCH GatewayConfig media/turn/status",
        ]
        stage.server.forget_requests()
    await stage_restarts_quietly(stage)
    assert stage.server.writes == []


async def stage_restarts_quietly(stage: Stage) -> None:
    async with stage.running() as life:
        await life.idle()


# One in the place of another -------------------------------------------------------------------------------------


def order(stage: Stage, kind: str) -> list[str]:
    return [write for write in stage.server.writes if kind in write]


async def test_another_kind_of_workload_is_made_before_the_old_one_goes() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        stage.server.put(kinds.DATAPLANE, {"metadata": {"name": "default"}, "spec": {"dataplaneResource": "DaemonSet"}})
        await life.idle()
        await asyncio.sleep(2)
    assert order(stage, "DaemonSet") + order(stage, "Deployment") == [
        "PATCH DaemonSet media/edge",
        "DELETE Deployment media/edge",
    ]
    assert stage.server.writes.index("PATCH DaemonSet media/edge") < stage.server.writes.index(
        "DELETE Deployment media/edge"
    )


async def test_the_old_workload_stays_while_the_new_one_is_refused() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.refuse(ApiError(422, reason="Invalid", message="no"), fits=to(kinds.DAEMON_SET))
        stage.server.put(kinds.DATAPLANE, {"metadata": {"name": "default"}, "spec": {"dataplaneResource": "DaemonSet"}})
        await asyncio.sleep(600)
        assert stage.server.has(kinds.DEPLOYMENT, "edge")


LEGACY = Decisions(dataplane_mode=DataplaneMode.LEGACY, config_version=ConfigVersion.V1ALPHA1)


async def test_a_service_of_another_name_is_made_before_the_old_one_goes() -> None:
    stage = Stage(decisions=LEGACY)
    await stage.once()
    assert stage.server.has(kinds.SERVICE, "stunner-gateway-edge-svc")
    stage.decisions = Decisions(dataplane_mode=DataplaneMode.LEGACY, config_version=ConfigVersion.V1)
    async with stage.running() as life:
        await life.idle()
    assert order(stage, "Service") == ["PATCH Service media/edge", "DELETE Service media/stunner-gateway-edge-svc"]


async def test_a_workload_stays_when_the_mode_becomes_legacy() -> None:
    stage = Stage()
    await stage.once()
    stage.decisions = Decisions(dataplane_mode=DataplaneMode.LEGACY)
    async with stage.running() as life:
        await life.idle()
    assert stage.server.has(kinds.DEPLOYMENT, "edge")


# The ConfigMap of legacy mode --------------------------------------------------------------------------------------


async def test_other_keys_of_a_config_map_are_left_alone_and_ours_is_written_at_once() -> None:
    stage = Stage(decisions=LEGACY)
    metadata = {
        "name": "stunnerd-config",
        "namespace": "media",
        "labels": {OWNED_BY: OWNER},
        "annotations": {RELATED_GATEWAY: "/turn"},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "GatewayConfig", "name": "turn", "uid": "GatewayConfig media/turn"}
        ],
    }
    theirs = {"metadata": metadata, "data": {"stunnerd.conf": "{}", "mine": "1"}}
    stage.server.put(kinds.CONFIG_MAP, theirs, manager="manager")
    async with stage.running() as life:
        await life.idle()
        written = stage.server.get(kinds.CONFIG_MAP, "stunnerd-config")
        assert written["data"]["mine"] == "1"
        assert "pa55word" in written["data"]["stunnerd.conf"]
        assert [ref["kind"] for ref in written["metadata"]["ownerReferences"]] == ["GatewayClass"]
        assert all("pa55word" not in repr(fact) for fact in life.wrote)
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3479))
        await asyncio.sleep(0.03)
        assert "3479" in stage.server.get(kinds.CONFIG_MAP, "stunnerd-config")["data"]["stunnerd.conf"]
        await life.idle()
    stage.server.forget_requests()
    await stage_restarts_quietly(stage)
    assert stage.server.requests == []


async def test_a_config_map_with_our_label_and_another_class_is_not_ours() -> None:
    stage = Stage(decisions=LEGACY)
    metadata = {"name": "stunnerd-config", "namespace": "media", "labels": {OWNED_BY: OWNER}}
    theirs = {"metadata": metadata, "data": {"stunnerd.conf": "{}"}}
    stage.server.put(kinds.CONFIG_MAP, copy.deepcopy(theirs))
    async with stage.running() as life:
        await life.idle()
        assert stage.server.get(kinds.CONFIG_MAP, "stunnerd-config")["data"] == theirs["data"]
        (fact,) = [fact for fact in life.wrote if fact.kind == "ConfigMap"]
        assert fact.message.endswith(f"or let us have it by the annotation {RELATED_GATEWAY}: /turn")


async def test_what_the_server_says_of_a_document_is_not_repeated() -> None:
    stage = Stage(decisions=LEGACY)
    error = ApiError(422, reason="Invalid", message='data: Invalid value: "pa55word"')
    stage.server.refuse(error, fits=to(kinds.CONFIG_MAP))
    async with stage.running() as life:
        await life.idle()
        (fact,) = [fact for fact in life.wrote if fact.kind == "ConfigMap"]
        assert fact.message == "the API server refused it: 422 Invalid"


async def test_a_secret_among_a_workload_s_environment_is_blanked_out_of_a_refusal() -> None:
    stage = Stage()
    env = [{"name": "TOKEN", "value": 'to"ken'}]
    stage.server.put(kinds.DATAPLANE, {"metadata": {"name": "default"}, "spec": {"env": env}})
    error = ApiError(422, reason="Invalid", message='env[0]: Invalid value: "to\\"ken" is not good')
    stage.server.refuse(error, fits=to(kinds.DEPLOYMENT))
    async with stage.running() as life:
        await life.idle()
        (fact,) = [fact for fact in life.wrote if fact.kind == "Deployment"]
        assert fact.message == 'env[0]: Invalid value: "…" is not good'
