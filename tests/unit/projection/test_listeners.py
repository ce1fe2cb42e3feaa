"""Listeners: protocols, conflicts, kinds, selectors, and the ports that stunnerd binds; across Gateways in legacy."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.projection.snapshots import OwnedSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import GATEWAY_GROUP, STUNNER_GROUP, Key
from tests.support.bench import LEGACY, Bench, bench, undecided
from tests.support.objects import (
    CORE,
    EDGE,
    allowing,
    dataplane,
    deleted,
    gateway,
    gateway_config,
    healthy,
    listener,
    parent,
    route,
    service,
)

TURN = Key("", "turn")


def of(*listeners: dict[str, Any], **parts: Any) -> Bench:
    return bench(*healthy(), gateway("edge", *listeners, **parts))


def conditions(found: Bench, name: str, key: Key = EDGE) -> dict[str, str]:
    return found.conditions(kinds.GATEWAY, key, name)


def served(found: Bench, key: Key = EDGE) -> list[tuple[str, str, int]]:
    listeners = found.document(key).get("listeners", [])
    return [(each["name"].rpartition("/")[2], each["protocol"], each["port"]) for each in listeners]


def targets(found: Bench) -> dict[str, tuple[int, int]]:
    return {port["name"]: (port["port"], port["targetPort"]) for port in found.owned(EDGE)["spec"]["ports"]}


def supported(found: Bench, name: str) -> list[str]:
    listeners = found.status(kinds.GATEWAY, EDGE).listeners
    return [f"{kind.group}/{kind.kind}" for each in listeners if each.name == name for kind in each.supported_kinds]


BOTH = [f"{GATEWAY_GROUP}/UDPRoute", f"{STUNNER_GROUP}/UDPRoute"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("UDP", "TURN-UDP"), ("udp", "TURN-UDP"), ("Turn-Udp", "TURN-UDP"), ("TURN-UDP", "TURN-UDP"),
        ("TCP", "TURN-TCP"), ("tCP", "TURN-TCP"), ("turn-tcp", "TURN-TCP"),
    ],
)  # fmt: skip
def test_protocol_names_in_any_case(written: str, meant: str) -> None:
    assert served(of(listener(protocol=written))) == [("udp", meant, 3478)]


@pytest.mark.parametrize("protocol", ["HTTP", "HTTPS", "SCTP", "TURN", "TURN-HTTP", "example.org/udp", "UDP "])
def test_other_protocols_are_not_served(protocol: str) -> None:
    found = of(listener("web", 80, protocol), listener())
    assert conditions(found, "web") == {
        "Accepted": "False/UnsupportedProtocol",
        "Programmed": "False/Invalid",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    assert supported(found, "web") == []
    assert served(found) == [("udp", "TURN-UDP", 3478)]
    assert found.conditions(kinds.GATEWAY, EDGE)["Accepted"] == "True/ListenersNotValid"
    assert "web" in found.message(kinds.GATEWAY, EDGE, "Accepted")


def test_v1alpha1_keeps_the_name_in_capitals() -> None:
    old = bench(*healthy(stunnerConfig="x"), gateway("edge", listener(protocol="udp")), settings=LEGACY)
    assert served(old, TURN) == [("udp", "UDP", 3478)]


CONFLICT = {
    "Accepted": "False/PortUnavailable",
    "Programmed": "False/Invalid",
    "ResolvedRefs": "True/ResolvedRefs",
    "Conflicted": "True/ProtocolConflict",
}


@pytest.mark.parametrize(
    ("one", "other", "conflict"),
    [
        ("UDP", "TURN-UDP", True),
        ("UDP", "DTLS", True),
        ("TCP", "TLS", True),
        ("TCP", "turn-tcp", True),
        ("UDP", "TCP", False),
        ("DTLS", "TLS", False),
        ("UDP", "HTTP", False),
        ("HTTP", "HTTP", False),
    ],
)
def test_conflicts_go_by_transport_and_port(one: str, other: str, conflict: bool) -> None:
    found = of(listener("one", 3478, one), listener("other", 3478, other), listener("apart", 3479, one))
    assert [("Conflicted" in conditions(found, name)) for name in ("one", "other", "apart")] == [
        conflict,
        conflict,
        False,
    ]


def test_nobody_wins_a_conflict() -> None:
    found = of(listener("one"), listener("other", protocol="UDP"), listener("apart", 3479))
    resolved = {name: conditions(found, name) for name in ("one", "other")}
    assert resolved == {"one": CONFLICT, "other": CONFLICT}
    assert served(found) == [("apart", "TURN-UDP", 3479)]
    assert targets(found) == {"apart": (3479, 3479)}
    assert found.conditions(kinds.GATEWAY, EDGE)["Accepted"] == "True/ListenersNotValid"


def test_a_gateway_with_nothing_to_serve_keeps_what_it_has() -> None:
    found = of(listener())
    found.run(gateway("edge", listener(protocol="TURN-UPD")))
    for output in (found.snapshot.configs[EDGE], found.snapshot.objects[OwnedSlot("Service", EDGE)]):
        undecided(output)
    assert found.conditions(kinds.GATEWAY, EDGE) == {
        "Accepted": "False/ListenersNotValid",
        "Programmed": "False/Invalid",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    assert "keep what they have" in found.message(kinds.GATEWAY, EDGE, "Programmed")


OURS, CORES = {"group": STUNNER_GROUP, "kind": "UDPRoute"}, {"kind": "UDPRoute"}


@pytest.mark.parametrize(
    ("asked", "listed", "resolved"),
    [
        ([], BOTH, "True/ResolvedRefs"),
        ([OURS], BOTH[1:], "True/ResolvedRefs"),
        ([CORES], BOTH[:1], "True/ResolvedRefs"),
        ([OURS, CORES], BOTH, "True/ResolvedRefs"),
        ([CORES, {"kind": "HTTPRoute"}], BOTH[:1], "False/InvalidRouteKinds"),
        ([{"kind": "HTTPRoute"}, {"group": "", "kind": "UDPRoute"}], [], "False/InvalidRouteKinds"),
    ],
)
def test_kinds(asked: list[dict[str, str]], listed: list[str], resolved: str) -> None:
    found = of(listener(allowedRoutes={"kinds": asked}))
    assert supported(found, "udp") == listed
    assert conditions(found, "udp")["ResolvedRefs"] == resolved
    assert conditions(found, "udp")["Accepted"] == "True/Accepted"
    # A listener of odd kinds is served: with no route, it lets nobody through.
    assert served(found) == [("udp", "TURN-UDP", 3478)]


def expression(operator: str, *values: str) -> dict[str, Any]:
    return {"selector": {"matchExpressions": [{"key": "calls", "operator": operator, "values": list(values)}]}}


@pytest.mark.parametrize(
    "selector",
    [
        {},
        expression("Like", "yes"),
        expression("In"),
        expression("NotIn"),
        expression("Exists", "yes"),
    ],
    ids=["none", "Like", "In nothing", "NotIn nothing", "Exists with a value"],
)
def test_a_selector_that_cannot_be_read_withholds_the_listener(selector: dict[str, Any]) -> None:
    found = of(listener("bad", allowedRoutes=allowing(**{"from": "Selector"}, **selector)), listener("good", 3479))
    assert conditions(found, "bad") == {
        "Accepted": "True/Accepted",
        "Programmed": "False/Invalid",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    assert served(found) == [("good", "TURN-UDP", 3479)]
    assert targets(found) == {"good": (3479, 3479)}
    assert found.conditions(kinds.GATEWAY, EDGE)["Accepted"] == "True/Accepted"


def test_r5_1_an_odd_policy_of_namespaces_refuses_the_listener() -> None:
    found = of(listener("odd", allowedRoutes=allowing(**{"from": "None"})), listener("good", 3479))
    assert conditions(found, "odd") == {
        "Accepted": "False/UnsupportedValue",
        "Programmed": "False/Invalid",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    said = found.message(kinds.GATEWAY, EDGE, "Accepted", "odd")
    assert said == "allowedRoutes.namespaces of listener odd says from: None: use one of Same, All, Selector"
    assert served(found) == [("good", "TURN-UDP", 3479)]
    assert found.conditions(kinds.GATEWAY, EDGE)["Accepted"] == "True/ListenersNotValid"
    found.run(route(), service())
    assert found.status(kinds.GATEWAY, EDGE).listeners[0].attached_routes == 0


TLS = {"certificateRefs": [{"name": "cert"}]}


@pytest.mark.parametrize("protocol", ["TURN-UDP", "TURN-TCP"])
def test_r5_10_what_a_turn_listener_has_no_use_for_is_ignored_and_said(protocol: str) -> None:
    odd = listener(protocol=protocol, hostname="turn.example.org", tls=TLS)
    found = of(odd, addresses=[{"value": "203.0.113.1"}])
    assert conditions(found, "udp") == {
        "Accepted": "True/Accepted",
        "Programmed": "True/Programmed",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    said = found.message(kinds.GATEWAY, EDGE, "Programmed", "udp")
    assert "hostname of listener udp is ignored" in said
    assert f"tls of listener udp is ignored, since {protocol} has none" in said
    assert served(found) == [("udp", protocol, 3478)]


def test_r5_10_the_tls_of_a_tls_listener_and_of_a_strange_one_is_no_note() -> None:
    found = of(listener("tls", 443, "TLS", tls=TLS), listener("web", 80, "HTTP", hostname="example.org"))
    for name in ("tls", "web"):
        assert "is ignored" not in found.message(kinds.GATEWAY, EDGE, "Programmed", name)


def test_r5_13_odd_kinds_beside_a_missing_certificate_are_both_told() -> None:
    found = of(listener("tls", 443, "TLS", tls=TLS, allowedRoutes={"kinds": [{"kind": "HTTPRoute"}, CORES]}))
    assert conditions(found, "tls")["ResolvedRefs"] == "False/InvalidCertificateRef"
    said = found.message(kinds.GATEWAY, EDGE, "ResolvedRefs", "tls")
    assert "Secret media/cert not found" in said
    assert f"allowedRoutes.kinds of listener tls names {GATEWAY_GROUP}/HTTPRoute" in said
    assert supported(found, "tls") == BOTH[:1]
    assert found.conditions(kinds.GATEWAY, EDGE)["ResolvedRefs"] == "False/ListenersNotResolved"
    assert found.message(kinds.GATEWAY, EDGE, "ResolvedRefs") == said


# The ports that stunnerd binds --------------------------------------------------------------------------------

TARGET = "stunner.l7mp.io/targetport"


@pytest.mark.parametrize(
    ("text", "ports", "said"),
    [
        ('{"one": 5000}', [5000, 3479], ""),
        ('"one": 5000, "two": 5001', [5000, 5001], ""),
        ('{"one": 3479, "two": 3478}', [3479, 3478], ""),
        ('{"one": 3479}', [3478, 3479], "another listener would bind that port"),
        ('{"one": 5000, "two": 5000}', [3478, 3479], "another listener would bind that port"),
        ('{"one": 70000, "two": 5001}', [3478, 5001], "no port from 1 to 65535"),
        ('{"one": 0}', [3478, 3479], "no port from 1 to 65535"),
        ('{"one": true}', [3478, 3479], "no port from 1 to 65535"),
        ('{"one": "5000"}', [3478, 3479], "no port from 1 to 65535"),
        ('{"three": 5000}', [3478, 3479], "names listener three"),
        ("5000", [3478, 3479], "write a JSON map"),
        ("[1]", [3478, 3479], "write a JSON map"),
    ],
)
def test_target_ports(text: str, ports: list[int], said: str) -> None:
    annotated = {TARGET: text, "stunner.l7mp.io/enable-mixed-protocol-lb": "true"}
    found = of(listener("one", 3478), listener("two", 3479), annotations=annotated)
    assert [port for _, _, port in served(found)] == ports
    assert targets(found) == {"one": (3478, ports[0]), "two": (3479, ports[1])}
    messages = [found.message(kinds.GATEWAY, EDGE, "Programmed", name) for name in ("", "one", "two")]
    assert said in " ".join(messages)


def test_target_ports_come_from_the_gateway_alone() -> None:
    annotations = {TARGET: '{"udp": 5000}'}
    found = bench(*healthy(loadBalancerServiceAnnotations=annotations), gateway())
    assert served(found) == [("udp", "TURN-UDP", 3478)]


@pytest.mark.parametrize(
    ("port", "plane", "accepted"),
    [
        (8086, {}, False),
        (8086, {"disableHealthCheck": True}, True),
        (8080, {}, True),
        (8080, {"enableMetricsEndpoint": True}, False),
    ],
)
def test_ports_that_stunnerd_itself_has(port: int, plane: dict[str, Any], accepted: bool) -> None:
    found = bench(*healthy(), dataplane(**plane), gateway("edge", listener("tcp", port, "TCP"), listener("udp", port)))
    assert conditions(found, "tcp")["Accepted"] == ("True/Accepted" if accepted else "False/PortUnavailable")
    assert conditions(found, "udp")["Accepted"] == "True/Accepted"


def test_a_target_port_that_stunnerd_itself_has() -> None:
    found = of(listener("tcp", 3478, "TCP"), listener(), annotations={TARGET: '{"tcp": 8086}'})
    assert conditions(found, "tcp")["Accepted"] == "False/PortUnavailable"


def test_the_health_port_is_taken_in_legacy_mode_too() -> None:
    found = bench(*healthy(), gateway("edge", listener("tcp", 8086, "TCP")), settings=LEGACY)
    assert conditions(found, "tcp")["Accepted"] == "False/PortUnavailable"


def test_the_metrics_port_is_taken_in_legacy_mode_too() -> None:
    config = gateway_config(metricsEndpoint="http://:8080/metrics")
    found = bench(*healthy(), config, gateway("edge", listener("tcp", 8080, "TCP")), settings=LEGACY)
    assert conditions(found, "tcp")["Accepted"] == "False/PortUnavailable"


def test_the_relay_address() -> None:
    annotated = {"stunner.l7mp.io/enable-relay-address-discovery": "TRUE"}
    assert of(annotations=annotated).document(EDGE)["listeners"][0]["address"] == "__node_address_placeholder"
    assert of().document(EDGE)["listeners"][0]["address"] == "$STUNNER_ADDR"
    old = bench(*healthy(), gateway(annotations=annotated), settings=LEGACY)
    assert old.document(TURN)["listeners"][0]["address"] == "$STUNNER_ADDR"


# Legacy mode: several Gateways, one stunnerd ------------------------------------------------------------------


def aged(name: str, day: int, *listeners: dict[str, Any], **parts: Any) -> Any:
    return gateway(name, *listeners, meta={"creationTimestamp": f"2026-01-{day:02}T00:00:00Z"}, **parts)


@pytest.mark.parametrize(("edge_day", "winner"), [(1, EDGE), (2, CORE), (3, CORE)], ids=["older", "a tie", "younger"])
def test_the_oldest_gateway_keeps_a_port(edge_day: int, winner: Key) -> None:
    found = bench(*healthy(), aged("edge", edge_day), aged("core", 2), settings=LEGACY)
    loser = CORE if winner == EDGE else EDGE
    assert conditions(found, "udp", winner)["Accepted"] == "True/Accepted"
    assert conditions(found, "udp", loser) == CONFLICT
    assert str(winner) in found.message(kinds.GATEWAY, loser, "Accepted", "udp")
    assert [each["name"] for each in found.document(TURN)["listeners"]] == [f"{winner}/udp"]
    found.run(deleted(gateway(winner.name)))
    assert [each["name"] for each in found.document(TURN)["listeners"]] == [f"{loser}/udp"]


def test_the_port_that_is_bound_counts() -> None:
    moved = aged("edge", 1, annotations={TARGET: '{"udp": 5000}'})
    found = bench(*healthy(), moved, aged("core", 2), aged("third", 3, listener(port=5000)), settings=LEGACY)
    assert "Conflicted" not in conditions(found, "udp", CORE)
    assert conditions(found, "udp", Key("media", "third")) == CONFLICT


def test_classes_apart_have_ports_apart() -> None:
    managed = bench(*healthy(), aged("edge", 1), aged("core", 2))
    assert "Conflicted" not in conditions(managed, "udp", CORE)


def test_a_gateway_that_serves_nothing_keeps_no_port() -> None:
    refused = aged("edge", 1, addresses=[{"type": "example.org/odd", "value": "x"}])
    found = bench(*healthy(), refused, aged("core", 2), settings=LEGACY)
    assert [each["name"] for each in found.document(TURN)["listeners"]] == ["media/core/udp"]


def test_v1alpha1_tells_listeners_of_one_name_not_apart() -> None:
    facts = [aged("edge", 1), aged("core", 2, listener(port=3479))]
    plain = bench(*healthy(), *facts, settings=LEGACY)
    assert len(plain.document(TURN)["listeners"]) == 2
    old = bench(*healthy(stunnerConfig="x"), *facts, settings=LEGACY)
    assert served(old, TURN) == [("udp", "TURN-UDP", 3478)]
    assert conditions(old, "udp", CORE)["Accepted"] == "False/UnsupportedValue"
    assert "Conflicted" not in conditions(old, "udp", CORE)


def test_v1alpha1_tells_routes_of_one_name_not_apart() -> None:
    open_to_all = listener(allowedRoutes=allowing(**{"from": "All"}))
    ours, other = (
        route(
            namespace=where,
            parents=[parent(namespace="media")],
            meta={"creationTimestamp": f"2026-01-0{day}T00:00:00Z"},
        )
        for where, day in (("media", 2), ("guests", 1))
    )
    facts = [gateway("edge", open_to_all), ours, other, service(namespace="guests")]
    old = bench(*healthy(stunnerConfig="x"), *facts, settings=LEGACY)
    (cluster,) = old.document(TURN)["clusters"]
    assert cluster == {"name": "calls", "type": "STRICT_DNS", "endpoints": ["sfu.guests.svc.cluster.local"]}
    assert old.parents(ours) == [{"Accepted": "False/UnsupportedValue", "ResolvedRefs": "False/BackendNotFound"}]
    assert old.parents(other) == [{"Accepted": "True/Accepted", "ResolvedRefs": "True/ResolvedRefs"}]
    plain = bench(*healthy(), *facts, settings=LEGACY)
    assert [each["name"] for each in plain.document(TURN)["clusters"]] == ["guests/calls", "media/calls"]


def test_v1alpha1_without_a_metrics_endpoint_takes_tcp_listeners() -> None:
    """As in the walk-through: most have none."""
    old = bench(*healthy(stunnerConfig="x"), gateway("edge", listener("tcp", 3478, "TCP")), settings=LEGACY)
    assert served(old, TURN) == [("tcp", "TCP", 3478)]
