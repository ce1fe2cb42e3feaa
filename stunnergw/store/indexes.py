"""Indexes over the objects: how a query finds the routes of a Gateway without walking all routes.

An index gives, for an object, the values under which it is found, and the item found there (its key, unless the
index says otherwise). A select is sorted by item, so that no order of arrival shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from stunnergw.resources import kinds
from stunnergw.resources.metadata import GATEWAY_GROUP, STUNNER_GROUP, Key, KubernetesObject

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from stunnergw.resources.core import EndpointSlice, Service
    from stunnergw.resources.gateways import Gateway, GatewayClass
    from stunnergw.resources.grants import ReferenceGrant
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.owned import ConfigMap, CustomResourceDefinition
    from stunnergw.resources.routes import UDPRoute
    from stunnergw.resources.stunner import GatewayConfig

T = TypeVar("T", bound=KubernetesObject)
I = TypeVar("I")  # noqa: E741 (an index's item)

RELATED_GATEWAY = "stunner.l7mp.io/related-gateway-name"
"""Annotation of what is made for a Gateway: ``namespace/name``; for a class: ``/name``."""

SERVICE_NAME = "kubernetes.io/service-name"
"""Label of an EndpointSlice: its Service."""


@dataclass(frozen=True, eq=False)
class Index(Generic[T, I]):
    """An index over the objects of one kind."""

    name: str
    kind: Kind[T]
    values: Callable[[T], Iterable[Hashable]] = field(repr=False)
    item: Callable[[T], I] = field(repr=False)


class GatewayItem(NamedTuple):
    """A Gateway and which one of that name it is."""

    key: Key
    uid: str


def _key(thing: KubernetesObject) -> Key:
    return thing.metadata.key


def _all(_thing: KubernetesObject) -> tuple[str]:
    return ("",)


def _class_of_gateway(gateway: Gateway) -> tuple[str]:
    return (gateway.spec.gateway_class_name,)


def _config_of_class(gateway_class: GatewayClass) -> tuple[Key, ...]:
    ref = gateway_class.spec.parameters_ref
    if ref is None or (ref.group, ref.kind) != (STUNNER_GROUP, "GatewayConfig"):
        return ()
    return (Key(ref.namespace or "", ref.name),)


def _dataplane_of_config(config: GatewayConfig) -> tuple[str]:
    return (config.spec.dataplane,)


def _gateways_of_route(route: UDPRoute) -> set[Key]:
    return {
        Key(ref.namespace or route.metadata.namespace, ref.name)
        for ref in route.spec.parent_refs
        if (ref.group, ref.kind) == (GATEWAY_GROUP, "Gateway")
    }


def _service_of_slice(endpoint_slice: EndpointSlice) -> tuple[Key, ...]:
    service = endpoint_slice.metadata.labels.get(SERVICE_NAME)
    return (Key(endpoint_slice.metadata.namespace, service),) if service else ()


def _gateway_of_service(service: Service) -> tuple[str, ...]:
    related = service.metadata.annotations.get(RELATED_GATEWAY)
    return (related,) if related else ()


def _class_of_config_map(config_map: ConfigMap) -> tuple[str, ...]:
    related = config_map.metadata.annotations.get(RELATED_GATEWAY, "")
    return (related.removeprefix("/"),) if related.startswith("/") else ()


def _group_of_definition(definition: CustomResourceDefinition) -> tuple[str]:
    return (definition.metadata.name.partition(".")[2],)


GATEWAYS_BY_CLASS: Index[Gateway, GatewayItem] = Index(
    "gateways by class",
    kinds.GATEWAY,
    _class_of_gateway,
    lambda gateway: GatewayItem(gateway.metadata.key, gateway.metadata.uid),
)
CLASSES_BY_CONFIG: Index[GatewayClass, Key] = Index(
    "classes by GatewayConfig", kinds.GATEWAY_CLASS, _config_of_class, _key
)
CONFIGS_BY_DATAPLANE: Index[GatewayConfig, Key] = Index(
    "GatewayConfigs by Dataplane", kinds.GATEWAY_CONFIG, _dataplane_of_config, _key
)
ALL_CLASSES: Index[GatewayClass, Key] = Index("all classes", kinds.GATEWAY_CLASS, _all, _key)
ROUTES_BY_GATEWAY: Index[UDPRoute, Key] = Index("routes by Gateway", kinds.UDP_ROUTE, _gateways_of_route, _key)
STUNNER_ROUTES_BY_GATEWAY: Index[UDPRoute, Key] = Index(
    "stunner.l7mp.io routes by Gateway", kinds.STUNNER_UDP_ROUTE, _gateways_of_route, _key
)
SLICES_BY_SERVICE: Index[EndpointSlice, Key] = Index("slices by Service", kinds.ENDPOINT_SLICE, _service_of_slice, _key)
SERVICES_BY_GATEWAY: Index[Service, Key] = Index("services by Gateway", kinds.SERVICE, _gateway_of_service, _key)
CONFIG_MAPS_BY_CLASS: Index[ConfigMap, Key] = Index("ConfigMaps by class", kinds.CONFIG_MAP, _class_of_config_map, _key)
GRANTS_BY_NAMESPACE: Index[ReferenceGrant, Key] = Index(
    "grants by namespace", kinds.REFERENCE_GRANT, lambda grant: (grant.metadata.namespace,), _key
)
ALL_NODES: Index[Any, Key] = Index("all nodes", kinds.NODE, _all, _key)
DEFINITIONS_BY_GROUP: Index[CustomResourceDefinition, Key] = Index(
    "definitions by group", kinds.CUSTOM_RESOURCE_DEFINITION, _group_of_definition, _key
)

INDEXES: tuple[Index[Any, Any], ...] = (
    GATEWAYS_BY_CLASS, CLASSES_BY_CONFIG, CONFIGS_BY_DATAPLANE, ALL_CLASSES, ROUTES_BY_GATEWAY,
    STUNNER_ROUTES_BY_GATEWAY, SLICES_BY_SERVICE, SERVICES_BY_GATEWAY, CONFIG_MAPS_BY_CLASS, GRANTS_BY_NAMESPACE,
    ALL_NODES, DEFINITIONS_BY_GROUP,
)  # fmt: skip
"""All indexes that a store keeps."""
