"""What our documents promise beyond being taken by stunnerd.

stunnerd forgives much: any order, any spacing, unknown keys, routes to nowhere. Our documents are compared
as text, and are read by others too, so `check_ours` forgives nothing: compact JSON, each key in its place,
lists sorted, names that lead somewhere, and nothing that stunnerd takes without meaning it. What is left is
judged as stunnerd would judge it. The first promise that is broken is named in one sentence. The shapes of
both versions stand in our_shapes.
"""

from __future__ import annotations

import ipaddress
import json
import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from tests.support.our_port_unions import check_port_unions
from tests.support.our_shapes import Broken, check_document_shape, promise
from tests.support.stunnerd_endpoints import ALL_PORTS, Endpoint, parse_endpoint
from tests.support.stunnerd_judging import judge
from tests.support.stunnerd_reading import DEFAULT_HEALTHCHECK, LONG_PROTOCOLS, SHORT_PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STUNNER_ADDR = "$STUNNER_ADDR"
PLACEHOLDER = "__node_address_placeholder"
LEGACY_NAME = "stunner-daemon"

_CREDENTIALS = {
    "static": ["password", "username"],
    "plaintext": ["password", "username"],
    "ephemeral": ["secret"],
    "longterm": ["secret"],
    "none": [],
}
_AUTH_TYPES = {"v1": ("static", "ephemeral", "none"), "v1alpha1": ("plaintext", "longterm")}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_DOMAIN_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_V1ALPHA1_METRICS = re.compile(r"[a-z]+://[^/]*:[0-9]+(/.*)?")

Document = dict[str, Any]


class Served(Enum):
    """Where a document was found, which decides what may stand for a listener's address."""

    RENDERED = "as rendered, or in a list"
    CLIENT = "to a client that named no node"
    NODE = "to a client that named its node"


def check_ours(document: bytes, *, short_protocols: bool = False, served: Served = Served.RENDERED) -> None:
    """Raise an AssertionError that says in one sentence which of our promises the document breaks.

    short_protocols: a v1alpha1 document for stunnerd 0.13, whose listeners say `UDP`, not `TURN-UDP`.
    """
    parsed = _compact_json(document)
    version = check_document_shape(parsed)
    short = short_protocols and version == "v1alpha1"
    _check_admin(version, parsed["admin"])
    _check_auth(version, parsed["auth"])
    _check_clusters(version, parsed.get("clusters", []))
    _check_listeners(version, parsed, SHORT_PROTOCOLS if short else LONG_PROTOCOLS, served)
    check_port_unions(parsed)
    _check_judgement(document, short_protocols=short)


def _compact_json(document: bytes) -> Document:
    try:
        text = document.decode()
        parsed = json.loads(text, object_pairs_hook=_without_twins, parse_constant=_no_constant)
    except ValueError as error:
        raise Broken(f"document: not one JSON document in UTF-8: {error}") from error
    promise(isinstance(parsed, dict), "document: not an object")
    promise(not re.search(r"\s", _STRING.sub("", text)), "document: has blanks between its parts, is not compact")
    result: Document = parsed
    return result


def _without_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    promise(len(result) == len(pairs), f"document: a key appears twice among {[key for key, _ in pairs]}")
    return result


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _check_admin(version: str, admin: Document) -> None:
    name, metrics = admin["name"], admin.get("metrics_endpoint")
    is_legacy = name == LEGACY_NAME
    promise(bool(admin["loglevel"]), "admin.loglevel: is empty")
    if version == "v1alpha1":
        promise(is_legacy, f"admin.name: {name!r} is not {LEGACY_NAME!r}")
        sound = metrics is None or _V1ALPHA1_METRICS.fullmatch(metrics)
        promise(bool(sound), f"admin.metrics_endpoint: {metrics!r} lacks scheme or port")
        return
    promise(is_legacy or _segments(name) == 2, f"admin.name: {name!r} is neither ns/gateway nor {LEGACY_NAME!r}")
    promise(metrics in (None, "http://:8080/metrics"), f"admin.metrics_endpoint: is {metrics!r}")
    health = admin["healthcheck_endpoint"]
    promise(health in (DEFAULT_HEALTHCHECK, ""), f"admin.healthcheck_endpoint: is {health!r}")
    if is_legacy:
        promise(metrics is None and bool(health), "admin: health and metrics are not for legacy mode to change")
    promise(admin.get("user_quota", 1) > 0, "admin.user_quota: is negative")
    engine = admin["offload_engine"]
    promise(engine in ("None", "XDP", "TC", "Auto"), f"admin.offload_engine: is {engine!r}")
    _check_sorted(admin.get("offload_interfaces", []), "admin.offload_interfaces")


