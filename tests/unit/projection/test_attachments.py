"""Attachments: which listeners take a route, by section, port, kind and namespace, and what its status says."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.projection.snapshots import StatusSlot
from stunnergw.projection.statuses import parent_json
from stunnergw.resources import kinds
from stunnergw.resources.metadata import STUNNER_GROUP
from tests.support.bench import Bench, bench
from tests.support.objects import (
    EDGE,
    allowing,
    deleted,
    gateway,
    gateway_class,
    healthy,
    listener,
    namespace,
    parent,
    route,
    service,
)

GOOD = {"Accepted": "True/Accepted", "ResolvedRefs": "True/ResolvedRefs"}


def refused(reason: str) -> dict[str, str]:
    return {"Accepted": f"False/{reason}", "ResolvedRefs": "True/ResolvedRefs"}


TWO = gateway("edge", listener("one", 3478), listener("two", 3479))
BACKEND = service("sfu", "10.0.0.7")


def attached(found: Bench) -> dict[str, int]:
    return {each.name: each.attached_routes for each in found.status(kinds.GATEWAY, EDGE).listeners}


def routed(found: Bench) -> dict[str, list[str]]:
    """The routes of each listener that goes into the document."""
    listeners = found.document(EDGE)["listeners"]
    return {each["name"].rpartition("/")[2]: each.get("routes", []) for each in listeners}


@pytest.mark.parametrize("kind", kinds.ROUTE_KINDS)
@pytest.mark.parametrize(
    ("ref", "listeners", "reason"),
    [
        ({}, "one two", ""),
        ({"sectionName": "one"}, "one", ""),
        ({"port": 3479}, "two", ""),
        ({"sectionName": "two", "port": 3479}, "two", ""),
        ({"sectionName": "one", "port": 3479}, "", "NoMatchingParent"),
        ({"sectionName": "nowhere"}, "", "NoMatchingParent"),
        ({"port": 9}, "", "NoMatchingParent"),
        ({"namespace": "media", "group": "gateway.networking.k8s.io", "kind": "Gateway"}, "one two", ""),
    ],
)
def test_sections_and_ports(ref: dict[str, Any], listeners: str, reason: str, kind: Any) -> None:
    calls = route(parents=[parent(**ref)], kind=kind)
    found = bench(*healthy(), TWO, BACKEND, calls)
    assert found.parents(calls) == [refused(reason) if reason else GOOD]
    assert attached(found) == {name: int(name in listeners) for name in ("one", "two")}
    assert routed(found) == {name: ["media/calls"] if name in listeners else [] for name in ("one", "two")}
    if reason:
        assert "media/edge" in found.parent_message(calls, "Accepted")
        assert "clusters" not in found.document(EDGE)


def test_a_route_counts_once_by_however_many_parent_refs() -> None:
    calls = route(
        parents=[parent(sectionName="one"), parent(sectionName="one", port=3478), parent(port=3478), parent()]
    )
    found = bench(*healthy(), TWO, BACKEND, calls)
    assert found.parents(calls) == [GOOD] * 4
    assert attached(found) == {"one": 1, "two": 1}
    assert routed(found) == {"one": ["media/calls"], "two": ["media/calls"]}


def test_all_routes_of_a_listener_are_served() -> None:
    found = bench(*healthy(), TWO, BACKEND, route(), route("talks"))
    assert attached(found) == {"one": 2, "two": 2}
    assert routed(found)["one"] == ["media/calls", "media/talks"]


YES = {"selector": {"matchLabels": {"calls": "yes"}}}
POLICIES: list[tuple[dict[str, Any] | None, str, bool]] = [
    (None, "media", True),
    (None, "guests", False),
    (allowing(**{"from": "Same"}), "media", True),
    (allowing(**{"from": "Same"}), "guests", False),
    (allowing(**{"from": "All"}), "guests", True),
    (allowing(**{"from": "Selector"}, **YES), "guests", True),
    (allowing(**{"from": "Selector"}, **YES), "media", False),
    (allowing(**{"from": "Selector", "selector": {}}), "guests", True),
    # A selector beside another policy means nothing.
    (allowing(**{"from": "All"}, **YES), "media", True),
]


@pytest.mark.parametrize(("policy", "origin", "admitted"), POLICIES)
def test_namespaces(policy: dict[str, Any] | None, origin: str, admitted: bool) -> None:
    spec = listener() if policy is None else listener(allowedRoutes=policy)
    calls = route(namespace=origin, parents=[parent(namespace="media")])
    backends = [service("sfu", "10.0.0.7", namespace=origin)]
    found = bench(*healthy(), namespace("guests", calls="yes"), gateway("edge", spec), calls, *backends)
    assert found.parents(calls) == [GOOD if admitted else refused("NotAllowedByListeners")]
    assert attached(found) == {"udp": int(admitted)}
    assert routed(found) == {"udp": [f"{origin}/calls"] if admitted else []}


def selecting(operator: str, *values: str) -> dict[str, Any]:
    wanted = {"key": "calls", "operator": operator, "values": list(values)}
    return listener(allowedRoutes=allowing(**{"from": "Selector", "selector": {"matchExpressions": [wanted]}}))


@pytest.mark.parametrize(
    ("operator", "values", "fitting"),
    [
        ("In", ["yes", "maybe"], "yes"),
        ("NotIn", ["yes"], "no nothing"),
        ("Exists", [], "yes no"),
        ("DoesNotExist", [], "nothing"),
    ],
)
def test_selectors_by_expression(operator: str, values: list[str], fitting: str) -> None:
    found = bench(*healthy(), gateway("edge", selecting(operator, *values)))
    for name, labels in {"yes": {"calls": "yes"}, "no": {"calls": "no"}, "nothing": {}}.items():
        calls = route(namespace=name, parents=[parent(namespace="media")])
        found.run(namespace(name, **labels), calls, service("sfu", "10.0.0.7", namespace=name))
        assert found.parents(calls) == [GOOD if name in fitting.split() else refused("NotAllowedByListeners")]


@pytest.mark.parametrize(
    "unreadable", [selecting("NotIn"), selecting("Exists", "yes"), selecting("Like", "yes")], ids=str
)
def test_r5_16_nothing_attaches_by_a_selector_that_cannot_be_read(unreadable: dict[str, Any]) -> None:
    calls = route(namespace="guests", parents=[parent(namespace="media")])
    found = bench(*healthy(), gateway("edge", unreadable), calls, namespace("guests", calls="yes"))
    found.run(service("sfu", "10.0.0.7", namespace="guests"))
    assert found.parents(calls) == [refused("NotAllowedByListeners")]
    assert attached(found) == {"udp": 0}


def test_a_label_that_changes_attaches_and_detaches() -> None:
    calls = route(namespace="guests", parents=[parent(namespace="media")])
    spec = listener(allowedRoutes=allowing(**{"from": "Selector"}, **YES))
    found = bench(*healthy(), gateway("edge", spec), calls)
    for labels, count in (({}, 0), ({"calls": "yes"}, 1), ({"calls": "no"}, 0)):
        found.run(namespace("guests", **labels))
        assert attached(found) == {"udp": count}
    found.run(namespace("guests", calls="yes"))
    found.run(deleted(namespace("guests")))
    assert attached(found) == {"udp": 0}


def test_kinds() -> None:
    ours, theirs = route(), route("talks", kind=kinds.UDP_ROUTE)
    only_ours = listener(allowedRoutes={"kinds": [{"group": STUNNER_GROUP, "kind": "UDPRoute"}]})
    found = bench(*healthy(), gateway("edge", only_ours), ours, theirs, BACKEND)
    assert found.parents(ours) == [GOOD]
    assert found.parents(theirs) == [refused("NotAllowedByListeners")]
    assert attached(found) == {"udp": 1}


def test_a_protocol_that_is_not_ours_admits_none() -> None:
    calls = route()
    found = bench(*healthy(), gateway("edge", listener("web", 80, "HTTP")), calls, BACKEND)
    assert found.parents(calls) == [refused("NotAllowedByListeners")]
    assert attached(found) == {"web": 0}


def test_routes_count_whether_or_not_the_listener_is_served() -> None:
    crowd = gateway("edge", listener("one"), listener("other"), listener("apart", 3479))
    found = bench(*healthy(), crowd, route())
    assert attached(found) == {"one": 1, "other": 1, "apart": 1}
    assert routed(found) == {"apart": ["media/calls"]}


# Whose entry it is --------------------------------------------------------------------------------------------


def test_entries_for_parents_of_ours_alone() -> None:
    parents = [
        parent(),
        parent("nowhere"),
        parent("foreign"),
        parent("lost"),
        parent("broken"),
        parent("edge", kind="Service"),
    ]
    calls = route(parents=parents)
    found = bench(
        *healthy(), gateway(), BACKEND, calls,
        gateway_class("foreign", controller="example.org/other"), gateway("foreign", class_name="foreign"),
        gateway("lost", class_name="nowhere"),
        gateway_class("broken", config=None), gateway("broken", class_name="broken"),
    )  # fmt: skip
    assert found.parents(calls) == [GOOD, "absent", "absent", "undecided", "undecided", "absent"]


def test_a_parent_that_goes_takes_its_entry_along() -> None:
    calls = route()
    found = bench(*healthy(), gateway(), BACKEND, calls)
    found.run(deleted(gateway()))
    assert found.parents(calls) == ["absent"]
    found.run(deleted(calls))
    assert StatusSlot(calls.kind, calls.key) not in found.snapshot.statuses


def test_parent_refs_are_echoed_with_their_defaults() -> None:
    asked = [parent(sectionName="udp", port=3478), parent(namespace="media")]
    calls = route(parents=asked)
    found = bench(*healthy(), gateway(), calls)
    parents = found.status(calls.kind, calls.key).parents
    whole = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}
    assert [parent_json(entry.parent) for entry in parents] == [
        {**whole, "sectionName": "udp", "port": 3478},
        {**whole, "namespace": "media"},
    ]


def test_the_generation_is_the_routes() -> None:
    calls = route(meta={"generation": 9})
    found = bench(*healthy(), gateway(meta={"generation": 4}), calls)
    (entry,) = found.status(calls.kind, calls.key).parents
    assert {each.observed_generation for each in entry.conditions.value} == {9}


def test_a_masked_route_is_not_served_and_says_so() -> None:
    ours, theirs = route(), route(kind=kinds.UDP_ROUTE)
    found = bench(*healthy(), gateway(), ours, theirs, BACKEND)
    assert found.parents(ours) == [GOOD]
    assert found.parents(theirs) == [refused("Pending")]
    assert "stunner.l7mp.io UDPRoute media/calls" in found.parent_message(theirs, "Accepted")
    assert attached(found) == {"udp": 1}
    found.run(deleted(ours))
    assert found.parents(theirs) == [GOOD]
    assert attached(found) == {"udp": 1}
