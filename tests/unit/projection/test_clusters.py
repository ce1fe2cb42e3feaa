"""Clusters and their backends: each backend on its own, addresses ready or not, ranges of ports, what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.projection.problems import LONGEST_MESSAGE
from stunnergw.resources import kinds
from stunnergw.settings import Decisions
from tests.support.bench import MANAGED, Bench, bench
from tests.support.objects import (
    EDGE,
    applied,
    backend,
    deleted,
    endpoint_slice,
    gateway,
    healthy,
    listed,
    route,
    service,
)

if TYPE_CHECKING:
    from stunnergw.events.types import Fact
    from stunnergw.resources.kinds import Kind

OFF = Decisions(endpoint_discovery=False)
POD = endpoint_slice("sfu-1", "10.244.0.1")


def of(
    *facts: Fact, backends: Any = (), settings: Decisions = MANAGED, kind: Kind[Any] = kinds.STUNNER_UDP_ROUTE
) -> Bench:
    return bench(*healthy(), gateway(), route("calls", *backends, kind=kind), *facts, settings=settings)


def cluster(found: Bench) -> dict[str, Any]:
    (only,) = found.document(EDGE)["clusters"]
    return dict(only)


def endpoints(found: Bench) -> list[str]:
    return list(cluster(found).get("endpoints", []))


def resolved(found: Bench, kind: Kind[Any] = kinds.STUNNER_UDP_ROUTE) -> str:
    (entry,) = found.parents(route(kind=kind))
    assert isinstance(entry, dict)
    assert entry["Accepted"] == "True/Accepted"
    return entry["ResolvedRefs"]


def message(found: Bench, kind: Kind[Any] = kinds.STUNNER_UDP_ROUTE) -> str:
    return found.parent_message(route(kind=kind), "ResolvedRefs")


# Addresses ----------------------------------------------------------------------------------------------------


def test_a_cluster() -> None:
    assert cluster(of(service("sfu", "10.0.0.7"), POD)) == {
        "name": "media/calls", "type": "STATIC", "protocol": "UDP", "endpoints": ["10.0.0.7", "10.244.0.1"],
    }  # fmt: skip


def test_all_slices_and_families_each_address_once() -> None:
    found = of(
        service("sfu", "10.0.0.7", "fd00::7"), endpoint_slice("sfu-2", "10.244.0.2", "10.244.0.1"), POD,
        endpoint_slice("sfu-6", "2001:DB8:0::1", family="IPv6"),
        endpoint_slice("mcu-1", "10.244.9.9", of="mcu"), endpoint_slice("sfu-3", "10.244.9.9", namespace="guests"),
    )  # fmt: skip
    assert endpoints(found) == ["10.0.0.7", "10.244.0.1", "10.244.0.2", "2001:db8::1", "fd00::7"]
    assert resolved(found) == "True/ResolvedRefs"


def test_readiness_does_not_matter() -> None:
    conditions = {"ready": False, "serving": True, "terminating": True}
    draining = applied(
        kinds.ENDPOINT_SLICE, "sfu-1", meta={"labels": {"kubernetes.io/service-name": "sfu"}},
        addressType="IPv4", endpoints=[{"addresses": ["10.244.0.1"], "conditions": conditions}],
    )  # fmt: skip
    assert endpoints(of(service(), draining)) == ["10.244.0.1"]


def test_a_slice_of_names_is_skipped_and_said() -> None:
    found = of(service("sfu", "10.0.0.7"), POD, endpoint_slice("names", "sfu.example.org", family="FQDN"))
    assert endpoints(found) == ["10.0.0.7", "10.244.0.1"]
    assert resolved(found) == "True/ResolvedRefs"
    assert "EndpointSlice media/names" in message(found)


@pytest.mark.parametrize("address", ["::ffff:10.0.0.1", "fe80::1%eth0", "10.0.0.01", "nonsense", ""])
def test_an_address_that_stunnerd_refuses_is_left_out(address: str) -> None:
    assert endpoints(of(service(), POD, endpoint_slice("odd", address, family="IPv6"))) == ["10.244.0.1"]


@pytest.mark.parametrize("ips", [(), ("10.0.0.7",)], ids=["headless", "cluster IP"])
def test_no_endpoints_are_no_error(ips: tuple[str, ...]) -> None:
    found = of(service("sfu", *ips))
    assert endpoints(found) == list(ips)
    assert resolved(found) == "True/ResolvedRefs"


def test_cluster_ips_may_be_kept_out() -> None:
    found = of(service("sfu", "10.0.0.7"), POD, settings=Decisions(relay_to_cluster_ip=False))
    assert endpoints(found) == ["10.244.0.1"]


def test_a_slice_that_changes_its_service() -> None:
    found = of(service(), service("mcu"), POD, backends=[backend("sfu")])
    found.run(endpoint_slice("sfu-1", "10.244.0.1", of="mcu"))
    assert endpoints(found) == []
    found.run(POD)
    assert endpoints(found) == ["10.244.0.1"]


def test_discovery_off_gives_names() -> None:
    found = of(service(), POD, service("mcu"), backends=[backend("sfu", port=5000), backend("mcu")], settings=OFF)
    assert cluster(found) == {
        "name": "media/calls", "type": "STRICT_DNS", "protocol": "UDP",
        "endpoints": ["mcu.media.svc.cluster.local", "sfu.media.svc.cluster.local"],
    }  # fmt: skip
    other = Decisions(endpoint_discovery=False, cluster_domain="example.org")
    assert endpoints(of(service(), settings=other)) == ["sfu.media.svc.example.org"]


# Each backend on its own --------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [MANAGED, OFF], ids=["addresses", "names"])
@pytest.mark.parametrize(
    ("bad", "reason", "named"),
    [
        (backend("nowhere"), "BackendNotFound", "Service media/nowhere not found"),
        (backend("sfu", namespace="guests"), "BackendNotFound", "Service guests/sfu not found"),
        (backend("sfu", kind="Pod"), "InvalidKind", "core/Pod sfu"),
        (backend("sfu", group="core"), "InvalidKind", 'core/Service (the core group is written group: "") sfu'),
        (backend("sfu", group="example.org"), "InvalidKind", "example.org/Service sfu"),
        (backend("elsewhere"), "InvalidKind", "Service media/elsewhere is of type ExternalName"),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["bad first", "good first"])
def test_a_bad_backend_hides_nothing_of_a_good_one(
    bad: dict[str, Any], reason: str, named: str, first: bool, settings: Decisions
) -> None:
    backends = [bad, backend()] if first else [backend(), bad]
    external = service("elsewhere", type="ExternalName")
    found = of(service(), POD, external, backends=backends, settings=settings)
    assert endpoints(found) == (["10.244.0.1"] if settings is MANAGED else ["sfu.media.svc.cluster.local"])
    assert resolved(found) == f"False/{reason}"
    assert f"rules[0].backendRefs[{0 if first else 1}]: " in message(found)
    assert named in message(found)


def test_the_first_that_fails_gives_the_reason_and_all_are_named() -> None:
    found = of(backends=[backend("a", kind="Pod"), backend("b")])
    assert resolved(found) == "False/InvalidKind"
    assert "core/Pod a" in message(found)
    assert "Service media/b not found" in message(found)
    assert cluster(found) == {"name": "media/calls", "type": "STATIC", "protocol": "UDP"}
    names = of(backends=[backend("b")], settings=OFF)
    assert cluster(names) == {"name": "media/calls", "type": "STRICT_DNS", "protocol": "UDP"}


def test_a_backend_that_appears_and_goes() -> None:
    found = of(POD)
    assert resolved(found) == "False/BackendNotFound"
    found.run(service())
    assert (endpoints(found), resolved(found)) == (["10.244.0.1"], "True/ResolvedRefs")
    found.run(deleted(service()))
    assert (endpoints(found), resolved(found)) == ([], "False/BackendNotFound")


def test_all_rules_and_none() -> None:
    rules = [{"backendRefs": [backend()]}, {"backendRefs": [backend("mcu")]}, {}]
    several = applied(kinds.STUNNER_UDP_ROUTE, "calls", spec={"parentRefs": [{"name": "edge"}], "rules": rules})
    facts = [service(), POD, service("mcu"), endpoint_slice("mcu-1", "10.244.0.2", of="mcu")]
    found = bench(*healthy(), gateway(), several, *facts)
    assert endpoints(found) == ["10.244.0.1", "10.244.0.2"]
    empty = applied(kinds.STUNNER_UDP_ROUTE, "calls", spec={"parentRefs": [{"name": "edge"}], "rules": [{}]})
    found.run(empty)
    assert cluster(found) == {"name": "media/calls", "type": "STATIC", "protocol": "UDP"}
    assert resolved(found) == "True/ResolvedRefs"


STATIC = applied(kinds.STATIC_SERVICE, "partner", spec={"prefixes": ["192.0.2.0/24"]})
NO_PREFIX = applied(kinds.STATIC_SERVICE, "broken", spec={"prefixes": ["everywhere"]})
NAMED_ELSEWHERE = applied(kinds.SERVICE, "elsewhere", spec={"type": "ExternalName", "externalName": "example.org"})
TO_STATIC = backend("partner", group="stunner.l7mp.io", kind="StaticService")
TO_BROKEN = backend("broken", group="stunner.l7mp.io", kind="StaticService")


def partly(found: Bench) -> tuple[str, str]:
    """PartiallyInvalid of the route, and its message; empty texts where it has none."""
    (entry,) = found.parents(route())
    assert isinstance(entry, dict)
    kind = "PartiallyInvalid"
    return (entry[kind], found.parent_message(route(), kind)) if kind in entry else ("", "")


@pytest.mark.parametrize(
    ("bad", "reason", "settings"),
    [
        ([backend("x", kind="Pod")], "InvalidKind", MANAGED),
        ([TO_STATIC], "UnsupportedValue", OFF),
        ([backend("x", kind="Pod"), backend("y", kind="Pod", weight=0)], "InvalidKind", MANAGED),
    ],
    ids=["no kind of backend", "the other type", "two"],
)
def test_r6_a_rule_of_which_nothing_can_be_served_is_dropped_and_said(
    bad: Any, reason: str, settings: Decisions
) -> None:
    rules = [{"backendRefs": [backend()]}, {"backendRefs": bad}]
    several = applied(kinds.STUNNER_UDP_ROUTE, "calls", spec={"parentRefs": [{"name": "edge"}], "rules": rules})
    facts = [service(), POD, STATIC, NO_PREFIX]
    found = bench(*healthy(), gateway(), several, *facts, settings=settings)
    assert endpoints(found) == (["10.244.0.1"] if settings is MANAGED else ["sfu.media.svc.cluster.local"])
    status, said = partly(found)
    assert status == f"True/{reason}"
    assert said.startswith("Dropped Rule rules[1]: rules[1].backendRefs[0]: ")
    assert resolved(found) == f"False/{reason}"


@pytest.mark.parametrize(
    "rules",
    [
        [{"backendRefs": [backend("x", kind="Pod")]}],
        [{"backendRefs": [backend("x", kind="Pod")]}, {"backendRefs": [backend("y", kind="Pod")]}],
        [{"backendRefs": [backend()]}, {"backendRefs": [backend("x", kind="Pod"), backend()]}],
        [{"backendRefs": [backend()]}, {"backendRefs": [backend("missing")]}],
        [{"backendRefs": [backend()]}, {}],
        [{"backendRefs": [backend()]}, {"backendRefs": [TO_STATIC, TO_BROKEN]}],
        [{"backendRefs": [backend()]}, {"backendRefs": [TO_BROKEN]}],
        [{"backendRefs": [backend()]}, {"backendRefs": [TO_BROKEN | {"weight": 0}]}],
        [{"backendRefs": [backend()]}, {"backendRefs": [backend("elsewhere")]}],
    ],
    ids=[
        "the only one",
        "all",
        "not all of it",
        "may come yet",
        "an empty one",
        "some of it",
        "mended elsewhere",
        "without weight",
        "another type of Service",
    ],
)
def test_r6_no_part_is_invalid_where_all_is_or_none_for_good(rules: Any) -> None:
    several = applied(kinds.STUNNER_UDP_ROUTE, "calls", spec={"parentRefs": [{"name": "edge"}], "rules": rules})
    assert partly(bench(*healthy(), gateway(), several, service(), POD, STATIC, NO_PREFIX, NAMED_ELSEWHERE)) == ("", "")


def test_a_message_of_many_dropped_rules_fits_its_schema() -> None:
    bad = [backend("x" * 250, kind="Pod")] * 16
    rules = [{"backendRefs": [backend()]}, *({"backendRefs": bad} for _ in range(15))]
    several = applied(kinds.STUNNER_UDP_ROUTE, "calls", spec={"parentRefs": [{"name": "edge"}], "rules": rules})
    _, said = partly(bench(*healthy(), gateway(), several, service(), POD))
    assert len(said) == LONGEST_MESSAGE


def test_r6_a_route_that_is_not_accepted_has_no_part_that_is_invalid() -> None:
    rules = [{"backendRefs": [backend()]}, {"backendRefs": [backend("x", kind="Pod")]}]
    parents = [{"name": "edge", "sectionName": "nowhere"}]
    several = applied(kinds.STUNNER_UDP_ROUTE, "calls", spec={"parentRefs": parents, "rules": rules})
    found = bench(*healthy(), gateway(), several, service(), POD)
    assert found.parents(route()) == [{"Accepted": "False/NoMatchingParent", "ResolvedRefs": "False/InvalidKind"}]


def test_weight_zero_is_left_out_and_said() -> None:
    heavy = [backend(weight=0), backend("mcu", weight=7)]
    found = of(service(), POD, service("mcu", "10.0.0.8"), backends=heavy, kind=kinds.UDP_ROUTE)
    assert endpoints(found) == ["10.0.0.8"]
    assert resolved(found, kinds.UDP_ROUTE) == "True/ResolvedRefs"
    assert "weight 0" in message(found, kinds.UDP_ROUTE)
    missing = of(backends=[backend("nowhere", weight=0)], kind=kinds.UDP_ROUTE)
    assert resolved(missing, kinds.UDP_ROUTE) == "False/BackendNotFound"


# Across namespaces --------------------------------------------------------------------------------------------

THERE = [service("sfu", "10.0.0.9", namespace="guests")]


def test_our_routes_may_name_any_namespace() -> None:
    assert endpoints(of(*THERE, backends=[backend(namespace="guests")])) == ["10.0.0.9"]


def test_core_routes_need_a_grant() -> None:
    found = of(*THERE, backends=[backend(namespace="guests")], kind=kinds.UDP_ROUTE)
    assert endpoints(found) == []
    assert resolved(found, kinds.UDP_ROUTE) == "False/RefNotPermitted"
    # Nothing is said of whether it exists.
    missing = of(backends=[backend(namespace="guests")], kind=kinds.UDP_ROUTE)
    assert message(missing, kinds.UDP_ROUTE) == message(found, kinds.UDP_ROUTE)


def test_where_gateways_are_v1alpha2_alone_there_were_no_grants() -> None:
    old = listed({kinds.GATEWAY: ("v1alpha2",)})
    found = of(*THERE, *old, backends=[backend(namespace="guests")], kind=kinds.UDP_ROUTE)
    assert endpoints(found) == ["10.0.0.9"]


# Ports --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ports", "suffix"),
    [
        ({}, ""),
        ({"port": 5000}, ":<5000-5000>"),
        ({"port": 5000, "endPort": 5010}, ":<5000-5010>"),
        ({"endPort": 5010}, ":<1-5010>"),
        ({"port": 1, "endPort": 65535}, ""),
        ({"endPort": 65535}, ""),
        ({"port": 5000, "endPort": 65535}, ":<5000-65535>"),
        ({"port": 5000, "endPort": 5000}, ":<5000-5000>"),
        ({"port": 5000, "endPort": 4000}, ":<5000-5000>"),
    ],
)
def test_ranges(ports: dict[str, Any], suffix: str) -> None:
    found = of(service("sfu", "fd00::7"), POD, backends=[backend(**ports)])
    assert endpoints(found) == [f"10.244.0.1{suffix}", f"fd00::7{suffix}"]
    assert resolved(found) == "True/ResolvedRefs"
    assert ("is below" in message(found)) is (ports.get("endPort", 65535) < ports.get("port", 1))


def test_core_routes_have_no_ports() -> None:
    found = of(service(), POD, backends=[backend(port=5000)], kind=kinds.UDP_ROUTE)
    assert endpoints(found) == ["10.244.0.1"]


def test_two_ranges_of_one_service() -> None:
    found = of(service(), POD, backends=[backend(port=5000), backend(port=6000)])
    assert endpoints(found) == ["10.244.0.1:<5000-5000>", "10.244.0.1:<6000-6000>"]


def test_clusters_are_sorted_as_text() -> None:
    """``media-2/x`` stands before ``media/x``, though the namespace ``media`` comes before ``media-2``."""
    open_to_all = {"name": "udp", "port": 3478, "protocol": "UDP", "allowedRoutes": {"namespaces": {"from": "All"}}}
    there = route("calls", namespace="media-2", parents=[{"name": "edge", "namespace": "media"}])
    found = bench(*healthy(), gateway("edge", open_to_all), route(), there)
    assert [each["name"] for each in found.document(EDGE)["clusters"]] == ["media-2/calls", "media/calls"]
    assert found.document(EDGE)["listeners"][0]["routes"] == ["media-2/calls", "media/calls"]
