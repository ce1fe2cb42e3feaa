"""A Gateway's status and what the API server says to its objects: told, healed, and the same after a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.errors import ApiError, Unreachable
from stunnergw.projection.outputs import Undecided, Want
from stunnergw.projection.snapshots import StatusSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import OWNED_BY, OWNER
from stunnergw.settings import ConfigVersion, DataplaneMode, Decisions
from tests.unit.sinks.apiserver import to
from tests.unit.sinks.stage import EDGE, Lease, Stage, gateway

if TYPE_CHECKING:
    from tests.unit.sinks.apiserver import Body
    from tests.unit.sinks.stage import Life

pytestmark = pytest.mark.looptime

NO_RANGE = (
    'Service "edge" is invalid: spec.ports[0].nodePort: Invalid value: 1234: provided port is not in the valid range'
)
LEGACY = Decisions(dataplane_mode=DataplaneMode.LEGACY, config_version=ConfigVersion.V1)
GATEWAY_STATUS = "PATCH Gateway media/edge/status"


def refusal(message: str = NO_RANGE) -> ApiError:
    return ApiError(422, reason="Invalid", message=message)


def programmed(stage: Stage, name: str = "edge") -> Body:
    conditions = stage.server.get(kinds.GATEWAY, name)["status"]["conditions"]
    (found,) = [condition for condition in conditions if condition["type"] == "Programmed"]
    return found  # type: ignore[no-any-return]


def status(life: Life) -> Any:
    snapshot = life.projector.latest
    assert snapshot is not None
    return snapshot.statuses[StatusSlot(kinds.GATEWAY, EDGE)]


def odd_port(annotation: str | None) -> Body:
    return gateway("edge", annotations={"stunner.l7mp.io/nodeport": annotation} if annotation else {})


async def test_a_status_is_written_after_the_objects_and_once() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
    assert stage.server.writes.count(GATEWAY_STATUS) == 1
    assert stage.server.writes.index(GATEWAY_STATUS) > stage.server.writes.index("PATCH Service media/edge")
    assert stage.server.writes.index(GATEWAY_STATUS) > stage.server.writes.index("PATCH Deployment media/edge")


async def test_a_status_waits_for_the_watch_to_bring_what_was_written() -> None:
    """Else it would say that there is no Service, and a moment later that there is one."""
    stage = Stage()
    stage.server.lag = True
    async with stage.running() as life:
        await asyncio.sleep(3)
        assert stage.server.has(kinds.SERVICE, "edge")
        assert GATEWAY_STATUS not in stage.server.writes
        stage.server.catch_up()
        await life.idle()
    assert stage.server.writes.count(GATEWAY_STATUS) == 1


async def test_a_watch_that_brings_nothing_holds_up_no_status_for_long() -> None:
    stage = Stage()
    stage.server.lag = True
    async with stage.running():
        await asyncio.sleep(7)
        assert GATEWAY_STATUS in stage.server.writes


async def test_a_refusal_is_told_to_its_gateway_alone_and_heals() -> None:
    stage = Stage()
    stage.server.put(kinds.GATEWAY, odd_port('{"udp": 1234}'))
    stage.server.put(kinds.GATEWAY, gateway("second"))
    stage.server.refuse(refusal(), fits=lambda request: request.path.endswith("/services/edge"))
    async with stage.running() as life:
        await life.idle()
        told = programmed(stage)
        assert (told["status"], told["reason"]) == ("False", "AddressNotAssigned")
        assert NO_RANGE in told["message"]
        assert "could not be written" not in programmed(stage, "second")["message"]
        stage.server.forget_requests()
        await asyncio.sleep(3600)
        assert "PATCH Service media/edge" in stage.server.writes
        assert GATEWAY_STATUS not in stage.server.writes
        stage.server.relent()
        stage.server.put(kinds.GATEWAY, odd_port(None))
        await life.idle()
        assert "could not be written" not in programmed(stage)["message"]


async def test_a_restart_leaves_a_refused_gateway_untouched_until_it_is_refused_again() -> None:
    stage = Stage()
    stage.server.refuse(refusal(), fits=to(kinds.SERVICE))
    await stage.once()
    before, lease = stage.server.get(kinds.GATEWAY, "edge"), Lease(leading=False)
    async with stage.running(lease=lease) as life:
        await asyncio.sleep(60)
        assert isinstance(status(life), Undecided)
        assert stage.server.requests == []
        lease.set(leading=True)
        await life.idle()
        assert isinstance(status(life), Want)
        assert [fact.outcome for fact in life.wrote] == ["refused"]
        await asyncio.sleep(3600)
    assert stage.server.get(kinds.GATEWAY, "edge") == before
    assert set(stage.server.writes) == {"PATCH Service media/edge"}


async def test_while_a_write_hangs_the_status_waits() -> None:
    """Nothing is said before the API server has said something."""
    stage, lease = Stage(), Lease()
    lease.lasts = 4.0
    async with stage.running(lease=lease) as life:
        await asyncio.sleep(30)
        assert "status" not in stage.server.get(kinds.GATEWAY, "edge")
        lease.lasts = 10.0
        await life.idle()
        assert programmed(stage)["status"] == "False"


async def test_an_api_server_that_does_not_answer_is_an_answer() -> None:
    error = Unreachable("the API server did not answer")
    error.__cause__ = TimeoutError()
    stage = Stage()
    stage.server.refuse(error, fits=to(kinds.DEPLOYMENT))
    async with stage.running() as life:
        await life.idle()
        assert programmed(stage)["message"].startswith(
            "Deployment media/edge could not be written as wanted: the API server did not answer; it is tried again"
        )
        stage.server.relent()
        await asyncio.sleep(400)
        assert "Deployment" not in programmed(stage)["message"]


def _other_port(body: Body) -> None:
    body["spec"]["listeners"][0]["port"] = 3479


async def test_an_update_that_is_refused_leaves_the_last_one_and_says_so() -> None:
    stage = Stage()
    await stage.once()
    stage.server.refuse(refusal(), fits=to(kinds.SERVICE))
    async with stage.running() as life:
        await life.idle()
        stage.server.edit(kinds.GATEWAY, "edge", _other_port)
        await life.idle()
        assert stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"][0]["port"] == 3478
        assert programmed(stage)["message"].endswith("; the last accepted one stays")
        assert programmed(stage)["observedGeneration"] == 2


async def test_a_deployment_that_is_not_ours_is_named_with_the_remedy() -> None:
    stage = Stage()
    theirs = {"metadata": {"name": "edge", "namespace": "media"}, "spec": {"selector": {}, "template": {}}}
    stage.server.put(kinds.DEPLOYMENT, theirs)
    async with stage.running() as life:
        await life.idle()
        assert programmed(stage)["reason"] == "NoResources"
        assert programmed(stage)["message"] == (
            "Deployment media/edge is not ours and is left alone: delete it, or let us have it by the label "
            f"{OWNED_BY}: {OWNER}"
        )
        stage.server.delete(kinds.DEPLOYMENT, "edge")
        await asyncio.sleep(400)
        assert "is not ours" not in programmed(stage)["message"]


async def test_a_secret_in_a_refusal_reaches_no_status() -> None:
    stage = Stage()
    env = [{"name": "TOKEN", "value": "to<ken"}]
    stage.server.put(kinds.DATAPLANE, {"metadata": {"name": "default"}, "spec": {"env": env}})
    said = r'env[0]: Invalid value: {"name":"TOKEN","value":"to\u003cken"}: to<ken is not good'
    stage.server.refuse(refusal(said), fits=to(kinds.DEPLOYMENT))
    async with stage.running() as life:
        await life.idle()
        message = programmed(stage)["message"]
        assert 'env[0]: Invalid value: {"name":"TOKEN","value":"…"}: … is not good' in message
        assert "ken" not in message.replace("TOKEN", "")


async def test_a_follower_has_its_statuses_from_what_the_leader_wrote() -> None:
    stage, lease = Stage(), Lease(leading=False)
    async with stage.running(lease=lease) as follower:
        await asyncio.sleep(1)
        assert isinstance(status(follower), Undecided)
        log = stage.server.log
        async with stage.running() as leader:
            await leader.idle()
        stage.server.log = log
        stage.server.requests.clear()
        # The watch of the follower brings what the leader wrote.
        assert log is not None
        log.append(stage.server.listing(), source="watch")
        await asyncio.sleep(1)
        assert isinstance(status(follower), Want)
        lease.set(leading=True)
        await follower.idle()
        assert follower.wrote == []
    assert stage.server.writes == []


# The ConfigMap of legacy mode --------------------------------------------------------------------------------------

CLASS_STATUS = "PATCH GatewayClass turn/status"


def accepted(stage: Stage) -> str:
    conditions = stage.server.get(kinds.GATEWAY_CLASS, "turn", "")["status"]["conditions"]
    (found,) = [condition["message"] for condition in conditions if condition["type"] == "Accepted"]
    return str(found)


async def test_a_config_map_that_is_not_ours_is_said_in_the_class_and_nothing_is_rewritten_after_a_restart() -> None:
    stage = Stage(decisions=LEGACY)
    stage.server.put(kinds.CONFIG_MAP, {"metadata": {"name": "stunnerd-config", "namespace": "media"}, "data": {}})
    await stage.once()
    assert "ConfigMap media/stunnerd-config is not ours and is left alone: delete it, or let us" in accepted(stage)
    async with stage.running() as life:
        await asyncio.sleep(60)
        assert CLASS_STATUS not in stage.server.writes
        stage.server.delete(kinds.CONFIG_MAP, "stunnerd-config")
        await asyncio.sleep(600)
        await life.idle()
        assert stage.server.has(kinds.CONFIG_MAP, "stunnerd-config")
        assert "not ours" not in accepted(stage)


async def test_a_config_map_that_is_refused_is_told_without_what_the_server_quotes() -> None:
    stage = Stage(decisions=LEGACY)
    stage.server.refuse(refusal("pa55word is odd"), fits=to(kinds.CONFIG_MAP))
    async with stage.running() as life:
        await life.idle()
        assert accepted(stage).endswith(
            "ConfigMap media/stunnerd-config could not be written as wanted: the API server refused it: 422 Invalid; "
            "look at permissions, quotas and admission webhooks"
        )
        stage.server.relent()
        await asyncio.sleep(600)
        await life.idle()
        assert accepted(stage).startswith("served with GatewayConfig media/turn: ")
        assert "ConfigMap" not in accepted(stage)
