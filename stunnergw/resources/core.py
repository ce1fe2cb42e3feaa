"""Core kinds: Service, Endpoints, Namespace, Node; and EndpointSlice of discovery.k8s.io."""

from __future__ import annotations

from pydantic import Field

from stunnergw.resources.metadata import ObjectMeta
from stunnergw.resources.modelling import EMPTY_MAP, Many, StringMap, model


@model
class ServicePort:
    """A port of a Service."""

    name: str = ""
    protocol: str = "TCP"
    port: int
    node_port: int | None = None


@model
class ServiceSpec:
    """``spec`` of a Service."""

    type: str = ""
    """An API server always says one; a manifest that stands for what the cluster made of ours need not."""
    cluster_ip: str = Field(default="", alias="clusterIP")
    cluster_ips: Many[str] = Field(default=(), alias="clusterIPs")
    selector: StringMap = EMPTY_MAP
    ports: Many[ServicePort] = ()


@model
class PortStatus:
    """A port that a load balancer says it serves, or why not."""

    port: int
    protocol: str = "TCP"
    error: str | None = None


@model
class LoadBalancerIngress:
    """An address of a load balancer."""

    ip: str = ""
    hostname: str = ""
    ports: Many[PortStatus] = ()


@model
class LoadBalancerStatus:
    """``status.loadBalancer`` of a Service."""

    ingress: Many[LoadBalancerIngress] = ()


@model
class ServiceStatus:
    """``status`` of a Service; an input to decisions, not something that we write."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


@model
class Service:
    """A Service: a backend, or what exposes a Gateway."""

    metadata: ObjectMeta
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


@model
class Namespace:
    """A Namespace; listeners select by its labels."""

    metadata: ObjectMeta


@model
class NodeAddress:
    """An address of a node."""

    type: str
    address: str


@model
class NodeStatus:
    """The addresses out of a node's status; a heartbeat changes nothing here."""

    addresses: Many[NodeAddress] = ()


@model
class Node:
    """A Node; its external address stands in where a Service has none."""

    metadata: ObjectMeta
    status: NodeStatus = NodeStatus()


@model
class EndpointPort:
    """A port of a slice; its name is that of the Service's port."""

    name: str = ""
    protocol: str = "TCP"
    port: int | None = None


@model
class SliceEndpoint:
    """An endpoint of a slice. Readiness is not here: all addresses count until the pod is gone."""

    addresses: Many[str] = ()


@model
class EndpointSlice:
    """Addresses behind a Service (label ``kubernetes.io/service-name``)."""

    metadata: ObjectMeta
    address_type: str
    endpoints: Many[SliceEndpoint] = ()
    ports: Many[EndpointPort] = ()


@model
class EndpointAddress:
    """An address of an Endpoints object."""

    ip: str


@model
class EndpointSubset:
    """Addresses with the same ports; those that are not ready count, too."""

    addresses: Many[EndpointAddress] = ()
    not_ready_addresses: Many[EndpointAddress] = ()
    ports: Many[EndpointPort] = ()


@model
class Endpoints:
    """Addresses behind the Service of the same name, where EndpointSlices are missing or switched off."""

    metadata: ObjectMeta
    subsets: Many[EndpointSubset] = ()
