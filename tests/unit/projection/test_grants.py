"""Grants: each of the seven fields that permit a reference, for backends and for certificates (R7.1 to R7.6)."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.resources import kinds
from stunnergw.resources.metadata import GATEWAY_GROUP, STUNNER_GROUP
from stunnergw.settings import Decisions, ReferenceGrants
from tests.support.bench import MANAGED, Bench, bench
from tests.support.objects import (
    EDGE,
    allowing,
    applied,
    backend,
    deleted,
    endpoint_slice,
    gateway,
    healthy,
    listed,
    listener,
    parent,
    route,
    service,
)

AWAY = "backends"
FROM = {"group": GATEWAY_GROUP, "kind": "UDPRoute", "namespace": "media"}
TO = {"group": "", "kind": "Service"}
CORE = route("calls", backend(namespace=AWAY), kind=kinds.UDP_ROUTE)
OURS = route("calls", backend(namespace=AWAY))
SFU = service("sfu", "10.0.0.7", namespace=AWAY)
REFUSED, MISSING, FINE = "False/RefNotPermitted", "False/BackendNotFound", "True/ResolvedRefs"


def grant(
    *, sources: list[dict[str, str]] | None = None, to: dict[str, str] | None = None, namespace: str = AWAY
) -> Any:
    spec = {"from": sources or [FROM], "to": [TO if to is None else to]}
    return applied(kinds.REFERENCE_GRANT, "grant", namespace=namespace, spec=spec)


def of(*facts: Any, settings: Decisions = MANAGED, calls: Any = CORE) -> Bench:
    return bench(*healthy(), gateway(), calls, *facts, settings=settings)


def resolved(found: Bench, calls: Any = CORE) -> str:
    (entry,) = found.parents(calls)
    assert isinstance(entry, dict)
    return entry["ResolvedRefs"]


@pytest.mark.parametrize(
    "given",
    [
        grant(),
        grant(to={**TO, "name": "sfu"}),
        grant(sources=[{**FROM, "namespace": "elsewhere"}, FROM]),
    ],
    ids=["any Service", "by name", "one of several"],
)
def test_what_a_grant_permits(given: Any) -> None:
    assert resolved(of(SFU, given)) == FINE


@pytest.mark.parametrize(
    "given",
    [
        grant(namespace="media"),
        grant(sources=[{**FROM, "group": STUNNER_GROUP}]),
        grant(sources=[{**FROM, "kind": "TCPRoute"}]),
        grant(sources=[{**FROM, "namespace": "elsewhere"}]),
        grant(to={**TO, "group": STUNNER_GROUP}),
        grant(to={**TO, "kind": "Secret"}),
        grant(to={**TO, "name": "mcu"}),
    ],
    ids=["its namespace", "from.group", "from.kind", "from.namespace", "to.group", "to.kind", "to.name"],
)
def test_each_of_the_seven_fields_counts(given: Any) -> None:
    assert resolved(of(SFU, given)) == REFUSED


def test_a_refusal_does_not_tell_whether_the_target_is_there() -> None:
    told = [of(*facts).parent_message(CORE, "ResolvedRefs") for facts in ([SFU], [])]
    assert told[0] == told[1]
    assert resolved(of(grant())) == MISSING


def test_a_grant_that_goes_takes_the_permission_along() -> None:
    found = of(SFU, grant())
    found.run(deleted(grant()))
    assert resolved(found) == REFUSED
    found.run(grant())
    assert resolved(found) == FINE


@pytest.mark.parametrize(
    ("setting", "core", "ours"),
    [
        (ReferenceGrants.AUTO, REFUSED, FINE),
        (ReferenceGrants.ENFORCE, REFUSED, REFUSED),
        (ReferenceGrants.IGNORE, FINE, FINE),
    ],
)
def test_the_setting(setting: ReferenceGrants, core: str, ours: str) -> None:
    settings = Decisions(reference_grants=setting)
    assert resolved(of(SFU, settings=settings)) == core
    assert resolved(of(SFU, settings=settings, calls=OURS), OURS) == ours


def test_our_own_routes_are_granted_by_their_own_group() -> None:
    settings = Decisions(reference_grants=ReferenceGrants.ENFORCE)
    given = grant(sources=[{**FROM, "group": STUNNER_GROUP}])
    assert resolved(of(SFU, given, settings=settings, calls=OURS), OURS) == FINE


# What becomes of the addresses --------------------------------------------------------------------------------

ALLOWED, EMPTY = ["10.0.0.7", "10.244.0.1"], list[str]()
POD = endpoint_slice("sfu-1", "10.244.0.1", namespace=AWAY)


def endpoints(found: Bench, index: int = 0) -> list[str]:
    """Return what the route's cluster holds; it is there, though it be empty."""
    cluster = found.document(EDGE)["clusters"][index]
    return list(cluster.get("endpoints", []))


