"""The first start over objects that the reference operator wrote; and what a dry run says of it."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.resources import kinds
from stunnergw.resources.metadata import FIELD_MANAGER, OWNED_BY, OWNER
from stunnergw.store.indexes import RELATED_GATEWAY
from tests.unit.sinks.stage import Stage

pytestmark = pytest.mark.looptime

OWNER_REF = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "name": "edge",
    "uid": "Gateway media/edge",
}


def reference_service() -> dict[str, Any]:
    """The reference's Service: at an older port, with an annotation that the Gateway has no more."""
    return {
        "metadata": {
            "name": "edge",
            "namespace": "media",
            "labels": {OWNED_BY: OWNER},
            "annotations": {RELATED_GATEWAY: "media/edge", "cloud/hint": "x"},
            "ownerReferences": [OWNER_REF],
        },
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "ports": [{"name": "udp", "protocol": "UDP", "port": 3000, "nodePort": 30000}],
        },
    }


async def test_a_service_of_the_reference_is_taken_over_cleanly() -> None:
    stage = Stage()
    stage.server.put(kinds.SERVICE, reference_service(), manager="manager")
    async with stage.running() as life:
        await life.idle()
        service = stage.server.get(kinds.SERVICE, "edge")
        assert [port["port"] for port in service["spec"]["ports"]] == [3478], "the old port is gone"
        assert "externalTrafficPolicy" not in service["spec"], "what we do not say is gone"
        assert service["metadata"]["annotations"]["cloud/hint"] == "x", "whose source cannot be seen stays"
        managers = [(entry["manager"], entry["operation"]) for entry in service["metadata"]["managedFields"]]
        assert managers == [(FIELD_MANAGER, "Apply")]
        assert life.outcomes("Service") == ["written"]
        assert life.sinks.writes["take over", "Service", "ok"] == 1
    stage.server.forget_requests()
    async with stage.running() as life:
        await life.idle()
    assert stage.server.requests == []


async def test_a_conflict_in_the_middle_of_taking_over_starts_it_again() -> None:
    stage = Stage()
    stage.server.put(kinds.SERVICE, reference_service(), manager="manager")

    def annotate(body: dict[str, Any]) -> None:
        body["metadata"]["annotations"]["example.org/mine"] = "yes"

    stage.server.before(
        lambda: stage.server.edit(kinds.SERVICE, "edge", annotate),
        fits=lambda request: request.writes and request.path.endswith("/services/edge"),
        times=1,
    )
    async with stage.running() as life:
        await life.idle()
    service = stage.server.get(kinds.SERVICE, "edge")
    assert service["metadata"]["annotations"]["example.org/mine"] == "yes"
    assert [port["port"] for port in service["spec"]["ports"]] == [3478]


async def test_a_dry_run_says_what_it_would_write_and_writes_nothing() -> None:
    stage = Stage()
    stage.server.put(kinds.SERVICE, reference_service(), manager="manager")
    theirs = {"metadata": {"name": "edge", "namespace": "media"}, "spec": {"selector": {}, "template": {}}}
    stage.server.put(kinds.DEPLOYMENT, theirs)
    async with stage.running(dry_run=True) as life:
        await life.idle()
        plan = await life.sinks.plan()
        assert life.wrote == []
    assert stage.server.writes == []
    assert [(planned.verb, planned.kind) for planned in plan] == [
        ("status", "Dataplane"),
        ("none", "Deployment"),
        ("status", "Gateway"),
        ("status", "GatewayClass"),
        ("status", "GatewayConfig"),
        ("apply", "Service"),
        ("take over", "Service"),
    ]
    assert "is not ours" in plan[1].effect.changes[0]
    assert "spec.ports[udp].port: 3000 → 3478" in plan[5].effect.changes
    assert plan[6].effect.changes == ("annotation cloud/hint stays, and is nobody's",)


async def test_a_dry_run_over_what_is_in_order_says_nothing() -> None:
    stage = Stage()
    await stage.once()
    async with stage.running(dry_run=True) as life:
        await life.idle()
        assert await life.sinks.plan() == []
