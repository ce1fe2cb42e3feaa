"""The workload of a Gateway: what its Dataplane decides, what rolls the pods, and what must not."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.opaque import Opaque
from stunnergw.projection.outputs import Undecided, Want
from stunnergw.projection.snapshots import OwnedSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.settings import Decisions
from tests.support.bench import LEGACY, MANAGED, Bench, bench
from tests.support.objects import EDGE, dataplane, deleted, gateway, gateway_class, gateway_config, healthy, listener

PREFIX = "stunner.l7mp.io/"
OFF = {PREFIX + "disable-managed-dataplane": "true"}


def of(*facts: Any, **spec: Any) -> Bench:
    return bench(*healthy(), gateway(), dataplane(**spec), *facts)


def pod(found: Bench, kind: str = "Deployment") -> dict[str, Any]:
    template: dict[str, Any] = found.owned(EDGE, kind)["spec"]["template"]
    return template


def container(found: Bench) -> dict[str, Any]:
    (only,) = pod(found)["spec"]["containers"]
    return dict(only)


def wanted_kinds(found: Bench) -> list[str]:
    slots = [(kind, found.snapshot.objects.get(OwnedSlot(kind, EDGE))) for kind in ("Deployment", "DaemonSet")]
    return [kind for kind, output in slots if isinstance(output, Want)]


def test_the_defaults() -> None:
    made = container(of())
    assert (made["name"], made["image"], made["imagePullPolicy"]) == (
        "stunner-daemon", "l7mp/stunnerd:latest", "Always",
    )  # fmt: skip
    assert (made["command"], made["args"]) == (["stunnerd"], ["-w", "--udp-thread-num=16"])
    assert made["resources"] == {"requests": {"cpu": "250m"}}
    assert made["ports"] == [{"name": "metrics-port", "containerPort": 8080, "protocol": "TCP"}]
    spec = pod(of())["spec"]
    assert (spec["terminationGracePeriodSeconds"], spec["automountServiceAccountToken"]) == (3600, False)
    assert "hostNetwork" not in spec


def test_the_selector_is_the_gateways_own() -> None:
    body = of().owned(EDGE, "Deployment")["spec"]
    asked = {each["key"]: each["values"] for each in body["selector"]["matchExpressions"]}
    assert asked == {
        "app": ["stunner"],
        PREFIX + "related-gateway-name": ["edge"],
        PREFIX + "related-gateway-namespace": ["media"],
    }
    labels = body["template"]["metadata"]["labels"]
    assert {name: [labels[name]] for name in asked} == asked


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("l7mp/stunnerd", "Always"),
        ("l7mp/stunnerd:latest", "Always"),
        ("l7mp/stunnerd:dev", "Always"),
        ("l7mp/stunnerd:1.2", "IfNotPresent"),
        ("registry:5000/stunnerd", "Always"),
        ("registry:5000/stunnerd:1.2", "IfNotPresent"),
        ("l7mp/stunnerd@sha256:0123", "IfNotPresent"),
    ],
)
def test_a_tag_that_moves_is_pulled_each_time(image: str, policy: str) -> None:
    assert container(of(image=image))["imagePullPolicy"] == policy
    assert container(of(image=image, imagePullPolicy="Never"))["imagePullPolicy"] == "Never"


@pytest.mark.parametrize("replicas", [None, 0, 1, 3])
def test_one_replica_is_left_to_autoscalers(replicas: int | None) -> None:
    spec = of(replicas=replicas).owned(EDGE, "Deployment")["spec"]
    assert spec.get("replicas") == (replicas if replicas in (0, 3) else None)


def test_either_kind_and_never_both() -> None:
    found = of()
    assert wanted_kinds(found) == ["Deployment"]
    found.run(dataplane(dataplaneResource="DaemonSet", replicas=3))
    assert wanted_kinds(found) == ["DaemonSet"]
    assert "replicas" not in found.owned(EDGE, "DaemonSet")["spec"]
    found.run(dataplane())
    assert wanted_kinds(found) == ["Deployment"]


def test_who_asks_for_none_gets_none_and_is_served_all_the_same() -> None:
    found = of(gateway(annotations=OFF))
    assert wanted_kinds(found) == []
    assert found.document(EDGE)["listeners"]
    found.run(gateway())
    assert wanted_kinds(found) == ["Deployment"]


def test_a_gateway_that_goes_takes_it_along() -> None:
    found = of()
    found.run(deleted(gateway()))
    assert wanted_kinds(found) == []


def test_legacy_mode_has_none() -> None:
    assert wanted_kinds(bench(*healthy(), gateway(), settings=LEGACY)) == []


# What rolls the pods ------------------------------------------------------------------------------------------

GITOPS = "app.kubernetes.io/managed-by"


def test_the_gateways_own_labels_and_annotations_do_not() -> None:
    found = of()
    before = pod(found)
    found.run(gateway(annotations={"note": "new"}, meta={"labels": {"team": "calls", GITOPS: "argo"}}))
    metadata = found.owned(EDGE, "Deployment")["metadata"]
    assert pod(found) == before
    assert (metadata["labels"]["team"], metadata["annotations"]["note"]) == ("calls", "new")
    # Tools that prune what bears their label would take the workload away.
    assert GITOPS not in metadata["labels"]


def test_infrastructure_and_the_dataplane_do() -> None:
    said = {"labels": {"zone": "a", "app": "mine"}, "annotations": {"note": "pod"}}
    found = of(gateway(infrastructure=said), labels={"tier": "edge", "app": "theirs"}, annotations={"scrape": "yes"})
    metadata = pod(found)["metadata"]
    assert {"zone": "a", "tier": "edge", "app": "stunner"}.items() <= metadata["labels"].items()
    assert metadata["annotations"] == {"note": "pod", "scrape": "yes", PREFIX + "related-gateway-name": "media/edge"}


# The container ------------------------------------------------------------------------------------------------


def environment(found: Bench) -> dict[str, Any]:
    listed = container(found)["env"]
    names = [each["name"] for each in listed]
    assert len(names) == len(set(names))
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in listed}


def test_the_environment_of_a_dataplane() -> None:
    asked = [
        {"name": "STUNNER_ADDR", "value": "192.0.2.1"},
        {"name": "STUNNER_CONFIG_ORIGIN", "value": "http://elsewhere"},
        {"name": "MORE", "value": "one"},
        {"name": "MORE", "value": "two"},
    ]
    found = environment(of(env=asked))
    # Values may be secrets, and stand in the body as digests.
    assert (found["STUNNER_ADDR"], found["MORE"]) == tuple(str(Opaque.of(text)) for text in (b"192.0.2.1", b"two"))
    assert found["STUNNER_CONFIG_ORIGIN"] == "http://stunner-config-discovery.stunner-gateway-operator-system.svc:13478"
    assert found["STUNNER_NODENAME"] == {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}
    assert (found["STUNNER_NAME"], found["STUNNER_NAMESPACE"]) == ("edge", "media")


def test_health_checks_unless_they_are_off() -> None:
    made = container(of())
    asked = [made[name]["httpGet"] for name in ("livenessProbe", "readinessProbe")]
    assert [(each["path"], each["port"]) for each in asked] == [("/live", 8086), ("/ready", 8086)]
    assert not {"livenessProbe", "readinessProbe"} & container(of(disableHealthCheck=True)).keys()


@pytest.mark.parametrize(
    ("spec", "confined"),
    [
        ({}, True),
        ({"hostNetwork": True}, False),
        ({"offloadEngine": "XDP"}, False),
        ({"securityContext": {"fsGroup": 1}}, False),
        ({"containerSecurityContext": {"privileged": True}}, False),
    ],
    ids=["by default", "host network", "offload", "pod's own", "container's own"],
)
def test_confined_unless_something_asks_for_more(spec: dict[str, Any], confined: bool) -> None:
    found = of(**spec)
    assert pod(found)["spec"].get("securityContext", {}).get("runAsNonRoot", False) is confined
    given = container(found).get("securityContext", {})
    assert (given.get("allowPrivilegeEscalation") is False) is confined


def test_on_the_hosts_network_services_have_names_too() -> None:
    spec = pod(of(hostNetwork=True))["spec"]
    assert (spec["hostNetwork"], spec["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")


# The workload's own metadata ----------------------------------------------------------------------------------

RELATED = PREFIX + "related-gateway-name"
NAMESPACE_LABEL = PREFIX + "related-gateway-namespace"
CLASS_NAME = "gateway.networking.k8s.io/gateway-class-name"
OURS = {
    PREFIX + "owned-by": "stunner",
    PREFIX + "related-gateway-namespace": "media",
    PREFIX + "related-gateway-name": "edge",
    "gateway.networking.k8s.io/gateway-name": "edge",
    CLASS_NAME: "turn",
}
ON_PODS = {"app": "stunner", **{name: OURS[name] for name in OURS if name not in (PREFIX + "owned-by", CLASS_NAME)}}


def labelled(labels: dict[str, str], settings: Decisions = MANAGED) -> dict[str, str]:
    """Return the labels of the workload of a Gateway with these labels."""
    found = bench(*healthy(), gateway(meta={"labels": labels}), settings=settings)
    given: dict[str, str] = found.owned(EDGE, "Deployment")["metadata"]["labels"]
    return given


@pytest.mark.parametrize(
    "key",
    [
        "applyset.kubernetes.io/part-of", "applyset.k8s.io/part-of", GITOPS, "argocd.argoproj.io/instance",
        "kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace",
    ],
)  # fmt: skip
def test_what_other_tools_prune_by_is_not_copied(key: str) -> None:
    assert labelled({key: "x", "team": "calls"}) == {"team": "calls", **OURS}


def test_the_list_of_such_labels_is_a_setting_that_replaces_it() -> None:
    settings = Decisions(filtered_labels=("team",))
    assert labelled({"team": "calls", GITOPS: "argo"}, settings) == {GITOPS: "argo", **OURS}
    assert labelled({"team": "calls"}, Decisions(filtered_labels=())) == {"team": "calls", **OURS}


def test_nobody_overrides_what_the_operator_goes_by() -> None:
    assert labelled(dict.fromkeys(OURS, "theirs")) == OURS
    said = {"labels": dict.fromkeys([*OURS, "app"], "theirs"), "annotations": {RELATED: "theirs"}}
    spec = {"labels": dict.fromkeys([*ON_PODS], "theirs"), "annotations": {RELATED: "theirs"}}
    found = of(gateway(annotations={RELATED: "theirs"}, infrastructure=said), **spec)
    body, metadata = found.owned(EDGE, "Deployment"), pod(found)["metadata"]
    assert OURS.items() <= body["metadata"]["labels"].items()
    assert ON_PODS.items() <= metadata["labels"].items()
    assert body["metadata"]["annotations"][RELATED] == metadata["annotations"][RELATED] == "media/edge"


def test_the_class_is_named_on_what_is_made_and_not_on_pods() -> None:
    """A Gateway that moves to another class of ours must not have its pods roll for a label."""
    found = of(gateway_class("spare"))
    before = template(found)
    assert CLASS_NAME not in pod(found)["metadata"]["labels"]
    found.run(gateway(class_name="spare"))
    labels = [found.owned(EDGE, kind)["metadata"]["labels"] for kind in ("Deployment", "Service")]
    assert [each[CLASS_NAME] for each in labels] == ["spare", "spare"]
    assert template(found) == before


def test_names_of_the_gateway_api_are_not_a_gateways_to_set() -> None:
    asked = {CLASS_NAME: "theirs", "gateway.networking.k8s.io/more": "theirs", "zone": "a"}
    found = of(gateway(infrastructure={"labels": asked, "annotations": asked}))
    made = [found.owned(EDGE, kind)["metadata"] for kind in ("Deployment", "Service")] + [pod(found)["metadata"]]
    for metadata in made:
        assert (metadata["labels"]["zone"], metadata["annotations"]["zone"]) == ("a", "a")
        assert "theirs" not in [*metadata["labels"].values(), *metadata["annotations"].values()]
    said = found.message(kinds.GATEWAY, EDGE, "Programmed")
    for field in ("labels", "annotations"):
        assert f"spec.infrastructure.{field}: {CLASS_NAME} is left out" in said
    assert "zone" not in said


def test_annotations_are_the_gateways_and_kubectls_copy_is_nobodys() -> None:
    copied = "kubectl.kubernetes.io/last-applied-configuration"
    found = of(gateway(annotations={"note": "x", copied: "{}"}, infrastructure={"annotations": {"more": "y"}}))
    assert found.owned(EDGE, "Deployment")["metadata"]["annotations"] == {
        "note": "x", "more": "y", RELATED: "media/edge",
    }  # fmt: skip


def test_the_owner_is_the_gateway() -> None:
    body = of(gateway(meta={"uid": "u"})).owned(EDGE, "Deployment")
    assert (body["apiVersion"], body["kind"]) == ("apps/v1", "Deployment")
    assert (body["metadata"]["name"], body["metadata"]["namespace"]) == ("edge", "media")
    assert body["metadata"]["ownerReferences"] == [
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "name": "edge", "uid": "u"}
    ]


@pytest.mark.parametrize("name", ["n" * 63, "n" * 64, "a.b", f"{'a' * 200}.b"])
def test_selectors_fit_the_pods_and_the_service_whatever_the_name(name: str) -> None:
    """A label has at most 63 characters, a Gateway's name 253."""
    found = bench(*healthy(), gateway(name))
    key = Key("media", name)
    body = found.owned(key, "Deployment")
    labels = body["spec"]["template"]["metadata"]["labels"]
    assert body["metadata"]["name"] == name
    assert max(map(len, [*labels.values(), *body["metadata"]["labels"].values()])) <= 63
    assert {each["key"]: each["values"] for each in body["spec"]["selector"]["matchExpressions"]} == {
        wanted: [labels[wanted]] for wanted in ("app", PREFIX + "related-gateway-name", NAMESPACE_LABEL)
    }
    assert found.owned(key)["spec"]["selector"].items() <= labels.items()
    env = {each["name"]: each.get("value") for each in body["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["STUNNER_NAME"] == name


# What a change rolls ------------------------------------------------------------------------------------------


def template(found: Bench) -> bytes:
    """Return the bytes of the pod template: whatever changes them rolls the pods."""
    output = found.snapshot.objects[OwnedSlot("Deployment", EDGE)]
    assert isinstance(output, Want)
    return bytes(output.value.body.partition(b'"template":')[2])


@pytest.mark.parametrize(
    ("change", "rolls"),
    [
        (gateway(annotations={"note": "new"}), False),
        (gateway(meta={"labels": {"team": "calls"}}), False),
        (gateway("edge", listener("tcp", 5349, "TCP")), False),
        (gateway(addresses=[{"type": "IPAddress", "value": "192.0.2.1"}]), False),
        (gateway_config(password="another", logLevel="all:TRACE"), False),
        (dataplane(replicas=5), False),
        (dataplane(enableMetricsEndpoint=True), False),
        (gateway(infrastructure={"labels": {"zone": "a"}}), True),
        (gateway(infrastructure={"annotations": {"zone": "a"}}), True),
        (dataplane(image="l7mp/stunnerd:1.2"), True),
        (dataplane(env=[{"name": "A", "value": "b"}]), True),
        (dataplane(labels={"a": "b"}), True),
    ],
    ids=[
        "annotations", "labels", "listeners", "addresses", "credentials", "replicas", "metrics",
        "infrastructure labels", "infrastructure annotations", "image", "environment", "pod labels",
    ],
)  # fmt: skip
def test_what_rolls_the_pods(change: Any, rolls: bool) -> None:
    found = of()
    before = template(found)
    found.run(change)
    assert (template(found) != before) is rolls


def test_the_same_said_in_another_order_rolls_nothing() -> None:
    def of_order(*names: str) -> bytes:
        pairs = dict.fromkeys(names, "x")
        return template(of(labels=pairs, annotations=pairs, affinity={"nodeAffinity": pairs}))

    assert of_order("a", "b") == of_order("b", "a")


# What a Dataplane says of the pod -----------------------------------------------------------------------------

GRACE = "terminationGracePeriodSeconds"
PARTS: dict[str, Any] = {
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    "tolerations": [{"key": "edge", "operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    "imagePullSecrets": [{"name": "registry"}],
    "securityContext": {"runAsUser": 7, "fsGroup": 8},
    "terminationGracePeriodSeconds": 60,
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_the_pod_are_passed_on(name: str) -> None:
    assert pod(of(**{name: PARTS[name]}))["spec"][name] == PARTS[name]


@pytest.mark.parametrize("name", [name for name in PARTS if name not in ("securityContext", GRACE)])
def test_what_is_not_said_is_not_there(name: str) -> None:
    assert name not in pod(of())["spec"]


def test_no_patience_at_all() -> None:
    assert pod(of(**{GRACE: 0}))["spec"][GRACE] == 0


IN_CONTAINER: dict[str, Any] = {
    "command": ["/bin/other"],
    "args": ["-c", "file:///etc/x"],
    "resources": {"limits": {"cpu": 2, "memory": "1Gi"}, "requests": {"cpu": "100m"}},
    "envFrom": [{"secretRef": {"name": "more"}}, {"configMapRef": {"name": "less"}}],
    "imagePullPolicy": "Never",
    "image": "example.org/stunnerd:7",
}


@pytest.mark.parametrize("name", IN_CONTAINER)
def test_parts_of_the_container_are_passed_on(name: str) -> None:
    assert container(of(**{name: IN_CONTAINER[name]}))[name] == IN_CONTAINER[name]


@pytest.mark.parametrize("resources", [{}, {"requests": {}}, {"limits": {"memory": "1Gi"}}])
def test_resources_are_the_dataplanes_also_where_it_says_none(resources: dict[str, Any]) -> None:
    assert container(of(resources=resources))["resources"] == resources


def test_the_containers_security_context_is_passed_on() -> None:
    found = of(containerSecurityContext={"privileged": True})
    assert container(found)["securityContext"] == {"privileged": True}
    assert "securityContext" not in pod(found)["spec"]


def test_a_pod_that_is_confined() -> None:
    """So that a namespace which enforces ``restricted`` admits it, and 443 can be bound all the same."""
    found = of()
    assert pod(found)["spec"]["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"},
        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
    }  # fmt: skip
    assert container(found)["securityContext"] == {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip


@pytest.mark.parametrize("engine", ["XDP", "TC", "Auto"])
def test_offload_needs_more(engine: str) -> None:
    found = of(offloadEngine=engine)
    assert "securityContext" not in pod(found)["spec"] | container(found)


def test_a_probe() -> None:
    assert container(of())["livenessProbe"] == {
        "httpGet": {"path": "/live", "port": 8086, "scheme": "HTTP"},
        "periodSeconds": 15, "timeoutSeconds": 1, "failureThreshold": 3, "successThreshold": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("", "Always"),
        ("stunnerd", "Always"),
        ("registry:5000/l7mp/stunnerd:dev", "Always"),
        ("l7mp/stunnerd:devel", "IfNotPresent"),
        ("l7mp/stunnerd:latest-1", "IfNotPresent"),
        ("registry:5000/l7mp/stunnerd@sha256:0123", "IfNotPresent"),
    ],
)
def test_more_tags(image: str, policy: str) -> None:
    assert container(of(image=image))["imagePullPolicy"] == policy


def test_host_network_is_for_those_who_ask() -> None:
    for spec in ({}, {"hostNetwork": False}):
        assert not {"hostNetwork", "dnsPolicy"} & pod(of(**spec))["spec"].keys()


# The environment ----------------------------------------------------------------------------------------------

FROM_NODE = {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.hostIP"}}


def variable(name: str, value: str = "x") -> dict[str, Any]:
    return {"name": name, "value": value}


@pytest.mark.parametrize(
    ("asked", "note", "counts"),
    [
        (variable("STUNNER_ADDR"), "", True),
        ({"name": "STUNNER_ADDR", "valueFrom": FROM_NODE}, "", True),
        (variable("STUNNER_NODENAME"), "", True),
        (variable("STUNNER_NAME"), "env STUNNER_NAME of the Dataplane is left out", False),
        (variable("STUNNER_NAMESPACE"), "env STUNNER_NAMESPACE of the Dataplane is left out", False),
        (variable("STUNNER_CONFIG_ORIGIN"), "env STUNNER_CONFIG_ORIGIN of the Dataplane is left out", False),
        (variable("STUNNER_LOGLEVEL"), "", True),
        ({"name": "POD", "valueFrom": FROM_NODE}, "", True),
        ({"name": "EMPTY"}, "", True),
    ],
)
def test_which_of_a_dataplanes_variables_count(asked: dict[str, Any], note: str, counts: bool) -> None:
    found = of(env=[asked])
    (written,) = [each for each in container(found)["env"] if each["name"] == asked["name"]]
    expected = {**asked, "value": str(Opaque.of(asked["value"]))} if "value" in asked else asked
    assert (written == expected) is counts
    said = found.message(kinds.GATEWAY_CLASS, Key("", "turn"), "Accepted")
    assert note in said
    assert ("left out" in said) is not counts


def test_ours_come_first_and_each_name_once() -> None:
    """An API server refuses doubles in an apply; of several the last counts, and that is said."""
    found = of(env=[variable("A", "one"), variable("STUNNER_ADDR", "192.0.2.1"), variable("A", "two")])
    assert [each["name"] for each in container(found)["env"]] == [
        "STUNNER_ADDR", "STUNNER_NAME", "STUNNER_NAMESPACE", "STUNNER_NODENAME", "STUNNER_CONFIG_ORIGIN", "A",
    ]  # fmt: skip
    assert environment(found)["A"] == str(Opaque.of("two"))
    assert "env A stands twice" in found.message(kinds.GATEWAY_CLASS, Key("", "turn"), "Accepted")


@pytest.mark.parametrize("name", ["STUNNER_ADDR", "STUNNER_NODENAME", "A"])
def test_of_several_the_last_counts_also_where_it_replaces_ours(name: str) -> None:
    found = of(env=[variable(name, "one"), variable(name, "two")])
    assert environment(found)[name] == str(Opaque.of("two"))
    said = found.message(kinds.GATEWAY_CLASS, Key("", "turn"), "Accepted")
    assert f"env {name} stands twice in the Dataplane: the last one counts" in said
    found.run(dataplane(env=[variable(name)]))
    assert "stands twice" not in found.message(kinds.GATEWAY_CLASS, Key("", "turn"), "Accepted")


@pytest.mark.parametrize(
    ("service", "origin"),
    [
        ("cds.stunner", "http://cds.stunner.svc:13478"),
        ("cds.stunner:8080", "http://cds.stunner.svc:8080"),
    ],
)
def test_where_it_finds_its_configuration(service: str, origin: str) -> None:
    found = bench(*healthy(), gateway(), settings=Decisions(config_discovery_service=service))
    assert environment(found)["STUNNER_CONFIG_ORIGIN"] == origin


def test_values_stand_aside_from_the_body() -> None:
    values = ("t0ken-0ne", "t0ken-tw0")
    found = of(env=[variable("ONE", values[0]), variable("AGAIN", values[0]), variable("TWO", values[1])])
    output = found.snapshot.objects[OwnedSlot("Deployment", EDGE)]
    assert isinstance(output, Want)
    assert b"t0ken" not in output.value.body
    assert "t0ken" not in repr(output) + repr(found.snapshot.statuses)
    assert sorted(each.reveal().decode() for each in output.value.secrets) == sorted(values)
    before = template(found)
    found.run(dataplane(env=[variable("ONE", values[0]), variable("AGAIN", values[0]), variable("TWO", "n3w")]))
    assert template(found) != before


# Nothing to serve, or no parameters ---------------------------------------------------------------------------

TYPO = gateway("edge", listener(protocol="UPD"))


def undecided_kinds(found: Bench) -> list[str]:
    slots = [(kind, found.snapshot.objects.get(OwnedSlot(kind, EDGE))) for kind in ("Deployment", "DaemonSet")]
    return [kind for kind, output in slots if isinstance(output, Undecided)]


@pytest.mark.parametrize(
    "fault",
    [
        TYPO,
        gateway("edge", listener(), listener("two")),
        gateway("edge", listener("tls", 443, "TURN-TLS")),
        gateway(addresses=[{"type": "example.org/odd", "value": "x"}]),
        gateway(infrastructure={"parametersRef": {"group": "", "kind": "ConfigMap", "name": "x"}}),
        deleted(gateway_class()),
    ],
    ids=["protocol", "conflict", "certificate", "address", "parametersRef", "class"],
)
def test_a_gateway_with_nothing_to_serve_keeps_its_workload(fault: Any) -> None:
    """Of either kind: what is not decided deletes nothing."""
    found = of()
    found.run(fault)
    assert undecided_kinds(found) == ["Deployment", "DaemonSet"]
    fresh = of(fault)
    assert (undecided_kinds(fresh), wanted_kinds(fresh)) == (["Deployment", "DaemonSet"], [])


def test_who_wants_none_gets_none_though_there_is_nothing_to_serve() -> None:
    found = of()
    found.run(gateway("edge", listener(protocol="UPD"), annotations=OFF))
    assert (wanted_kinds(found), undecided_kinds(found)) == ([], [])


@pytest.mark.parametrize(("text", "off"), [("true", True), ("TRUE", True), ("false", False), ("", False), ("1", False)])
def test_words_in_any_case(text: str, off: bool) -> None:
    assert (wanted_kinds(of(gateway(annotations={PREFIX + "disable-managed-dataplane": text}))) == []) is off


def test_a_broken_class_runs_on_as_it_was() -> None:
    """Held are parameters: the pods of a Gateway may still roll when the Gateway changes."""
    found = of(image="l7mp/stunnerd:1.2")
    before = template(found)
    found.run(deleted(dataplane()))
    assert template(found) == before
    found.run(gateway(infrastructure={"labels": {"zone": "a"}}))
    assert container(found)["image"] == "l7mp/stunnerd:1.2"
    assert pod(found)["metadata"]["labels"]["zone"] == "a"


def test_a_class_that_becomes_anothers_leaves_none() -> None:
    found = of()
    found.run(gateway_class(controller="example.org/other"))
    assert (wanted_kinds(found), undecided_kinds(found)) == ([], [])
