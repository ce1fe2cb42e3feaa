"""UDPRoutes: gateway.networking.k8s.io (v1, v1alpha2) and stunner.l7mp.io (v1).

One model serves both groups and all versions; what only one of them has (``endPort``, ``weight``) is
simply absent in objects of the other.
"""

from __future__ import annotations

from stunnergw.resources.metadata import GATEWAY_GROUP, ObjectMeta
from stunnergw.resources.modelling import Many, RawJson, model, stored


@model
class ParentReference:
    """The Gateway, or one of its listeners, that a route wants to attach to."""

    group: str = GATEWAY_GROUP
    kind: str = "Gateway"
    namespace: str | None = None
    name: str
    section_name: str | None = None
    port: int | None = None


@model
class BackendReference:
    """A Service or StaticService whose addresses clients may reach."""

    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    name: str
    port: int | None = None
    end_port: int | None = None
    weight: int = 1


@model
class UDPRouteRule:
    """One rule: its backends."""

    backend_refs: Many[BackendReference] = ()


@model
class UDPRouteSpec:
    """``spec`` of a UDPRoute."""

    parent_refs: Many[ParentReference] = ()
    rules: Many[UDPRouteRule] = ()


@model
class UDPRoute:
    """A route: which peers the clients of which listeners may reach."""

    metadata: ObjectMeta
    spec: UDPRouteSpec
    status: RawJson | None = stored()
