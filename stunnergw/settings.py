"""Every setting of the operator, once, in one frozen model that is passed in.

Flags and environment variables are named for the fields (:mod:`stunnergw.cli`); docs/flags.md lists them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

CONTROLLER_NAME = "stunner.l7mp.io/gateway-operator"


class DataplaneMode(StrEnum):
    """Who runs stunnerd: the operator, one for each Gateway; or the user, one for each GatewayClass."""

    MANAGED = "managed"
    LEGACY = "legacy"


class ConfigVersion(StrEnum):
    """Which spelling legacy documents have; ``auto`` goes by the GatewayConfig."""

    AUTO = "auto"
    V1 = "v1"
    V1ALPHA1 = "v1alpha1"


_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")


class ReferenceGrants(StrEnum):
    """Whether references across namespaces need a ReferenceGrant; ``auto`` goes by the kind of route."""

    AUTO = "auto"
    ENFORCE = "enforce"
    IGNORE = "ignore"


class UDPRoutePorts(StrEnum):
    """What the ports of gateway.networking.k8s.io UDPRoutes mean: nothing, or the only ones admitted."""

    IGNORE = "ignore"
    ENFORCE = "enforce"


FILTERED_LABELS = (
    "applyset.kubernetes.io/part-of",
    "applyset.k8s.io/part-of",
    "app.kubernetes.io/managed-by",
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
)
"""Labels by which other tools know what they manage: a Gateway's are not copied to its workload."""

DISCOVERY_SERVICE = "stunner-config-discovery.stunner-gateway-operator-system:13478"


class Address(NamedTuple):
    """A host and port to listen on. ``host`` empty means all addresses; port 0 means any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str, *, flag: str) -> Address | None:
        """Read ``host:port`` or ``:port``; ``0`` switches the listener off and gives None.

        Raises:
            UsageError: it is neither.
        """
        if text == "0":
            return None
        found = _ADDRESS.fullmatch(text)
        if found is None or int(found["port"]) > 65535:
            raise UsageError(
                f"--{flag}: {text!r} is no address: write host:port, [IPv6]:port, :port, or 0 to switch it off"
            )
        return cls(found["bracketed"] or found["host"] or "", int(found["port"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The settings that decide configurations and statuses: all that the projection may see."""

    controller_name: str = CONTROLLER_NAME
    dataplane_mode: DataplaneMode = DataplaneMode.MANAGED
    config_version: ConfigVersion = ConfigVersion.AUTO
    endpoint_discovery: bool | None = None
    """None: on, but off for v1alpha1 documents."""
    relay_to_cluster_ip: bool = True
    cluster_domain: str = "cluster.local"
    reference_grants: ReferenceGrants = ReferenceGrants.AUTO
    udproute_ports: UDPRoutePorts = UDPRoutePorts.IGNORE
    endpoint_slices: bool = True
    """False: Endpoints objects are read in their place."""
    config_discovery_service: str = DISCOVERY_SERVICE
    """Where the data planes that we run ask for their configuration: ``name.namespace[:port]``."""
    filtered_labels: tuple[str, ...] = FILTERED_LABELS
    public_address: str = ""
    standalone: bool = False
    """Manifests are the source: what a cluster would assign comes from them or from the settings."""
    dry_run: bool = False
    """Only say what would be written: statuses are as if the API server took all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a running operator."""

    decisions: Decisions = field(default_factory=Decisions)
    manifests: tuple[Path, ...] = ()
    """Files and folders to work from; without any, a cluster."""
    kubeconfig: str = ""
    """How to reach the cluster; empty: by KUBECONFIG, as a pod, or by ``~/.kube/config``."""
    leader_elect: bool = False
    leader_election_namespace: str = ""
    """Where the lease is; empty: in our own namespace."""
    throttle_timeout: float = 0.005
    """Seconds from the first change to the projection."""
    config_discovery_address: Address | None = Address("", 13478)
    inspection_address: Address | None = Address("127.0.0.1", 8082)
    health_probe_bind_address: Address | None = Address("", 8081)
    metrics_bind_address: Address | None = Address("", 8080)
