from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest
import yaml

from stunnergw.resources import crds, kinds
from stunnergw.resources.metadata import STUNNER_GROUP
from stunnergw.resources.parsing import parse
from stunnergw.resources.schemas import Rule, structural
from tests.unit.resources.openapi import defaulted, misfits, nodes, structural_problems

if TYPE_CHECKING:
    from stunnergw.resources.kinds import Kind

FOLDER = Path(__file__).parents[3] / "deploy" / "crds"
OURS: list[Kind[Any]] = [kind for kind in kinds.TABLE if kind.group == STUNNER_GROUP]
of_each_kind = pytest.mark.parametrize("kind", OURS, ids=repr)


def definition(kind: Kind[Any]) -> dict[str, Any]:
    (found,) = (
        crd for crd in crds.custom_resource_definitions() if crd["metadata"]["name"] == f"{kind.plural}.{kind.group}"
    )
    return found


def schema(kind: Kind[Any]) -> dict[str, Any]:
    found: dict[str, Any] = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def manifest(kind: Kind[Any], **parts: Any) -> dict[str, Any]:
    return {"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": "it"}, **parts}


def gateway_config(**spec: Any) -> list[str]:
    return misfits(schema(kinds.GATEWAY_CONFIG), manifest(kinds.GATEWAY_CONFIG, spec=spec))


def udp_route(**parts: Any) -> list[str]:
    return misfits(schema(kinds.STUNNER_UDP_ROUTE), manifest(kinds.STUNNER_UDP_ROUTE, **parts))


def dataplane(**spec: Any) -> list[str]:
    return misfits(schema(kinds.DATAPLANE), manifest(kinds.DATAPLANE, spec=spec))


# What a CRD is ------------------------------------------------------------------------------------------------


@of_each_kind
def test_names_scope_and_versions_are_those_of_the_table(kind: Kind[Any]) -> None:
    spec = definition(kind)["spec"]
    assert spec["group"] == kind.group
    assert spec["names"]["kind"] == kind.kind
    assert spec["names"]["plural"] == kind.plural
    assert spec["names"]["categories"] == ["stunner"]
    assert spec["scope"] == ("Namespaced" if kind.namespaced else "Cluster")
    assert tuple(version["name"] for version in spec["versions"]) == kind.versions
    assert [version["storage"] for version in spec["versions"]] == [True] + [False] * (len(kind.versions) - 1)
    assert all(version["served"] for version in spec["versions"])


@of_each_kind
def test_all_versions_have_one_schema_and_a_status_of_its_own(kind: Kind[Any]) -> None:
    versions = definition(kind)["spec"]["versions"]
    assert all(version["schema"] == versions[0]["schema"] for version in versions)
    assert all(version["subresources"] == {"status": {}} for version in versions)


def test_short_names_and_columns() -> None:
    config, data_plane = definition(kinds.GATEWAY_CONFIG)["spec"], definition(kinds.DATAPLANE)["spec"]
    assert config["names"]["shortNames"] == ["gwconf"]
    assert data_plane["names"]["shortNames"] == ["dps"]
    columns = config["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns] == ["Realm", "Dataplane", "Classes", "Accepted", "Age"]


def test_each_kind_of_our_group_has_extras_and_no_other() -> None:
    assert set(crds.EXTRAS) == set(OURS)


@of_each_kind
def test_schema_is_structural(kind: Kind[Any]) -> None:
    assert structural_problems(schema(kind)) == []


def test_the_checker_sees_what_an_api_server_refuses() -> None:
    broken = {
        "type": "object",
        "required": ["gone"],
        "properties": {
            "ref": {"$ref": "#/$defs/It"},
            "default": {"type": "string", "default": 5},
            "list": {"type": "array"},
            "map": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": {"type": "object", "properties": {"type": {"type": "string"}}},
            },
        },
    }
    assert structural_problems(broken) == [
        ": ['gone'] required, but no properties",
        "ref: $ref is not known",
        "ref: type is None",
        "default: default: : should be of type string",
        "list: items are missing",
        "map: the map key type may be absent",
    ]


# Fields -------------------------------------------------------------------------------------------------------


