"""What is refused of STUNner's own kinds, and of Services and EndpointSlices.

GatewayConfigs and Dataplanes hold secrets: no finding about them quotes a value. Of the core kinds only what
decisions lean on is checked: a file may hold what a cluster gave out, with everything in it.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from stunnergw.opaque import Opaque
from stunnergw.sources import checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stunnergw.sources.checks import Finding

AUTH_TYPES = ("static", "plaintext", "ephemeral", "longterm", "timewindowed")
_REALM = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def gateway_config(version: str, body: Mapping[str, Any]) -> Iterator[Finding]:  # noqa: ARG001 (both alike)
    """Check a GatewayConfig."""
    spec = checks.fields(body, "spec")
    yield from checks.one_of("spec.authType", spec.get("authType"), AUTH_TYPES)
    yield from checks.text(
        "spec.realm", spec.get("realm"), form=_REALM, longest=253,
        remedy="write a domain name in lower case, such as turn.example.org",
    )  # fmt: skip
    for name in ("userName", "password"):
        value = spec.get(name)
        if isinstance(value, str) and not Opaque.of(value).facts.plain:
            yield f"spec.{name}", "has characters that are not allowed: use letters, digits and !#$%&'*+-.^_`|~"
    for name in ("minPort", "maxPort"):
        yield from checks.port(f"spec.{name}", spec.get(name))


def dataplane(version: str, body: Mapping[str, Any]) -> Iterator[Finding]:  # noqa: ARG001 (both alike)
    """Check a Dataplane."""
    spec = checks.fields(body, "spec")
    for name, allowed in (
        ("dataplaneResource", ("Deployment", "DaemonSet")),
        ("offloadEngine", ("None", "XDP", "TC", "Auto")),
        ("imagePullPolicy", ("Always", "IfNotPresent", "Never")),
    ):
        yield from checks.one_of(f"spec.{name}", spec.get(name), allowed)


def service(version: str, body: Mapping[str, Any]) -> Iterator[Finding]:  # noqa: ARG001 (there is one)
    """Check a Service."""
    spec = checks.fields(body, "spec")
    kinds = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
    yield from checks.one_of("spec.type", spec.get("type"), kinds)
    for field, entry in checks.entries(spec, "ports", at="spec"):
        yield from checks.port(f"{field}.port", entry.get("port"))
        yield from checks.one_of(f"{field}.protocol", entry.get("protocol"), ("TCP", "UDP", "SCTP"))


def endpoint_slice(version: str, body: Mapping[str, Any]) -> Iterator[Finding]:  # noqa: ARG001 (both alike)
    """Check an EndpointSlice."""
    kind = body.get("addressType")
    yield from checks.one_of("addressType", kind, ("IPv4", "IPv6", "FQDN"))
    for index, endpoint in enumerate(checks.items(body, "endpoints")):
        for place, address in enumerate(checks.items(endpoint, "addresses")):
            if isinstance(address, str) and not _fits(address, kind):
                yield f"endpoints[{index}].addresses[{place}]", f"is no {kind} address: write one"


def _fits(address: str, kind: Any) -> bool:
    if kind not in ("IPv4", "IPv6"):
        return True
    try:
        IPv4Address(address) if kind == "IPv4" else IPv6Address(address)
    except ValueError:
        return False
    return "%" not in address
