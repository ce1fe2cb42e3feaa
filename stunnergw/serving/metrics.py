"""``/metrics`` for Prometheus: what the parts count, read when it is asked for. docs/metrics.md lists everything.

The parts keep plain counts of their own, and the collectors here read them, so that counting costs nothing where
things are done. A registry of its own, not the library's global one: two operators in one process (tests) do not mix.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

import stunnergw
from stunnergw.events.types import Fact
from stunnergw.projection.outputs import Undecided
from stunnergw.resources.kinds import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiohttp.typedefs import Handler, Middleware
    from prometheus_client import Metric

    from stunnergw.events.log import EventLog
    from stunnergw.projection.projector import Projector
    from stunnergw.projection.snapshots import Snapshot
    from stunnergw.serving.fanout import Fanout
    from stunnergw.serving.following import Following
    from stunnergw.serving.publishing import Publications
    from stunnergw.store.store import Store

PROJECTION_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_POLLED = "/config"
_OUTCOMES = ("200", "304", "404", "503")


class Instruments:
    """What others move: made first, so that whoever measures can be handed one. Holds the registry of a run."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.projections = Histogram(
            "stunnergw_projection_seconds",
            "Time from a change taken in to the snapshot.",
            buckets=PROJECTION_SECONDS,
            registry=self.registry,
        )
        self.manifest_problems = Counter(
            "stunnergw_manifest_problems", "Problems found in manifests.", registry=self.registry
        )
        self.requests = Counter(
            "stunnergw_requests", "Answers on the config discovery address.", ("path", "code"), registry=self.registry
        )
        self.answered_bytes = 0
        """Bytes of answers to requests so far."""
        for outcome in _OUTCOMES:
            # There from the start: a rate over what appears later misses its first step.
            self.requests.labels(_POLLED, outcome)


class ServingCollector(Collector):
    """Reads what the servers count."""

    def __init__(
        self, publications: Publications, *, fanout: Fanout, following: Following, log: EventLog, answers: Instruments
    ) -> None:
        self._publications = publications
        self._fanout = fanout
        self._following = following
        self._log = log
        self._answers = answers

    def collect(self) -> Iterator[Metric]:
        """Give the present figures."""
        yield gauge("build_info", "Which version runs; always 1.", {stunnergw.__version__: 1}, "version")
        yield from self._log_figures()
        snapshot = self._publications.snapshot
        yield gauge(
            "snapshot_seq", "The last event that the newest snapshot rests on.", snapshot.seq if snapshot else 0
        )
        yield gauge("documents_served", "Configs that have a document.", len(self._publications))
        yield from self._client_figures()

    def _log_figures(self) -> Iterator[Metric]:
        log = self._log
        yield gauge("log_last_seq", "The newest event.", log.last)
        yield gauge("log_oldest_seq", "The oldest event that is kept.", log.oldest)
        yield gauge("log_events", "Events that are kept.", log.last - log.oldest + 1)
        yield gauge("log_waiting_events", "Events that the store has not taken in yet.", log.last - log.folded)

    def _client_figures(self) -> Iterator[Metric]:
        fanout = self._fanout
        states = {"latest": len(fanout) - fanout.behind, "behind": fanout.behind}
        yield gauge("clients", "Open watches, by whether the client has read all it is to have.", states, "state")
        yield _counter("watches", "Watches begun.", fanout.admitted)
        yield _counter("documents_sent", "Documents written to watches, deletions among them.", fanout.sent)
        yield _counter("clients_dropped", "Watches ended because the client did not read.", fanout.dropped)
        by = {"watches": fanout.bytes_sent, "requests": self._answers.answered_bytes}
        yield _counter("sent_bytes", "Bytes of documents, to watches and in answers to requests.", by, "to")
        yield gauge("event_streams", "Open streams of events.", self._following.streams)
        failing = self._publications.nodes.failing
        yield gauge("node_names_failing", "Nodes' external names that could not be resolved last time.", failing)


class ProjectionCollector(Collector):
    """Reads what the projector and its engine count. ``results`` says how many results are remembered."""

    def __init__(self, projector: Projector, *, results: Callable[[], int], store: Store) -> None:
        self._projector = projector
        self._results = results
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Give the present figures."""
        snapshot = self._projector.latest
        folded = {fact.__name__: self._projector.folded[fact.__name__] for fact in get_args(Fact)}
        yield _counter("events", "Events taken in, by type.", folded, "type")
        yield gauge("results", "Results that the engine remembers.", self._results())
        failures = snapshot.failures if snapshot else 0
        yield _counter("decision_failures", "Decisions that raised an error of the program.", failures)
        yield gauge("undecided_outputs", "Outputs of which nothing can be said.", _undecided(snapshot), "output")
        held = len(snapshot.held) if snapshot else 0
        yield gauge("held_classes", "Classes served with the parameters that they had before.", held)
        yield self._certificate_ends()

    def _certificate_ends(self) -> Metric:
        family = GaugeMetricFamily(
            "stunnergw_certificate_not_after_seconds",
            "When the certificate of a Secret ends, in seconds since the epoch.",
            labels=("namespace", "name"),
        )
        for key in self._store.keys(SECRET):
            secret = self._store.get(SECRET, key)
            if secret is not None and secret.data.pair is not None and secret.data.pair.not_after:
                family.add_metric(key, datetime.fromisoformat(secret.data.pair.not_after).timestamp())
        return family


def metrics_routes(registry: CollectorRegistry) -> list[web.RouteDef]:
    """Return what is answered on the metrics address."""

    async def expose(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [web.get("/metrics", expose)]


def add_process_metrics(registry: CollectorRegistry) -> None:
    """Add what the library knows of the process: memory, CPU, descriptors, garbage collections."""
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)


def counting(instruments: Instruments) -> Middleware:
    """Return what counts answers by path and status. Watches are no answers: the fan-out counts them."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            _count(instruments, request, error)
            raise
        if isinstance(response, web.Response):
            _count(instruments, request, response)
        return response

    return count


def _count(instruments: Instruments, request: web.Request, response: web.Response) -> None:
    resource = request.match_info.route.resource
    # What nobody serves has no path of its own: anybody can make up any number of them.
    path = resource.canonical if resource is not None else "other"
    instruments.requests.labels(path, str(response.status)).inc()
    if isinstance(response.body, bytes) and request.method != "HEAD":
        instruments.answered_bytes += len(response.body)


def _undecided(snapshot: Snapshot | None) -> dict[str, float]:
    maps: dict[str, Mapping[Any, Any]] = {"config": {}, "object": {}, "status": {}}
    if snapshot is not None:
        maps = {"config": snapshot.configs, "object": snapshot.objects, "status": snapshot.statuses}
    return {name: sum(isinstance(output, Undecided) for output in outputs.values()) for name, outputs in maps.items()}


def gauge(name: str, meaning: str, figures: float | Mapping[str, float], label: str = "") -> Metric:
    """Make a gauge of ours: of one figure, or of several by the values of a label."""
    return _filled(GaugeMetricFamily(f"stunnergw_{name}", meaning, labels=[label] if label else []), figures)


def _counter(name: str, meaning: str, figures: float | Mapping[str, float], label: str = "") -> Metric:
    return _filled(CounterMetricFamily(f"stunnergw_{name}", meaning, labels=[label] if label else []), figures)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, figures: float | Mapping[str, float]) -> Metric:
    """Add the figures, by the value of the label where there is one."""
    if isinstance(figures, Mapping):
        for value, figure in figures.items():
            family.add_metric([value], figure)
    else:
        family.add_metric([], figures)
    return family
