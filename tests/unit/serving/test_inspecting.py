from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme

from stunnergw.events.types import Event, Fact, Listed
from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.projection.reasons import Reason
from stunnergw.projection.snapshots import StatusSlot
from stunnergw.projection.statuses import (
    AssignedAddress,
    ClassStatus,
    Condition,
    GatewayStatus,
    ListenerStatus,
    ParameterStatus,
    ParentStatus,
    RouteStatus,
    StaticServiceStatus,
)
from stunnergw.resources.kinds import (
    DATAPLANE,
    GATEWAY,
    GATEWAY_CLASS,
    GATEWAY_CONFIG,
    SECRET,
    STATIC_SERVICE,
    TABLE,
    UDP_ROUTE,
)
from stunnergw.resources.metadata import Key
from stunnergw.resources.routes import ParentReference
from stunnergw.serving.inspecting import _is_ours
from stunnergw.store.store import Store
from tests.support.objects import applied
from tests.support.plain_http import Response, fetch
from tests.unit.serving.stage import CORE, EDGE, Stage, document, serving, watching

TRUE = Condition("Accepted", "True", Reason.ACCEPTED, "fine", 1)
ROUTE = Key("media", "sfu")


def statuses() -> dict[StatusSlot, Any]:
    listener = ListenerStatus("udp", 1, (), (TRUE,))
    parents = (
        ParentStatus(ParentReference(name="edge"), Want((TRUE,))),
        ParentStatus(ParentReference(name="core"), Undecided("its class is missing")),
        ParentStatus(ParentReference(name="gone"), ABSENT),
    )
    return {
        StatusSlot(GATEWAY_CLASS, Key("", "stunner")): Want(ClassStatus((TRUE,))),
        StatusSlot(GATEWAY_CONFIG, Key("media", "turn")): Want(ParameterStatus((TRUE,), ("stunner",))),
        StatusSlot(DATAPLANE, Key("", "default")): Want(ParameterStatus((TRUE,), ())),
        StatusSlot(STATIC_SERVICE, Key("media", "lab")): Want(StaticServiceStatus((TRUE,))),
        StatusSlot(GATEWAY, EDGE): Want(
            GatewayStatus((AssignedAddress("IPAddress", "1.2.3.4"),), (TRUE,), (listener,))
        ),
        StatusSlot(GATEWAY, CORE): Undecided("its class is missing"),
        StatusSlot(UDP_ROUTE, ROUTE): Want(RouteStatus("stunner.l7mp.io/gateway-operator", parents)),
    }


async def status(stage: Stage) -> Any:
    response = await fetch(stage.inspection, "/status")
    assert response.status == 200
    assert b"s3cret" not in response.body
    return json.loads(response.body)


async def test_status_before_anything_is_known() -> None:
    async with serving() as stage:
        told = await status(stage)
    assert (told["run"], told["seq"], told["lastEvent"], told["clients"]) == ("run-1", None, 0, [])
    assert told["uptimeSeconds"] >= 0


async def test_status_tells_of_everything() -> None:
    async with serving() as stage:
        stage.source.publish(
            {EDGE: document(EDGE), CORE: Undecided("its class is missing")},
            statuses=statuses(), held={"stunner": "the GatewayConfig is gone"}, failures=2,
        )  # fmt: skip
        told = await status(stage)
    [cls], [core, edge], [route] = told["classes"], told["gateways"], told["routes"]
    assert (cls["name"], cls["held"]) == ("stunner", "the GatewayConfig is gone")
    assert cls["conditions"][0]["reason"] == "Accepted"
    assert edge["config"] == {"state": "wanted", "version": document(EDGE).version}
    assert edge["addresses"] == [{"type": "IPAddress", "value": "1.2.3.4"}]
    assert edge["listeners"][0]["name"] == "udp"
    [config], [plane], [lab] = told["gatewayConfigs"], told["dataplanes"], told["staticServices"]
    assert (config["namespace"], config["name"], config["classes"]) == ("media", "turn", ["stunner"])
    assert (plane["name"], plane["classes"]) == ("default", [])
    assert lab["conditions"][0]["reason"] == "Accepted"
    assert core["undecided"] == "its class is missing"
    assert core["config"] == {"state": "undecided", "version": None, "reason": "its class is missing"}
    assert [parent["parentRef"]["name"] for parent in route["parents"]] == ["edge", "core"]
    assert route["parents"][1]["undecided"] == "its class is missing"
    assert (told["seq"], told["failures"]) == (1, 2)
    assert told["held"] == {"stunner": "the GatewayConfig is gone"}


