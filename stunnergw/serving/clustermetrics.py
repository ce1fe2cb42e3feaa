"""What is counted of the cluster: how each kind is read, what is written, and who leads.

The figures come in as plain values from whoever reads and writes; servers know neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from stunnergw.serving.metrics import gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


class KindFigures(NamedTuple):
    """How the reading of a kind stands."""

    name: str
    """Such as ``gateways.gateway.networking.k8s.io``."""
    objects: int
    left_out: int
    """Objects that do not fit their kind."""
    available: bool
    silent_for: float | None
    """Seconds since the API server last said anything of it; None where it never did."""
    resource_version: str


class WriteFigures(NamedTuple):
    """What was written, and what waits."""

    requests: Mapping[tuple[str, str, str], int]
    """By verb, kind and outcome: ``ok``, the server's status, or ``unreachable``."""
    waiting: int
    leading: bool
    lease_available: bool = True
    """The lease could be asked for when it was last tried, or there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFigures:
    """Where the figures come from."""

    kinds: Callable[[], Iterable[KindFigures]]
    writes: Callable[[], WriteFigures]
    unread_secrets: Callable[[], int]


class ClusterCollector(Collector):
    """Gives the figures of a cluster when it is asked."""

    def __init__(self, figures: ClusterFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Give the present figures."""
        yield from self._kinds()
        yield from self._writes()
        unread = self._figures.unread_secrets()
        yield gauge("unread_secrets", "Secrets that decisions ask for and that are still to be read.", unread)

    def _kinds(self) -> Iterator[Metric]:
        kinds = list(self._figures.kinds())
        yield gauge("kind_objects", "Objects of a kind.", {kind.name: kind.objects for kind in kinds}, "kind")
        left_out = {kind.name: kind.left_out for kind in kinds}
        yield gauge("kind_left_out", "Objects that do not fit their kind and are left out.", left_out, "kind")
        available = {kind.name: float(kind.available) for kind in kinds}
        yield gauge("kind_available", "Whether a kind can be read now.", available, "kind")
        silent = {kind.name: kind.silent_for for kind in kinds if kind.silent_for is not None}
        yield gauge("kind_silent_seconds", "Since the API server last said anything of a kind.", silent, "kind")
        versions = {kind.name: float(kind.resource_version) for kind in kinds if kind.resource_version.isdecimal()}
        yield gauge("kind_resource_version", "How far a kind was read.", versions, "kind")

    def _writes(self) -> Iterator[Metric]:
        figures = self._figures.writes()
        requests = CounterMetricFamily(
            "stunnergw_api_writes",
            "Requests that write, by verb, kind and outcome (ok, the server's status, unreachable).",
            labels=["verb", "kind", "outcome"],
        )
        for labels, count in sorted(figures.requests.items()):
            requests.add_metric(labels, count)
        yield requests
        yield gauge("writes_waiting", "Objects and statuses that wait to be written, or tried again.", figures.waiting)
        yield gauge("leading", "Whether this replica writes.", float(figures.leading))
        yield gauge(
            "lease_available", "Whether the lease could be asked for, last time.", float(figures.lease_available)
        )
