from __future__ import annotations

from typing import Any

import pytest

from stunnergw.errors import InvalidObject
from stunnergw.opaque import Opaque
from stunnergw.resources import kinds
from stunnergw.resources.metadata import LAST_APPLIED, Key
from stunnergw.resources.parsing import field_path, parse

SECRET = "hunter2-hunter2"


def gateway(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge", "namespace": "media"},
        "spec": {"gatewayClassName": "turn", **spec},
    }


def refusal(kind: kinds.Kind[Any], body: Any) -> InvalidObject:
    with pytest.raises(InvalidObject) as caught:
        parse(kind, body)
    assert caught.value.__cause__ is None  # pydantic's own error could hold what was given
    return caught.value


def namespace(**metadata: Any) -> Any:
    return parse(kinds.NAMESPACE, {"metadata": {"name": "media", **metadata}})


# What fits ----------------------------------------------------------------------------------------------------


def test_a_gateway() -> None:
    body = gateway(listeners=[{"name": "udp", "port": 3478, "protocol": "UDP"}], addresses=None)
    parsed = parse(kinds.GATEWAY, body)
    assert parsed.metadata.key == Key("media", "edge")
    assert [(entry.name, entry.port) for entry in parsed.spec.listeners] == [("udp", 3478)]
    assert parsed.spec.addresses == ()
    assert parsed.status is None


def test_status_is_kept_and_decides_nothing() -> None:
    parsed = parse(kinds.GATEWAY, {**gateway(), "status": {"b": 1, "a": []}})
    assert parsed.status == b'{"a":[],"b":1}'
    assert parsed == parse(kinds.GATEWAY, gateway())


def test_what_belongs_to_the_event_is_kept_and_decides_nothing() -> None:
    fields = [
        {"manager": "kubectl", "time": "2026-01-02T00:00:00Z"},
        {"manager": "helm", "time": "2026-01-03T00:00:00Z"},
        {"manager": "never-dated"},
    ]
    parsed = namespace(resourceVersion="12", managedFields=fields)
    assert parsed.metadata.resource_version == "12"
    assert parsed.metadata.manager == "helm"
    assert parsed == namespace()


@pytest.mark.parametrize("fields", [None, []])
def test_nobody_is_a_manager(fields: Any) -> None:
    assert namespace(managedFields=fields).metadata.manager == ""


def test_kubectls_copy_of_the_object_is_dropped() -> None:
    annotations = {LAST_APPLIED: f'{{"password": "{SECRET}"}}', "a": "b"}
    parsed = namespace(annotations=annotations)
    assert dict(parsed.metadata.annotations) == {"a": "b"}
    assert SECRET not in repr(parsed)
    assert LAST_APPLIED in annotations


def test_secrets_come_in_opaque_with_the_key_that_is_passed() -> None:
    body = {"metadata": {"name": "config"}, "spec": {"password": SECRET, "userName": "user"}}
    one = parse(kinds.GATEWAY_CONFIG, body, opaque_key=b"k" * 32)
    assert one.spec.password == Opaque.of(SECRET, key=b"k" * 32)
    assert one.spec.password != parse(kinds.GATEWAY_CONFIG, body).spec.password
    assert SECRET not in repr(one)


def test_values_of_environment_variables_come_in_opaque() -> None:
    body = {"metadata": {"name": "default"}, "spec": {"env": [{"name": "A", "value": SECRET}]}}
    (variable,) = parse(kinds.DATAPLANE, body).spec.env
    assert variable.value == Opaque.of(SECRET)
    assert SECRET not in repr(variable)


def workload(*env: Any, name: str = "stunner-daemon") -> Any:
    containers = [{"name": "sidecar", "env": [{"name": "B", "value": "b"}]}, {"name": name, "env": list(env)}]
    return {"replicas": 3, "template": {"spec": {"containers": containers}}}


def test_of_a_workload_the_values_of_its_variables_come_in_opaque() -> None:
    env = [
        {"name": "STUNNER_NAME", "value": "edge"},
        {"name": "STUNNER_ADDR", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "A", "value": "first"},
        {"name": "A", "value": SECRET},
        {"name": "C", "value": "c"},
    ]
    parsed = parse(kinds.DEPLOYMENT, {"metadata": {"name": "edge"}, "spec": workload(*env)}, opaque_key=b"k")
    assert [(each.name, each.value) for each in parsed.variables] == [
        ("A", Opaque.of(SECRET, key=b"k")),
        ("C", Opaque.of("c", key=b"k")),
    ]
    assert SECRET not in repr(parsed)


