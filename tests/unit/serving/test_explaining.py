"""``/why``: by hand, and from a projector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.events.log import EventLog
from stunnergw.projection.causes import Cause, Subject
from stunnergw.projection.outputs import ABSENT, Undecided
from stunnergw.projection.projecting import Projection
from stunnergw.projection.projector import Projector
from stunnergw.projection.snapshots import Explanation
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.serving import explaining
from stunnergw.serving.server import INSPECTION, Servers
from stunnergw.settings import Decisions
from stunnergw.store.indexes import SERVICE_NAME
from stunnergw.store.store import Get, Store
from tests.support.objects import PASSWORD, applied, gateway, healthy, listed, route, service
from tests.support.plain_http import fetch
from tests.unit.serving.stage import EDGE, FakeSource, Stage, document, serving, settings

if TYPE_CHECKING:
    from stunnergw.events.types import Applied

SFU = Get(kinds.ENDPOINT_SLICE, Key("media", "sfu-1"))
META = {"resourceVersion": "77", "managedFields": [{"manager": "kubectl-edit", "time": "2026-01-01T00:00:00Z"}]}


class FakeExplainer:
    def __init__(self, **explanations: Explanation) -> None:
        self.explanations = explanations

    def explain(self, config: Key) -> Explanation | None:
        return self.explanations.get(config.name)


def changed(seq: int = 1) -> Cause:
    return Cause(SFU, seq, True)


def result(name: str, *parts: Cause) -> Cause:
    return Cause(Subject(name, (EDGE,)), 9, False, parts)


def log_with_event() -> EventLog:
    log = EventLog(clock=lambda: 1_767_225_600_000_000_000)
    log.append([applied(kinds.ENDPOINT_SLICE, "sfu-1", meta=META, addressType="IPv4")], source="manifests")
    return log


async def why(stage: Stage, path: str = "media/edge") -> Any:
    response = await fetch(stage.inspection, f"/why/{path}")
    assert response.status == 200
    return json.loads(response.body)


async def refused(stage: Stage, path: str) -> tuple[int, str]:
    response = await fetch(stage.inspection, f"/why/{path}")
    return response.status, json.loads(response.body)["message"]


async def test_the_tree_and_the_inputs_with_their_events() -> None:
    explainer = FakeExplainer(edge=Explanation(result("config", result("cluster", changed())), (changed(),)))
    async with serving({EDGE: document(EDGE)}, log=log_with_event(), explainer=explainer) as stage:
        told = await why(stage)
    event = {
        "at": "2026-01-01T00:00:00.000000Z", "source": "manifests", "type": "Applied", "kind": "EndpointSlice",
        "key": "media/sfu-1", "resourceVersion": "77", "by": "kubectl-edit",
    }  # fmt: skip
    leaf = {"label": "EndpointSlice media/sfu-1", "input": True, "seq": 1, "event": event}
    cluster = {"label": "cluster media/edge", "input": False, "seq": 9, "parts": [leaf]}
    assert told == {
        "run": "run-1",
        "config": "media/edge",
        "seq": 1,
        "state": "wanted",
        "version": document(EDGE).version,
        "cause": {"label": "config media/edge", "input": False, "seq": 9, "parts": [cluster]},
        "inputs": [leaf],
        "inputsLeftOut": 0,
    }


async def test_as_text() -> None:
    gone, unknown = Cause(Get(kinds.NODE, Key("", "n1")), 5, True), Cause(Get(kinds.NODE, Key("", "n2")), 0, True)
    shared = result("cluster", changed())
    explainer = FakeExplainer(edge=Explanation(result("config", shared, shared, gone), (unknown, changed())))
    async with serving({EDGE: document(EDGE)}, log=log_with_event(), explainer=explainer) as stage:
        response = await fetch(stage.inspection, "/why/media/edge?format=text")
    event = "event 1, Applied by kubectl-edit at 2026-01-01T00:00:00.000000Z from manifests, resourceVersion 77"
    assert response.headers["content-type"].startswith("text/plain")
    assert response.body.decode().splitlines() == [
        f"config media/edge: wanted, version {document(EDGE).version} is served, as of event 1",
        "",
        "what last changed it:",
        "  config media/edge, changed in the snapshot at 9",
        "    cluster media/edge, changed in the snapshot at 9",
        f"      EndpointSlice media/sfu-1: {event}",
        "    cluster media/edge (told above)",
        "    Node n1: event 5, which the log has no longer",
        "",
        "what it rests on, the latest change last:",
        "  Node n2",
        f"  EndpointSlice media/sfu-1: {event}",
    ]


async def test_what_is_not_wanted_is_explained_too() -> None:
    explanation = Explanation(result("config", changed()), ())
    explainer = FakeExplainer(edge=explanation, core=explanation)
    async with serving({EDGE: Undecided("the class is missing")}, explainer=explainer) as stage:
        told = await why(stage)
        assert (told["state"], told["reason"], told["version"]) == ("undecided", "the class is missing", None)
        stage.source.publish({EDGE: ABSENT})
        assert (await why(stage))["state"] == "absent"
        assert (await why(stage, "media/core"))["state"] == "absent"


async def test_an_explanation_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "TREE_AT_MOST", 20)
    monkeypatch.setattr(explaining, "INPUTS_AT_MOST", 5)
    cause = result("config", *(result(f"part {number}", changed()) for number in range(30)))
    explainer = FakeExplainer(edge=Explanation(cause, tuple(changed(number) for number in range(1, 31))))
    async with serving({EDGE: document(EDGE)}, explainer=explainer) as stage:
        told = await why(stage)
        text = (await fetch(stage.inspection, "/why/media/edge?format=text")).body.decode()
    assert told["cause"]["cut"] is True
    assert len(told["cause"]["parts"]) < 20
    assert [entry["seq"] for entry in told["inputs"]] == [26, 27, 28, 29, 30]
    assert told["inputsLeftOut"] == 25
    assert "25 inputs that changed earlier" in text
    assert "and more" in text


async def test_a_result_that_all_read_is_told_once() -> None:
    # As a tree this would have 2 ** 40 leaves.
    cause = result("bottom", changed())
    for _ in range(40):
        cause = result("level", cause, cause)
    async with serving({EDGE: document(EDGE)}, explainer=FakeExplainer(edge=Explanation(cause, ()))) as stage:
        assert (await fetch(stage.inspection, "/why/media/edge")).body.count(b'"above": true') == 40


async def test_what_is_not_there_and_what_is_not_known() -> None:
    async with serving(explainer=FakeExplainer()) as stage:
        status, message = await refused(stage, "media/edge")
        assert (status, "first projection" in message) == (503, True)
        stage.source.publish({})
        assert await refused(stage, "media/edge") == (
            404, "there is no config of Gateway media/edge: no Gateway of that name is there",
        )  # fmt: skip
        status, message = await refused(stage, "turn")
        assert (status, "/why/NAMESPACE/GATEWAY" in message) == (404, True)
        status, message = await refused(stage, "media/edge?format=xml")
        assert (status, "json or text" in message) == (400, True)


async def test_legacy_mode_goes_by_class() -> None:
    turn = Key("", "turn")
    explainer = FakeExplainer(turn=Explanation(result("config of class", changed()), ()))
    async with serving({turn: document(turn)}, legacy=True, explainer=explainer) as stage:
        assert (await why(stage, "turn"))["config"] == "turn"
        status, message = await refused(stage, "media/edge")
        assert (status, "/why/CLASS" in message) == (404, True)
        assert (await refused(stage, "other"))[0] == 404


def slice_by(manager: str, address: str) -> Applied:
    return applied(
        kinds.ENDPOINT_SLICE,
        "sfu",
        meta={"labels": {SERVICE_NAME: "sfu"}, "managedFields": [{"manager": manager, "time": "2026-01-01T00:00:00Z"}]},
        addressType="IPv4",
        endpoints=[{"addresses": [address]}],
    )


def lowest(told: Any) -> Any:
    """The input at the end of a tree that does not branch."""
    while not told["input"]:
        [told] = told["parts"]
    return told


async def test_a_projector_tells_who_changed_what() -> None:
    log, store = EventLog(clock=lambda: 0), Store(table=kinds.TABLE)
    projection = Projection(store=store, settings=Decisions(), on_failure=lambda label, error: pytest.fail(label))
    projector = Projector(log=log, store=store, projection=projection, clock=lambda: 0)
    facts = [*listed(), *healthy(), gateway(), route(), service("sfu", "10.0.0.1"), slice_by("controller", "10.1.0.1")]
    log.append(facts, source="manifests")
    await projector.project()
    last = log.append([slice_by("kubectl-edit", "10.1.0.2")], source="manifests")
    await projector.project()
    source = FakeSource()
    source.latest = projector.latest
    servers = Servers(settings(), source, log, run="run-1", explainer=projector)
    await servers.start()
    try:
        port = servers.addresses[INSPECTION].port
        response = await fetch(port, "/why/media/edge")
        text = (await fetch(port, "/why/media/edge?format=text")).body
    finally:
        await servers.stop()
    told = json.loads(response.body)
    assert PASSWORD.encode() not in response.body + text
    leaf = lowest(told["cause"])
    assert (leaf["label"], leaf["seq"], leaf["event"]["by"]) == ("EndpointSlice media/sfu", last, "kubectl-edit")
    assert told["inputs"][-1] == leaf
    assert "GatewayClass turn" in [entry["label"] for entry in told["inputs"]]
