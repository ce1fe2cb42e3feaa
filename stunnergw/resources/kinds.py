"""The table of kinds: where each is served, in which versions, and whether we can do without it.

Versions stand in order of preference. A kind is identified by its :class:`Kind`, there is one for each, so
comparing them is comparing identities.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import TypeAdapter

from stunnergw.resources.core import Endpoints, EndpointSlice, Namespace, Node, Service
from stunnergw.resources.gateways import Gateway, GatewayClass
from stunnergw.resources.grants import ReferenceGrant
from stunnergw.resources.metadata import GATEWAY_GROUP, STUNNER_GROUP, Key, KubernetesObject
from stunnergw.resources.owned import ConfigMap, CustomResourceDefinition, Event, Workload
from stunnergw.resources.routes import UDPRoute
from stunnergw.resources.secrets import Secret
from stunnergw.resources.stunner import Dataplane, GatewayConfig, StaticService

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T", bound=KubernetesObject)


@dataclass(frozen=True, eq=False, kw_only=True)
class Kind(Generic[T]):
    """A kind of object. ``name`` is unique among ours: the group is added where a kind exists in two."""

    name: str
    kind: str
    group: str
    versions: tuple[str, ...]
    plural: str
    model: type[T] = field(repr=False)
    namespaced: bool = True
    needed: bool = False
    written: bool = False
    """We write objects or statuses of this kind, so every resourceVersion must reach the store."""
    secret_bearing: bool = False
    """Objects of this kind hold secrets: no value of theirs may be quoted in an error."""
    labelled: bool = False
    """Only those with the label ``stunner.l7mp.io/owned-by: stunner`` are read: the others are everybody's."""

    @cached_property
    def adapter(self) -> TypeAdapter[T]:
        """The parser of this kind's objects."""
        return TypeAdapter(self.model)

    def api_version(self, version: str | None = None) -> str:
        """Return ``group/version``, of the preferred version unless another is named."""
        version = version or self.versions[0]
        return f"{self.group}/{version}" if self.group else version

    def describe(self, key: Key) -> str:
        """Name one object for a person: ``Gateway media/edge``."""
        return f"{self.kind} {key}"

    def __repr__(self) -> str:
        return f"<{self.name}>"