def model_paths(model: Any, path: str) -> set[str]:
    """Collect the paths of all fields of a model, as the API spells them."""
    fields: dict[str, Any] = getattr(model, "__pydantic_fields__", {})
    if not fields:
        inner = [argument for argument in get_args(model) if argument is not type(None)]
        below = f"{path}[]" if tuple in (model, getattr(model, "__origin__", None)) else path
        return set().union(*(model_paths(argument, below) for argument in inner))
    hints = get_type_hints(model)
    found: set[str] = set()
    for name, field in fields.items():
        where = f"{path}.{field.alias or name}"
        found |= {where, *model_paths(hints[name], where)}
    return found


def field_paths(of: dict[str, Any]) -> set[str]:
    return {path for path, _ in nodes(of) if not path.endswith(("[]", "{}"))}


@of_each_kind
def test_the_schema_has_the_fields_of_the_models_and_no_others(kind: Kind[Any]) -> None:
    extras = crds.EXTRAS[kind]
    spec = model_paths(get_type_hints(kind.model)["spec"], "spec")
    status = model_paths(extras.status, "status")
    assert set(extras.omitted) <= spec
    fields = {path for path in field_paths(schema(kind)) if path.startswith(("spec.", "status."))}
    assert fields == (spec | status) - set(extras.omitted)


@of_each_kind
def test_every_field_is_described_and_every_rule_is_of_a_field(kind: Kind[Any]) -> None:
    described = {path for path, node in nodes(schema(kind)) if node.get("description", "").endswith(".")}
    bare = field_paths(schema(kind)) - described
    assert bare == {"metadata"}
    assert set(crds.EXTRAS[kind].fields) == described - {"", "apiVersion", "kind"}


def test_a_field_without_a_rule_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"status\.conditions"):
        structural(crds.ConditionedStatus, at="status", rules={"status": Rule("Status.")})


def test_the_models_walk_knows_nested_fields() -> None:
    # The tests above compare with it: an empty walk would let everything pass.
    assert model_paths(crds.RouteStatus, "status") >= {
        "status.parents",
        "status.parents[].parentRef.sectionName",
        "status.parents[].conditions[].lastTransitionTime",
    }


DEFAULTS: dict[Kind[Any], dict[str, Any]] = {
    kinds.GATEWAY_CONFIG: {
        "spec.dataplane": "default",
        "spec.realm": "stunner.l7mp.io",
        "spec.authType": "plaintext",
        "spec.authRef.group": "",
        "spec.authRef.kind": "Secret",
    },
    kinds.DATAPLANE: {"spec.dataplaneResource": "Deployment"},
    kinds.STATIC_SERVICE: {},
    kinds.STUNNER_UDP_ROUTE: {
        "spec.parentRefs[].group": "gateway.networking.k8s.io",
        "spec.parentRefs[].kind": "Gateway",
        "spec.rules[].backendRefs[].group": "",
        "spec.rules[].backendRefs[].kind": "Service",
        "status.parents[].parentRef.group": "gateway.networking.k8s.io",
        "status.parents[].parentRef.kind": "Gateway",
    },
}


@of_each_kind
def test_defaults_are_these_alone(kind: Kind[Any]) -> None:
    defaults = {path: node["default"] for path, node in nodes(schema(kind)) if "default" in node}
    assert defaults == DEFAULTS[kind]


def test_fields_of_v1alpha1_are_deprecated() -> None:
    fields = schema(kinds.GATEWAY_CONFIG)["properties"]["spec"]["properties"]
    deprecated = [name for name, field in fields.items() if "Deprecated" in field["description"]]
    assert deprecated == ["stunnerConfig", "metricsEndpoint", "healthCheckEndpoint", "minPort", "maxPort"]


@of_each_kind
def test_defaults_mean_what_an_absent_field_means_to_the_model(kind: Kind[Any]) -> None:
    bodies: dict[Kind[Any], dict[str, Any]] = {
        kinds.GATEWAY_CONFIG: {"authType": "plaintext", "authRef": {"name": "credentials"}},
        kinds.DATAPLANE: {},
        kinds.STATIC_SERVICE: {},
        kinds.STUNNER_UDP_ROUTE: {
            "parentRefs": [{"name": "edge"}],
            "rules": [{"backendRefs": [{"name": "media"}]}],
        },
    }
    body = manifest(kind, spec=bodies[kind])
    stored = defaulted(schema(kind), body)
    assert (stored != body) == bool(DEFAULTS[kind])
    assert parse(kind, stored) == parse(kind, body)


