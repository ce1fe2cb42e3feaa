"""``/metrics`` for Prometheus: what the servers count, read when it is asked for.

A registry of its own, not the library's global one: two operators in one process (tests) do not mix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from stunnergw.serving.fanout import Fanout
    from stunnergw.serving.publishing import Publications


class ServingCollector(Collector):
    """Reads the fan-out's and the publications' own counts."""

    def __init__(self, publications: Publications, *, fanout: Fanout) -> None:
        self._publications = publications
        self._fanout = fanout

    def collect(self) -> Iterator[Metric]:
        """Give the present figures."""
        snapshot = self._publications.snapshot
        yield GaugeMetricFamily(
            "stunnergw_snapshot_seq",
            "The last event that the newest snapshot rests on; 0 before the first.",
            value=0 if snapshot is None else snapshot.seq,
        )
        yield GaugeMetricFamily(
            "stunnergw_documents_served",
            "Configs that have a document.",
            value=len(self._publications),
        )
        yield GaugeMetricFamily("stunnergw_clients", "Open watches of configs.", value=len(self._fanout))
        yield GaugeMetricFamily(
            "stunnergw_clients_behind",
            "Open watches whose client has not read what it was sent.",
            value=self._fanout.behind,
        )
        yield CounterMetricFamily(
            "stunnergw_documents_sent",
            "Documents written to open watches, deletions among them.",
            value=self._fanout.sent,
        )
        yield CounterMetricFamily(
            "stunnergw_clients_dropped", "Watches ended because the client did not read.", value=self._fanout.dropped
        )


def metrics_routes(registry: CollectorRegistry) -> list[web.RouteDef]:
    """Return what is answered on the metrics address."""

    async def expose(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [web.get("/metrics", expose)]
