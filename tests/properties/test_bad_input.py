"""Any input whatever gives an error message or a status, never a traceback, and costs nobody else anything.

Manifests of all examples are torn apart, mixed and put together wrongly: wrong types, huge lists, odd unicode, absurd
ports, deep nesting, references in circles. Beside them stands one good Gateway, in a namespace that none of them knows:
its document stays byte for byte what it is without them. Exit codes hold, and a source that serves never stops.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from stunnergw.cli.commands import exit_code_of
from stunnergw.cli.commands import render as render_command
from stunnergw.cli.commands import validate as validate_command
from stunnergw.cli.flags import DecisionFlags
from stunnergw.cli.rendering import render
from stunnergw.errors import ManifestError
from stunnergw.events.log import EventLog
from stunnergw.events.types import Started
from stunnergw.examples import FOLDER
from stunnergw.projection.outputs import Want
from stunnergw.projection.projecting import Projection
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.settings import DataplaneMode, Decisions
from stunnergw.sources.manifests import ManifestSource
from stunnergw.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stunnergw.projection.snapshots import Snapshot

Json = Any
Path_ = tuple[str | int, ...]

GOOD_NAMESPACE, GOOD_CLASS = "kept-apart", "kept-apart-class"
GOOD = """
{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: kept-apart-class},
 spec: {controllerName: stunner.l7mp.io/gateway-operator, parametersRef:
        {group: stunner.l7mp.io, kind: GatewayConfig, name: parameters, namespace: kept-apart}}}
---
{apiVersion: stunner.l7mp.io/v1, kind: GatewayConfig, metadata: {name: parameters, namespace: kept-apart},
 spec: {authType: static, userName: user-1, password: pass-1, dataplane: kept-apart-plane}}
---
{apiVersion: stunner.l7mp.io/v1, kind: Dataplane, metadata: {name: kept-apart-plane}, spec: {}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gateway, namespace: kept-apart},
 spec: {gatewayClassName: kept-apart-class, addresses: [{type: IPAddress, value: 203.0.113.1}],
        listeners: [{name: udp, port: 3478, protocol: TURN-UDP}]}}
---
{apiVersion: stunner.l7mp.io/v1, kind: UDPRoute, metadata: {name: media, namespace: kept-apart},
 spec: {parentRefs: [{name: gateway}], rules: [{backendRefs: [{name: media}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: media, namespace: kept-apart}, spec: {clusterIP: 10.120.0.28}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,
 metadata: {name: media-1, namespace: kept-apart, labels: {kubernetes.io/service-name: media}},
 endpoints: [{addresses: [10.244.1.10]}]}
"""

MORE = """
{apiVersion: v1, kind: Endpoints, metadata: {name: media, namespace: stunner},
 subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{name: rtp, port: 9001, protocol: UDP}]}]}
