"""From bytes to documents: what is taken, what is refused, and that nothing else can happen."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from stunnergw.errors import ManifestError
from stunnergw.sources.manifests import load_manifests
from stunnergw.sources.reading import documents, list_files

if TYPE_CHECKING:
    from pathlib import Path


def bodies(text: str | bytes) -> list[Any]:
    data = text.encode() if isinstance(text, str) else text
    return [document.body for document in documents(data, path="a.yaml")]


def refusal(text: str | bytes) -> str:
    with pytest.raises(ManifestError) as caught:
        bodies(text)
    return str(caught.value)


def test_documents_know_their_lines_and_empty_ones_are_skipped() -> None:
    text = "# nothing\n---\n---\na: 1\n---\n\n\nb: 2\n--- null\n---\n{c: 3}\n"
    found = documents(text.encode(), path="a.yaml")
    assert [(each.file, each.line, each.body) for each in found] == [
        ("a.yaml", 4, {"a": 1}),
        ("a.yaml", 8, {"b": 2}),
        ("a.yaml", 11, {"c": 3}),
    ]


def test_lists_are_taken_apart() -> None:
    text = """\
apiVersion: v1
kind: List
items:
- {kind: A}
- null
- apiVersion: v1
  kind: List
  items:
  - {kind: B}
---
{apiVersion: v1, kind: List, items: null}
"""
    found = documents(text.encode(), path="a.yaml")
    assert [(each.line, each.body) for each in found] == [(4, {"kind": "A"}), (9, {"kind": "B"})]


def test_scalars_mean_what_they_mean_to_kubectl() -> None:
    text = """\
