"""The sinks over an API server in memory: what is written, when, and above all what is not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.errors import ApiError, Unreachable
from stunnergw.projection.bodies import APPLIED
from stunnergw.resources import kinds
from stunnergw.resources.metadata import OWNED_BY, OWNER
from tests.unit.sinks.apiserver import SERVED, to
from tests.unit.sinks.stage import EDGE, Lease, Stage, gateway, gateway_class, route

if TYPE_CHECKING:
    from tests.unit.sinks.apiserver import Body

pytestmark = pytest.mark.looptime

FIRST = [
    "PATCH Dataplane default/status",
    "PATCH Deployment media/edge",
    "PATCH Gateway media/edge/status",
    "PATCH GatewayClass turn/status",
    "PATCH GatewayConfig media/turn/status",
    "PATCH Service media/edge",
]


# Start and restart -----------------------------------------------------------------------------------------------


async def test_a_first_start_writes_each_thing_once_and_reads_nothing() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        assert sorted(stage.server.writes) == FIRST
        assert stage.server.reads == []
        assert [fact.outcome for fact in life.wrote] == ["written"] * 6
        # And an Event: the Gateway has no address.
        assert sum(life.sinks.writes.values()) == 7
        assert life.sinks.writes["create", "Service", "ok"] == 1
    service = stage.server.get(kinds.SERVICE, "edge")
    assert service["spec"]["ports"][0]["port"] == 3478
    assert service["metadata"]["annotations"][APPLIED] in {fact.digest for fact in life.wrote}


async def test_a_restart_writes_nothing_and_reads_nothing() -> None:
    stage = Stage()
    await stage.once()
    async with stage.running() as life:
        await life.idle()
        await asyncio.sleep(600)
        assert life.wrote == []
    assert stage.server.requests == []


async def test_a_restart_in_the_middle_writes_what_is_missing() -> None:
    stage = Stage()
    await stage.once()
    stage.server.delete(kinds.DEPLOYMENT, "edge")
    async with stage.running() as life:
        await life.idle()
    assert stage.server.writes == ["PATCH Deployment media/edge"]


# What others do --------------------------------------------------------------------------------------------------


def _scale(body: Body) -> None:
    body["spec"]["replicas"] = 7


def _annotate(body: Body) -> None:
    body["metadata"]["annotations"]["example.org/mine"] = "yes"


def _restart(body: Body) -> None:
    body["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "now"


@pytest.mark.parametrize("change", [_scale, _annotate, _restart])
async def test_fields_of_others_are_left_alone(change: Any) -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        stage.server.edit(kinds.DEPLOYMENT, "edge", change)
        await life.idle()
        await asyncio.sleep(10)
        assert stage.server.requests == []
        stage.server.edit(kinds.GATEWAY, "edge", _annotate)
        await life.idle()
    before = stage.server.get(kinds.DEPLOYMENT, "edge")
    after: Body = {"metadata": dict(before["metadata"]), "spec": dict(before["spec"])}
    change(after)
    assert {**before, **after} == before


def _move_port(body: Body) -> None:
    body["spec"]["ports"][0]["targetPort"] = 9


async def test_a_field_of_ours_that_somebody_changed_is_put_back() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.edit(kinds.SERVICE, "edge", _move_port)
        await life.idle()
    assert stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"][0]["targetPort"] == 3478


async def test_a_war_over_a_field_calms_down() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        for _ in range(6_000):
            if stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"][0]["targetPort"] == 3478:
                stage.server.edit(kinds.SERVICE, "edge", _move_port, manager="other")
            await asyncio.sleep(0.1)
        assert len(stage.server.writes) <= 12
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3479))
        await asyncio.sleep(1)
        assert stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"][0]["port"] == 3479


@pytest.mark.parametrize("kind", [kinds.SERVICE, kinds.DEPLOYMENT])
async def test_what_somebody_deleted_is_made_again(kind: Any) -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.delete(kind, "edge")
        await life.idle()
        assert stage.server.has(kind, "edge")


async def test_a_change_before_the_watch_has_brought_the_last_one_needs_no_second_try() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3479))
        stage.server.lag = True
        await life.idle()
        stage.server.lag = False
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3480))
        await life.idle()
        stage.server.catch_up()
        await life.idle()
        assert stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"][0]["port"] == 3480
    services = [write for write in stage.server.writes if write == "PATCH Service media/edge"]
    assert len(services) == 2


# What is not ours ------------------------------------------------------------------------------------------------


def a_service(**metadata: Any) -> Body:
    ports = [{"name": "theirs", "port": 80, "protocol": "TCP"}]
    return {
        "metadata": {"name": "edge", "namespace": "media", **metadata},
        "spec": {"type": "ClusterIP", "ports": ports},
    }


async def test_a_service_that_is_not_ours_is_left_alone() -> None:
    stage = Stage()
    stage.server.put(kinds.SERVICE, a_service())
    async with stage.running() as life:
        await life.idle()
    assert stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"][0]["port"] == 80
    assert "PATCH Service media/edge" not in stage.server.writes


async def test_a_deployment_that_is_not_ours_is_left_alone_and_said() -> None:
    """It lacks our label, so the watch does not show it."""
    stage = Stage()
    theirs = {"metadata": {"name": "edge", "namespace": "media"}, "spec": {"selector": {}, "template": {}}}
    stage.server.put(kinds.DEPLOYMENT, theirs)
    async with stage.running() as life:
        await life.idle()
        (refused,) = [fact for fact in life.wrote if fact.kind == "Deployment"]
        assert refused.outcome == "refused"
        assert "Deployment media/edge is not ours and is left alone: delete it" in refused.message
        assert stage.server.get(kinds.DEPLOYMENT, "edge")["spec"] == {"selector": {}, "template": {}}
        stage.server.delete(kinds.DEPLOYMENT, "edge")
        await asyncio.sleep(400)
        assert stage.server.has(kinds.DEPLOYMENT, "edge")
        assert life.outcomes("Deployment") == ["refused", "written"]


async def test_a_service_that_is_ours_by_its_label_is_taken_and_keeps_what_we_do_not_say() -> None:
    stage = Stage()
    made = a_service(labels={OWNED_BY: OWNER})
    made["spec"]["loadBalancerIP"] = "192.0.2.1"
    stage.server.put(kinds.SERVICE, made)
    async with stage.running() as life:
        await life.idle()
    service = stage.server.get(kinds.SERVICE, "edge")
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["loadBalancerIP"] == "192.0.2.1"
    assert service["metadata"]["ownerReferences"][0]["name"] == "edge"
    assert stage.server.reads == ["Service media/edge"]


async def test_a_service_of_another_living_gateway_is_not_fought_for() -> None:
    stage = Stage()
    stage.server.put(kinds.GATEWAY, gateway("other", class_name="elsewhere"))
    owner = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "name": "other",
        "uid": "Gateway media/other",
    }
    stage.server.put(kinds.SERVICE, a_service(labels={OWNED_BY: OWNER}, ownerReferences=[owner]))
    async with stage.running() as life:
        await life.idle()
        (refused,) = [fact for fact in life.wrote if fact.kind == "Service"]
        assert refused.message.endswith(
            "belongs to Gateway media/other and is left alone: rename one of the two Gateways"
        )


# Refusals --------------------------------------------------------------------------------------------------------


def refusal(status: int = 422, message: str = "spec.ports: no", retry_after: float | None = None) -> ApiError:
    return ApiError(status, reason="Invalid", message=message, retry_after=retry_after)


async def test_a_refused_service_blocks_nobody_and_is_tried_again_less_and_less() -> None:
    stage = Stage()
    stage.server.put(kinds.GATEWAY, gateway("second"))
    stage.server.refuse(refusal(), fits=lambda request: request.path.endswith("/services/edge"))
    async with stage.running(workers=1) as life:
        await life.idle()
        assert stage.server.has(kinds.SERVICE, "second")
        assert "status" in stage.server.get(kinds.GATEWAY, "edge")
        assert [(fact.outcome, fact.message) for fact in life.wrote if fact.kind == "Service" and fact.key == EDGE] == [
            ("refused", "spec.ports: no")
        ]
        await asyncio.sleep(3600)
        tries = stage.server.writes.count("PATCH Service media/edge")
        assert 10 < tries < 25
        assert life.outcomes("Gateway") == ["written", "written"]
        stage.server.relent()
        await asyncio.sleep(400)
        assert stage.server.has(kinds.SERVICE, "edge")


async def test_429_is_left_in_peace_for_as_long_as_it_says() -> None:
    stage = Stage()
    stage.server.refuse(refusal(429, "busy", 30.0), fits=to(kinds.SERVICE), times=1)
    async with stage.running() as life:
        await life.idle()
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3479))
        await asyncio.sleep(29)
        assert stage.server.writes.count("PATCH Service media/edge") == 1
        await asyncio.sleep(2)
        assert stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"][0]["port"] == 3479
        assert life.outcomes("Service") == ["failed", "written"]


async def test_no_answer_is_told_as_a_timeout() -> None:
    error = Unreachable("the API server did not answer")
    error.__cause__ = TimeoutError()
    stage = Stage()
    stage.server.refuse(error, fits=to(kinds.SERVICE), times=1)
    async with stage.running() as life:
        await life.idle()
        await asyncio.sleep(3)
        assert life.outcomes("Service") == ["timeout", "written"]
        assert life.sinks.writes["create", "Service", "unreachable"] == 1


# Leadership ------------------------------------------------------------------------------------------------------


async def test_who_does_not_lead_writes_nothing_and_who_begins_to_writes_all() -> None:
    stage, lease = Stage(), Lease(leading=False)
    async with stage.running(lease=lease) as life:
        await asyncio.sleep(100)
        assert stage.server.requests == []
        lease.set(leading=True)
        await asyncio.sleep(1)
        assert sorted(stage.server.writes) == FIRST
        assert life.sinks.leading


async def test_a_deposed_leader_writes_nothing_of_what_waited() -> None:
    stage, lease = Stage(), Lease()
    async with stage.running(lease=lease) as life:
        await life.idle()
        stage.server.forget_requests()
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3479))
        await asyncio.sleep(0.05)
        lease.set(leading=False)
        await asyncio.sleep(100)
        assert stage.server.requests == []
        # Meanwhile another leader did it, and more.
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3480))
        await asyncio.sleep(1)
        lease.set(leading=True)
        await life.idle()
        assert stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"][0]["port"] == 3480
        assert stage.server.writes.count("PATCH Service media/edge") == 1


async def test_nothing_is_sent_while_the_lease_is_shorter_than_a_request() -> None:
    stage, lease = Stage(), Lease()
    lease.lasts = 4.0
    async with stage.running(lease=lease) as life:
        await asyncio.sleep(10)
        assert stage.server.requests == []
        lease.lasts = 10.0
        await life.idle()
        assert sorted(set(stage.server.writes)) == FIRST


async def test_leadership_lost_during_a_write_starts_no_other() -> None:
    stage, lease = Stage(), Lease()
    stage.server.put(kinds.SERVICE, a_service(labels={OWNED_BY: OWNER}))
    stage.server.before(lambda: lease.set(leading=False), fits=to(kinds.SERVICE, method="GET"))
    async with stage.running(lease=lease, workers=1):
        await asyncio.sleep(100)
        assert [write for write in stage.server.writes if "Service" in write] == []


# Fencing ---------------------------------------------------------------------------------------------------------


async def test_every_write_names_the_version_that_it_is_for() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3479))
        await life.idle()
        await asyncio.sleep(1)
    services = [request.body["metadata"] for request in stage.server.requests if to(kinds.SERVICE)(request)]
    assert services[0]["resourceVersion"] == "1"
    assert "uid" not in services[0]
    assert services[1]["uid"] == stage.server.get(kinds.SERVICE, "edge")["metadata"]["uid"]
    assert int(services[1]["resourceVersion"]) > 1
    statuses = [request.body["metadata"] for request in stage.server.requests if request.path.endswith("/status")]
    assert all("resourceVersion" in metadata for metadata in statuses)


async def test_after_a_conflict_it_is_looked_at_again() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        stage.server.lag = True
        stage.server.edit(kinds.SERVICE, "edge", _annotate)
        stage.server.lag = False
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3479))
        await life.idle()
        service = stage.server.get(kinds.SERVICE, "edge")
        assert service["spec"]["ports"][0]["port"] == 3479
        assert service["metadata"]["annotations"]["example.org/mine"] == "yes"
    assert stage.server.writes.count("PATCH Service media/edge") == 2
    assert stage.server.reads.count("Service media/edge") == 1


# Timing ----------------------------------------------------------------------------------------------------------


async def test_one_worker_and_endless_changes_starve_no_first_write() -> None:
    stage = Stage()
    names = [f"gw-{index:02}" for index in range(40)]
    for name in names:
        stage.server.put(kinds.GATEWAY, gateway(name))
    async with stage.running(workers=1) as life:

        async def change_for_ever() -> None:
            port = 5000
            while True:
                port += 1
                for name in ("edge", "gw-00", "gw-01"):
                    stage.server.put(kinds.GATEWAY, gateway(name, port=port))
                await asyncio.sleep(0.15)

        changing = asyncio.create_task(change_for_ever())
        await asyncio.sleep(60)
        changing.cancel()
        missing = [name for name in names if "status" not in stage.server.get(kinds.GATEWAY, name)]
        assert missing == []
        await life.idle()


async def test_a_burst_of_changes_is_one_write() -> None:
    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        for port in range(4000, 4008):
            stage.server.put(kinds.GATEWAY, gateway("edge", port=port))
            await asyncio.sleep(0.01)
        await life.idle()
    assert stage.server.writes.count("PATCH Service media/edge") == 1
    assert stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"][0]["port"] == 4007


# Statuses of kinds that have none, or are not served ---------------------------------------------------------------


async def test_a_kind_without_a_status_is_passed_by_quietly() -> None:
    stage = Stage(served=SERVED._replace(with_status=frozenset()))
    stage.server.put(kinds.UDP_ROUTE, route("calls"))
    async with stage.running() as life:
        await life.idle()
    assert sorted(stage.server.writes) == ["PATCH Deployment media/edge", "PATCH Service media/edge"]


async def test_a_foreign_class_is_none_of_ours() -> None:
    stage = Stage()
    stage.server.put(kinds.GATEWAY_CLASS, gateway_class("foreign", controller="example.org/other"))
    stage.server.put(kinds.GATEWAY, gateway("theirs", class_name="foreign"))
    async with stage.running() as life:
        await life.idle()
    assert not [write for write in stage.server.writes if "theirs" in write or "foreign" in write]