---
{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: all, namespace: media},
 spec: {from: [{group: gateway.networking.k8s.io, kind: UDPRoute, namespace: stunner}],
        to: [{group: "", kind: Service}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: UDPRoute, metadata: {name: media, namespace: stunner},
 spec: {parentRefs: [{name: udp-gateway, sectionName: udp-listener, port: 3478}],
        rules: [{backendRefs: [{name: media, port: 9001, weight: 0}]}, {backendRefs: [{name: sfu, namespace: media}]}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: node-1}, status: {addresses: [{type: ExternalIP, address: 192.0.2.1}]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: media, labels: {team: media}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: stunnerd-config, namespace: stunner,
 labels: {stunner.l7mp.io/owned-by: stunner}}, data: {stunnerd.conf: "{}"}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: edge, namespace: stunner,
 labels: {stunner.l7mp.io/owned-by: stunner}}, spec: {replicas: 1}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata:
 {name: gateways.gateway.networking.k8s.io, annotations:
  {gateway.networking.k8s.io/bundle-version: v1.6.3, gateway.networking.k8s.io/channel: standard}}}
"""


def corpus() -> list[Json]:
    texts = [path.read_text() for path in sorted(FOLDER.rglob("*.yaml"))]
    return [document for text in (*texts, MORE) for document in yaml.safe_load_all(text) if document]


CORPUS = corpus()


def places(value: Json, at: Path_ = ()) -> Iterator[Path_]:
    """Where every part of a value is, the whole of it first."""
    yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in children:
        yield from places(child, (*at, step))


def part(value: Json, at: Path_) -> Json:
    for step in at:
        value = value[step]
    return value


def nested(depth: int) -> Json:
    value: Json = "deep"
    for level in range(depth):
        value = [value] if level % 2 else {"deeper": value}
    return value


PARTS = [(index, at) for index, document in enumerate(CORPUS) for at in places(document)]
STEPS = sorted({str(at[-1]) for _, at in PARTS if at and isinstance(at[-1], str)})

ODD: st.SearchStrategy[Json] = st.one_of(
    st.sampled_from([
        None, True, False, 0, -1, 1, 65535, 65536, 2**31, 2**63, 2**64, 10**400, 0.5, 1e308, "", " ", "null", "0", "-1",
        "3478", "99999", "0x50", "1e3", "$STUNNER_ADDR", "${HOME}", "__node_address_placeholder", "a" * 300, "a" * 5000,
        "A.B", "..", "/", "a/b", "../../etc/passwd", "x\ny", "\x00", "\x1b[31m", "\ufeff", "\u202e", "\ud800", "İ", "ß",
        "🙂", "\u2028", "０", "٣", "127.0.0.1", "0.0.0.0/0", "::ffff:1.2.3.4", "::1%eth0", "010.0.0.1", "1.2.3.4/33",
        "2026-01-01", "2026-13-99T99:99:99Z", "=", "<<", "!!python/object:os.system", "{{ x }}", "stunner", "media",
        [], {}, [[]], [None], [{}], {"": ""}, {"name": None}, {"a": {"b": {"c": []}}},
    ]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.integers(2, 160).map(nested),
    st.integers(17, 400).map(lambda count: ["x"] * count),
    st.integers(17, 400).map(lambda count: [{"name": f"n{index}"} for index in range(count)]),
    st.integers(10, 300).map(lambda count: {f"key-{index}": index for index in range(count)}),
    st.sampled_from(PARTS).map(lambda found: part(CORPUS[found[0]], found[1])),
)  # fmt: skip


@st.composite
def mutants(draw: Any) -> Json:
    """One manifest with a few things wrong."""
    document = copy.deepcopy(draw(st.sampled_from(CORPUS)))
    for _ in range(draw(st.integers(0, 4))):
        document = mutated(draw, document)
    return document


def mutated(draw: Any, document: Json) -> Json:
    at = draw(st.sampled_from([at for at in places(document) if len(at) < 40]))
    odd = copy.deepcopy(draw(ODD))
    if not at:
        return odd if draw(st.integers(0, 9)) == 0 else document
    holder = part(document, at[:-1])
    match draw(st.sampled_from(["replace", "replace", "replace", "remove", "repeat", "add", "wrap"])):
        case "remove":
            del holder[at[-1]]
        case "repeat" if isinstance(holder, list):
            holder.extend([copy.deepcopy(holder[at[-1]])] * draw(st.sampled_from([1, 2, 20, 300])))
        case "add" if isinstance(holder, dict):
            holder[draw(st.one_of(st.sampled_from(STEPS), st.text(max_size=8)))] = odd
        case "wrap":
            holder[at[-1]] = [holder[at[-1]]]
        case _:
            holder[at[-1]] = odd
    return document


@st.composite
def files(draw: Any) -> str:
    """The text of a file of wrong manifests, spelled as JSON or YAML."""
    documents = draw(st.lists(mutants(), min_size=1, max_size=6))
    if draw(st.booleans()):
        ascii_only = draw(st.booleans())
        return "\n---\n".join(json.dumps(document, ensure_ascii=ascii_only) for document in documents)
    return yaml.safe_dump_all(documents, allow_unicode=draw(st.booleans()))


@st.composite
def torn(draw: Any) -> bytes:
    """The bytes of a file, cut and pasted without regard to what they mean."""
    data: bytes = draw(st.sampled_from([path.read_bytes() for path in sorted(FOLDER.rglob("*.yaml"))]))
    for _ in range(draw(st.integers(1, 3))):
        cut = draw(st.integers(0, len(data)))
        rest = draw(st.integers(cut, len(data)))
        data = data[:cut] + draw(st.one_of(st.binary(max_size=12), st.sampled_from(TOKENS))) + data[rest:]
    return data


TOKENS = [
    b"[" * 150, b"{a: " * 150, b"&a [*a]", b"&a {b: *a}", b"*nobody", b"!!binary x", b"<<: *x", b"? ", b"- - - ",
    b"---\n", b"...\n", b"\t", b"\r\n", b"\xef\xbb\xbf", b"\xff", b"\x00", b"%YAML 9.9\n", b"'", b'"', b"|\n", b": : :",
    b"a: b: c",
]  # fmt: skip
BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9)) for name in range(ord("b"), ord("k"))
)


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@contextlib.contextmanager
def folder(**contents: bytes) -> Iterator[Path]:
    """A folder with the good manifests and others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name, "good.yaml").write_text(GOOD)
        for file, data in contents.items():
            Path(name, f"{file}.yaml").write_bytes(data)
        yield Path(name)


def good_document(snapshot: Snapshot, mode: DataplaneMode) -> bytes:
    legacy = mode is DataplaneMode.LEGACY
    output = snapshot.configs[Key("", GOOD_CLASS) if legacy else Key(GOOD_NAMESPACE, "gateway")]
    assert isinstance(output, Want)
    return output.value.body


def settings(mode: DataplaneMode) -> Decisions:
    return Decisions(standalone=True, dataplane_mode=mode)


def alone(mode: DataplaneMode) -> bytes:
    with folder() as place:
        return good_document(render([place], settings(mode)).snapshot, mode)


ALONE = {mode: alone(mode) for mode in DataplaneMode}
MODES = st.sampled_from(DataplaneMode)


