"""Public addresses: where clients find a listener, from the first source that has one.

In this order: the Gateway's own spec.addresses, the load balancer of its Service, a node's external address with the
Service's node port, and without a cluster the --public-address setting. Where none has, it is said what each lacked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection.listeners import own_listeners
from stunnergw.projection.outputs import ABSENT, Want
from stunnergw.projection.queries import query
from stunnergw.projection.refusals import ADDRESS_TYPES, address_type
from stunnergw.projection.serviceports import exposure
from stunnergw.projection.statuses import AssignedAddress
from stunnergw.resources.kinds import GATEWAY, NODE
from stunnergw.store.indexes import ALL_NODES

if TYPE_CHECKING:
    from stunnergw.projection.listeners import ListenerRule
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.queries import Context
    from stunnergw.projection.serviceports import Exposure
    from stunnergw.resources.core import LoadBalancerIngress
    from stunnergw.resources.metadata import Key


class PublicAddress(NamedTuple):
    """Where clients find a listener, or why nowhere."""

    type: str
    """IPAddress or Hostname; empty where there is no address."""
    value: str
    port: int
    source: str
    """What the address came from; without one, what each source lacked."""

    @property
    def assigned(self) -> AssignedAddress | None:
        """The address as a Gateway's status lists it."""
        return AssignedAddress(self.type, self.value) if self.value else None


@query("public address")
def public_address(db: Context, gateway: Key, listener: str, held: bool) -> PublicAddress:
    """Return the public address of a listener."""
    rule = next((rule for rule in own_listeners(db, gateway) if rule.name == listener), None)
    if rule is None:
        return PublicAddress("", "", 0, f"Gateway {gateway} has no listener {listener}")
    asked = _asked_for(db, gateway)
    if asked:
        return PublicAddress(asked.type, asked.value, rule.port, "spec.addresses of the Gateway")
    found, lacked = _from_service(db, gateway, rule, held=held)
    if found is not None:
        return found
    given = db.settings.public_address
    if given:
        return PublicAddress(address_type(given), given, rule.port, "the setting --public-address")
    return PublicAddress("", "", 0, "; ".join(lacked))


def _asked_for(db: Context, gateway: Key) -> AssignedAddress | None:
    found = db.get(GATEWAY, gateway)
    first = found.spec.addresses[0] if found and found.spec.addresses else None
    if first is None or not first.value or first.type not in ADDRESS_TYPES:
        return None
    # A name that calls itself an IPAddress is no such thing in a status, which the API server would refuse.
    return AssignedAddress("Hostname" if first.type == "Hostname" else address_type(first.value), first.value)


def _from_service(
    db: Context, gateway: Key, rule: ListenerRule, *, held: bool
) -> tuple[PublicAddress | None, list[str]]:
    found = exposure(db, gateway, held)
    if isinstance(found, str):
        return None, [found]
    name = f"Service {found.service}"
    port = next((port for port in found.ports if (port.transport, port.port) == (rule.transport, rule.port)), None)
    if port is None:
        return None, [f"{name} has no port {rule.transport} {rule.port}"]
    balanced = _balancer(found, rule)
    if balanced is not None:
        value = balanced.ip or balanced.hostname
        return PublicAddress(address_type(value), value, rule.port, f"the load balancer of {name}"), []
    if found.type == "ClusterIP":
        remedy = "use LoadBalancer or NodePort, or give spec.addresses"
        return None, [f"{name} is of type ClusterIP, which never has a public address: {remedy}"]
    lacked = [] if found.type == "NodePort" else [f"{name} of type {found.type} has no load-balancer address"]
    node = external_node(db)
    if not port.node_port:
        lacked.append(f"{name} has no node port for {rule.transport} {rule.port}")
    if node is None:
        lacked.append("no Node has an ExternalIP or ExternalDNS address")
    if node is None or not port.node_port:
        return None, [*lacked, "wait for one of these, or give spec.addresses"]
    return PublicAddress(node.type, node.value, port.node_port, f"Node {node.name} and {name}"), []


def _balancer(found: Exposure, rule: ListenerRule) -> LoadBalancerIngress | None:
    """Return the entry that lists the listener's port, else the first that lists no ports."""
    if found.type != "LoadBalancer":
        return None
    ingress = [entry for entry in found.ingress if entry.ip or entry.hostname]
    listing = (
        entry
        for entry in ingress
        if any((port.port, port.protocol) == (rule.port, rule.transport) and not port.error for port in entry.ports)
    )
    return next(listing, next((entry for entry in ingress if not entry.ports), None))


class ExternalNode(NamedTuple):
    """A node with an address of its own."""

    name: str
    type: str
    value: str


@query("external node")
def external_node(db: Context) -> ExternalNode | None:
    """Return the first node by name that has an ExternalIP or ExternalDNS address."""
    return next((node for node in (node_address(db, key) for key in db.select(ALL_NODES, "")) if node), None)


@query("external address")
def external_address(db: Context, key: Key) -> Output[ExternalNode]:
    """Return a node's external address as an output of its own: config servers put it into documents."""
    found = node_address(db, key)
    return Want(found) if found else ABSENT


@query("external address of node")
def node_address(db: Context, key: Key) -> ExternalNode | None:
    """Return a node's ExternalIP, else its ExternalDNS name."""
    node = db.get(NODE, key)
    addresses = node.status.addresses if node else ()
    for wanted, kind in (("ExternalIP", "IPAddress"), ("ExternalDNS", "Hostname")):
        for address in addresses:
            if address.type == wanted and address.address:
                return ExternalNode(key.name, kind, address.address)
    return None
