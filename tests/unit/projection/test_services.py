"""The Gateway's Service, field by field, and in legacy mode the class's ConfigMap."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.projection.outputs import Want
from stunnergw.projection.snapshots import OwnedSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from tests.support.bench import LEGACY, MANAGED, Bench, bench, undecided
from tests.support.objects import (
    EDGE,
    PASSWORD,
    deleted,
    gateway,
    gateway_class,
    gateway_config,
    healthy,
    listed,
    listener,
)

if TYPE_CHECKING:
    from stunnergw.events.types import Applied

PREFIX = "stunner.l7mp.io/"
TYPE = PREFIX + "service-type"
TURN = Key("", "turn")


def of(owner: Applied, annotations: dict[str, str] | None = None) -> Bench:
    return bench(*healthy(loadBalancerServiceAnnotations=annotations or {}), owner)


def spec(owner: Applied, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = of(owner, annotations).owned(owner.key)["spec"]
    return found


def said(found: Bench) -> str:
    status = found.status(kinds.GATEWAY, EDGE)
    conditions = [*status.conditions, *(each for entry in status.listeners for each in entry.conditions)]
    return " ".join(each.message for each in conditions)


def test_the_whole_service() -> None:
    assert of(gateway()).owned(EDGE) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "edge",
            "namespace": "media",
            "labels": {
                "stunner.l7mp.io/owned-by": "stunner",
                "stunner.l7mp.io/related-gateway-namespace": "media",
                "stunner.l7mp.io/related-gateway-name": "edge",
                "gateway.networking.k8s.io/gateway-name": "edge",
                "gateway.networking.k8s.io/gateway-class-name": "turn",
            },
            "annotations": {"stunner.l7mp.io/related-gateway-name": "media/edge"},
            "ownerReferences": [
                {
                    "apiVersion": "gateway.networking.k8s.io/v1",
                    "kind": "Gateway",
                    "name": "edge",
                    "uid": "Gateway media/edge",
                }
            ],
        },
        "spec": {
            "type": "LoadBalancer",
            "selector": {
                "app": "stunner",
                "stunner.l7mp.io/related-gateway-name": "edge",
                "stunner.l7mp.io/related-gateway-namespace": "media",
            },
            "ports": [{"name": "udp", "protocol": "UDP", "port": 3478, "targetPort": 3478}],
            "sessionAffinity": "ClientIP",
        },
    }


def test_in_legacy_mode_the_user_runs_the_pods() -> None:
    found = bench(*healthy(), gateway(), settings=LEGACY)
    assert found.owned(EDGE)["spec"]["selector"] == {"app": "stunner"}
    assert found.owned(EDGE)["metadata"]["name"] == "edge"
    found.run(gateway_config(stunnerConfig="x"))
    assert found.owned(EDGE)["metadata"]["name"] == "stunner-gateway-edge-svc"


def test_the_owner_is_named_in_a_version_that_is_served() -> None:
    found = of(gateway())
    found.run(*listed({kinds.GATEWAY: ("v1beta1", "v1alpha2")}))
    (reference,) = found.owned(EDGE)["metadata"]["ownerReferences"]
    assert reference["apiVersion"] == "gateway.networking.k8s.io/v1beta1"


# Type ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        (None, None, "LoadBalancer"),
        ("NodePort", None, "NodePort"),
        ("clusterip", None, "ClusterIP"),
        ("LOADBALANCER", None, "LoadBalancer"),
        (None, "NodePort", "NodePort"),
        ("ClusterIP", "NodePort", "ClusterIP"),
        ("Loadbalancers", None, "LoadBalancer"),
    ],
)
def test_type(ours: str | None, theirs: str | None, kind: str) -> None:
    config = {TYPE: theirs} if theirs else {}
    owner = gateway(annotations={TYPE: ours} if ours else {})
    found = of(owner, config)
    assert found.owned(EDGE)["spec"]["type"] == kind
    assert ("says Loadbalancers: use one of" in said(found)) is (ours == "Loadbalancers")


def test_no_service_at_all() -> None:
    found = of(gateway())
    assert isinstance(found.snapshot.objects[OwnedSlot("Service", EDGE)], Want)
    found.run(gateway(annotations={TYPE: "none"}))
    assert OwnedSlot("Service", EDGE) not in found.snapshot.objects
    assert isinstance(found.snapshot.configs[EDGE], Want)
    assert "says None" in said(found)


def test_an_external_name_needs_a_hostname() -> None:
    name = [{"type": "Hostname", "value": "turn.example.org"}]
    assert spec(gateway(annotations={TYPE: "ExternalName"}, addresses=name))["externalName"] == "turn.example.org"
    found = of(gateway(annotations={TYPE: "ExternalName"}, addresses=[{"type": "IPAddress", "value": "192.0.2.1"}]))
    undecided(found.snapshot.objects[OwnedSlot("Service", EDGE)])
    assert "an entry of type Hostname" in found.message(kinds.GATEWAY, EDGE, "Programmed")
    assert found.conditions(kinds.GATEWAY, EDGE)["Programmed"] == "False/AddressNotAssigned"


# Ports --------------------------------------------------------------------------------------------------------

MIXED = PREFIX + "enable-mixed-protocol-lb"
UDP_FIRST = [listener("udp"), listener("tcp", 3478, "TCP"), listener("more", 3479)]


@pytest.mark.parametrize(
    ("ours", "theirs", "ports"),
    [
        ({}, {}, ["udp", "more"]),
        ({MIXED: "true"}, {}, ["udp", "tcp", "more"]),
        ({MIXED: "TRUE"}, {}, ["udp", "tcp", "more"]),
        ({}, {MIXED: "True"}, ["udp", "tcp", "more"]),
        ({MIXED: "false"}, {MIXED: "true"}, ["udp", "more"]),
        ({MIXED: "yes"}, {}, ["udp", "more"]),
    ],
)
def test_mixed_protocols(ours: dict[str, str], theirs: dict[str, str], ports: list[str]) -> None:
    found = of(gateway("edge", *UDP_FIRST, annotations=ours), theirs)
    assert [each["name"] for each in found.owned(EDGE)["spec"]["ports"]] == ports
    left_out = "tcp" not in ports
    assert (MIXED in found.message(kinds.GATEWAY, EDGE, "Programmed", "tcp")) is left_out
    # It is in the document all the same: a Service of the user's own may lead there.
    assert len(found.document(EDGE)["listeners"]) == 3


def test_the_first_listener_of_ours_gives_the_transport_whatever_is_wrong_with_it() -> None:
    broken_tls = listener("tls", 443, "TLS", tls={"certificateRefs": [{"name": "nowhere"}]})
    found = of(gateway("edge", listener("web", 80, "HTTP"), broken_tls, listener(), listener("tcp", 3478, "TCP")))
    assert [each["name"] for each in found.owned(EDGE)["spec"]["ports"]] == ["tcp"]


NODE_PORT = PREFIX + "nodeport"


@pytest.mark.parametrize(
    ("text", "kind", "ports", "words"),
    [
        ('{"udp": 30478}', "LoadBalancer", [30478, None], ""),
        ('"udp": 30478, "more": 30479', "NodePort", [30478, 30479], ""),
        ('{"udp": 30478}', "ClusterIP", [None, None], "has no node ports"),
        ('{"udp": 0, "more": 30479}', "NodePort", [None, 30479], "no port from 1 to 65535"),
        ('{"nobody": 30478}', "NodePort", [None, None], "names listener nobody"),
        ("what?", "NodePort", [None, None], "write a JSON map"),
    ],
)
def test_node_ports(text: str, kind: str, ports: list[int | None], words: str) -> None:
    found = of(gateway("edge", listener(), listener("more", 3479), annotations={NODE_PORT: text, TYPE: kind}))
    assert [each.get("nodePort") for each in found.owned(EDGE)["spec"]["ports"]] == ports
    assert words in said(found)


def test_a_listener_that_moves_takes_its_target_port_along() -> None:
    found = of(gateway())
    found.run(gateway("edge", listener(port=3500)))
    assert found.owned(EDGE)["spec"]["ports"] == [{"name": "udp", "protocol": "UDP", "port": 3500, "targetPort": 3500}]


CLOUD = "service.beta.kubernetes.io/"
HEALTH = {CLOUD + "x-health-check-port": "8086", CLOUD + "x-health-check-protocol": "http"}


@pytest.mark.parametrize(
    ("annotations", "there"),
    [
        (HEALTH, True),
        ({**HEALTH, CLOUD + "x-health-check-protocol": "TCP"}, True),
        ({**HEALTH, CLOUD + "x-health-check-protocol": "UDP"}, False),
        ({**HEALTH, CLOUD + "x-health-check-port": "many"}, False),
        ({**HEALTH, CLOUD + "x-health-check-port": "70000"}, False),
        ({CLOUD + "x-health-check-port": "8086"}, False),
        ({**HEALTH, TYPE: "NodePort"}, False),
        ({**HEALTH, PREFIX + "disable-health-check-expose": "true"}, False),
        ({"x" + name: value for name, value in HEALTH.items()}, False),
    ],
)
@pytest.mark.parametrize("from_config", [True, False])
def test_the_health_check_port(annotations: dict[str, str], there: bool, from_config: bool) -> None:
    found = spec(gateway(), annotations) if from_config else spec(gateway(annotations=annotations))
    health = {"name": "gateway-health-check", "protocol": "TCP", "port": 8086, "targetPort": 8086}
    assert (health in found["ports"]) is there
    assert len(found["ports"]) == 1 + there


def test_a_health_check_port_that_a_listener_has() -> None:
    annotations = {**HEALTH, CLOUD + "x-health-check-port": "3478"}
    ports = spec(gateway("edge", listener("tcp", 3478, "TCP"), annotations=annotations))["ports"]
    assert len({(port["protocol"], port["port"]) for port in ports}) == len(ports)


# Other fields -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotations", "fields"),
    [
        ({PREFIX + "disable-session-affinity": "True"}, {"sessionAffinity": "None"}),
        ({PREFIX + "disable-session-affinity": "no"}, {"sessionAffinity": "ClientIP"}),
        ({PREFIX + "external-traffic-policy": "LOCAL"}, {"externalTrafficPolicy": "Local"}),
        ({PREFIX + "external-traffic-policy": "local", TYPE: "NodePort"}, {"externalTrafficPolicy": "Local"}),
        ({PREFIX + "external-traffic-policy": "local", TYPE: "ClusterIP"}, {"externalTrafficPolicy": None}),
        ({PREFIX + "external-traffic-policy": "cluster"}, {"externalTrafficPolicy": None}),
        ({PREFIX + "load-balancer-class": "example.org/lb"}, {"loadBalancerClass": "example.org/lb"}),
        ({PREFIX + "load-balancer-class": "x", TYPE: "NodePort"}, {"loadBalancerClass": None}),
        ({PREFIX + "ip-family-policy": "PreferDualStack"}, {"ipFamilyPolicy": "PreferDualStack"}),
        (
            {PREFIX + "load-balancer-source-ranges": "192.0.2.0/24, 2001:db8::/32,"},
            {"loadBalancerSourceRanges": ["192.0.2.0/24", "2001:db8::/32"]},
        ),
        ({}, {"loadBalancerClass": None, "ipFamilyPolicy": None, "loadBalancerSourceRanges": None, "clusterIP": None}),
    ],
)
def test_fields_by_annotation(annotations: dict[str, str], fields: dict[str, Any]) -> None:
    for found in (spec(gateway(annotations=annotations)), spec(gateway(), annotations)):
        assert {name: found.get(name) for name in fields} == fields


@pytest.mark.parametrize(
    ("kind", "value", "service_type", "there"),
    [
        ("IPAddress", "203.0.113.1", "LoadBalancer", True),
        ("IPAddress", "2001:db8::1", "LoadBalancer", True),
        ("IPAddress", "203.0.113.1", "NodePort", False),
        ("Hostname", "turn.example.org", "LoadBalancer", False),
    ],
)
def test_a_wanted_ip_is_asked_of_the_cloud(kind: str, value: str, service_type: str, there: bool) -> None:
    found = spec(gateway(addresses=[{"type": kind, "value": value}], annotations={TYPE: service_type}))
    assert found.get("loadBalancerIP") == (value if there else None)


# Labels, annotations, names -----------------------------------------------------------------------------------


def test_annotations_and_who_overrides_whom() -> None:
    infrastructure = {"annotations": {"c": "infrastructure", "d": "infrastructure"}, "labels": {"l": "infrastructure"}}
    ours = {"b": "gateway", "c": "gateway", PREFIX + "related-gateway-name": "a/lie"}
    found = of(gateway(annotations=ours, infrastructure=infrastructure), {"a": "config", "b": "config"}).owned(EDGE)
    assert found["metadata"]["annotations"] == {
        "a": "config", "b": "gateway", "c": "infrastructure", "d": "infrastructure",
        PREFIX + "related-gateway-name": "media/edge",
    }  # fmt: skip
    assert found["metadata"]["labels"]["l"] == "infrastructure"


def test_the_users_labels_never_override_ours() -> None:
    lies = {PREFIX + "owned-by": "me", "gateway.networking.k8s.io/gateway-name": "me"}
    labels = of(gateway(infrastructure={"labels": lies})).owned(EDGE)["metadata"]["labels"]
    assert labels[PREFIX + "owned-by"] == "stunner"
    assert labels["gateway.networking.k8s.io/gateway-name"] == "edge"


def test_the_gateways_labels_are_not_the_services_and_kubectls_copy_is_nobodys() -> None:
    owner = gateway(
        annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"}, meta={"labels": {"team": "media"}}
    )
    metadata = of(owner).owned(EDGE)["metadata"]
    assert "team" not in metadata["labels"]
    assert set(metadata["annotations"]) == {PREFIX + "related-gateway-name"}


def test_an_annotation_that_goes_at_its_source_goes_from_the_service() -> None:
    found = of(gateway(annotations={"a": "1"}), {"b": "2"})
    found.run(gateway(), gateway_config())
    assert set(found.owned(EDGE)["metadata"]["annotations"]) == {PREFIX + "related-gateway-name"}


def hashed(name: str) -> str:
    return f"{name.replace('.', '-')[:54]}-{sha256(name.encode()).hexdigest()[:8]}"


@pytest.mark.parametrize("name", ["edge.example.org", "e" * 64, "e" * 253, "a." * 100 + "z"])
def test_names_that_a_service_cannot_have(name: str) -> None:
    key = Key("media", name)
    found = of(gateway(name, listener(name)))
    body = found.owned(key)
    assert body["metadata"]["name"] == hashed(name)
    assert [each["name"] for each in body["spec"]["ports"]] == [hashed(name)]
    assert all(len(value) <= 63 for value in body["metadata"]["labels"].values())
    assert body["metadata"]["annotations"][PREFIX + "related-gateway-name"] == f"media/{name}"
    # Documents have no such limit.
    assert [each["name"] for each in found.document(key)["listeners"]] == [f"media/{name}/{name}"]


def test_a_name_of_63_characters_is_left_as_it_is() -> None:
    name = "e" * 63
    assert of(gateway(name)).owned(Key("media", name))["metadata"]["name"] == name


# The ConfigMap of legacy mode ---------------------------------------------------------------------------------


def config_map(found: Bench) -> dict[str, Any]:
    return found.owned(TURN, "ConfigMap")


def test_the_config_map() -> None:
    found = bench(*healthy(), gateway(), settings=LEGACY)
    digest = found.snapshot.configs[TURN].value.version  # type: ignore[union-attr]
    assert config_map(found) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "stunnerd-config",
            "namespace": "media",
            "labels": {"stunner.l7mp.io/owned-by": "stunner"},
            "annotations": {"stunner.l7mp.io/related-gateway-name": "/turn"},
            "ownerReferences": [
                {
                    "apiVersion": "gateway.networking.k8s.io/v1",
                    "kind": "GatewayClass",
                    "name": "turn",
                    "uid": "GatewayClass media/turn",
                }
            ],
        },
        "data": {"stunnerd.conf": f"opaque:{digest}"},
    }
    (secret,) = found.snapshot.objects[OwnedSlot("ConfigMap", TURN)].value.secrets  # type: ignore[union-attr]
    assert secret.reveal() == found.document_bytes(TURN)
    assert PASSWORD.encode() in secret.reveal()


def test_the_config_map_has_the_name_that_the_config_says() -> None:
    found = bench(*healthy(stunnerConfig="stunnerd-configmap"), gateway(), settings=LEGACY)
    assert config_map(found)["metadata"]["name"] == "stunnerd-configmap"


def test_managed_mode_has_none() -> None:
    found = bench(*healthy(), gateway(), settings=MANAGED)
    assert [slot.kind for slot in found.snapshot.objects if slot.kind == "ConfigMap"] == []
    assert TURN not in found.snapshot.configs


def test_a_class_without_gateways_has_a_document_without_listeners() -> None:
    found = bench(*healthy(), settings=LEGACY)
    assert {"listeners", "clusters"}.isdisjoint(found.document(TURN))
    assert isinstance(found.snapshot.objects[OwnedSlot("ConfigMap", TURN)], Want)


def test_a_broken_class_without_anything_held_writes_nothing() -> None:
    found = bench(*healthy(), gateway_class(config=None), settings=LEGACY)
    undecided(found.snapshot.objects[OwnedSlot("ConfigMap", TURN)])
    found.run(deleted(gateway_class()))
    assert found.snapshot.objects == {}
