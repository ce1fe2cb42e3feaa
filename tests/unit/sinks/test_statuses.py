"""Our statuses merged into what is stored: others' parts stay as they are (R2.1, R2.5, R6.12)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stunnergw.projection.outputs import ABSENT, Output, Undecided, Want
from stunnergw.projection.statuses import (
    ClassStatus,
    Condition,
    Conditions,
    GatewayStatus,
    ListenerStatus,
    ParentStatus,
    RouteStatus,
)
from stunnergw.resources.routes import ParentReference
from stunnergw.sinks.statuses import merged_status

US, OTHER = "stunner.l7mp.io/gateway-operator", "example.org/other"
THEN, NOW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"


def condition(kind: str = "Accepted", status: str = "True") -> Condition:
    return Condition(kind, status, kind, "", 3)


def stored_condition(kind: str, status: str) -> dict[str, Any]:
    return condition(kind, status).as_json() | {"observedGeneration": 2, "lastTransitionTime": THEN}


@pytest.mark.parametrize(("stored", "time"), [("True", THEN), ("False", NOW)])
def test_a_transition_is_a_change_of_status_alone(stored: str, time: str) -> None:
    before = orjson.dumps({"conditions": [stored_condition("Accepted", stored)]})
    (merged,) = merged_status(ClassStatus((condition(),)), before, now=NOW)["conditions"]
    assert merged["lastTransitionTime"] == time
    assert merged["observedGeneration"] == 3


def test_conditions_of_others_stay_in_their_place() -> None:
    foreign = stored_condition("example.org/Scanned", "True")
    before = orjson.dumps({"conditions": [foreign, stored_condition("Accepted", "True")], "else": 1})
    merged = merged_status(ClassStatus((condition(),)), before, now=NOW)
    assert merged["conditions"][0] == foreign
    assert merged["else"] == 1


def test_a_condition_of_ours_that_is_no_longer_wanted_goes() -> None:
    listener = ListenerStatus("udp", 0, (), (condition(),))
    before = orjson.dumps(
        {"listeners": [{"name": "udp", "conditions": [stored_condition("Conflicted", "True")]}, {"name": "gone"}]}
    )
    merged = merged_status(GatewayStatus((), (condition(),), (listener,)), before, now=NOW)
    assert [entry["name"] for entry in merged["listeners"]] == ["udp"]
    assert [entry["type"] for entry in merged["listeners"][0]["conditions"]] == ["Accepted"]


def route(*entries: tuple[str, Output[Conditions]]) -> RouteStatus:
    return RouteStatus(US, tuple(ParentStatus(ParentReference(name=name), output) for name, output in entries))


def entry(name: str, controller: str) -> dict[str, Any]:
    ref = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}
    return {"parentRef": ref, "controllerName": controller, "conditions": [stored_condition("Accepted", "False")]}


def names(merged: dict[str, Any]) -> list[tuple[str, str]]:
    return [(parent["parentRef"]["name"], parent["controllerName"]) for parent in merged["parents"]]


def test_entries_of_others_stay_byte_for_byte() -> None:
    before = {"parents": [entry("edge", OTHER), entry("edge", US)]}
    merged = merged_status(route(("edge", Want((condition(),)))), orjson.dumps(before), now=NOW)
    assert names(merged) == [("edge", OTHER), ("edge", US)]
    assert merged["parents"][0] == before["parents"][0]
    assert merged["parents"][1]["conditions"][0]["status"] == "True"


def test_want_absent_undecided_and_no_longer_named() -> None:
    before = orjson.dumps({"parents": [entry(name, US) for name in ("absent", "undecided", "unnamed")]})
    wanted = route(("absent", ABSENT), ("undecided", Undecided("?")), ("new", Want((condition(),))))
    assert names(merged_status(wanted, before, now=NOW)) == [("undecided", US), ("new", US)]
    assert names(merged_status(wanted, None, now=NOW)) == [("new", US)]
