"""What the definitions of GatewayClass and Gateway refuse.

v1 and v1beta1 are those of Gateway API v1.6: a schema and rules across fields. v1alpha2, of v0.4, has the
schema alone: there the decisions of the projection are all that stands between a listener and its neighbour.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from stunnergw.sources import checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stunnergw.sources.checks import Finding

_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_CONTROLLER = re.compile(rf"{_DOMAIN}/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_PROTOCOL = re.compile(rf"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?|{_DOMAIN}/[A-Za-z0-9]+")

_NO_TLS = ("HTTP", "TCP", "UDP")
_NO_HOSTNAME = ("TCP", "UDP")
_LISTENERS = "spec.listeners"


def gateway_class(version: str, body: Mapping[str, Any]) -> Iterator[Finding]:  # noqa: ARG001 (all alike)
    """Check a GatewayClass."""
    spec = checks.fields(body, "spec")
    yield from checks.text(
        "spec.controllerName", spec.get("controllerName"), form=_CONTROLLER, longest=253,
        remedy="write domain/path, such as example.org/controller",
    )  # fmt: skip
    description = spec.get("description")
    if isinstance(description, str) and len(description) > 64:
        yield "spec.description", "is too long: shorten it to at most 64 characters"


def gateway(version: str, body: Mapping[str, Any]) -> Iterator[Finding]:
    """Check a Gateway."""
    spec = checks.fields(body, "spec")
    class_name = spec.get("gatewayClassName")
    if isinstance(class_name, str) and not 1 <= len(class_name) <= 253:
        yield "spec.gatewayClassName", "is empty or too long: give the name of a GatewayClass"
    yield from checks.count(_LISTENERS, checks.items(spec, "listeners"), low=1, high=64)
    listeners = list(checks.entries(spec, "listeners", at="spec"))
    for field, listener in listeners:
        yield from _listener(field, listener)
    yield from checks.distinct(_LISTENERS, [entry.get("name") for _, entry in listeners], what="name")
    yield from checks.count("spec.addresses", checks.items(spec, "addresses"), high=16)
    yield from _infrastructure(checks.fields(spec, "infrastructure"))
    if version != "v1alpha2":
        yield from _across_listeners(listeners)
        yield from _addresses(spec)


def _listener(field: str, listener: Mapping[str, Any]) -> Iterator[Finding]:
    yield from checks.name(f"{field}.name", listener.get("name"))
    yield from checks.port(f"{field}.port", listener.get("port"))
    yield from checks.text(
        f"{field}.protocol", listener.get("protocol"), form=_PROTOCOL, longest=255,
        remedy="write a protocol, such as TURN-UDP",
    )  # fmt: skip
    yield from checks.hostname(f"{field}.hostname", listener.get("hostname"))
    tls = checks.fields(listener, "tls")
    yield from checks.one_of(f"{field}.tls.mode", tls.get("mode"), ("Terminate", "Passthrough"))
    yield from checks.count(f"{field}.tls.certificateRefs", checks.items(tls, "certificateRefs"), high=64)
    for place, entry in checks.entries(tls, "certificateRefs", at=f"{field}.tls"):
        yield from checks.reference(place, entry)
    allowed = checks.fields(listener, "allowedRoutes")
    namespaces = checks.fields(allowed, "namespaces")
    place = f"{field}.allowedRoutes"
    yield from checks.one_of(f"{place}.namespaces.from", namespaces.get("from"), ("All", "Selector", "Same"))
    yield from checks.count(f"{place}.kinds", checks.items(allowed, "kinds"), high=8)
    for kind_place, entry in checks.entries(allowed, "kinds", at=place):
        yield from checks.reference(kind_place, entry)


def _across_listeners(listeners: list[tuple[str, Mapping[str, Any]]]) -> Iterator[Finding]:
    for field, listener in listeners:
        yield from _tls_and_hostname(field, listener)
    triples = [(entry.get("port"), entry.get("protocol"), entry.get("hostname")) for _, entry in listeners]
    yield from checks.distinct(_LISTENERS, triples, what="port, protocol and hostname")


def _tls_and_hostname(field: str, listener: Mapping[str, Any]) -> Iterator[Finding]:
    """Check what goes by the literal name of the protocol: TURN-TLS is not TLS here."""
    protocol, has_tls = listener.get("protocol"), "tls" in listener
    tls = checks.fields(listener, "tls")
    terminates = tls.get("mode", "Terminate") == "Terminate"
    if has_tls and protocol in _NO_TLS:
        yield f"{field}.tls", f"does not go with protocol {protocol}: take it out, or write TURN-TLS or TURN-DTLS"
    if listener.get("hostname") and protocol in _NO_HOSTNAME:
        yield f"{field}.hostname", f"does not go with protocol {protocol}: take it out"
    if protocol == "TLS" and not has_tls:
        yield f"{field}.tls", "is needed by protocol TLS: add mode and certificateRefs"
    if protocol == "HTTPS" and has_tls and not terminates:
        yield f"{field}.tls.mode", "does not go with protocol HTTPS: write Terminate"
    if has_tls and terminates and not tls.get("certificateRefs") and not tls.get("options"):
        yield f"{field}.tls.certificateRefs", "is needed by mode Terminate: name a Secret"


def _addresses(spec: Mapping[str, Any]) -> Iterator[Finding]:
    pairs: list[Any] = []
    for field, entry in checks.entries(spec, "addresses", at="spec"):
        kind, value = entry.get("type", "IPAddress"), entry.get("value")
        if kind == "IPAddress" and isinstance(value, str) and not _is_address(value):
            yield f"{field}.value", "is no IP address: write one, or say type: Hostname"
        if kind == "Hostname" and value is not None:
            yield from checks.hostname(f"{field}.value", value)
        # An address without value asks for any: two of them are two wishes. An object equals only itself.
        pairs.append((kind, value) if value is not None and kind in ("IPAddress", "Hostname") else object())
    yield from checks.distinct("spec.addresses", pairs, what="value")


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return "%" not in value


def _infrastructure(infrastructure: Mapping[str, Any]) -> Iterator[Finding]:
    place = "spec.infrastructure"
    labels, annotations = checks.fields(infrastructure, "labels"), checks.fields(infrastructure, "annotations")
    yield from checks.count(f"{place}.labels", labels, high=8)
    yield from checks.map_keys(f"{place}.labels", labels)
    yield from checks.map_values(f"{place}.labels", labels)
    yield from checks.count(f"{place}.annotations", annotations, high=16)
    yield from checks.map_keys(f"{place}.annotations", annotations)
