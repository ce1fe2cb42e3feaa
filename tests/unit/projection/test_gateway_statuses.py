"""Statuses of Gateways and listeners: which conditions stand there, for which reason, of which generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.projection.snapshots import StatusSlot
from stunnergw.resources import kinds
from tests.support.bench import Bench, bench, undecided
from tests.support.objects import (
    EDGE,
    deleted,
    exposing,
    gateway,
    gateway_class,
    healthy,
    listener,
    route,
    service,
)

if TYPE_CHECKING:
    from stunnergw.events.types import Applied

CLOUD = [{"ip": "198.51.100.1"}]
GOOD_LISTENER = {"Accepted": "True/Accepted", "Programmed": "True/Programmed", "ResolvedRefs": "True/ResolvedRefs"}
WEB = listener("web", 80, "HTTP")
UNSELECTED = listener("unselected", 3480, allowedRoutes={"namespaces": {"from": "Selector"}})


def of(*listeners: dict[str, Any], **parts: Any) -> Bench:
    owner = gateway("edge", *listeners, **parts)
    return bench(*healthy(), owner, exposing(owner, ingress=CLOUD))


def conditions(found: Bench, name: str = "") -> dict[str, str]:
    return found.conditions(kinds.GATEWAY, EDGE, name)


@pytest.mark.parametrize(
    ("listeners", "accepted", "programmed"),
    [
        ([listener()], "True/Accepted", "True/Programmed"),
        ([listener(), WEB], "True/ListenersNotValid", "True/Programmed"),
        ([WEB], "False/ListenersNotValid", "False/Invalid"),
        ([listener("a"), listener("b")], "False/ListenersNotValid", "False/Invalid"),
        ([UNSELECTED], "True/Accepted", "False/Invalid"),
        ([UNSELECTED, WEB], "True/ListenersNotValid", "False/Invalid"),
        ([listener(), UNSELECTED], "True/Accepted", "True/Programmed"),
        ([listener(), listener("more", 3479)], "True/Accepted", "False/AddressNotAssigned"),
    ],
    ids=[
        "good", "partly", "none of ours", "conflict", "withheld", "withheld and bad", "good and withheld",
        "one without an address",
    ],
)  # fmt: skip
def test_the_gateway_by_its_listeners(listeners: list[dict[str, Any]], accepted: str, programmed: str) -> None:
    assert conditions(of(*listeners)) == {
        "Accepted": accepted,
        "Programmed": programmed,
        "ResolvedRefs": "True/ResolvedRefs",
    }


def test_a_good_listener() -> None:
    found = of()
    assert conditions(found, "udp") == GOOD_LISTENER
    assert "198.51.100.1 port 3478" in found.message(kinds.GATEWAY, EDGE, "Programmed", "udp")


def test_messages_name_what_is_bad_and_what_is_good() -> None:
    found = of(listener(), WEB, UNSELECTED)
    assert found.message(kinds.GATEWAY, EDGE, "Accepted").startswith("accepted: udp, unselected; not accepted: web: ")
    assert "not served: unselected: " in found.message(kinds.GATEWAY, EDGE, "Programmed")


def test_negative_conditions_only_while_they_hold() -> None:
    found = of(listener("a"), listener("b"))
    assert conditions(found, "a")["Conflicted"] == "True/ProtocolConflict"
    found.run(gateway("edge", listener("a"), listener("b", 3479)))
    assert "Conflicted" not in conditions(found, "a")


def generations(found: Bench) -> set[int]:
    status = found.status(kinds.GATEWAY, EDGE)
    entries = [*status.conditions, *(each for entry in status.listeners for each in entry.conditions)]
    return {each.observed_generation for each in entries}


def test_every_condition_has_the_gateways_generation() -> None:
    listeners = [listener(), WEB, UNSELECTED, listener("a", 9), listener("b", 9)]
    found = of(*listeners, meta={"generation": 5})
    assert generations(found) == {5}
    found.run(gateway("edge", *listeners, meta={"generation": 6}))
    assert generations(found) == {6}
    found.run(gateway_class(config=None))
    assert generations(found) == {6}


def test_the_listeners_are_those_of_the_spec_in_its_order() -> None:
    found = of(listener("z"), WEB, listener("a", 3479))
    assert [entry.name for entry in found.status(kinds.GATEWAY, EDGE).listeners] == ["z", "web", "a"]
    found.run(gateway("edge", listener("a", 3479)))
    assert [entry.name for entry in found.status(kinds.GATEWAY, EDGE).listeners] == ["a"]


def test_in_kubernetes_form() -> None:
    found = of()
    found.run(route(), service())
    body = found.status(kinds.GATEWAY, EDGE).as_json()
    assert body["addresses"] == [{"type": "IPAddress", "value": "198.51.100.1"}]
    (entry,) = body["listeners"]
    assert (entry["name"], entry["attachedRoutes"], len(entry["supportedKinds"])) == ("udp", 1, 2)
    assert list(entry["conditions"][0]) == ["type", "status", "observedGeneration", "reason", "message"]
    found.run(gateway("edge", WEB))
    # An older CRD requires the field, empty or not.
    assert found.status(kinds.GATEWAY, EDGE).as_json()["listeners"][0]["supportedKinds"] == []


def test_a_broken_class_leaves_listeners_and_addresses_judged_as_ever() -> None:
    found = of(listener(), WEB)
    found.run(route(), service())
    found.run(gateway_class(config=None))
    assert conditions(found) == {
        "Accepted": "False/InvalidParameters",
        "Programmed": "False/Invalid",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    assert "spec.parametersRef" in found.message(kinds.GATEWAY, EDGE, "Accepted")
    assert conditions(found, "udp") == {**GOOD_LISTENER, "Programmed": "False/Pending"}
    assert conditions(found, "web")["Accepted"] == "False/UnsupportedProtocol"
    status = found.status(kinds.GATEWAY, EDGE)
    assert [tuple(address) for address in status.addresses] == [("IPAddress", "198.51.100.1")]
    assert [entry.attached_routes for entry in status.listeners] == [0, 0]


@pytest.mark.parametrize(
    "infrastructure",
    [{"parametersRef": {"group": "stunner.l7mp.io", "kind": "GatewayConfig", "name": "turn"}}],
)
def test_parameters_of_a_gateway_are_not_supported(infrastructure: dict[str, Any]) -> None:
    found = of(infrastructure=infrastructure)
    assert conditions(found) == {
        "Accepted": "False/InvalidParameters",
        "Programmed": "False/Invalid",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    undecided(found.snapshot.configs[EDGE])


@pytest.mark.parametrize("change", [deleted(gateway_class()), gateway(class_name="nowhere")])
def test_a_missing_class_leaves_the_status_undecided(change: Applied) -> None:
    found = of()
    found.run(change)
    assert "not found" in undecided(found.snapshot.statuses[StatusSlot(kinds.GATEWAY, EDGE)])


def test_missing_backends_and_routes_never_matter_to_a_gateway() -> None:
    found = of()
    before = conditions(found)
    found.run(route())
    assert (
        conditions(found)
        == before
        == {"Accepted": "True/Accepted", "Programmed": "True/Programmed", "ResolvedRefs": "True/ResolvedRefs"}
    )