async def test_status_tells_what_each_data_plane_last_got() -> None:
    async with (
        serving({EDGE: document(EDGE, "1"), CORE: document(CORE)}) as stage,
        watching(stage.port(), "media/edge", node="node-1") as one,
        watching(stage.port(), "") as several,
    ):
        await one.message()
        stage.source.publish({EDGE: document(EDGE, "2"), CORE: document(CORE)})
        await one.message()
        await several.message()
        told = await status(stage)
    [edge] = [gateway for gateway in told["gateways"] if gateway["name"] == "edge"]
    [plane] = edge["dataPlanes"]
    assert plane["version"] == edge["config"]["version"] == document(EDGE, "2").version
    assert (plane["watches"], plane["node"], plane["behind"]) == ("media/edge", "node-1", False)
    assert plane["peer"].startswith("127.0.0.1:")
    [everything] = [client for client in told["clients"] if client["watches"] == "*"]
    assert everything["documents"] == 2


async def test_status_of_legacy_mode_names_the_config_of_a_class() -> None:
    cls = Key("", "stunner")
    async with serving({cls: document(cls)}, legacy=True) as stage:
        told = await status(stage)
    assert told["classes"] == [{"name": "stunner", "config": {"state": "wanted", "version": document(cls).version}}]


async def test_status_tells_when_certificates_end() -> None:
    store, ends = Store(table=TABLE), datetime(2030, 1, 1, tzinfo=UTC)
    issued = trustme.CA().issue_cert("turn.test", not_after=ends)
    pems = {"tls.crt": issued.cert_chain_pems[0].bytes(), "tls.key": issued.private_key_pem.bytes()}
    secrets = {"good": pems, "odd": {**pems, "tls.key": b"no key"}, "password": {"password": b"s3cret"}}
    facts: list[Fact] = [Listed(kind=SECRET, versions=("v1",))]
    facts += [
        applied(SECRET, name, data={key: base64.b64encode(value).decode() for key, value in values.items()})
        for name, values in secrets.items()
    ]
    store.fold(Event(seq, 0, "test", fact) for seq, fact in enumerate(facts))
    async with serving({}, store=store) as stage:
        assert (await status(stage))["certificates"] == [
            {"namespace": "media", "name": "good", "notAfter": "2030-01-01T00:00:00Z"},
            {
                "namespace": "media", "name": "odd", "notAfter": "2030-01-01T00:00:00Z",
                "problem": "the private key is not unencrypted PEM that can be read",
            },
        ]  # fmt: skip


async def ask_as(stage: Stage, host: str) -> Response:
    return await fetch(stage.inspection, "/status", headers={"Host": host})


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8082", "127.0.0.1:9", "[::1]", "[::1]:8082"])
async def test_own_names_are_answered(host: str) -> None:
    async with serving({}) as stage:
        assert (await ask_as(stage, host)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", "[::1", "", "a b"])
async def test_other_hosts_are_refused(host: str) -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        response = await ask_as(stage, host)
    assert response.status in (400, 421)
    assert b"media" not in response.body
    if host == "evil.example":
        assert "localhost" in json.loads(response.body)["message"]


@pytest.mark.parametrize(
    ("given", "bound", "ours"),
    [
        ("10.0.0.1:8082", "10.0.0.1", True), ("10.0.0.1:8082", "", True), ("10.0.0.1", "0.0.0.0", True),
        ("[fd00::1]:1", "::", True), ("evil.example", "", False), ("", "", False), ("Box", "box", True),
    ],
)  # fmt: skip
def test_hosts_by_what_is_listened_on(given: str, bound: str, ours: bool) -> None:
    assert _is_ours(given, bound_host=bound) is ours