date: 2024-05-01
moment: 2024-05-01T10:00:00Z
clock: 10:30:00
yes_: yes
off_: off
nothing: ~
decimal: 1_000
hexadecimal: 0x10
octal: [0o17, 017]
float: [1.5, 1e3]
huge: 99999999999999999999
beyond: 1e999
address: 10.0.0.1
quoted: "1"
tagged: !!str 1
timestamp: !!timestamp 2024-05-01
1: one
true: two
"""
    assert bodies(text) == [
        {
            "date": "2024-05-01",
            "moment": "2024-05-01T10:00:00Z",
            "clock": "10:30:00",
            "yes_": True,
            "off_": False,
            "nothing": None,
            "decimal": 1000,
            "hexadecimal": 16,
            "octal": [15, 15],
            "float": [1.5, 1000.0],
            "huge": 1e20,
            "beyond": "1e999",
            "address": "10.0.0.1",
            "quoted": "1",
            "tagged": "1",
            "timestamp": "2024-05-01",
            "1": "one",
            "true": "two",
        }
    ]


def test_json_is_read_too() -> None:
    assert bodies('\ufeff{"a": ["b\\n", 1.5, null, true],\n\t"c": {}}') == [{"a": ["b\n", 1.5, None, True], "c": {}}]


def test_anchors_and_merges_work() -> None:
    text = "base: &b {x: 1, y: 2}\nnext: {<<: *b, y: 3}\nmany: {<<: [*b, {z: 4}]}\nsame: *b\n"
    assert bodies(text) == [
        {"base": {"x": 1, "y": 2}, "next": {"x": 1, "y": 3}, "many": {"x": 1, "y": 2, "z": 4}, "same": {"x": 1, "y": 2}}
    ]


def test_a_hundred_levels_are_enough() -> None:
    assert bodies("[" * 100 + "]" * 100) != []
    assert "a.yaml:1: is nested deeper than 100 levels" in refusal("[" * 101 + "]" * 101)
    aliased = "a: &a " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*a" + "]" * 60
    assert "a.yaml:2: is nested deeper than 100 levels" in refusal(aliased)


@pytest.mark.timeout(20)  # libyaml takes a minute for the first, when it is let
@pytest.mark.parametrize("text", ["[" * 200_000, "[" * 200_000 + "]" * 200_000, "{a: " * 200_000, "- " * 200_000])
def test_depth_that_would_crash_a_loader_is_refused_at_once(text: str) -> None:
    assert "nested deeper" in refusal(text)


def test_aliases_cannot_be_used_as_bombs() -> None:
    assert "a.yaml:2: has an alias that stands inside what it names" in refusal("a: &a\n  b: *a\n")
    assert "a.yaml:1: has an alias of something that was not named" in refusal("a: *b\n")
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert "has aliases that expand to too much" in refusal("\n".join(levels))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "a.yaml:4: has the key 'c' twice"),
        ("1: a\n'1': b\n", "a.yaml:2: has the key '1' twice"),
        ("a: [\n", "a.yaml:2: is no YAML: did not find expected node content"),
        ("a: b: c\n", "a.yaml:1: is no YAML: mapping values are not allowed"),
        ("a: 1\n? [b]\n: c\n", "a.yaml:2: has a key that is no text"),
        ("~: c\n", "a.yaml:1: has a key that is no text"),
        ("a: !!python/object:os.system x\n", "a.yaml:1: has a tag"),
        ("a: !!set {b}\n", "a.yaml:1: has a tag"),
        ("a: !!int x\n", "a.yaml:1: has a value that its tag does not fit"),
        ("a: !!bool 1\n", "a.yaml:1: has a value that its tag does not fit"),
        ("a: .inf\n", "a.yaml:1: holds a number that JSON cannot"),
        ("<<: 3\n", "a.yaml:1: merges (<<) something that is no mapping"),
        ("{apiVersion: v1, kind: List, items: {}}", "a.yaml:1: has a List whose items are no list"),
        (b"a: 1\nb: \xff\n", "a.yaml:2: is not UTF-8"),
        (b"a: 1\nb: \x07\n", "a.yaml:2: holds a control character"),
    ],
)
def test_what_is_refused_says_where_and_what_to_do(text: str | bytes, said: str) -> None:
    problem = refusal(text)
    assert said in problem
    assert problem.count(": ") >= 2


@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
@example(b"\x00")
@example(b"\xff\xfea\x00")
@example(b"%YAML 3.0\n---\na")
@example(b"%TAG ! tag:yaml.org,2002:\n---\n!int x")
@example(b'"\\ud800"')
@example(b"a: " + b"9" * 5000)
def test_any_bytes_are_documents_or_a_manifest_error(data: bytes) -> None:
    with contextlib.suppress(ManifestError):
        documents(data, path="a.yaml")


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
NAMES = st.sampled_from(
    [
        "metadata",
        "name",
        "namespace",
        "labels",
        "spec",
        "status",
        "generation",
        "uid",
        "items",
        "listeners",
        "protocol",
        "port",
        "tls",
        "addresses",
        "infrastructure",
        "parentRefs",
        "rules",
        "backendRefs",
        "authType",
        "password",
        "ports",
        "env",
        "image",
    ]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=20
)
KINDS = st.sampled_from(
    ["Gateway", "GatewayClass", "UDPRoute", "GatewayConfig", "Dataplane", "Service", "Node", "List"]
)
GROUPS = st.sampled_from(["gateway.networking.k8s.io/v1", "stunner.l7mp.io/v1", "v1", "a/b/c"])


@given(
    spec=st.dictionaries(NAMES, VALUES, max_size=6),
    metadata=st.dictionaries(NAMES, VALUES, max_size=6),
    kind=st.one_of(SCALARS, KINDS),
    api_version=st.one_of(SCALARS, GROUPS),
)
def test_objects_of_any_shape_are_taken_or_told_of(
    spec: Any, metadata: Any, kind: Any, api_version: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", **metadata}, "spec": spec}
    path.write_text(yaml.safe_dump(body), "utf-8")
    try:
        loaded = load_manifests([path])
    except ManifestError:
        return
    assert loaded.objects or loaded.problems or loaded.notes or kind == "List"


def test_folders_are_read_in_order_and_hidden_names_skipped(tmp_path: Path) -> None:
    for name in (
        "b.yaml",
        "a/z.yml",
        "c.json",
        "README.md",
        ".hidden.yaml",
        "..data/b.yaml",
        "d.YAML",
        "f.yaml/g.yaml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "e.yaml").symlink_to(tmp_path / "b.yaml")
    found = [str(path.relative_to(tmp_path)) for path in list_files([tmp_path]).files]
    assert found == ["a/z.yml", "b.yaml", "c.json", "f.yaml/g.yaml"]


def test_a_named_file_is_read_whatever_its_name_and_once(tmp_path: Path) -> None:
    (tmp_path / "manifests").touch()
    assert list_files([tmp_path / "manifests", tmp_path, tmp_path / "manifests"]).files == [tmp_path / "manifests"]


def test_a_missing_path_and_a_dangling_link_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="nowhere: is not there"):
        load_manifests([tmp_path / "nowhere"])
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ManifestError, match=r"a\.yaml: cannot be read: No such file"):
        load_manifests([tmp_path])