def _check_auth(version: str, auth: Document) -> None:
    kind, names = auth["type"], list(auth["credentials"])
    promise(kind in _AUTH_TYPES[version], f"auth.type: {kind!r} is none of {', '.join(_AUTH_TYPES[version])}")
    promise(bool(auth["realm"]), "auth.realm: is empty")
    wanted = _CREDENTIALS[kind]
    promise(sorted(names) == wanted, f"auth.credentials: {kind} has {names}, not {wanted}")
    promise(names == wanted, f"auth.credentials: {names} are not in alphabetical order")


def _check_clusters(version: str, clusters: Sequence[Document]) -> None:
    names = [cluster["name"] for cluster in clusters]
    _check_sorted(names, "clusters")
    for cluster in clusters:
        _check_cluster(version, cluster, f"cluster {cluster['name']}")


def _check_cluster(version: str, cluster: Document, where: str) -> None:
    # A copy made for one listener carries the listener's name as a further segment.
    segments = _segments(cluster["name"])
    promise(segments >= (2 if version == "v1" else 1), f"{where}: the name is not qualified")
    promise(cluster["type"] in ("STATIC", "STRICT_DNS"), f"{where}: the type is {cluster['type']!r}")
    protocol = cluster.get("protocol", "UDP")
    promise(protocol in ("UDP", "TCP"), f"{where}: the protocol is {protocol!r}")
    endpoints = cluster.get("endpoints", [])
    _check_sorted(endpoints, f"{where}: endpoints")
    check: Callable[[str, str], None] = _check_static if cluster["type"] == "STATIC" else _check_domain_name
    for endpoint in endpoints:
        check(endpoint, f"{where}: endpoint {endpoint!r}")


def _check_static(text: str, where: str) -> None:
    try:
        endpoint = parse_endpoint(text)
    except ValueError as error:
        raise Broken(f"{where}: neither IP nor prefix: {error}") from error
    promise(not endpoint.is_mapped, f"{where}: an IPv4-mapped address admits nothing of IPv4")
    _check_range(endpoint, where)


def _check_range(endpoint: Endpoint, where: str) -> None:
    lowest, highest = ALL_PORTS
    promise(endpoint.low <= endpoint.high, f"{where}: the range is not low-high")
    promise(lowest <= endpoint.low and endpoint.high <= highest, f"{where}: the range leaves 1-65535")


def _check_domain_name(text: str, where: str) -> None:
    promise(":<" not in text, f"{where}: STRICT_DNS takes no port range")
    promise(not _is_network(text), f"{where}: STRICT_DNS takes no IP")
    promise(_DOMAIN_NAME.fullmatch(text) is not None, f"{where}: not a domain name")


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _check_listeners(version: str, document: Document, protocols: frozenset[str], served: Served) -> None:
    listeners = document.get("listeners", [])
    names = [listener["name"] for listener in listeners]
    promise(len(set(names)) == len(names), f"listeners: a name appears twice in {_shown(names)}")
    if version == "v1":
        gateways = [name.split("/")[:2] for name in names]
        promise(gateways == sorted(gateways), f"listeners: not in the order of their Gateways: {_shown(names)}")
    clusters = {cluster["name"] for cluster in document.get("clusters", [])}
    sockets: dict[tuple[str, int], str] = {}
    for listener in listeners:
        where = f"listener {listener['name']}"
        _check_listener_name(version, document["admin"]["name"], listener["name"], where)
        _check_listener(listener, where, protocols, served)
        _check_sorted(listener.get("routes", []), f"{where}: routes")
        for route in listener.get("routes", []):
            promise(route in clusters, f"{where}: the route {route!r} names no cluster")
        socket = (_transport(listener["protocol"]), listener["port"])
        promise(socket not in sockets, f"{where}: shares {socket[0]} port {socket[1]} with {sockets.get(socket)}")
        sockets[socket] = where