def several(*pairs: tuple[list[dict[str, str]], list[dict[str, str]]]) -> list[Any]:
    """Make a grant of each pair of from and to."""
    return [
        applied(kinds.REFERENCE_GRANT, f"grant-{number}", namespace=AWAY, spec={"from": sources, "to": targets})
        for number, (sources, targets) in enumerate(pairs)
    ]


NAMED, OTHER = {**TO, "name": "sfu"}, {**TO, "name": "mcu"}
STRANGER = {**FROM, "namespace": "strangers"}


@pytest.mark.parametrize(
    ("grants", "permitted"),
    [
        (several(([FROM], [TO])), True),
        (several(([FROM], [NAMED])), True),
        (several(([STRANGER, FROM], [OTHER, NAMED])), True),
        (several(([STRANGER], [TO]), ([FROM], [TO])), True),
        (several(([FROM], [OTHER]), ([STRANGER], [NAMED])), False),
        (several(([FROM], [])), False),
        (several(([], [TO])), False),
        (several(([{**FROM, "namespace": "*"}], [TO])), False),
        (several(([{**FROM, "kind": "Gateway"}], [TO])), False),
        (several(([FROM], [{"group": STUNNER_GROUP, "kind": "StaticService"}])), False),
        ([], False),
    ],
    ids=[
        "R7.2 all of the kind", "R7.2 by name", "R7.2 entries are OR-ed", "R7.2 grants are OR-ed",
        "R7.2 halves of two grants", "R7.8 no to", "R7.8 no from", "R7.2 no wildcards", "R7.7 a Gateway's",
        "R7.5 another kind", "R7.4 none",
    ],
)  # fmt: skip
def test_without_a_grant_no_address_is_admitted(grants: list[Any], permitted: bool) -> None:
    found = of(SFU, POD, *grants)
    assert (resolved(found), endpoints(found)) == ((FINE, ALLOWED) if permitted else (REFUSED, EMPTY))


def test_addresses_come_and_go_with_the_grant() -> None:
    """R7.4: at once, and the route stays attached."""
    found = of(SFU, POD)
    for facts, addresses in (([grant()], ALLOWED), ([deleted(grant())], EMPTY), ([grant()], ALLOWED)):
        found.run(*facts)
        assert endpoints(found) == addresses
    found.run(grant(to=OTHER))
    assert (resolved(found), endpoints(found)) == (REFUSED, EMPTY)
    (entry,) = found.parents(CORE)
    assert isinstance(entry, dict)
    assert entry["Accepted"] == "True/Accepted"


def test_the_message_says_which_grant_is_missing() -> None:
    told = of(SFU).parent_message(CORE, "ResolvedRefs")
    assert f"Service {AWAY}/sfu needs a ReferenceGrant in namespace {AWAY}" in told
    assert f"from UDPRoute of group {GATEWAY_GROUP} in namespace media" in told


