"""What the definitions of UDPRoutes and ReferenceGrants refuse.

Gateway API's UDPRoute v1 has one rule, ports for Services, and parents that differ; its v1alpha2 and STUNner's
own have up to sixteen rules and the schema alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.resources.metadata import GATEWAY_GROUP
from stunnergw.sources import checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stunnergw.sources.checks import Finding

MAX_PARENTS = 32


def standard_route(version: str, body: Mapping[str, Any]) -> Iterator[Finding]:
    """Check a UDPRoute of gateway.networking.k8s.io."""
    spec = checks.fields(body, "spec")
    is_old = version == "v1alpha2"
    yield from _route(spec, rules=16 if is_old else 1)
    if not is_old:
        yield from _parents_differ(spec)
        yield from _services_have_ports(spec)


def stunner_route(version: str, body: Mapping[str, Any]) -> Iterator[Finding]:  # noqa: ARG001 (there is one)
    """Check a UDPRoute of stunner.l7mp.io."""
    yield from _route(checks.fields(body, "spec"), rules=16)


def reference_grant(version: str, body: Mapping[str, Any]) -> Iterator[Finding]:  # noqa: ARG001 (all alike)
    """Check a ReferenceGrant."""
    spec = checks.fields(body, "spec")
    for name in ("from", "to"):
        yield from checks.count(f"spec.{name}", checks.items(spec, name), low=1, high=16)
        for field, entry in checks.entries(spec, name, at="spec"):
            yield from checks.reference(field, entry)


def _route(spec: Mapping[str, Any], *, rules: int) -> Iterator[Finding]:
    yield from checks.count("spec.parentRefs", checks.items(spec, "parentRefs"), high=MAX_PARENTS)
    for field, parent in checks.entries(spec, "parentRefs", at="spec"):
        yield from checks.reference(field, parent)
        yield from checks.name(f"{field}.sectionName", parent.get("sectionName"))
        yield from checks.port(f"{field}.port", parent.get("port"))
    yield from checks.count("spec.rules", checks.items(spec, "rules"), low=1, high=rules)
    for field, rule in checks.entries(spec, "rules", at="spec"):
        yield from checks.count(f"{field}.backendRefs", checks.items(rule, "backendRefs"), low=1, high=16)
        for place, backend in checks.entries(rule, "backendRefs", at=field):
            yield from _backend(place, backend)


def _backend(field: str, backend: Mapping[str, Any]) -> Iterator[Finding]:
    yield from checks.reference(field, backend)
    yield from checks.port(f"{field}.port", backend.get("port"))
    yield from checks.port(f"{field}.endPort", backend.get("endPort"))
    yield from checks.number(f"{field}.weight", backend.get("weight"), low=0, high=1_000_000)


def _services_have_ports(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for field, rule in checks.entries(spec, "rules", at="spec"):
        for place, backend in checks.entries(rule, "backendRefs", at=field):
            is_service = (backend.get("group", ""), backend.get("kind", "Service")) == ("", "Service")
            if is_service and backend.get("port") is None:
                yield f"{place}.port", "is missing: give the port of the Service"


def _parents_differ(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that a parent that is named twice is named by section or port, each time by another one."""
    if len(checks.items(spec, "parentRefs")) > MAX_PARENTS:
        return
    parts: dict[tuple[Any, ...], list[tuple[Any, Any]]] = {}
    for field, parent in checks.entries(spec, "parentRefs", at="spec"):
        target = (
            parent.get("group", GATEWAY_GROUP), parent.get("kind", "Gateway"),
            parent.get("namespace"), parent.get("name"),
        )  # fmt: skip
        part = (parent.get("sectionName"), parent.get("port"))
        others = parts.setdefault(target, [])
        if part in others or any(_shape(other) != _shape(part) for other in others):
            yield field, "names a parent again: give each of the two its own sectionName or its own port"
        others.append(part)


def _shape(part: tuple[Any, Any]) -> tuple[bool, bool]:
    return part[0] is not None, part[1] is not None