# Objects ------------------------------------------------------------------------------------------------------


def test_a_gateway_config_with_everything_fits() -> None:
    problems = gateway_config(
        dataplane="default",
        realm="stunner.example.com",
        authType="static",
        userName="user-1",
        password="p!#$%&'*+-.^_`|~",
        sharedSecret="any text: at all",
        authLifetime=3600,
        authRef={"name": "credentials", "namespace": "stunner"},
        loadBalancerServiceAnnotations={"example.com/a": "1"},
        logLevel="all:INFO,turn:DEBUG",
        userQuota=2,
        stunMode=False,
        stunnerConfig="stunnerd-config",
        metricsEndpoint="http://:8080/metrics",
        healthCheckEndpoint="http://:8086",
        minPort=10000,
        maxPort=20000,
    )
    assert problems == []


def test_objects_without_a_spec_fit_where_the_model_takes_them() -> None:
    for kind in (kinds.GATEWAY_CONFIG, kinds.DATAPLANE):
        assert misfits(schema(kind), manifest(kind)) == []
    assert udp_route() == [".spec: is missing"]


@pytest.mark.parametrize("word", ["static", "plaintext", "ephemeral", "longterm", "timewindowed"])
def test_auth_types(word: str) -> None:
    assert gateway_config(authType=word) == []
    assert gateway_config(authType=f"very-{word}") != []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("authType", ""),
        ("authType", "none"),
        ("realm", ""),
        ("realm", "Stunner.example.com"),
        ("realm", "stunner..com"),
        ("realm", "-stunner"),
        ("realm", "stunner.example.com\n"),
        ("userName", "user name"),
        ("userName", "user:1"),
        ("userName", ""),
        ("password", "secret\n"),
        ("password", "pässword"),
        ("authLifetime", "3600"),
        ("authRef", {"namespace": "stunner"}),
        ("loadBalancerServiceAnnotations", {"example.com/a": 1}),
        ("minPort", 0),
        ("maxPort", 65536),
        ("stunMode", "true"),
        ("typo", "x"),
    ],
)
def test_what_a_gateway_config_may_not_say(field: str, value: Any) -> None:
    problems = gateway_config(**{field: value})
    assert len(problems) == 1
    assert f"spec.{field}" in problems[0]


def test_parts_of_a_pod_spec_are_taken_as_they_are() -> None:
    context = {"runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}, "fromTheFuture": [1]}
    problems = dataplane(
        image="l7mp/stunnerd:1.1",
        imagePullPolicy="Always",
        imagePullSecrets=[{"name": "registry"}],
        dataplaneResource="DaemonSet",
        labels={"a": "b"},
        command=["stunnerd"],
        args=["-w"],
        env=[
            {"name": "A", "value": "b"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "A", "value": "twice"},
        ],
        envFrom=[{"configMapRef": {"name": "c"}}],
        containerSecurityContext=context,
        securityContext=context,
        replicas=3,
        resources={"limits": {"cpu": 1, "memory": "1Gi"}},
        terminationGracePeriodSeconds=0,
        affinity={"nodeAffinity": {}},
        tolerations=[{"operator": "Exists"}],
        topologySpreadConstraints=[{"maxSkew": 1}],
        hostNetwork=True,
        offloadEngine="Auto",
        offloadInterfaces=["eth0"],
    )
    assert problems == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataplaneResource", "StatefulSet"),
        ("imagePullPolicy", "always"),
        ("offloadEngine", "eBPF"),
        ("replicas", -1),
        ("tolerations", {"operator": "Exists"}),
        ("affinity", []),
        ("env", [{"value": "nameless"}]),
        ("command", "stunnerd -w"),
    ],
)
def test_what_a_dataplane_may_not_say(field: str, value: Any) -> None:
    assert len(dataplane(**{field: value})) == 1


def rules(**backend: Any) -> list[dict[str, Any]]:
    return [{"backendRefs": [{"name": "media", **backend}]}]