GATEWAY_CLASS = Kind(
    name="GatewayClass", kind="GatewayClass", group=GATEWAY_GROUP, versions=("v1", "v1beta1", "v1alpha2"),
    plural="gatewayclasses", model=GatewayClass, namespaced=False, needed=True, written=True,
)  # fmt: skip
GATEWAY = Kind(
    name="Gateway", kind="Gateway", group=GATEWAY_GROUP, versions=("v1", "v1beta1", "v1alpha2"),
    plural="gateways", model=Gateway, needed=True, written=True,
)  # fmt: skip
UDP_ROUTE = Kind(
    name="UDPRoute", kind="UDPRoute", group=GATEWAY_GROUP, versions=("v1", "v1alpha2"),
    plural="udproutes", model=UDPRoute, written=True,
)  # fmt: skip
STUNNER_UDP_ROUTE = Kind(
    name="UDPRoute.stunner.l7mp.io", kind="UDPRoute", group=STUNNER_GROUP, versions=("v1",),
    plural="udproutes", model=UDPRoute, written=True,
)  # fmt: skip
GATEWAY_CONFIG = Kind(
    name="GatewayConfig", kind="GatewayConfig", group=STUNNER_GROUP, versions=("v1", "v1alpha1"),
    plural="gatewayconfigs", model=GatewayConfig, needed=True, written=True, secret_bearing=True,
)  # fmt: skip
DATAPLANE = Kind(
    name="Dataplane", kind="Dataplane", group=STUNNER_GROUP, versions=("v1", "v1alpha1"),
    plural="dataplanes", model=Dataplane, namespaced=False, needed=True, written=True, secret_bearing=True,
)  # fmt: skip
SERVICE = Kind(
    name="Service", kind="Service", group="", versions=("v1",),
    plural="services", model=Service, needed=True, written=True,
)  # fmt: skip
ENDPOINT_SLICE = Kind(
    name="EndpointSlice", kind="EndpointSlice", group="discovery.k8s.io", versions=("v1", "v1beta1"),
    plural="endpointslices", model=EndpointSlice,
)  # fmt: skip
ENDPOINTS = Kind(
    name="Endpoints", kind="Endpoints", group="", versions=("v1",),
    plural="endpoints", model=Endpoints,
)  # fmt: skip
STATIC_SERVICE = Kind(
    name="StaticService", kind="StaticService", group=STUNNER_GROUP, versions=("v1", "v1alpha1"),
    plural="staticservices", model=StaticService, written=True,
)  # fmt: skip
REFERENCE_GRANT = Kind(
    name="ReferenceGrant", kind="ReferenceGrant", group=GATEWAY_GROUP, versions=("v1", "v1beta1", "v1alpha2"),
    plural="referencegrants", model=ReferenceGrant,
)  # fmt: skip
SECRET = Kind(
    name="Secret", kind="Secret", group="", versions=("v1",),
    plural="secrets", model=Secret, needed=True, secret_bearing=True,
)  # fmt: skip
CONFIG_MAP = Kind(
    name="ConfigMap", kind="ConfigMap", group="", versions=("v1",),
    plural="configmaps", model=ConfigMap, written=True, secret_bearing=True, labelled=True,
)  # fmt: skip
DEPLOYMENT = Kind(
    name="Deployment", kind="Deployment", group="apps", versions=("v1",),
    plural="deployments", model=Workload, written=True, secret_bearing=True, labelled=True,
)  # fmt: skip
DAEMON_SET = Kind(
    name="DaemonSet", kind="DaemonSet", group="apps", versions=("v1",),
    plural="daemonsets", model=Workload, written=True, secret_bearing=True, labelled=True,
)  # fmt: skip
CUSTOM_RESOURCE_DEFINITION = Kind(
    name="CustomResourceDefinition", kind="CustomResourceDefinition", group="apiextensions.k8s.io", versions=("v1",),
    plural="customresourcedefinitions", model=CustomResourceDefinition, namespaced=False,
)  # fmt: skip
NAMESPACE = Kind(
    name="Namespace", kind="Namespace", group="", versions=("v1",),
    plural="namespaces", model=Namespace, namespaced=False, needed=True,
)  # fmt: skip
NODE = Kind(
    name="Node", kind="Node", group="", versions=("v1",),
    plural="nodes", model=Node, namespaced=False, needed=True,
)  # fmt: skip

EVENT = Kind(
    name="Event", kind="Event", group="", versions=("v1",),
    plural="events", model=Event, written=True,
)  # fmt: skip
"""Not in the table: we read none."""

TABLE: tuple[Kind[Any], ...] = (
    GATEWAY_CLASS, GATEWAY_CONFIG, DATAPLANE, GATEWAY, UDP_ROUTE, STUNNER_UDP_ROUTE, STATIC_SERVICE,
    REFERENCE_GRANT, SERVICE, ENDPOINT_SLICE, ENDPOINTS, SECRET, NAMESPACE, NODE,
    CONFIG_MAP, DEPLOYMENT, DAEMON_SET, CUSTOM_RESOURCE_DEFINITION,
)  # fmt: skip
"""All kinds that we read."""

ROUTE_KINDS = (UDP_ROUTE, STUNNER_UDP_ROUTE)

STATUS_KINDS: frozenset[Kind[Any]] = frozenset(
    {GATEWAY_CLASS, GATEWAY, *ROUTE_KINDS, GATEWAY_CONFIG, DATAPLANE, STATIC_SERVICE}
)
"""The kinds whose status we write."""

OWNED_KINDS: tuple[Kind[Any], ...] = (SERVICE, DEPLOYMENT, DAEMON_SET, CONFIG_MAP)
"""The kinds of objects that we make for a Gateway or class."""


def find(api_version: str, kind: str, *, table: Iterable[Kind[Any]] = TABLE) -> Kind[Any] | None:
    """Return the kind that a manifest's apiVersion and kind name, or None where it is none of ours.

    The version is not looked at: whether it is one we read is for the caller to say.
    """
    group, _, _ = api_version.rpartition("/")
    return next((entry for entry in table if entry.kind == kind and entry.group == group), None)
