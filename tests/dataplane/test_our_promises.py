"""Each promise that our documents make beyond stunnerd's own rules, broken once and caught."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.stunnerd_documents import Broken, Served, check_ours, judge, zero_document

if TYPE_CHECKING:
    from collections.abc import Callable

Document = dict[str, Any]

_V1: Document = {
    "version": "v1",
    "admin": {
        "name": "ns/gw",
        "loglevel": "all:INFO",
        "metrics_endpoint": "http://:8080/metrics",
        "healthcheck_endpoint": "http://:8086",
        "user_quota": 3,
        "offload_engine": "None",
        "offload_interfaces": ["eth0", "eth1"],
    },
    "auth": {
        "type": "static",
        "realm": "stunner.l7mp.io",
        "credentials": {"password": "p$HOME é", "username": "u"},
    },
    "listeners": [
        {
            "name": "ns/gw/udp",
            "protocol": "TURN-UDP",
            "public_address": "2001:db8::7",
            "public_port": 3478,
            "address": "$STUNNER_ADDR",
            "port": 3478,
            "routes": ["ns/a", "ns/b"],
        },
        {"name": "ns/gw/tcp", "protocol": "TURN-TCP", "address": "__node_address_placeholder", "port": 3478},
    ],
    "clusters": [
        {
            "name": "ns/a",
            "type": "STATIC",
            "protocol": "UDP",
            "endpoints": ["10.0.0.0/8", "10.0.0.1:<5000-5010>", "2001:db8::/64:<1-2>"],
        },
        {"name": "ns/b", "type": "STRICT_DNS", "protocol": "UDP", "endpoints": ["b.ns.svc.cluster.local"]},
        {"name": "ns/c", "type": "STATIC", "protocol": "TCP"},
    ],
}
_V1ALPHA1: Document = {
    "version": "v1alpha1",
    "admin": {"name": "stunner-daemon", "loglevel": "all:INFO"},
    "auth": {
        "type": "plaintext",
        "realm": "stunner.l7mp.io",
        "credentials": {"password": "p", "username": "u"},
    },
    "listeners": [
        {
            "name": "udp-listener",
            "protocol": "TURN-UDP",
            "public_address": "192.0.2.1",
            "public_port": 3478,
            "address": "$STUNNER_ADDR",
            "port": 3478,
            "min_relay_port": 32768,
            "max_relay_port": 65535,
            "routes": ["udp-echo"],
        }
    ],
    "clusters": [{"name": "udp-echo", "type": "STRICT_DNS", "endpoints": ["echo.ns.svc.cluster.local"]}],
}


def _bytes(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _set(*path: str | int, to: object) -> Callable[[Document], None]:
    """A change that sets one value, or takes the key away when it is `...`."""

    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        if to is ...:
            del document[path[-1]]
        else:
            document[path[-1]] = to

    return change


def _reorder(*path: str | int) -> Callable[[Document], None]:
    """A change that moves an object's first key to its end."""

    def change(document: Any) -> None:
        for step in path:
            document = document[step]
        first = next(iter(document))
        document[first] = document.pop(first)

    return change


def _listener(index: int, key: str, to: object) -> Callable[[Document], None]:
    return _set("listeners", index, key, to=to)


def _endpoints(index: int, *endpoints: str) -> Callable[[Document], None]:
    return _set("clusters", index, "endpoints", to=list(endpoints))


