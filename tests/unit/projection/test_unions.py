"""Ports of an address that several clusters of a listener name: no client is refused, and none admits more."""

from __future__ import annotations

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st

from stunnergw.dataplane.configs import ClusterConfig, ClusterName, ListenerConfig, ListenerName
from stunnergw.dataplane.endpoints import Endpoint
from stunnergw.dataplane.spellings import qualified_cluster
from stunnergw.projection.unions import united

PEERS = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "2001:db8::1")
PORTS = (4999, 5000, 5005, 5010, 5011, 6000)

ADDRESSES = st.sampled_from((*PEERS, "10.0.0.0/24", "10.0.0.0/16", "2001:db8::/64", "0.0.0.0/0"))
RANGES = st.sampled_from((None, (5000, 5010), (5005, 6000), (5000, 5000)))
ENDPOINTS = st.builds(Endpoint, ADDRESSES, RANGES)
NAMES = ("a", "b", "c")


def cluster(name: str, endpoints: frozenset[Endpoint]) -> ClusterConfig:
    return ClusterConfig(ClusterName("ns", name), "STATIC", tuple(sorted(endpoints, key=lambda each: each.text)))


def listener(name: str, routes: frozenset[str]) -> ListenerConfig:
    names = tuple(ClusterName("ns", route) for route in sorted(routes))
    return ListenerConfig(ListenerName("ns", "edge", name), "TURN-UDP", "UDP", "$STUNNER_ADDR", 3478, names)


def admits(endpoint: Endpoint, peer: str, port: int) -> bool:
    network, address = ipaddress.ip_network(endpoint.address), ipaddress.ip_address(peer)
    low, high = endpoint.ports or (1, 65535)
    return address.version == network.version and address in network and low <= port <= high


def holds(found: ClusterConfig, peer: str) -> bool:
    return any(admits(endpoint._replace(ports=None), peer, 1) for endpoint in found.endpoints)


def as_stunnerd_admits(of: ListenerConfig, clusters: tuple[ClusterConfig, ...], peer: str, port: int) -> bool:
    """stunnerd heeds the first cluster by name that holds the peer, and no other."""
    known = sorted((qualified_cluster(found.name), found) for found in clusters if found.name in of.routes)
    first = next((found for _, found in known if holds(found, peer)), None)
    return first is not None and any(admits(endpoint, peer, port) for endpoint in first.endpoints)


def as_routes_say(of: ListenerConfig, clusters: tuple[ClusterConfig, ...], peer: str, port: int) -> bool:
    return any(
        admits(endpoint, peer, port) for found in clusters if found.name in of.routes for endpoint in found.endpoints
    )


@given(
    st.dictionaries(st.sampled_from(NAMES), st.frozensets(ENDPOINTS, max_size=3), min_size=1),
    st.lists(st.frozensets(st.sampled_from(NAMES)), min_size=1, max_size=3),
    st.booleans(),
)
@settings(max_examples=400)
def test_stunnerd_admits_what_the_routes_of_each_listener_say(
    endpoints: dict[str, frozenset[Endpoint]], routes: list[frozenset[str]], qualified: bool
) -> None:
    clusters = tuple(cluster(name, endpoints[name]) for name in sorted(endpoints))
    listeners = tuple(listener(f"l{number}", each & set(endpoints)) for number, each in enumerate(routes))
    new_listeners, new_clusters = united(listeners, clusters, qualified=qualified)
    assert [each.name for each in new_listeners] == [each.name for each in listeners]
    for before, after in zip(listeners, new_listeners, strict=True):
        assert set(after.routes) <= {each.name for each in new_clusters}
        for peer in PEERS:
            for port in PORTS:
                assert as_stunnerd_admits(after, new_clusters, peer, port) == as_routes_say(
                    before, clusters, peer, port
                )


def test_without_ranges_nothing_changes() -> None:
    clusters = (cluster("a", frozenset({Endpoint("10.0.0.1")})), cluster("b", frozenset({Endpoint("10.0.0.1")})))
    listeners = (listener("udp", frozenset({"a", "b"})),)
    assert united(listeners, clusters) == (listeners, clusters)


def test_a_listener_with_other_company_gets_a_copy_of_its_own() -> None:
    clusters = (
        cluster("a", frozenset({Endpoint("10.0.0.1", (5000, 5000))})),
        cluster("b", frozenset({Endpoint("10.0.0.1", (6000, 6000))})),
    )
    alone, both = listener("alone", frozenset({"a"})), listener("both", frozenset({"a", "b"}))
    listeners, made = united((alone, both), clusters)
    assert [route.listener for route in listeners[0].routes] == ["alone"]
    texts = {qualified_cluster(found.name): [endpoint.text for endpoint in found.endpoints] for found in made}
    union = ["10.0.0.1:<5000-5000>", "10.0.0.1:<6000-6000>"]
    assert texts == {"ns/a/alone": ["10.0.0.1:<5000-5000>"], "ns/a/both": union, "ns/b": union}
