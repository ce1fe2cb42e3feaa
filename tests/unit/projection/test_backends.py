"""Backends that are no plain Services: prefixes, ports of Services, and kinds that do not mix."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.resources import kinds
from stunnergw.resources.metadata import STUNNER_GROUP
from stunnergw.settings import Decisions, UDPRoutePorts
from tests.support.bench import MANAGED, Bench, bench
from tests.support.objects import EDGE, applied, backend, deleted, gateway, healthy, route, service

NAMES = Decisions(endpoint_discovery=False)
ENFORCED = Decisions(udproute_ports=UDPRoutePorts.ENFORCE)
SFU = service("sfu", "10.0.0.7", ports=[{"name": "rtp", "port": 5000, "protocol": "UDP"}])
STATIC: dict[str, Any] = {"group": STUNNER_GROUP, "kind": "StaticService"}
FINE = "True/ResolvedRefs"


def static(*prefixes: str, name: str = "lab") -> Any:
    return applied(kinds.STATIC_SERVICE, name, spec={"prefixes": list(prefixes)})


def lab(**parts: Any) -> dict[str, Any]:
    return backend("lab", **STATIC, **parts)


def of(*facts: Any, calls: Any, settings: Decisions = MANAGED) -> Bench:
    return bench(*healthy(), gateway(), calls, *facts, settings=settings)


def cluster(found: Bench) -> tuple[str, list[str]]:
    (only,) = found.document(EDGE)["clusters"]
    return only["type"], only.get("endpoints", [])


def resolved(found: Bench, calls: Any) -> str:
    (entry,) = found.parents(calls)
    assert isinstance(entry, dict)
    return entry["ResolvedRefs"]


# StaticServices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefixes", "endpoints", "told"),
    [
        (["10.1.0.0/16", "192.0.2.1"], ["10.1.0.0/16", "192.0.2.1"], FINE),
        (["2001:DB8::/32"], ["2001:db8::/32"], FINE),
        (["10.1.0.0/16", "what?"], ["10.1.0.0/16"], "False/UnsupportedValue"),
        (["10.1.0.0/99"], [], "False/UnsupportedValue"),
        ([], [], FINE),
    ],
    ids=["IPv4", "IPv6", "one is none", "none is one", "empty"],
)
def test_prefixes(prefixes: list[str], endpoints: list[str], told: str) -> None:
    calls = route("calls", lab())
    found = of(static(*prefixes), calls=calls)
    assert cluster(found) == ("STATIC", endpoints)
    assert resolved(found, calls) == told


def test_a_range_of_ports_on_a_prefix() -> None:
    found = of(static("10.1.0.0/16"), calls=route("calls", lab(port=5000, endPort=5010)))
    assert cluster(found) == ("STATIC", ["10.1.0.0/16:<5000-5010>"])


def test_one_that_is_missing_and_then_comes() -> None:
    calls = route("calls", lab())
    found = of(calls=calls)
    assert (cluster(found), resolved(found, calls)) == (("STATIC", []), "False/BackendNotFound")
    found.run(static("192.0.2.1"))
    assert (cluster(found), resolved(found, calls)) == (("STATIC", ["192.0.2.1"]), FINE)
    found.run(deleted(static()))
    assert resolved(found, calls) == "False/BackendNotFound"


# Addresses and names do not mix -------------------------------------------------------------------------------

SFU_NAME = "sfu.media.svc.cluster.local"
MIXED = "False/UnsupportedValue"


@pytest.mark.parametrize(
    ("refs", "made", "told"),
    [
        ([lab(), backend()], ("STATIC", ["192.0.2.1"]), MIXED),
        ([backend(), lab()], ("STRICT_DNS", [SFU_NAME]), MIXED),
        ([backend("nowhere"), lab()], ("STATIC", ["192.0.2.1"]), "False/BackendNotFound"),
        ([backend("nowhere")], ("STRICT_DNS", []), "False/BackendNotFound"),
        ([backend(port=5000, endPort=5010)], ("STRICT_DNS", [SFU_NAME]), FINE),
    ],
    ids=["addresses first", "names first", "the first that resolves", "none resolves", "names have no ranges"],
)
def test_the_first_kind_stays(refs: list[dict[str, Any]], made: tuple[str, list[str]], told: str) -> None:
    calls = route("calls", *refs)
    found = of(SFU, static("192.0.2.1"), calls=calls, settings=NAMES)
    assert (cluster(found), resolved(found, calls)) == (made, told)


def test_where_services_are_discovered_they_mix_well() -> None:
    found = of(SFU, static("192.0.2.1"), calls=route("calls", backend(), lab()))
    assert cluster(found) == ("STATIC", ["10.0.0.7", "192.0.2.1"])


# Ports of gateway.networking.k8s.io routes --------------------------------------------------------------------


def core(*refs: dict[str, Any]) -> Any:
    return route("calls", *refs, kind=kinds.UDP_ROUTE)


RTP = {"name": "rtp", "port": 6000, "protocol": "UDP"}
NAMED = applied(
    kinds.ENDPOINT_SLICE,
    "sfu-1",
    meta={"labels": {"kubernetes.io/service-name": "sfu"}},
    addressType="IPv4",
    ports=[RTP, {"name": "web", "port": 80, "protocol": "TCP"}],
    endpoints=[{"addresses": ["10.244.0.1"]}],
)


@pytest.mark.parametrize(
    ("asked", "endpoints", "told"),
    [
        ({"port": 5000}, ["10.0.0.7:<5000-5000>", "10.244.0.1:<6000-6000>"], FINE),
        ({"port": 5001}, [], "False/BackendNotFound"),
        ({}, ["10.0.0.7", "10.244.0.1"], FINE),
    ],
    ids=["a port it has", "a port it lacks", "no port"],
)
def test_ports_that_are_enforced(asked: dict[str, Any], endpoints: list[str], told: str) -> None:
    calls = core(backend(**asked))
    found = of(SFU, NAMED, calls=calls, settings=ENFORCED)
    (entry,) = found.parents(calls)
    assert isinstance(entry, dict)
    assert (cluster(found)[1], entry["ResolvedRefs"]) == (endpoints, told)


def test_weight_zero_takes_a_static_service_out_too() -> None:
    found = of(SFU, static("192.0.2.1"), calls=core(lab(weight=0), backend(weight=3)))
    assert cluster(found) == ("STATIC", ["10.0.0.7"])


def test_what_has_no_weight_does_not_decide_the_kind() -> None:
    calls = core(lab(weight=0), backend(weight=1))
    found = of(SFU, static("192.0.2.1"), calls=calls, settings=NAMES)
    assert cluster(found) == ("STRICT_DNS", [SFU_NAME])
