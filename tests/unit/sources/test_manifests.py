"""Manifests become events: the first load, and what differs later."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from stunnergw.errors import ManifestError
from stunnergw.events.types import Applied, Listed
from stunnergw.opaque import Opaque
from stunnergw.resources import kinds
from stunnergw.sources.manifests import load_manifests
from tests.unit.sources.support import CLASS, CONFIG, GATEWAY, Bench, line

if TYPE_CHECKING:
    from pathlib import Path

    from stunnergw.resources.stunner import GatewayConfig

LISTED = [f"{kind.name} {kind.versions[0]}" for kind in kinds.TABLE]
ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: UDPRoute
metadata: {name: echo, namespace: media}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: echo, port: 9001}]}]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: edge, namespace: media}
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
"""


def test_the_first_load_is_one_batch_in_order(bench: Bench) -> None:
    bench.write("b.yaml", f"{SERVICE}---\n{CLASS}")
    bench.write("a.yaml", f"{GATEWAY}---\n{CONFIG}")
    assert bench.source.load() == []
    assert bench.news() == [
        "+ GatewayClass turn",
        "+ GatewayConfig turn-system/turn-config",
        "+ Gateway media/edge",
        "+ Service media/edge",
        "+ Namespace media",
        "+ Namespace turn-system",
        *LISTED,
    ]
    events = bench.log.since(0)
    assert {event.source for event in events} == {"manifests"}
    assert len({event.at for event in events}) == 1
    assert bench.last("Service media/edge").status.load_balancer.ingress[0].ip == "192.0.2.1"


def test_an_empty_folder_is_fine(bench: Bench) -> None:
    assert bench.source.load() == []
    assert bench.news() == LISTED


def test_load_manifests_gives_the_same_facts(bench: Bench) -> None:
    path = bench.write("a.yaml", f"{CLASS}---\n{GATEWAY}")
    bench.source.load()
    loaded = load_manifests([path])
    assert [line(fact) for fact in loaded.facts] == bench.news()
    assert loaded.facts == [event.fact for event in bench.log.since(0)]
    assert all(applied.size > 100 for applied in loaded.objects if applied.kind is not kinds.NAMESPACE)


def test_versions_are_those_seen_and_are_told_again_when_they_change(bench: Bench) -> None:
    old = GATEWAY.replace("/v1\n", "/v1alpha2\n")
    bench.write("a.yaml", old)
    bench.source.load()
    assert "Gateway v1alpha2" in bench.news()
    bench.write("b.yaml", GATEWAY.replace("edge", "other"))
    bench.source.rescan()
    assert bench.news() == ["+ Gateway media/other", "Gateway v1,v1alpha2"]


def test_what_a_cluster_would_assign(bench: Bench) -> None:
    bench.write("a.yaml", GATEWAY + "status: {conditions: []}\n")
    bench.source.load()
    gateway = bench.last("Gateway media/edge")
    assert (gateway.metadata.generation, gateway.metadata.creation_timestamp) == (1, "")
    assert gateway.metadata.uid == "4cce1cad-e1b2-5eff-bfc4-f8b322b656c0"
    assert gateway.status == b'{"conditions":[]}'
    assert bench.last("Namespace media").metadata.labels == {"kubernetes.io/metadata.name": "media"}


def test_what_a_manifest_gives_counts(bench: Bench) -> None:
    given = "{name: edge, namespace: media, uid: u-1, generation: 7, creationTimestamp: 2024-05-01T10:00:00Z}"
    bench.write("a.yaml", GATEWAY.replace("{name: edge, namespace: media}", given))
    bench.source.load()
    metadata = bench.last("Gateway media/edge").metadata
    assert (metadata.uid, metadata.generation) == ("u-1", 7)
    assert metadata.creation_timestamp == "2024-05-01T10:00:00Z"