_BROKEN_V1: list[tuple[str, Callable[[Document], None], str]] = [
    ("version", _set("version", to="v2"), "the version is 'v2'"),
    ("top order", _reorder(), "document: the keys stand as"),
    ("admin order", _reorder("admin"), "admin: the keys stand as"),
    ("auth order", _reorder("auth"), "auth: the keys stand as"),
    ("listener order", _reorder("listeners", 0), r"listeners\[0\] \(ns/gw/udp\): the keys stand as"),
    ("cluster order", _reorder("clusters", 0), r"clusters\[0\] \(ns/a\): the keys stand as"),
    ("unknown top key", _set("extra", to=1), "unknown key extra"),
    ("licence", _set("admin", "license_config", to={"key": "k"}), "unknown key license_config"),
    ("relay port in v1", _listener(0, "min_relay_port", 1), "unknown key min_relay_port"),
    ("no healthcheck", _set("admin", "healthcheck_endpoint", to=...), "lacks healthcheck_endpoint"),
    ("no credentials", _set("auth", "credentials", to=...), "lacks credentials"),
    ("no protocol", _set("clusters", 0, "protocol", to=...), "lacks protocol"),
    ("empty metrics", _set("admin", "metrics_endpoint", to=""), "metrics_endpoint: is empty"),
    ("quota 0", _set("admin", "user_quota", to=0), "user_quota: is empty"),
    ("empty listeners", _set("listeners", to=[]), "listeners: is empty"),
    ("empty routes", _listener(0, "routes", []), "routes: is empty"),
    ("empty endpoints", _endpoints(0), "endpoints: is empty"),
    ("null", _listener(0, "routes", None), "is not of type list"),
    ("true for a number", _listener(0, "port", to=True), "is not of type int"),
    ("port as text", _listener(0, "port", "3478"), "is not of type int"),
    ("a number among texts", _set("clusters", 0, "endpoints", 0, to=7), "an entry is not a text"),
    ("a listener that is none", _set("listeners", 0, to="x"), "not an object"),
    ("other healthcheck", _set("admin", "healthcheck_endpoint", to="http://127.0.0.1:8086"), "healthcheck"),
    ("other metrics", _set("admin", "metrics_endpoint", to="http://:9090"), "metrics_endpoint: is"),
    ("engine", _set("admin", "offload_engine", to="none"), "offload_engine"),
    ("interfaces", _set("admin", "offload_interfaces", to=["b", "a"]), "not sorted"),
    ("admin name", _set("admin", "name", to="gw"), "neither ns/gateway nor"),
    ("empty loglevel", _set("admin", "loglevel", to=""), "loglevel: is empty"),
    ("v1alpha1's auth type", _set("auth", "type", to="plaintext"), "auth.type: 'plaintext'"),
    ("empty realm", _set("auth", "realm", to=""), "realm: is empty"),
    ("credentials order", _reorder("auth", "credentials"), "not in alphabetical order"),
    ("other credentials", _set("auth", "credentials", "secret", to="s"), "static has"),
    ("credential no text", _set("auth", "credentials", "username", to=1), "a value is not a text"),
    ("short protocol", _listener(0, "protocol", "UDP"), "the protocol 'UDP'"),
    ("lower protocol", _listener(0, "protocol", "turn-udp"), "the protocol 'turn-udp'"),
    ("port 0", _listener(0, "port", 0), "the port is 0"),
    ("no public port", _listener(0, "public_port", ...), "one without the other"),
    ("no public address", _listener(0, "public_address", ...), "one without the other"),
    ("brackets", _listener(0, "public_address", "[::1]"), "in brackets"),
    ("address", _listener(0, "address", "192.0.2.1"), "the address is '192.0.2.1'"),
    ("one socket", _listener(1, "protocol", "TURN-UDP"), "shares UDP port 3478"),
    ("one name", _listener(1, "name", "ns/gw/udp"), "a name appears twice"),
    ("unqualified listener", _listener(1, "name", "tcp"), "not ns/gateway/listener"),
    ("listener of another", _listener(1, "name", "ns/gx/tcp"), "not of Gateway ns/gw"),
    ("routes order", _listener(0, "routes", ["ns/b", "ns/a"]), "routes: not sorted"),
    ("route twice", _listener(0, "routes", ["ns/a", "ns/a"]), "routes: one appears twice"),
    ("route to nowhere", _listener(0, "routes", ["ns/z"]), "'ns/z' names no cluster"),
    ("TLS without a certificate", _listener(1, "protocol", "TURN-TLS"), "cert is missing on"),
    ("clusters order", _set("clusters", 0, "name", to="ns/z"), "clusters: not sorted"),
    ("cluster twice", _set("clusters", 0, "name", to="ns/b"), "clusters: one appears twice"),
    ("unqualified cluster", _set("clusters", 2, "name", to="z"), "cluster z: the name is not qualified"),
    ("cluster type", _set("clusters", 0, "type", to="static"), "the type is 'static'"),
    ("cluster protocol", _set("clusters", 0, "protocol", to="SCTP"), "the protocol is 'SCTP'"),
    ("endpoints order", _endpoints(0, "10.0.0.2", "10.0.0.1"), "endpoints: not sorted"),
    ("endpoint twice", _endpoints(0, "10.0.0.1", "10.0.0.1"), "endpoints: one appears twice"),
    ("endpoint with a bare port", _endpoints(0, "10.0.0.1:5000"), "neither IP nor prefix"),
    ("mapped", _endpoints(0, "::ffff:10.0.0.1"), "IPv4-mapped"),
    ("mapped in a prefix", _endpoints(0, "::ffff:10.0.0.0/104"), "IPv4-mapped"),
    ("range backwards", _endpoints(0, "10.0.0.1:<2-1>"), "not low-high"),
    ("range too wide", _endpoints(0, "10.0.0.1:<1-70000>"), "leaves 1-65535"),
    ("range from 0", _endpoints(0, "10.0.0.1:<0-9>"), "leaves 1-65535"),
    ("IP as a name", _endpoints(1, "10.0.0.1"), "STRICT_DNS takes no IP"),
    ("IPv6 as a name", _endpoints(1, "2001:db8::1"), "STRICT_DNS takes no IP"),
    ("prefix as a name", _endpoints(1, "10.0.0.0/8"), "STRICT_DNS takes no IP"),
    ("name with a range", _endpoints(1, "a.test:<1-2>"), "STRICT_DNS takes no port range"),
    ("no name", _endpoints(1, "a b"), "not a domain name"),
    ("stunnerd's own port", _listener(1, "port", 8086), "stunnerd: refused when applied: .*8086"),
]


