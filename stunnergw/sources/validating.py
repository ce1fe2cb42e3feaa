"""What an API server would refuse, found without one.

:func:`validate` takes a whole object that :func:`stunnergw.resources.parsing.parse` has let through, so the types
of the fields that we read are right, and applies what the object's custom resource definition says of its own
version, in gateway_rules.py, route_rules.py and object_rules.py. A kind without rules there has those that hold
for all objects.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stunnergw.resources.gateways import GatewayClass
from stunnergw.sources import checks, gateway_rules, object_rules, route_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import KubernetesObject
    from stunnergw.sources.checks import Finding

    Rule = Callable[[str, Mapping[str, Any]], Iterator[Finding]]

_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "GatewayClass": gateway_rules.gateway_class,
        "Gateway": gateway_rules.gateway,
        "UDPRoute": route_rules.standard_route,
        "UDPRoute.stunner.l7mp.io": route_rules.stunner_route,
        "ReferenceGrant": route_rules.reference_grant,
        "GatewayConfig": object_rules.gateway_config,
        "Dataplane": object_rules.dataplane,
        "Service": object_rules.service,
        "EndpointSlice": object_rules.endpoint_slice,
    }
)
"""The rules of a kind, by its name in the table of kinds. Each takes the version and the object."""

_NAMED_BY_LABEL = frozenset({"Namespace", "Service"})
"""Kinds whose names are part of a domain name, and so have no dots."""


def validate(kind: Kind[Any], version: str, body: Mapping[str, Any]) -> list[Finding]:
    """Return what is wrong with an object: the field of each fault, and the fault with its remedy."""
    found = list(_metadata(kind, checks.fields(body, "metadata")))
    rule = _RULES.get(kind.name)
    return found + list(rule(version, body)) if rule else found


def validate_change(before: KubernetesObject, after: KubernetesObject) -> list[Finding]:
    """Return what is wrong with a change of an object that is fine in itself."""
    if not isinstance(before, GatewayClass) or not isinstance(after, GatewayClass):
        return []
    if before.spec.controller_name == after.spec.controller_name:
        return []
    return [("spec.controllerName", "cannot change: delete the class first, or make another one")]


def _metadata(kind: Kind[Any], metadata: Mapping[str, Any]) -> Iterator[Finding]:
    named = checks.label if kind.name in _NAMED_BY_LABEL else checks.name
    yield from named("metadata.name", metadata.get("name"))
    if kind.namespaced:
        yield from checks.label("metadata.namespace", metadata.get("namespace"))
    labels = checks.fields(metadata, "labels")
    yield from checks.map_keys("metadata.labels", labels)
    yield from checks.map_values("metadata.labels", labels)
    yield from checks.map_keys("metadata.annotations", checks.fields(metadata, "annotations"))