def test_nulls_are_as_good_as_absent(bench: Bench) -> None:
    text = GATEWAY.replace("namespace: media}", "creationTimestamp: null, namespace: }") + "  addresses: null\n"
    bench.write("a.yaml", text.replace("port: 3478}", "port: 3478, allowedRoutes: null, hostname: null}"))
    assert bench.source.load() == []
    assert "+ Gateway default/edge" in bench.news()


def test_generation_counts_changes_of_the_spec_alone(bench: Bench) -> None:
    bench.write("a.yaml", GATEWAY)
    bench.source.load()
    for text, generation in [
        (GATEWAY.replace("3478", "3479"), 2),
        (GATEWAY.replace("3478", "3479").replace("media}", "media, labels: {a: b}}"), 2),
        (GATEWAY.replace("3478", "3480") + "status: {conditions: []}\n", 3),
        (GATEWAY.replace("3478", "3480") + "status: {}\n", 3),
    ]:
        bench.write("a.yaml", text)
        bench.source.rescan()
        assert bench.last("Gateway media/edge").metadata.generation == generation
    assert bench.last("Gateway media/edge").status == b"{}"


def test_only_what_differs_is_appended(bench: Bench) -> None:
    bench.write("a.yaml", f"{CLASS}---\n{GATEWAY}")
    bench.source.load()
    bench.news()
    bench.source.rescan()
    bench.write("a.yaml", f"# a comment\n{CLASS}---\n{GATEWAY}")
    bench.source.rescan()
    assert bench.news() == []
    bench.write("a.yaml", CLASS)
    bench.write("b.yaml", GATEWAY.replace("3478", "3479"))
    bench.source.rescan()
    assert bench.news() == ["+ Gateway media/edge"]
    (bench.folder / "b.yaml").unlink()
    bench.source.rescan()
    assert bench.news() == ["- Gateway media/edge", "- Namespace media"]


def test_a_change_of_a_stored_status_alone_is_appended(bench: Bench) -> None:
    bench.write("a.yaml", GATEWAY)
    bench.source.load()
    bench.news()
    bench.write("a.yaml", GATEWAY + "status: {conditions: []}\n")
    bench.source.rescan()
    assert bench.news() == ["+ Gateway media/edge"]


def test_a_declared_namespace_takes_the_place_of_an_implied_one(bench: Bench) -> None:
    bench.write("a.yaml", GATEWAY)
    bench.source.load()
    bench.news()
    bench.write("n.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: media, labels: {team: a}}\n")
    bench.source.rescan()
    assert bench.news() == ["+ Namespace media"]
    assert bench.last("Namespace media").metadata.labels == {"kubernetes.io/metadata.name": "media", "team": "a"}
    (bench.folder / "n.yaml").unlink()
    bench.source.rescan()
    assert bench.last("Namespace media").metadata.labels == {"kubernetes.io/metadata.name": "media"}


def test_other_kinds_and_versions_are_noted_once_per_kind(bench: Bench) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
    bench.write(
        "a.yaml", f"{pod}---\n{pod}---\n{GATEWAY.replace('/v1', '/v9')}---\nkind: Kustomization\napiVersion: x/v1\n"
    )
    assert bench.source.load() == []
    assert [str(note).removeprefix(str(bench.folder)) for note in bench.reported] == [
        "/a.yaml:1: Pod (v1): is none of the kinds that stunnergw reads: ignored",
        "/a.yaml:9: Gateway (gateway.networking.k8s.io/v9): is none of the versions that stunnergw reads "
        "(v1, v1beta1, v1alpha2): ignored",
        "/a.yaml:17: Kustomization (x/v1): is none of the kinds that stunnergw reads: ignored",
    ]
    assert all(note.note for note in bench.reported)
    bench.write("a.yaml", f"\n{pod}")
    bench.source.rescan()
    assert len(bench.reported) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("just text\n", "a.yaml:1: is no object"),
        ("metadata: {name: a}\n", "a.yaml:1: apiVersion: is missing"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "a.yaml:1: kind: is missing"),
        ("apiVersion: v1\nkind: 3\n", "a.yaml:1: kind: is missing or no text"),
        ("apiVersion: v1\nkind: Service\n", "a.yaml:1: Service: metadata: is missing"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {generateName: a}\n",
            "a.yaml:1: Service: metadata.name: is missing",
        ),
        (GATEWAY.replace("edge", "1"), "a.yaml:1: Gateway: metadata.name: is missing or no text"),
        (GATEWAY.replace("3478", "0"), "a.yaml:1: Gateway media/edge: spec.listeners[0].port: is out of range"),
        (GATEWAY.replace("3478", '"1"'), "spec.listeners[0].port: input should be a valid integer"),
        (GATEWAY.replace("name: udp, ", ""), "spec.listeners[0].name: is missing: add it"),
    ],
)
def test_at_start_what_is_wrong_is_left_out_and_said(bench: Bench, text: str, said: str) -> None:
    bench.write("a.yaml", f"{text}---\n{CLASS}")
    (problem,) = bench.source.load()
    assert said in str(problem)
    assert str(problem).endswith("(the object is left out)")
    assert bench.reported == [problem]
    assert bench.news() == ["+ GatewayClass turn", *LISTED]