@pytest.mark.parametrize(("change", "sentence"), [row[1:] for row in _BROKEN_V1], ids=[row[0] for row in _BROKEN_V1])
def test_a_broken_promise_of_v1_is_named(change: Callable[[Document], None], sentence: str) -> None:
    document = copy.deepcopy(_V1)
    change(document)
    with pytest.raises(Broken, match=sentence):
        check_ours(_bytes(document))


_BROKEN_V1ALPHA1: list[tuple[str, Callable[[Document], None], str]] = [
    (
        "healthcheck",
        _set("admin", "healthcheck_endpoint", to="http://:8086"),
        "unknown key healthcheck_endpoint",
    ),
    ("cluster protocol", _set("clusters", 0, "protocol", to="UDP"), "unknown key protocol"),
    ("no relay ports", _listener(0, "min_relay_port", ...), "lacks min_relay_port"),
    ("relay ports", _listener(0, "min_relay_port", 65536), "relay ports 65536 to 65535"),
    ("name", _set("admin", "name", to="ns/gw"), "is not 'stunner-daemon'"),
    ("metrics without scheme", _set("admin", "metrics_endpoint", to=":8080"), "lacks scheme or port"),
    (
        "metrics without port",
        _set("admin", "metrics_endpoint", to="http://x/metrics"),
        "lacks scheme or port",
    ),
    ("v1's auth type", _set("auth", "type", to="static"), "auth.type: 'static'"),
    ("qualified listener", _listener(0, "name", "ns/gw/udp"), "unqualified"),
    ("order", _reorder("listeners", 0), "the keys stand as"),
]


@pytest.mark.parametrize(
    ("change", "sentence"), [row[1:] for row in _BROKEN_V1ALPHA1], ids=[row[0] for row in _BROKEN_V1ALPHA1]
)
def test_a_broken_promise_of_v1alpha1_is_named(change: Callable[[Document], None], sentence: str) -> None:
    document = copy.deepcopy(_V1ALPHA1)
    change(document)
    with pytest.raises(Broken, match=sentence):
        check_ours(_bytes(document))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (json.dumps(_V1).encode(), "not compact"),
        (_bytes(_V1) + b"\n", "not compact"),
        (b'{"version":"v1","version":"v1"}', "appears twice"),
        (b"[]", "not an object"),
        (b"", "not one JSON document"),
        (b'{"version":NaN}', "NaN is not JSON"),
        (_bytes(_V1) + b"{}", "not one JSON document"),
        (b'"\xff"', "in UTF-8"),
    ],
)
def test_text_that_is_not_compact_json_is_named(text: bytes, sentence: str) -> None:
    with pytest.raises(Broken, match=sentence):
        check_ours(text)


def test_documents_that_keep_every_promise_pass() -> None:
    check_ours(_bytes(_V1))
    check_ours(_bytes(_V1ALPHA1))
    bare = {key: _V1[key] for key in ("version", "admin", "auth")}
    check_ours(_bytes(bare))


