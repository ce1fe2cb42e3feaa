"""Our statuses merged into what is stored: others' parts stay as they are (R2.1, R2.5, R6.12)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stunnergw.projection.outputs import ABSENT, Output, Undecided, Want
from stunnergw.projection.reasons import Reason
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
    return Condition(kind, status, Reason.PENDING, "", 3)


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


@pytest.mark.parametrize(
    ("wanted", "foreign"),
    [
        (ClassStatus((condition(),)), "Conflicted"),
        (GatewayStatus((), (condition(),), ()), "Conflicted"),
        (GatewayStatus((), (condition(),), ()), "SupportedVersion"),
    ],
)
def test_r2_1_a_type_that_is_ours_elsewhere_is_somebody_elses_here(wanted: Any, foreign: str) -> None:
    before = orjson.dumps({"conditions": [stored_condition(foreign, "True")]})
    assert foreign in [each["type"] for each in merged_status(wanted, before, now=NOW)["conditions"]]


@pytest.mark.parametrize("dropped", [True, False])
def test_partially_invalid_comes_and_goes(dropped: bool) -> None:
    entry_before = entry("edge", US)
    entry_before["conditions"].append(stored_condition("PartiallyInvalid", "True"))
    conditions = (condition(), condition("PartiallyInvalid")) if dropped else (condition(),)
    merged = merged_status(route(("edge", Want(conditions))), orjson.dumps({"parents": [entry_before]}), now=NOW)
    types = [each["type"] for each in merged["parents"][0]["conditions"]]
    assert ("PartiallyInvalid" in types) is dropped


def test_features_are_told_beside_the_conditions_and_otherwise_left_alone() -> None:
    before = orjson.dumps({"supportedFeatures": ["Old"], "conditions": []})
    assert merged_status(ClassStatus((condition(),)), before, now=NOW)["supportedFeatures"] == ["Old"]
    told = merged_status(ClassStatus((condition(),), ("Gateway",)), before, now=NOW)
    assert told["supportedFeatures"] == [{"name": "Gateway"}]


def test_r2_11_ours_give_way_where_a_status_is_full() -> None:
    """One entry or condition too many, and the API server would refuse the whole status."""
    foreign = [stored_condition(f"example.org/C{number}", "True") for number in range(7)]
    ours = tuple(condition(kind) for kind in ("Accepted", "Programmed", "ResolvedRefs"))
    merged = merged_status(GatewayStatus((), ours, ()), orjson.dumps({"conditions": foreign}), now=NOW)
    assert merged["conditions"][:7] == foreign
    assert [each["type"] for each in merged["conditions"][7:]] == ["Accepted"]
    others = [entry(f"g{number}", OTHER) for number in range(31)]
    wanted = route(*((name, Want((condition(),))) for name in ("one", "two")))
    told = merged_status(wanted, orjson.dumps({"parents": others}), now=NOW)
    assert told["parents"][:31] == others
    assert names(told)[31:] == [("one", US)]


@pytest.mark.parametrize(
    ("stored", "left"),
    [
        # Of a server that had v0.4 yesterday.
        (["Scheduled", "Ready"], []),
        # Somebody else's.
        (["Ready"], ["Ready"]),
        (["Detached"], ["Detached"]),
    ],
)
def test_the_names_of_v0_4_go_where_it_is_gone(stored: list[str], left: list[str]) -> None:
    before = {"conditions": [stored_condition(kind, "True") for kind in stored]}
    merged = merged_status(GatewayStatus((), (condition(),), ()), orjson.dumps(before), now=NOW)
    assert [entry["type"] for entry in merged["conditions"]] == [*left, "Accepted"]


def test_the_names_of_v0_4_go_from_listeners_too() -> None:
    conditions = [stored_condition(kind, "True") for kind in ("Accepted", "Detached", "Ready")]
    before = orjson.dumps({"listeners": [{"name": "udp", "conditions": conditions}]})
    listener = ListenerStatus("udp", 0, (), (condition(),))
    merged = merged_status(GatewayStatus((), (), (listener,)), before, now=NOW)
    assert [entry["type"] for entry in merged["listeners"][0]["conditions"]] == ["Accepted"]
