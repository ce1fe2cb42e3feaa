"""Each metric moves, and docs/metrics.md names each."""

from __future__ import annotations

import base64
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

import stunnergw
from stunnergw.events.log import EventLog
from stunnergw.events.types import Unavailable
from stunnergw.operator import Operator
from stunnergw.projection.outputs import Undecided, Want
from stunnergw.projection.projecting import Projection
from stunnergw.projection.projector import Projector
from stunnergw.projection.snapshots import OwnedSlot, StatusSlot
from stunnergw.resources import kinds
from stunnergw.serving.clustermetrics import ClusterCollector, ClusterFigures, KindFigures, WriteFigures
from stunnergw.serving.metrics import Instruments, ProjectionCollector
from stunnergw.settings import Decisions
from stunnergw.store.store import Store
from stunnergw.surroundings import Manifests
from tests.support.objects import applied, deleted, gateway, gateway_config, healthy, listed
from tests.support.plain_http import fetch
from tests.unit.serving.stage import CORE, EDGE, document, serving, settings, until, watching
from tests.unit.serving.test_following import streaming
from tests.unit.serving.test_node_clients import marked, nodes

if TYPE_CHECKING:
    from stunnergw.events.types import Applied, Fact
    from tests.unit.serving.stage import Stage

DOCUMENTED = re.compile(r"^\| `(?P<name>\w+)(?:\{(?P<labels>[\w,]+)\})?` \| (?P<type>\w+) \|", re.MULTILINE)
METRICS_MD = Path(__file__).parents[3] / "docs" / "metrics.md"


FIGURES = ClusterFigures(
    kinds=lambda: [
        KindFigures("gateways", objects=3, left_out=1, available=True, silent_for=2.5, resource_version="17"),
        KindFigures("nodes", objects=0, left_out=0, available=False, silent_for=None, resource_version=""),
    ],
    writes=lambda: WriteFigures({("apply", "Service", "ok"): 2}, waiting=4, leading=True, lease_available=False),
    unread_secrets=lambda: 5,
)


def test_the_cluster() -> None:
    registry = CollectorRegistry()
    registry.register(ClusterCollector(FIGURES))

    def of(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"stunnergw_{name}", labels)

    assert of("kind_objects", kind="gateways") == 3
    assert of("kind_left_out", kind="gateways") == 1
    assert (of("kind_available", kind="gateways"), of("kind_available", kind="nodes")) == (1, 0)
    assert (of("kind_silent_seconds", kind="gateways"), of("kind_silent_seconds", kind="nodes")) == (2.5, None)
    assert (of("kind_resource_version", kind="gateways"), of("kind_resource_version", kind="nodes")) == (17, None)
    assert of("api_writes_total", verb="apply", kind="Service", outcome="ok") == 2
    assert (of("writes_waiting"), of("leading"), of("unread_secrets")) == (4, 1, 5)
    assert of("lease_available") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the process has fewer metrics")
def test_the_documents_name_each_metric_with_its_type() -> None:
    text = METRICS_MD.read_text("utf-8")
    documented = {(row["name"], row["type"]) for row in DOCUMENTED.finditer(text)}
    there = {
        (family.name + ("_total" if family.type == "counter" else ""), family.type)
        for family in (*Operator(settings()).servers.registry.collect(), *ClusterCollector(FIGURES).collect())
    }
    assert documented == there


async def test_the_documents_name_each_label() -> None:
    rows = DOCUMENTED.finditer(METRICS_MD.read_text("utf-8"))
    documented = {row["name"]: set((row["labels"] or "").split(",")) - {""} for row in rows}
    bench = Bench()
    await bench.project(*listed(), certificate())
    async with serving(instruments=bench.instruments) as stage:
        text = (await fetch(stage.metrics, "/metrics")).body.decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in documented:
                assert set(sample.labels) == documented[sample.name], sample.name