def test_a_route_fits() -> None:
    parent = {"name": "edge", "namespace": "stunner", "sectionName": "udp", "port": 3478}
    backend = {"kind": "StaticService", "group": STUNNER_GROUP, "namespace": "media"}
    spec = {"parentRefs": [parent], "rules": rules(**backend, port=1, endPort=65535)}
    assert udp_route(spec=spec) == []
    assert udp_route(spec={"rules": [{}]}) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"parentRefs": [{"name": "edge"}]},
        {"rules": []},
        {"rules": rules() * 17},
        {"rules": [{"backendRefs": []}]},
        {"rules": [{"backendRefs": [{"name": "media"}] * 17}]},
        {"rules": rules(), "parentRefs": [{"name": "edge"}] * 33},
        {"rules": rules(port=0)},
        {"rules": rules(endPort=65536)},
        {"rules": rules(kind="a service")},
        {"rules": rules(namespace="Media")},
        {"rules": rules(weight=1)},
        {"rules": rules(), "parentRefs": [{"sectionName": "udp"}]},
    ],
)
def test_what_a_route_may_not_say(spec: dict[str, Any]) -> None:
    assert len(udp_route(spec=spec)) == 1


CONDITION = {
    "type": "Accepted",
    "status": "True",
    "reason": "Accepted",
    "message": "",
    "observedGeneration": 1,
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}


def route_status(*conditions: dict[str, Any]) -> list[str]:
    parent = {
        "parentRef": {"name": "edge"},
        "controllerName": "stunner.l7mp.io/gateway-operator",
        "conditions": list(conditions),
    }
    return udp_route(spec={"rules": rules()}, status={"parents": [parent]})


def test_a_status_fits() -> None:
    assert route_status(CONDITION, {**CONDITION, "type": "example.com/Resolved"}) == []
    assert udp_route(spec={"rules": rules()}, status={"parents": []}) == []
    body = manifest(kinds.GATEWAY_CONFIG, status={"conditions": [CONDITION]})
    assert misfits(schema(kinds.GATEWAY_CONFIG), body) == []


@pytest.mark.parametrize(
    "change",
    [
        {"status": "true"},
        {"reason": ""},
        {"reason": "two words"},
        {"message": "x" * 32769},
        {"lastTransitionTime": "yesterday"},
        {"observedGeneration": -1},
    ],
)
def test_what_a_condition_may_not_say(change: dict[str, Any]) -> None:
    assert route_status({**CONDITION, **change}) != []


@pytest.mark.parametrize("missing", ["type", "status", "reason", "message", "lastTransitionTime"])
def test_what_a_condition_needs(missing: str) -> None:
    condition = {name: value for name, value in CONDITION.items() if name != missing}
    items = schema(kinds.STUNNER_UDP_ROUTE)["properties"]["status"]["properties"]["parents"]["items"]
    assert misfits(items["properties"]["conditions"]["items"], condition) == [f".{missing}: is missing"]


def test_conditions_are_one_to_eight_each_of_its_own_type() -> None:
    assert route_status() != []
    assert route_status(*({**CONDITION, "type": f"T{number}"} for number in range(8))) == []
    assert route_status(*({**CONDITION, "type": f"T{number}"} for number in range(9))) != []
    assert route_status(CONDITION, CONDITION) != []


# Files --------------------------------------------------------------------------------------------------------


def test_the_stream_holds_the_definitions_and_is_the_same_each_time() -> None:
    assert list(yaml.safe_load_all(crds.render_yaml())) == crds.custom_resource_definitions()
    assert crds.render_yaml() == crds.render_yaml()


def test_the_stream_is_for_people() -> None:
    lines = crds.render_yaml().splitlines()
    assert not [line for line in lines if "*id" in line or "&id" in line]
    assert not [line for line in lines if len(line) > 120 and "pattern:" not in line and " " in line.strip()]


def test_files_are_current() -> None:
    found = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    remake = "from pathlib import Path; from stunnergw.resources import crds; crds.write_files(Path('deploy/crds'))"
    assert found == crds.files(), f'deploy/crds is not what the models say: python -c "{remake}"'


def test_files_are_one_for_each_kind_and_the_list_of_them(tmp_path: Path) -> None:
    crds.write_files(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted([*(f"{STUNNER_GROUP}_{kind.plural}.yaml" for kind in OURS), "kustomization.yaml"])
    listed = yaml.safe_load((tmp_path / "kustomization.yaml").read_text("utf-8"))["resources"]
    assert sorted([*listed, "kustomization.yaml"]) == names


def test_extras_are_read_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        crds.EXTRAS[kinds.DATAPLANE].says = "x"  # type: ignore[misc]