def test_a_cluster_scoped_object_loses_its_namespace_and_says_so(bench: Bench) -> None:
    bench.write("a.yaml", CLASS.replace("turn}", "turn, namespace: media}"))
    (problem,) = bench.source.load()
    assert "GatewayClass turn: metadata.namespace: is ignored" in str(problem)
    assert bench.news() == ["+ GatewayClass turn", *LISTED]


def test_later_the_last_good_version_stays(bench: Bench) -> None:
    bench.write("a.yaml", f"{GATEWAY}---\n{CLASS}")
    bench.source.load()
    bench.news()
    bench.write("a.yaml", f"{GATEWAY.replace('3478', '0')}---\n{CLASS}")
    (problem,) = bench.source.rescan()
    assert str(problem).endswith(
        "spec.listeners[0].port: is out of range: give a number from 1 to 65535 (its last good version stays)"
    )
    bench.source.rescan()
    assert bench.reported == [problem]
    assert bench.news() == []
    bench.write("a.yaml", f"{GATEWAY.replace('3478', '3479')}---\n{CLASS}")
    assert bench.source.rescan() == []
    assert bench.news() == ["+ Gateway media/edge"]


def test_a_document_that_lost_its_name_takes_nothing_away(bench: Bench) -> None:
    bench.write("a.yaml", f"{GATEWAY}---\n{CLASS}")
    bench.source.load()
    bench.news()
    bench.write("a.yaml", f"{GATEWAY.replace('name: edge', 'nme: edge')}---\n{CLASS}")
    (problem,) = bench.source.rescan()
    assert str(problem).endswith("(objects that this file no longer names stay)")
    assert bench.news() == []


def test_the_controller_of_a_class_cannot_change(bench: Bench) -> None:
    bench.write("a.yaml", CLASS)
    bench.source.load()
    bench.write("a.yaml", CLASS.replace("gateway-operator", "other"))
    (problem,) = bench.source.rescan()
    assert "GatewayClass turn: spec.controllerName: cannot change" in str(problem)
    assert bench.last("GatewayClass turn").spec.controller_name == "stunner.l7mp.io/gateway-operator"


def test_at_start_a_broken_file_is_an_error_and_nothing_is_appended(bench: Bench) -> None:
    bench.write("a.yaml", CLASS)
    path = bench.write("b.yaml", "a: [\n")
    with pytest.raises(ManifestError) as caught:
        bench.source.load()
    assert (caught.value.path, caught.value.line) == (str(path), 2)
    assert bench.news() == []
    loaded = load_manifests([bench.folder], strict=False)
    assert [(each.file, each.line) for each in loaded.problems] == [(str(path), 2)]
    assert [line(fact) for fact in loaded.objects] == ["+ GatewayClass turn"]