def test_the_zero_document_is_none_of_our_configurations() -> None:
    with pytest.raises(Broken, match="lacks loglevel"):
        check_ours(zero_document("ns/gw"))


def test_a_legacy_document_leaves_health_and_metrics_alone() -> None:
    document = copy.deepcopy(_V1)
    document["admin"]["name"] = "stunner-daemon"
    with pytest.raises(Broken, match="legacy mode"):
        check_ours(_bytes(document))
    del document["admin"]["metrics_endpoint"]
    check_ours(_bytes(document))


def test_legacy_listeners_stand_by_gateway() -> None:
    document = copy.deepcopy(_V1)
    document["admin"]["name"] = "stunner-daemon"
    del document["admin"]["metrics_endpoint"]
    document["listeners"][0]["name"] = "ns/gx/udp"
    with pytest.raises(Broken, match="not in the order of their Gateways"):
        check_ours(_bytes(document))


def test_short_protocol_names_are_for_v1alpha1_and_stunnerd_of_old() -> None:
    document = copy.deepcopy(_V1ALPHA1)
    document["listeners"][0]["protocol"] = "UDP"
    check_ours(_bytes(document), short_protocols=True)
    with pytest.raises(Broken, match="the protocol 'UDP'"):
        check_ours(_bytes(document))
    with pytest.raises(Broken, match="the protocol 'TURN-UDP'"):
        check_ours(_bytes(_V1ALPHA1), short_protocols=True)
    check_ours(_bytes(_V1), short_protocols=True)


def test_a_client_never_sees_the_placeholder() -> None:
    for served in (Served.CLIENT, Served.NODE):
        with pytest.raises(Broken, match="placeholder went out"):
            check_ours(_bytes(_V1), served=served)


def test_only_a_client_that_named_its_node_sees_an_address() -> None:
    document = copy.deepcopy(_V1)
    document["listeners"][1]["address"] = "192.0.2.9"
    check_ours(_bytes(document), served=Served.NODE)
    for served in (Served.CLIENT, Served.RENDERED):
        with pytest.raises(Broken, match=r"192\.0\.2\.9"):
            check_ours(_bytes(document), served=served)
    document["listeners"][1]["address"] = "node.example.com"
    with pytest.raises(Broken, match=r"node\.example\.com"):
        check_ours(_bytes(document), served=Served.NODE)


@pytest.mark.parametrize(
    ("first", "second", "is_kept"),
    [
        (["10.0.0.1:<1-2>"], ["10.0.0.1:<1-2>"], True),
        (["10.0.0.1:<1-2>"], ["10.0.0.1:<3-4>"], False),
        (["10.0.0.1:<1-4>"], ["10.0.0.1:<1-2>", "10.0.0.1:<3-4>"], True),
        (["10.0.0.0/8:<1-2>"], ["10.0.0.1:<3-4>"], False),
        (["10.0.0.1:<1-2>"], ["10.0.0.0/8"], False),
        (["10.0.0.0/8"], ["10.0.0.1:<3-4>"], True),
        (["10.0.0.1:<1-2>"], ["10.0.0.2:<3-4>"], True),
        (["2001:db8::/64:<1-2>"], ["2001:db8::1:<3-4>"], False),
        (["::/0:<1-2>"], ["10.0.0.1:<3-4>"], True),
    ],
)
def test_the_first_cluster_of_a_listener_carries_the_ports_of_all(
    first: list[str], second: list[str], *, is_kept: bool
) -> None:
    document = copy.deepcopy(_V1)
    document["clusters"][0]["endpoints"] = first
    document["clusters"][1] |= {"type": "STATIC", "endpoints": second}
    if is_kept:
        check_ours(_bytes(document))
        return
    with pytest.raises(Broken, match="the first cluster has only"):
        check_ours(_bytes(document))
    document["listeners"][0]["routes"] = ["ns/a"]
    document["listeners"][1]["routes"] = ["ns/b"]
    check_ours(_bytes(document))


def test_a_credential_keeps_its_dollars() -> None:
    verdict = judge(_bytes(_V1).replace(b"__node_address_placeholder", b"::1"), environ={"HOME": "/"})
    assert verdict.config is not None
    assert verdict.config.auth.credentials["password"] == "p$HOME é"
