"""Ports of an address that several clusters of one listener name.

stunnerd heeds only the first cluster by name that holds a peer's address, so an address that two routes of a listener
name with different ports would be admitted on the ports of one of them alone. Therefore each of these clusters carries
the union. Where clusters serve several listeners with different company, a listener gets copies of its own, named for
it, so that none admits more than its own routes say. The rule holds for prefixes that overlap, too.

Nearly always there is nothing to do: without port ranges all clusters admit all ports.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from typing import TYPE_CHECKING

from stunnergw.dataplane.configs import ClusterName
from stunnergw.dataplane.endpoints import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stunnergw.dataplane.configs import ClusterConfig, ListenerConfig, ListenerName

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ports = tuple[int, int] | None
Admitted = dict[Network, set[Ports]]

_Parts = tuple[tuple["ListenerConfig", ...], tuple["ClusterConfig", ...]]


def united(
    listeners: tuple[ListenerConfig, ...], clusters: tuple[ClusterConfig, ...], *, qualified: bool = False
) -> _Parts:
    """Return the listeners and clusters of a document with the ports of shared addresses united.

    ``qualified`` names copies for Gateway and listener: in a document of several Gateways.
    """
    if not _has_company(listeners, clusters):
        return listeners, clusters
    known = {cluster.name: cluster for cluster in clusters}
    wanted = {listener.name: _wanted(listener, known) for listener in listeners}
    made: dict[ClusterName, ClusterConfig] = {}
    renamed = []
    for listener in listeners:
        routes = []
        for route, endpoints in wanted[listener.name].items():
            name = _name_for(route, listener, wanted, qualified=qualified)
            made[name] = known[route]._replace(name=name, endpoints=endpoints)
            routes.append(name)
        renamed.append(listener._replace(routes=tuple(routes)))
    unserved = {name: cluster for name, cluster in known.items() if not any(name in each for each in wanted.values())}
    return tuple(renamed), tuple((made | unserved)[name] for name in sorted(made | unserved))


def _has_company(listeners: Iterable[ListenerConfig], clusters: Iterable[ClusterConfig]) -> bool:
    """Say whether some listener has two clusters of which one has port ranges."""
    ranged = {cluster.name for cluster in clusters if any(endpoint.ports for endpoint in cluster.endpoints)}
    return bool(ranged) and any(
        len(listener.routes) > 1 and ranged.intersection(listener.routes) for listener in listeners
    )


def _wanted(
    listener: ListenerConfig, known: Mapping[ClusterName, ClusterConfig]
) -> dict[ClusterName, tuple[Endpoint, ...]]:
    """Return what each cluster of a listener must admit, so that whichever comes first admits all."""
    admitted = {route: _admitted(known[route]) for route in listener.routes if route in known}
    united_ports = {
        route: _together(own, [others for name, others in admitted.items() if name != route])
        for route, own in admitted.items()
    }
    return {
        route: known[route].endpoints if united_ports[route] == own else _endpoints(united_ports[route])
        for route, own in admitted.items()
    }


def _admitted(cluster: ClusterConfig) -> Admitted:
    found: Admitted = defaultdict(set)
    if cluster.type == "STATIC":
        for endpoint in cluster.endpoints:
            found[ipaddress.ip_network(endpoint.address)].add(endpoint.ports)
    return found


def _together(own: Admitted, others: list[Admitted]) -> Admitted:
    """Add to a cluster the ports that others give addresses of its own.

    Two prefixes that overlap are one within the other: the narrower one is what both admit. Within one cluster every
    range that holds an address counts, so adding is enough.
    """
    result: Admitted = {network: set(ports) for network, ports in own.items()}
    for other in others:
        for network, ports in _overlaps(own, other):
            result.setdefault(network, set()).update(ports)
    return {network: {None} if None in ports else ports for network, ports in result.items()}


def _overlaps(own: Admitted, other: Admitted) -> Iterable[tuple[Network, set[Ports]]]:
    # Addresses are many and prefixes few: only prefixes are compared one by one.
    prefixes = [network for network in own if network.prefixlen < network.max_prefixlen]
    for network, ports in other.items():
        if network in own or any(_within(network, wider) for wider in prefixes):
            yield network, ports
        if network.prefixlen < network.max_prefixlen:
            for narrower in own:
                if narrower != network and _within(narrower, network):
                    yield narrower, ports


def _within(network: Network, wider: Network) -> bool:
    return network.version == wider.version and network.subnet_of(wider)  # type: ignore[arg-type]  # of one version


def _endpoints(admitted: Admitted) -> tuple[Endpoint, ...]:
    found = [Endpoint(_text(network), ports) for network, ranges in admitted.items() for ports in ranges]
    return tuple(sorted(found, key=lambda endpoint: endpoint.text))


def _text(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _name_for(
    route: ClusterName,
    listener: ListenerConfig,
    wanted: Mapping[ListenerName, Mapping[ClusterName, tuple[Endpoint, ...]]],
    *,
    qualified: bool,
) -> ClusterName:
    """Name a cluster for a listener: plainly where all listeners want the same of it."""
    versions = {each[route] for each in wanted.values() if route in each}
    if len(versions) == 1:
        return route
    name = listener.name
    own = f"{name.namespace}/{name.gateway}/{name.listener}" if qualified else name.listener
    return ClusterName(route.namespace, route.route, own)