def test_later_a_broken_file_keeps_its_last_good_objects(bench: Bench) -> None:
    bench.write("a.yaml", GATEWAY)
    bench.source.load()
    bench.news()
    path = bench.write("a.yaml", GATEWAY + "a: [\n")
    (problem,) = bench.source.rescan()
    assert str(problem).startswith(f"{path}:9: is no YAML")
    assert str(problem).endswith("(its last good objects stay)")
    bench.write("b.yaml", CLASS)
    assert bench.source.rescan() == [problem]
    assert bench.reported == [problem]
    assert bench.news() == ["+ GatewayClass turn"]


def test_a_path_that_disappears_keeps_its_objects_until_it_is_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "sub")
    bench.write("a.yaml", GATEWAY)
    bench.source.load()
    bench.news()
    shutil.rmtree(bench.folder)
    (problem,) = bench.source.rescan()
    assert str(problem) == f"{bench.folder}: is not there: name a file or folder that is (its last good objects stay)"
    assert bench.news() == []
    bench.folder.mkdir()
    assert bench.source.rescan() == []
    assert bench.news() == ["- Gateway media/edge", "- Namespace media"]


def test_of_two_files_the_first_has_the_object_and_later_the_one_that_had_it(bench: Bench) -> None:
    bench.write("b.yaml", GATEWAY)
    bench.write("c.yaml", GATEWAY.replace("3478", "3480"))
    (problem,) = bench.source.load()
    b, c = bench.folder / "b.yaml", bench.folder / "c.yaml"
    assert str(problem) == f"{c}:1: Gateway media/edge: is also in {b}:1, which counts: take one of the two out"
    assert bench.last("Gateway media/edge").spec.listeners[0].port == 3478
    bench.news()
    bench.write("a.yaml", GATEWAY.replace("3478", "3479"))
    assert len(bench.source.rescan()) == 2
    assert bench.news() == []
    b.unlink()
    assert len(bench.source.rescan()) == 1
    assert bench.news() == ["+ Gateway media/edge"]
    gateway = bench.last("Gateway media/edge")
    assert (gateway.spec.listeners[0].port, gateway.metadata.generation) == (3479, 2)


def test_within_one_file_the_last_document_counts_as_with_kubectl(bench: Bench) -> None:
    bench.write("a.yaml", f"{GATEWAY}---\n{GATEWAY.replace('3478', '3479')}")
    (problem,) = bench.source.load()
    path = bench.folder / "a.yaml"
    assert str(problem).startswith(f"{path}:1: Gateway media/edge: is also in {path}:9")
    assert bench.last("Gateway media/edge").spec.listeners[0].port == 3479


def test_secrets_are_opaque_under_the_given_key_and_never_quoted(tmp_path: Path) -> None:
    key = b"k" * 32
    bench = Bench(tmp_path, opaque_key=key)
    bench.write("a.yaml", CONFIG)
    bench.source.load()
    config: GatewayConfig = bench.last("GatewayConfig turn-system/turn-config")
    assert config.spec.password == Opaque.of("wonderland", key=key)
    assert "wonderland" not in repr(bench.log.since(0))
    for wrong in (
        "{userName: [wonderland], realm: wonderland!}",
        "{password: 'wonderland ', userName: a, authType: wonderland}",
    ):
        bench.write("a.yaml", CONFIG.replace("{userName: alice, password: wonderland}", wrong))
        problems = bench.source.rescan()
        assert problems
        assert "wonderland" not in " ".join(map(str, problems))


def test_facts_of_every_kind_of_the_table_are_listed() -> None:
    facts = load_manifests([], table=kinds.TABLE[:2]).facts
    assert [fact.kind for fact in facts if isinstance(fact, Listed)] == list(kinds.TABLE[:2])
    assert not [fact for fact in facts if isinstance(fact, Applied)]


def test_a_route_without_a_status_says_nothing_of_it(bench: Bench) -> None:
    bench.write("a.yaml", ROUTE)
    bench.source.load()
    assert bench.last("UDPRoute media/echo").status is None
