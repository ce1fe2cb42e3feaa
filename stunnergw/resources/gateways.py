"""GatewayClass and Gateway (gateway.networking.k8s.io v1, v1beta1, v1alpha2)."""

from __future__ import annotations

from pydantic import Field

from stunnergw.resources.metadata import GATEWAY_GROUP, ObjectMeta
from stunnergw.resources.modelling import EMPTY_MAP, Many, RawJson, StringMap, model, stored


@model
class ParametersReference:
    """Where a class or a Gateway finds further parameters. Fields are optional: the decision says what lacks."""

    group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str | None = None


@model
class GatewayClassSpec:
    """``spec`` of a GatewayClass."""

    controller_name: str
    parameters_ref: ParametersReference | None = None


@model
class GatewayClass:
    """A class of Gateways; ours when its controllerName is."""

    metadata: ObjectMeta
    spec: GatewayClassSpec
    status: RawJson | None = stored()


@model
class LabelSelectorRequirement:
    """One of a selector's matchExpressions."""

    key: str
    operator: str
    values: Many[str] = ()


@model
class LabelSelector:
    """A label selector; all its parts must match."""

    match_labels: StringMap = EMPTY_MAP
    match_expressions: Many[LabelSelectorRequirement] = ()


@model
class RouteNamespaces:
    """Which namespaces a listener's routes may come from (R5.16)."""

    from_: str = Field(default="Same", alias="from")
    selector: LabelSelector | None = None


@model
class RouteGroupKind:
    """A kind of route."""

    group: str = GATEWAY_GROUP
    kind: str


@model
class AllowedRoutes:
    """Which routes a listener admits."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: Many[RouteGroupKind] = ()


@model
class SecretObjectReference:
    """A reference to a Secret."""

    group: str = ""
    kind: str = "Secret"
    name: str
    namespace: str | None = None


@model
class ListenerTLS:
    """``tls`` of a listener."""

    mode: str = "Terminate"
    certificate_refs: Many[SecretObjectReference] = ()


@model
class Listener:
    """A listener of a Gateway."""

    name: str
    port: int
    protocol: str
    hostname: str = ""
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes | None = None


@model
class GatewayAddress:
    """An address that the user asks for."""

    type: str = "IPAddress"
    value: str = ""


@model
class Infrastructure:
    """``spec.infrastructure``: labels and annotations of all that is made for the Gateway."""

    labels: StringMap = EMPTY_MAP
    annotations: StringMap = EMPTY_MAP
    parameters_ref: ParametersReference | None = None


@model
class GatewaySpec:
    """``spec`` of a Gateway."""

    gateway_class_name: str
    listeners: Many[Listener] = ()
    addresses: Many[GatewayAddress] = ()
    infrastructure: Infrastructure | None = None


@model
class Gateway:
    """A Gateway: one TURN server's listeners."""

    metadata: ObjectMeta
    spec: GatewaySpec
    status: RawJson | None = stored()
