"""No listener may lose ports to the order of its clusters.

Of several clusters of a listener that name an IP, stunnerd heeds the first by name only: the ports that the
others give to the IP vanish without a word. So whichever cluster comes first must carry the ports of all.
Prefixes nest, so it is enough to look at each network that is written down: what covers it decides for
every address in it that nothing narrower names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.our_shapes import promise
from tests.support.stunnerd_endpoints import Network, parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Ports = tuple[tuple[int, int], ...]


class _Admitted:
    """The networks of one STATIC cluster and the ports that it gives them."""

    def __init__(self, endpoints: Iterable[str]) -> None:
        self.ranges: dict[Network, list[tuple[int, int]]] = {}
        for text in endpoints:
            endpoint = parse_endpoint(text)
            self.ranges.setdefault(endpoint.network, []).append((endpoint.low, endpoint.high))
        self._lengths = {(network.version, network.prefixlen) for network in self.ranges}

    def ports(self, network: Network) -> Ports:
        """The ports given to all of `network`, by it or by a wider one."""
        found: list[tuple[int, int]] = []
        for version, length in self._lengths:
            if version == network.version and length <= network.prefixlen:
                found += self.ranges.get(network.supernet(new_prefix=length), ())
        return _merged(found)


def check_port_unions(document: Mapping[str, Any]) -> None:
    """Raise Broken where the first of several clusters of a listener lacks ports that a later one gives."""
    static = {
        cluster["name"]: _Admitted(cluster.get("endpoints", ()))
        for cluster in document.get("clusters", ())
        if cluster["type"] == "STATIC"
    }
    for listener in document.get("listeners", ()):
        routes = sorted(name for name in listener.get("routes", ()) if name in static)
        if len(routes) > 1:
            _check_routes([static[name] for name in routes], f"listener {listener['name']}")


def _check_routes(clusters: Sequence[_Admitted], where: str) -> None:
    for network in {network for cluster in clusters for network in cluster.ranges}:
        given = [ports for cluster in clusters if (ports := cluster.ports(network))]
        union = _merged(span for ports in given for span in ports)
        promise(given[0] == union, f"{where}: of {network}'s ports {union} the first cluster has only {given[0]}")


def _merged(ranges: Iterable[tuple[int, int]]) -> Ports:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)
