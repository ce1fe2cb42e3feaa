"""The configuration of one stunnerd, apart from how a document version spells it.

Names are kept in parts (namespace, Gateway, listener), since v1 qualifies them and v1alpha1 does not. Secrets
stay :class:`~stunnergw.opaque.Opaque`. All values are plain tuples: cheap to compare, safe to share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stunnergw.dataplane.endpoints import Endpoint
    from stunnergw.opaque import Opaque

STUNNER_ADDR = "$STUNNER_ADDR"
"""stunnerd puts its pod's address here, from its environment."""

NODE_ADDRESS_PLACEHOLDER = "__node_address_placeholder"
"""The config server puts the node's external address here, for each client its own."""

LEGACY_NAME = "stunner-daemon"
"""``admin.name`` of a legacy document, which serves all Gateways of a class."""


class ClusterName(NamedTuple):
    """A route's cluster. ``listener`` names the copy made for one listener; empty for the route's own."""

    namespace: str
    route: str
    listener: str = ""


class ListenerName(NamedTuple):
    """A listener, by its Gateway."""

    namespace: str
    gateway: str
    listener: str


class Admin(NamedTuple):
    """How stunnerd itself runs. Empty texts and zeros are left out of the document where it allows that."""

    name: str
    loglevel: str
    metrics_endpoint: str = ""
    healthcheck_endpoint: str = ""
    user_quota: int = 0
    offload_engine: str = "None"
    offload_interfaces: tuple[str, ...] = ()


class Auth(NamedTuple):
    """Who may allocate: ``static`` (password, username), ``ephemeral`` (secret) or ``none``."""

    type: str
    realm: str
    credentials: tuple[tuple[str, Opaque], ...]
    """Key and value, keys in alphabetical order."""


class ListenerConfig(NamedTuple):
    """A socket that clients connect to."""

    name: ListenerName
    protocol: str
    """Normalised: TURN-UDP, TURN-TCP, TURN-TLS or TURN-DTLS."""
    written_protocol: str
    """As the Gateway names it, in capitals: v1alpha1 keeps it so."""
    address: str
    port: int
    routes: tuple[ClusterName, ...]
    public_address: str = ""
    public_port: int = 0
    certificate: Opaque | None = None
    key: Opaque | None = None


class ClusterConfig(NamedTuple):
    """The peers that a route lets clients reach."""

    name: ClusterName
    type: str
    """STATIC (addresses and prefixes) or STRICT_DNS (a domain name for each Service)."""
    endpoints: tuple[Endpoint, ...]
    protocol: str = "UDP"


class RelayPorts(NamedTuple):
    """The range of relayed ports: v1alpha1 writes it, stunnerd since 0.16 ignores it."""

    low: int = 32768
    high: int = 65535


class Config(NamedTuple):
    """All that one stunnerd is told."""

    admin: Admin
    auth: Auth
    listeners: tuple[ListenerConfig, ...]
    clusters: tuple[ClusterConfig, ...]
    relay_ports: RelayPorts = RelayPorts()