def _check_listener_name(version: str, admin_name: str, name: str, where: str) -> None:
    if version == "v1alpha1":
        promise(bool(name) and "/" not in name, f"{where}: v1alpha1's names are unqualified")
        return
    promise(_segments(name) == 3, f"{where}: the name is not ns/gateway/listener")
    if admin_name != LEGACY_NAME:
        promise(name.startswith(f"{admin_name}/"), f"{where}: the name is not of Gateway {admin_name}")


def _check_listener(listener: Document, where: str, protocols: frozenset[str], served: Served) -> None:
    protocol = listener["protocol"]
    promise(protocol in protocols, f"{where}: the protocol {protocol!r} is none of {_shown(sorted(protocols))}")
    promise(0 < listener["port"] <= 65535, f"{where}: the port is {listener['port']}")
    both = ("public_address" in listener) == ("public_port" in listener)
    promise(both, f"{where}: public_address and public_port, one without the other")
    promise("[" not in listener.get("public_address", ""), f"{where}: public_address is in brackets")
    promise(0 < listener.get("public_port", 1) <= 65535, f"{where}: public_port is no port")
    is_secure = protocol.endswith("TLS")
    for key in ("cert", "key"):
        problem = "is missing on" if is_secure else "stands on"
        promise((key in listener) == is_secure, f"{where}: {key} {problem} a {protocol} listener")
    lowest, highest = listener.get("min_relay_port", 1), listener.get("max_relay_port", 65535)
    promise(0 < lowest <= highest <= 65535, f"{where}: relay ports {lowest} to {highest}")
    _check_address(listener["address"], where, served)


def _check_address(address: str, where: str, served: Served) -> None:
    if address == STUNNER_ADDR or (served is Served.RENDERED and address == PLACEHOLDER):
        return
    promise(address != PLACEHOLDER, f"{where}: the address placeholder went out to a client")
    is_node = served is Served.NODE and "/" not in address and _is_network(address)
    promise(is_node, f"{where}: the address is {address!r}, not {STUNNER_ADDR}")


def _check_judgement(document: bytes, *, short_protocols: bool) -> None:
    # stunnerd never sees the placeholder: the config server has replaced it by then.
    seen = document.replace(PLACEHOLDER.encode(), STUNNER_ADDR.encode())
    verdict = judge(seen, environ={"STUNNER_ADDR": "127.0.0.1"}, short_protocols=short_protocols)
    promise(verdict.applied, f"stunnerd: {verdict.outcome}: {verdict.reason}")


def _check_sorted(values: Sequence[str], where: str) -> None:
    promise(len(set(values)) == len(values), f"{where}: one appears twice in {_shown(values)}")
    promise(list(values) == sorted(values), f"{where}: not sorted: {_shown(values)}")
    promise(all(values), f"{where}: one is empty")


def _shown(values: Sequence[str]) -> str:
    return ", ".join(values[:20]) + (" …" if len(values) > 20 else "")


def _segments(name: str) -> int:
    """How many segments a name has; 0 when one of them is empty."""
    segments = name.split("/")
    return len(segments) if all(segments) else 0


def _transport(protocol: str) -> str:
    return "TCP" if protocol.removeprefix("TURN-") in ("TCP", "TLS") else "UDP"