def called(command: Callable[[], int]) -> tuple[int, str]:
    """A command's exit code and what it said; whatever it raises fails the test."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code_of(command)
    assert "Traceback" not in err.getvalue()
    return code, err.getvalue()


def check_commands(place: Path, mode: DataplaneMode) -> None:
    """Call the commands as the command line does; reading that took longer than all the rest."""
    flags = DecisionFlags(dataplane_mode=mode)
    code, said = called(lambda: render_command([place], flags=flags, format="json"))
    assert code in (0, 2), said
    if code:
        # One line that names the file.
        assert said.startswith(f"stunnergw: {place}")
        assert said.count("\n") == 1
    assert called(lambda: render_command([place], flags=flags, format="yaml"))[0] == code
    judged, said = called(lambda: validate_command([place], flags=flags))
    assert judged in ((0, 1) if code == 0 else (1,)), said


@given(files(), MODES)
def test_wrong_manifests_are_told_and_harm_nobody(text: str, mode: DataplaneMode) -> None:
    with folder(bad=as_bytes(text)) as place:
        try:
            rendering = render([place], settings(mode))
        except ManifestError:
            pass
        else:
            assert rendering.failures == ()
            assert good_document(rendering.snapshot, mode) == ALONE[mode]
        check_commands(place, mode)


@given(torn())
@example(BOMB)
@example(b"[" * 100_000)
@example(b"{a: " * 30_000)
@example(b"- " * 30_000)
@example(b"&a [*a, *a]")
@example(b"\x00")
@example(b"")
@example(b"--- ''\n--- 1\n--- [1]\n--- null\n")
@example(b"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: 3}]}")
def test_files_that_are_no_manifests_are_told(data: bytes) -> None:
    with folder(bad=data) as place:
        check_commands(place, DataplaneMode.MANAGED)


class Serving:
    """A source that serves a folder, and the projection of what it tells."""

    def __init__(self, place: Path, mode: DataplaneMode) -> None:
        self.mode = mode
        self.failures: list[str] = []
        self.log = EventLog(clock=lambda: 0)
        self.store = Store(table=kinds.TABLE)
        self.projection = Projection(
            store=self.store,
            settings=settings(mode),
            on_failure=lambda query, error: self.failures.append(f"{query}: {error!r}"),
        )
        self.log.append([Started(run="fuzz", version="0")], source="operator")
        self.source = ManifestSource(paths=[place], log=self.log, report=lambda problem: self.told.append(str(problem)))
        self.told: list[str] = []
        self.take(self.source.load)

    def take(self, step: Callable[[], object]) -> None:
        step()
        self.projection.run(self.store.fold(self.log.since(self.store.seq)))
        assert self.failures == []
        assert good_document(self.projection.snapshot, self.mode) == ALONE[self.mode]


@given(st.lists(st.one_of(files().map(as_bytes), torn(), st.just(BOMB), st.just(None)), min_size=1, max_size=5), MODES)
def test_a_source_that_serves_goes_on(steps: list[bytes | None], mode: DataplaneMode) -> None:
    with folder() as place:
        serving = Serving(place, mode)
        bad = place / "bad.yaml"
        for data in steps:
            bad.unlink(missing_ok=True) if data is None else bad.write_bytes(data)
            serving.take(serving.source.rescan)
        bad.unlink(missing_ok=True)
        serving.take(serving.source.rescan)


@pytest.mark.parametrize("mode", DataplaneMode)
def test_references_in_circles(mode: DataplaneMode) -> None:
    """Everything names everything: a Gateway as its class's parameters, routes as backends, a Service by itself."""
    circles = """
    {apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: round},
     spec: {controllerName: stunner.l7mp.io/gateway-operator,
            parametersRef: {group: gateway.networking.k8s.io, kind: GatewayClass, name: round}}}
    ---
    {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: round, namespace: round,
      annotations: {stunner.l7mp.io/related-gateway-name: round/round}},
     spec: {gatewayClassName: round, listeners: [{name: round, port: 443, protocol: TLS,
            tls: {certificateRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: round}]}}]}}
    ---
    {apiVersion: stunner.l7mp.io/v1, kind: UDPRoute, metadata: {name: round, namespace: round},
     spec: {parentRefs: [{name: round}, {kind: UDPRoute, group: stunner.l7mp.io, name: round}],
            rules: [{backendRefs: [{group: stunner.l7mp.io, kind: UDPRoute, name: round}, {name: round}]}]}}
    ---
    {apiVersion: gateway.networking.k8s.io/v1, kind: UDPRoute, metadata: {name: round, namespace: round},
     spec: {parentRefs: [{name: round}], rules: [{backendRefs: [{name: round, port: 1}]}]}}
    ---
    {apiVersion: v1, kind: Service, metadata: {name: round, namespace: round,
      annotations: {stunner.l7mp.io/related-gateway-name: round/round}},
     spec: {type: ExternalName, externalName: round.round.svc.cluster.local}}
    """
    with folder(bad=circles.replace("\n    ", "\n").encode()) as place:
        rendering = render([place], settings(mode))
        assert rendering.failures == ()
        assert good_document(rendering.snapshot, mode) == ALONE[mode]
        check_commands(place, mode)
