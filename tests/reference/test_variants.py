"""Scenarios played otherwise than they were recorded: where ports are kept apart, or a switch is set."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.cli.rendering import render, statuses
from stunnergw.settings import Decisions
from tests.reference.patching import differing
from tests.reference.playing import given_in_vain, play
from tests.reference.scenarios import scenario
from tests.reference.transforming import expected_world
from tests.reference.worlds import recorded_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reference.worlds import World


def clusters(world: World) -> dict[str, list[str]]:
    """Give the endpoints of every cluster of the only document."""
    (config,) = world["configs"].values()
    return {name: cluster.get("endpoints", []) for name, cluster in config["clusters"].items()}


def resolved(world: World, route: str) -> Any:
    (conditions,) = world["statuses"][route]["parents"].values()
    return conditions["ResolvedRefs"]


def each_route_on_a_listener_of_its_own(manifests: list[dict[str, Any]]) -> None:
    routes = [thing for thing in manifests if thing["kind"] == "UDPRoute"]
    for route in routes:
        route["spec"]["parentRefs"][0]["sectionName"] = route["metadata"]["name"]
    (gateway,) = (thing for thing in manifests if thing["kind"] == "Gateway")
    gateway["spec"]["listeners"] = [
        {"name": route["metadata"]["name"], "protocol": "TURN-UDP", "port": port}
        for port, route in enumerate(routes, start=3478)
    ]


def test_port_ranges_are_as_recorded_where_routes_share_no_listener() -> None:
    manifests = deepcopy(scenario("29").objects)
    each_route_on_a_listener_of_its_own(manifests)
    recorded = recorded_world(scenario("29").recording("managed"))
    assert clusters(play(manifests, "managed")) == clusters(recorded)


def test_backends_of_other_namespaces_are_as_recorded_where_grants_are_ignored() -> None:
    world = play(scenario("31").objects, "managed", "--reference-grants=ignore")
    recorded = recorded_world(scenario("31").recording("managed"))
    assert clusters(world)["media/stranger"] == clusters(recorded)["media/stranger"]
    assert resolved(world, "UDPRoute.gateway.networking.k8s.io media/stranger") == "True/ResolvedRefs"


def test_backends_of_other_namespaces_are_refused_where_grants_are_enforced() -> None:
    world = play(scenario("61").objects, "managed", "--reference-grants=enforce")
    assert clusters(world) == {"media/two-backends": ["10.0.7.1", "10.244.1.10"]}
    assert resolved(world, "UDPRoute.stunner.l7mp.io media/two-backends") == "False/RefNotPermitted"


def gateways_move(manifests: list[dict[str, Any]]) -> dict[str, int]:
    """Give each Gateway ports of its own, and tell by how much they were moved."""
    moved: dict[str, int] = {}
    for thing in manifests:
        if thing["kind"] == "Gateway":
            by = moved[f"{thing['metadata']['namespace']}/{thing['metadata']['name']}"] = len(moved)
            for listener in thing["spec"]["listeners"]:
                listener["port"] += by
    return moved


def ports_of(world: World, gateway: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Give every place of a world that holds a port of a Gateway."""
    for config in world["configs"].values():
        for name, listener in config["listeners"].items():
            if name.startswith(f"{gateway}/"):
                yield from ((listener, field) for field in ("port", "public_port") if field in listener)
    service = world["objects"].get(f"Service {gateway}", {"spec": {"ports": {}}})
    for port in service["spec"]["ports"].values():
        yield from ((port, field) for field in ("port", "targetPort"))


@pytest.mark.parametrize("number", ["42", "53"])
def test_gateways_of_one_class_share_a_stunnerd_as_recorded_where_their_ports_differ(number: str) -> None:
    expected, _ = expected_world(scenario(number), "legacy", without=frozenset({"legacy-port-conflict"}))
    manifests = [thing for thing in deepcopy(scenario(number).objects) if not given_in_vain(thing, expected)]
    for gateway, by in gateways_move(manifests).items():
        for place, field in ports_of(expected, gateway):
            place[field] += by
    told = list(differing(expected, play(manifests, "legacy")))
    assert not told, "\n".join(told)


def test_a_v1alpha1_gatewayconfig_brings_back_its_document_and_names() -> None:
    """Of GatewayConfig v1alpha1's own fields the reference operator uses none any more."""
    world = play(scenario("56").objects, "legacy")
    listener = {
        "protocol": "TURN-UDP",
        "address": "$STUNNER_ADDR",
        "port": 3478,
        "min_relay_port": 20000,
        "max_relay_port": 30000,
        "routes": ["sfu"],
    }
    assert world["configs"] == {
        "turn-system/my-config": {
            "version": "v1alpha1",
            "admin": {"name": "stunner-daemon", "loglevel": "all:DEBUG", "metrics_endpoint": "http://:9090/m"},
            "auth": {"type": "longterm", "realm": "stunner.l7mp.io", "credentials": {"secret": "s"}},
            "listeners": {"udp": listener},
            "clusters": {"sfu": {"type": "STRICT_DNS", "endpoints": ["sfu.media.svc.cluster.local"]}},
        }
    }
    assert set(world["objects"]) == {"ConfigMap turn-system/my-config", "Service media/stunner-gateway-edge-svc"}


def test_what_is_another_controllers_gets_no_status() -> None:
    rendering = render([scenario("13").manifests], Decisions(standalone=True))
    assert not list(statuses(rendering))