async def scrape(stage: Stage) -> dict[str, float]:
    response = await fetch(stage.metrics, "/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    figures = {}
    for line in response.body.decode().splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            figures[name.removeprefix("stunnergw_")] = float(value)
    return figures


async def test_clients_and_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stunnergw.serving.fanout.BEHIND_AT_MOST", 0.3)
    async with serving() as stage:
        names = (
            "snapshot_seq", "documents_served", 'clients{state="latest"}', 'clients{state="behind"}', "watches_total",
            "documents_sent_total", 'sent_bytes_total{to="watches"}', "clients_dropped_total",
        )  # fmt: skip
        figures = await scrape(stage)
        assert [figures[name] for name in names] == [0] * 8
        assert figures[f'build_info{{version="{stunnergw.__version__}"}}'] == 1
        big = document(EDGE, padding=1_000_000)
        stage.source.publish({EDGE: big, CORE: document(CORE)})
        async with watching(stage.port(), "media/core") as quick, watching(stage.port(), "media/edge", window=4096):
            await quick.message()
            figures = await scrape(stage)
            sent = len(big.body) + 10 + len(document(CORE).body) + 4
            assert [figures[name] for name in names] == [1, 2, 1, 1, 2, 2, sent, 0]
            await until(lambda: len(stage.servers.fanout) == 1)
        await until(lambda: len(stage.servers.fanout) == 0)
        figures = await scrape(stage)
        assert [figures[name] for name in names] == [1, 2, 0, 0, 2, 2, sent, 1]


async def test_requests_by_path_and_outcome() -> None:
    async with serving() as stage:
        figures = await scrape(stage)
        assert [figures[f'requests_total{{code="{code}",path="/config"}}'] for code in (200, 304, 404, 503)] == [0] * 4
        await fetch(stage.port(), "/config")
        stage.source.publish({EDGE: document(EDGE)})
        tag = (await fetch(stage.port(), "/config")).headers["etag"]
        await fetch(stage.port(), "/config", headers={"If-None-Match": tag})
        await fetch(stage.port(), "/config?gateway=a/b")
        await fetch(stage.port(), "/api/v1/configs/media/edge")
        for number in range(3):
            assert (await fetch(stage.port(), f"/made-up-{number}")).status == 404
        async with watching(stage.port(), "media/edge") as one:
            await one.message()
        figures = await scrape(stage)
    assert [figures[f'requests_total{{code="{code}",path="/config"}}'] for code in (200, 304, 404, 503)] == [1] * 4
    assert figures['requests_total{code="200",path="/api/v1/configs/{namespace}/{name}"}'] == 1
    assert figures['requests_total{code="404",path="other"}'] == 3
    assert not [name for name in figures if "made-up" in name or '"101"' in name]
    assert figures['sent_bytes_total{to="requests"}'] > 2 * len(document(EDGE).body)


async def test_the_log_and_its_streams() -> None:
    log = EventLog(clock=lambda: 0, max_events=5)
    names = ("log_last_seq", "log_oldest_seq", "log_events", "log_waiting_events", "event_streams")
    async with serving(log=log) as stage:
        figures = await scrape(stage)
        assert [figures[name] for name in names] == [0, 1, 0, 0, 0]
        log.append([Unavailable(kind=kinds.NODE, reason="")] * 10, source="test")
        log.mark_folded(8)
        async with streaming(stage):
            figures = await scrape(stage)
    assert [figures[name] for name in names] == [10, 6, 5, 2, 1]


async def _fail(name: str) -> list[str]:
    raise OSError("the name server is away")


async def test_names_of_nodes_that_fail() -> None:
    async with serving(resolve=_fail) as stage:
        stage.source.publish({EDGE: marked()}, nodes=nodes(n1="node-1.example"))
        assert (await scrape(stage))["node_names_failing"] == 0
        async with watching(stage.port(), "media/edge", node="n1"):
            await until(lambda: stage.servers.nodes.failing == 1)
            assert (await scrape(stage))["node_names_failing"] == 1


class Bench:
    """A projector and what reads its figures."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log = EventLog(clock=lambda: 0)
        self.instruments = Instruments()
        store = Store(table=kinds.TABLE)
        self.projection = Projection(store=store, settings=Decisions(standalone=True), on_failure=lambda *_: None)
        self.projector = Projector(
            log=self.log,
            store=store,
            projection=self.projection,
            clock=self.clock,
            observe=self.instruments.projections.observe,
        )
        self.instruments.registry.register(
            ProjectionCollector(self.projector, results=lambda: self.projection.engine.size, store=store)
        )

    def clock(self) -> float:
        self.now += 0.001
        return self.now

    async def project(self, *facts: Fact) -> None:
        self.log.append(facts, source="test")
        await self.projector.project()

    def figure(self, name: str, /, **labels: str) -> float:
        return value(self.instruments.registry, name, **labels)


def value(registry: CollectorRegistry, name: str, /, **labels: str) -> float:
    found = registry.get_sample_value(f"stunnergw_{name}", labels)
    assert found is not None, name
    return found


async def test_events_and_projections() -> None:
    bench = Bench()
    assert [bench.figure("events_total", type=kind) for kind in ("Applied", "Listed", "Projected")] == [0, 0, 0]
    assert (bench.figure("projection_seconds_count"), bench.figure("results")) == (0, 0)
    await bench.project(*healthy(), gateway())
    assert bench.figure("events_total", type="Listed") == len(kinds.TABLE)
    assert bench.figure("events_total", type="Applied") == len(healthy()) - len(kinds.TABLE) + 1
    assert bench.figure("projection_seconds_count") == 1
    assert bench.figure("projection_seconds_sum") > 0
    assert bench.figure("results") > 5
    before = bench.figure("results")
    await bench.project(deleted(gateway()))
    assert bench.figure("events_total", type="Deleted") == 1
    assert bench.figure("events_total", type="Projected") == 1
    assert bench.figure("projection_seconds_count") == 2
    assert bench.figure("results") < before


async def test_undecided_outputs_and_held_classes() -> None:
    bench = Bench()
    await bench.project(*healthy(), gateway())
    assert [bench.figure("undecided_outputs", output=name) for name in ("config", "object", "status")] == [0, 0, 0]
    assert bench.figure("held_classes") == 0
    await bench.project(deleted(gateway_config()))
    assert bench.figure("held_classes") == 1
    await bench.project(gateway("lost", class_name="missing"))
    assert bench.figure("undecided_outputs", output="config") == 1


async def test_undecided_outputs_by_kind() -> None:
    bench = Bench()
    await bench.project(*listed())
    snapshot = bench.projector.latest
    assert snapshot is not None
    object.__setattr__(snapshot, "objects", {OwnedSlot("Service", EDGE): Undecided(""), OwnedSlot("x", EDGE): Want(1)})
    object.__setattr__(snapshot, "statuses", {StatusSlot(kinds.GATEWAY, EDGE): Undecided("")})
    assert [bench.figure("undecided_outputs", output=name) for name in ("config", "object", "status")] == [0, 1, 1]


async def test_failures_of_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    await bench.project(*healthy())
    assert bench.figure("decision_failures_total") == 0
    monkeypatch.setattr("stunnergw.projection.services.service.function", _raise)
    await bench.project(gateway())
    assert bench.figure("decision_failures_total") > 0


def _raise(*_: object) -> None:
    raise ZeroDivisionError


ENDS = datetime(2030, 1, 1, tzinfo=UTC)


def certificate() -> Applied:
    issued = trustme.CA().issue_cert("turn.test", not_after=ENDS)
    pair = {"tls.crt": issued.cert_chain_pems[0].bytes(), "tls.key": issued.private_key_pem.bytes()}
    data = {name: base64.b64encode(pem).decode() for name, pem in pair.items()}
    return applied(kinds.SECRET, "tls", type="kubernetes.io/tls", data=data)


async def test_when_certificates_end() -> None:
    bench = Bench()
    await bench.project(*listed(), certificate(), applied(kinds.SECRET, "other", data={"password": "eA=="}))
    ends = bench.figure("certificate_not_after_seconds", namespace="media", name="tls")
    assert datetime.fromtimestamp(ends, UTC) == ENDS
    registry = bench.instruments.registry
    missing = {"namespace": "media", "name": "other"}
    assert registry.get_sample_value("stunnergw_certificate_not_after_seconds", missing) is None
    await bench.project(deleted(certificate()))
    gone = {"namespace": "media", "name": "tls"}
    assert registry.get_sample_value("stunnergw_certificate_not_after_seconds", gone) is None


def test_problems_of_manifests_are_counted_and_notes_are_not(tmp_path: Path) -> None:
    (tmp_path / "foreign.yaml").write_text("{apiVersion: v1, kind: Pod, metadata: {name: left-alone}}")
    (tmp_path / "broken.yaml").write_text("{apiVersion: v1, kind: Service, metadata: {name: broken}, spec: 3}")
    instruments = Instruments()
    manifests = Manifests((tmp_path,))
    manifests.begin(EventLog(clock=lambda: 0), instruments=instruments)
    assert value(instruments.registry, "manifest_problems_total") == 0
    manifests.load()
    assert value(instruments.registry, "manifest_problems_total") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
async def test_the_process() -> None:
    async with serving() as stage:
        figures = await scrape(stage)
    assert figures["process_resident_memory_bytes"] > 0
    assert figures["process_open_fds"] > 0
