"""What an API server would refuse is refused, by the rules of the object's own version."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.resources import kinds
from stunnergw.resources.kinds import Kind
from stunnergw.sources.validating import validate

LISTENER: dict[str, Any] = {"name": "udp", "protocol": "TURN-UDP", "port": 3478}
BACKEND: dict[str, Any] = {"name": "echo", "port": 9001}


def faults(kind: Kind[Any], spec: Any, *, version: str = "v1", **metadata: Any) -> dict[str, str]:
    body = {"metadata": {"name": "x", **metadata}, "spec": spec}
    return dict(validate(kind, version, body))


def gateway(*listeners: Any, version: str = "v1", **spec: Any) -> dict[str, str]:
    whole = {"gatewayClassName": "turn", "listeners": list(listeners or [LISTENER]), **spec}
    return faults(kinds.GATEWAY, whole, version=version)


def route(*backends: Any, version: str = "v1", kind: Kind[Any] = kinds.UDP_ROUTE, **spec: Any) -> dict[str, str]:
    return faults(kind, {"rules": [{"backendRefs": list(backends or [BACKEND])}], **spec}, version=version)


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"name": "Edge"}, "metadata.name"),
        ({"name": "edge_"}, "metadata.name"),
        ({"name": "edge\n"}, "metadata.name"),
        ({"name": "a" * 254}, "metadata.name"),
        ({"namespace": "a.b"}, "metadata.namespace"),
        ({"labels": {"a b": "c"}}, "metadata.labels[a b]"),
        ({"labels": {"a": "-"}}, "metadata.labels[a]"),
        ({"labels": {"a": "x" * 64}}, "metadata.labels[a]"),
        ({"annotations": {"/a": "anything, really"}}, "metadata.annotations[/a]"),
    ],
)
def test_metadata(metadata: dict[str, Any], field: str) -> None:
    spec = {"gatewayClassName": "turn", "listeners": [LISTENER]}
    assert list(faults(kinds.GATEWAY, spec, **metadata)) == [field]


def test_metadata_that_is_fine() -> None:
    spec = {"gatewayClassName": "turn", "listeners": [LISTENER]}
    labels = {"app.kubernetes.io/Name_1": "x.Y", "empty": ""}
    assert faults(kinds.GATEWAY, spec, name="a" * 253, labels=labels, annotations=labels) == {}


def test_services_and_namespaces_have_no_dots() -> None:
    assert list(faults(kinds.SERVICE, {}, name="a.b")) == ["metadata.name"]
    assert list(faults(kinds.NAMESPACE, {}, name="a.b")) == ["metadata.name"]
    assert faults(kinds.NODE, {}, name="a.b") == {}


def test_a_kind_without_rules_of_its_own_is_still_named_properly() -> None:
    other = Kind(name="Thing", kind="Thing", group="example.org", versions=("v7",), plural="things", model=object)  # type: ignore[type-var]
    assert list(faults(other, {"anything": 1}, version="v7", name="-")) == ["metadata.name"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"name": "UDP"}, "name"),
        ({"protocol": ""}, "protocol"),
        ({"protocol": "TURN_UDP"}, "protocol"),
        ({"hostname": "Example.org"}, "hostname"),
        ({"tls": {"mode": "terminate", "certificateRefs": [{"name": "x"}]}}, "tls.mode"),
        ({"tls": {"certificateRefs": [{"name": "x", "namespace": "a.b"}]}}, "tls.certificateRefs[0].namespace"),
        ({"allowedRoutes": {"namespaces": {"from": "None"}}}, "allowedRoutes.namespaces.from"),
        ({"allowedRoutes": {"kinds": [{"kind": "A"}] * 9}}, "allowedRoutes.kinds"),
        ({"allowedRoutes": {"kinds": [{"kind": "UDP Route"}]}}, "allowedRoutes.kinds[0].kind"),
    ],
)
@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha2"])
def test_the_schema_of_a_listener_is_that_of_every_version(version: str, change: Any, field: str) -> None:
    assert list(gateway(LISTENER | change, version=version)) == [f"spec.listeners[0].{field}"]


@pytest.mark.parametrize(
    ("listener", "field"),
    [
        ({"protocol": "UDP", "tls": {"certificateRefs": [{"name": "x"}]}}, "spec.listeners[0].tls"),
        ({"protocol": "TCP", "hostname": "example.org"}, "spec.listeners[0].hostname"),
        ({"protocol": "TLS"}, "spec.listeners[0].tls"),
        ({"protocol": "HTTPS", "tls": {"mode": "Passthrough"}}, "spec.listeners[0].tls.mode"),
        ({"protocol": "TURN-TLS", "tls": {}}, "spec.listeners[0].tls.certificateRefs"),
    ],
)
def test_rules_across_fields_came_after_v1alpha2(listener: Any, field: str) -> None:
    assert list(gateway(LISTENER | listener)) == [field]
    assert gateway(LISTENER | listener, version="v1alpha2") == {}


def test_turn_protocols_are_free_of_the_rules_for_protocols_of_gateway_api() -> None:
    assert gateway(LISTENER | {"protocol": "TURN-TLS", "hostname": "example.org"}) == {}
    assert gateway(LISTENER | {"protocol": "example.org/turn"}) == {}
    assert gateway(LISTENER | {"protocol": "TURN-TLS", "tls": {"options": {"a": "b"}}}) == {}


def test_listeners_differ() -> None:
    assert list(gateway(LISTENER, LISTENER | {"port": 1})) == ["spec.listeners[1]"]
    assert "name of spec.listeners[0]" in gateway(LISTENER, LISTENER | {"port": 1})["spec.listeners[1]"]
    same = gateway(LISTENER, LISTENER | {"name": "other"})
    assert "port, protocol and hostname of spec.listeners[0]" in same["spec.listeners[1]"]
    assert gateway(LISTENER, LISTENER | {"name": "other"}, version="v1alpha2") == {}
    assert gateway(LISTENER, LISTENER | {"name": "other", "protocol": "TURN-TCP"}) == {}


def test_there_are_1_to_64_listeners() -> None:
    many = [LISTENER | {"name": f"l{n}", "port": n + 1} for n in range(65)]
    assert gateway(*many[:64]) == {}
    assert gateway(*many) == {"spec.listeners": "has 65 entries: give 1 to 64"}
    assert list(faults(kinds.GATEWAY, {"gatewayClassName": "turn"})) == ["spec.listeners"]


def test_addresses() -> None:
    addresses: list[Any] = [
        {"value": "192.0.2.1"},
        {"type": "IPAddress", "value": "192.0.2.1"},
        {"value": "example.org"},
        {"type": "Hostname", "value": "192.0.2.1"},
        {"type": "Hostname", "value": "_"},
        {"type": "IPAddress"},
        {"type": "IPAddress"},
        {"type": "example.org/pool", "value": "_"},
        {"type": "example.org/pool", "value": "_"},
    ]
    assert set(gateway(addresses=addresses)) == {
        "spec.addresses[1]",
        "spec.addresses[2].value",
        "spec.addresses[4].value",
    }
    assert list(gateway(addresses=[{"value": f"192.0.2.{n}"} for n in range(17)])) == ["spec.addresses"]


def test_infrastructure() -> None:
    labels = {f"l{n}": "" for n in range(9)}
    annotations = {f"a{n}": "" for n in range(17)}
    place = "spec.infrastructure"
    assert set(gateway(infrastructure={"labels": labels, "annotations": annotations})) == {
        f"{place}.labels",
        f"{place}.annotations",
    }
    assert set(gateway(infrastructure={"labels": {"-": "-"}, "annotations": {"-": "-"}})) == {
        f"{place}.labels[-]",
        f"{place}.annotations[-]",
    }


def test_gateway_class() -> None:
    assert faults(kinds.GATEWAY_CLASS, {"controllerName": "stunner.l7mp.io/gateway-operator"}) == {}
    assert list(faults(kinds.GATEWAY_CLASS, {"controllerName": "operator"})) == ["spec.controllerName"]
    spec = {"controllerName": "a/b", "description": "x" * 65}
    assert list(faults(kinds.GATEWAY_CLASS, spec)) == ["spec.description"]


def test_the_standard_route_has_one_rule_and_ports_of_services() -> None:
    rule = {"backendRefs": [BACKEND]}
    assert route() == {}
    assert route(rules=[rule, rule]) == {"spec.rules": "has 2 entries: give exactly 1"}
    assert list(route(rules=[])) == ["spec.rules"]
    assert list(route(rules=[{}])) == ["spec.rules[0].backendRefs"]
    assert list(route({"name": "echo"})) == ["spec.rules[0].backendRefs[0].port"]
    assert route({"name": "pool", "group": "stunner.l7mp.io", "kind": "StaticService"}) == {}
    assert list(route(*[BACKEND] * 17)) == ["spec.rules[0].backendRefs"]


@pytest.mark.parametrize(("kind", "version"), [(kinds.UDP_ROUTE, "v1alpha2"), (kinds.STUNNER_UDP_ROUTE, "v1")])
def test_other_routes_have_up_to_16_rules_and_need_no_port(kind: Kind[Any], version: str) -> None:
    rule = {"backendRefs": [{"name": "echo"}]}
    assert route(rules=[rule] * 16, kind=kind, version=version) == {}
    assert list(route(rules=[rule] * 17, kind=kind, version=version)) == ["spec.rules"]
    assert list(route(*[BACKEND] * 17, kind=kind, version=version)) == ["spec.rules[0].backendRefs"]
    twice = [{"name": "edge"}, {"name": "edge"}]
    assert route(parentRefs=twice, kind=kind, version=version) == {}


@pytest.mark.parametrize(
    "change", [{"port": 0}, {"endPort": 65536}, {"weight": -1}, {"weight": 1_000_001}, {"name": ""}, {"kind": "1"}]
)
def test_backends(change: dict[str, Any]) -> None:
    assert list(route(BACKEND | change)) == [f"spec.rules[0].backendRefs[0].{next(iter(change))}"]


@pytest.mark.parametrize(
    ("parts", "is_fine"),
    [
        ([{}, {}], False),
        ([{"sectionName": "a"}, {"sectionName": "a"}], False),
        ([{"sectionName": "a"}, {}], False),
        ([{"sectionName": "a"}, {"port": 1}], False),
        ([{"sectionName": "a"}, {"sectionName": "b"}], True),
        ([{"port": 1}, {"port": 2}], True),
        ([{"sectionName": "a", "port": 1}, {"sectionName": "a", "port": 2}], True),
        ([{}, {"namespace": "other"}], True),
        ([{}, {"kind": "ListenerSet"}], True),
    ],
)
def test_parents_differ(parts: list[dict[str, Any]], is_fine: bool) -> None:
    found = route(parentRefs=[{"name": "edge"} | part for part in parts])
    assert list(found) == ([] if is_fine else ["spec.parentRefs[1]"])


def test_there_are_at_most_32_parents() -> None:
    assert list(route(parentRefs=[{"name": f"edge{n}"} for n in range(33)])) == ["spec.parentRefs"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"authType": "basic"}, "spec.authType"),
        ({"authType": "not-static"}, "spec.authType"),
        ({"realm": "Example.org"}, "spec.realm"),
        ({"userName": "alice:bob"}, "spec.userName"),
        ({"password": "pass word\n"}, "spec.password"),
        ({"minPort": 0}, "spec.minPort"),
    ],
)
def test_gateway_config_never_quotes_a_value(spec: dict[str, Any], field: str) -> None:
    found = faults(kinds.GATEWAY_CONFIG, spec)
    assert list(found) == [field]
    assert str(next(iter(spec.values()))) not in found[field] or spec == {"minPort": 0}


@pytest.mark.parametrize("auth_type", ["static", "plaintext", "ephemeral", "longterm", "timewindowed"])
def test_gateway_config_that_is_fine(auth_type: str) -> None:
    spec = {"authType": auth_type, "userName": "a!#$%&'*+-.^_`|~", "password": "P4", "sharedSecret": "any: thing"}
    assert faults(kinds.GATEWAY_CONFIG, spec) == {}


def test_dataplane_words() -> None:
    spec = {"dataplaneResource": "Pod", "offloadEngine": "xdp", "imagePullPolicy": "always"}
    assert list(faults(kinds.DATAPLANE, spec)) == [f"spec.{name}" for name in spec]
    assert faults(kinds.DATAPLANE, {"dataplaneResource": "DaemonSet", "offloadEngine": "XDP"}) == {}


def test_service_ports() -> None:
    spec = {"type": "Odd", "ports": [{"port": 70000}, {"port": 1, "protocol": "udp"}]}
    assert list(faults(kinds.SERVICE, spec)) == ["spec.type", "spec.ports[0].port", "spec.ports[1].protocol"]


def test_addresses_of_endpoint_slices_are_addresses() -> None:
    body = {
        "metadata": {"name": "x"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"]}, {"addresses": ["fe80::1"]}],
    }
    assert [field for field, _ in validate(kinds.ENDPOINT_SLICE, "v1", body)] == ["endpoints[1].addresses[0]"]
    assert validate(kinds.ENDPOINT_SLICE, "v1", body | {"addressType": "FQDN"}) == []