def test_what_is_told_of_a_workload_has_its_form() -> None:
    parsed = parse(kinds.DAEMON_SET, {"metadata": {"name": "edge"}, "spec": workload({"name": "A", "value": SECRET})})
    (container,) = kinds.DAEMON_SET.adapter.dump_python(parsed, by_alias=True)["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "stunner-daemon", "env": [{"name": "A", "value": str(Opaque.of(SECRET))}]}


@pytest.mark.parametrize(
    "spec",
    [
        None, "text", 7, [], {}, {"template": 1}, {"template": {"spec": []}},
        {"template": {"spec": {"containers": {}}}},
        {"template": {"spec": {"containers": [None, 1, {"name": "stunner-daemon"}, {"env": 1}]}}},
        workload(1, None, "text", {}, {"name": "A"}, {"name": 1, "value": "x"}, {"name": "A", "value": 1}),
        workload({"name": "A", "value": "x"}, name="another"),
    ],
)  # fmt: skip
def test_a_workload_of_any_shape_comes_in(spec: Any) -> None:
    """Others may own it, and what we do not read is none of our business."""
    assert parse(kinds.DEPLOYMENT, {"metadata": {"name": "edge"}, "spec": spec}).variables == ()


def test_the_order_of_maps_does_not_show() -> None:
    one, other = namespace(labels={"a": "1", "b": "2"}), namespace(labels={"b": "2", "a": "1"})
    assert repr(one) == repr(other)


def test_lists_keep_their_order() -> None:
    listeners = [{"name": name, "port": 1, "protocol": "UDP"} for name in "ba"]
    assert [entry.name for entry in parse(kinds.GATEWAY, gateway(listeners=listeners)).spec.listeners] == ["b", "a"]


# What does not ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"listeners": [{"name": "udp", "port": "3478", "protocol": "UDP"}]}, "spec.listeners[0].port"),
        ({"listeners": [{"name": "udp", "port": 3478.5, "protocol": "UDP"}]}, "spec.listeners[0].port"),
        ({"listeners": [{"name": "udp", "port": 3478}]}, "spec.listeners[0].protocol"),
        ({"listeners": {"name": "udp"}}, "spec.listeners"),
        ({"infrastructure": {"labels": {"a": 1}}}, "spec.infrastructure.labels"),
        ({"gatewayClassName": 5}, "spec.gatewayClassName"),
    ],
)
def test_the_first_wrong_field_is_named(spec: dict[str, Any], field: str) -> None:
    error = refusal(kinds.GATEWAY, gateway(**spec))
    assert error.subject == "Gateway media/edge"
    assert error.field == field
    assert str(error) == f"Gateway media/edge: {field}: {error.problem}"
    assert error.problem[0].islower()


@pytest.mark.parametrize(
    "body", [{}, {"metadata": None}, {"metadata": []}, {"metadata": {}}, {"metadata": {"name": 5}}]
)
def test_an_object_needs_a_name(body: dict[str, Any]) -> None:
    assert "metadata" in refusal(kinds.NAMESPACE, body).field


@pytest.mark.parametrize(
    "spec",
    [
        SECRET,
        [SECRET],
        {"password": [SECRET]},
        {"password": {SECRET: SECRET}},
        {"sharedSecret": 5, "userName": SECRET},
        {"userQuota": SECRET},
        {"stunMode": SECRET},
        {"authRef": SECRET},
        {"authRef": {"name": [SECRET]}},
        {"loadBalancerServiceAnnotations": SECRET},
        {"loadBalancerServiceAnnotations": {"password": [SECRET]}},
        {"password": f"{SECRET}\ud800"},
    ],
)
def test_no_refusal_quotes_a_secret(spec: Any) -> None:
    error = refusal(kinds.GATEWAY_CONFIG, {"metadata": {"name": "config"}, "spec": spec})
    assert SECRET not in f"{error} {error!r} {vars(error)}"


def test_no_refusal_of_a_dataplane_quotes_a_secret() -> None:
    body = {"metadata": {"name": "default"}, "spec": {"env": [{"name": "A", "value": [SECRET]}]}}
    error = refusal(kinds.DATAPLANE, body)
    assert error.field == "spec.env[0].value"
    assert SECRET not in f"{error} {error!r}"


def _nested(depth: int) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for _ in range(depth):
        body = {"a": body}
    return body


@pytest.mark.parametrize("affinity", [{"a": 2**64}, {"a": "\udfff"}, {"a": object()}, _nested(5000)])
def test_what_json_cannot_hold_is_refused(affinity: Any) -> None:
    error = refusal(kinds.DATAPLANE, {"metadata": {"name": "default"}, "spec": {"affinity": affinity}})
    assert error.subject == "Dataplane default"


def test_a_creation_timestamp_may_be_null() -> None:
    # `kubectl create --dry-run=client -o yaml` and controller-gen write it into manifests.
    assert namespace(creationTimestamp=None) == namespace()


@pytest.mark.parametrize("fields", [5, True])
def test_managed_fields_that_are_no_list_are_refused(fields: Any) -> None:
    body = {"metadata": {"name": "media", "managedFields": fields}}
    assert refusal(kinds.NAMESPACE, body).field == "metadata.managedFields"


def test_paths_are_written_as_people_do() -> None:
    assert (
        field_path(("spec", "listeners", 0, "tls", "certificateRefs", 1)) == "spec.listeners[0].tls.certificateRefs[1]"
    )
    assert field_path(()) == ""