def test_a_refused_backend_hides_nothing_of_those_beside_it() -> None:
    calls = route("calls", backend(namespace=AWAY), backend("mcu"), kind=kinds.UDP_ROUTE)
    found = of(SFU, POD, service("mcu", "10.0.0.8"), calls=calls)
    assert (resolved(found, calls), endpoints(found)) == (REFUSED, ["10.0.0.8"])


@pytest.mark.parametrize("setting", ReferenceGrants)
@pytest.mark.parametrize("namespace", [None, "media"])
def test_at_home_no_grant_is_needed(setting: ReferenceGrants, namespace: str | None) -> None:
    """R7.8."""
    for kind in kinds.ROUTE_KINDS:
        calls = route("calls", backend(namespace=namespace), kind=kind)
        found = of(service("sfu", "10.0.0.9"), calls=calls, settings=Decisions(reference_grants=setting))
        assert (resolved(found, calls), endpoints(found)) == (FINE, ["10.0.0.9"])


def test_two_kinds_of_one_name_go_by_their_own_grants() -> None:
    lab = applied(kinds.STATIC_SERVICE, "sfu", namespace=AWAY, spec={"prefixes": ["192.0.2.1"]})
    static = {"group": STUNNER_GROUP, "kind": "StaticService"}
    calls = route("calls", backend(namespace=AWAY, **static), kind=kinds.UDP_ROUTE)
    found = of(SFU, lab, grant(), calls=calls)
    assert (resolved(found, calls), endpoints(found)) == (REFUSED, EMPTY)
    found.run(grant(to=static))
    assert (resolved(found, calls), endpoints(found)) == (FINE, ["192.0.2.1"])


@pytest.mark.parametrize(
    ("setting", "versions", "core", "ours"),
    [
        (ReferenceGrants.AUTO, ("v1",), EMPTY, ALLOWED),
        (ReferenceGrants.AUTO, ("v1", "v1beta1", "v1alpha2"), EMPTY, ALLOWED),
        (ReferenceGrants.AUTO, ("v1beta1",), EMPTY, ALLOWED),
        (ReferenceGrants.AUTO, ("v1alpha2",), ALLOWED, ALLOWED),
        (ReferenceGrants.ENFORCE, ("v1alpha2",), EMPTY, EMPTY),
        (ReferenceGrants.ENFORCE, ("v1",), EMPTY, EMPTY),
        (ReferenceGrants.IGNORE, ("v1",), ALLOWED, ALLOWED),
    ],
)
def test_who_needs_one_by_setting_and_by_what_is_served(
    setting: ReferenceGrants, versions: tuple[str, ...], core: list[str], ours: list[str]
) -> None:
    """Where Gateways are served in v1alpha2 alone there is no ReferenceGrant to be had."""
    settings = Decisions(reference_grants=setting)
    for calls, addresses in ((CORE, core), (OURS, ours)):
        found = of(SFU, POD, *listed({kinds.GATEWAY: versions}), calls=calls, settings=settings)
        assert endpoints(found) == addresses


def test_a_server_that_learns_of_grants_starts_to_ask_for_them() -> None:
    found = of(SFU, POD, *listed({kinds.GATEWAY: ("v1alpha2",)}))
    assert endpoints(found) == ALLOWED
    found.run(*listed())
    assert (resolved(found), endpoints(found)) == (REFUSED, EMPTY)


def test_a_server_without_the_kind_grants_nothing() -> None:
    found = of(SFU, POD, *listed({kinds.REFERENCE_GRANT: ()}))
    assert (resolved(found), endpoints(found)) == (REFUSED, EMPTY)


def test_a_route_attaches_across_namespaces_without_one() -> None:
    """R6.7: that is for the listener's allowedRoutes to say."""
    open_to_all = listener(allowedRoutes=allowing(**{"from": "All"}))
    calls = route("calls", backend(), kind=kinds.UDP_ROUTE, namespace=AWAY, parents=[parent(namespace="media")])
    found = bench(*healthy(), gateway("edge", open_to_all), calls, SFU, POD)
    assert (resolved(found, calls), endpoints(found)) == (FINE, ALLOWED)
