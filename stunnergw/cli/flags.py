"""Flags that several commands share, and how they become settings."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from stunnergw.errors import UsageError
from stunnergw.settings import (
    CONTROLLER_NAME,
    DISCOVERY_SERVICE,
    FILTERED_LABELS,
    ConfigVersion,
    DataplaneMode,
    Decisions,
    ReferenceGrants,
    UDPRoutePorts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

ENVIRONMENT = "STUNNER_GATEWAY_OPERATOR_"

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{0,9})?(?:ns|us|µs|ms|s|m|h))+|0", re.ASCII)
_DNS_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z){_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_SERVICE = re.compile(rf"{_DNS_LABEL}\.{_DNS_LABEL}(?::(?P<port>[0-9]{{1,5}}))?")


def seconds(text: str, *, flag: str) -> float:
    """Read a duration as Go writes it: ``250ms``, ``1m30s``, ``0``.

    Raises:
        UsageError: it is none.
    """
    if not _DURATION.fullmatch(text):
        raise UsageError(f"--{flag}: {text!r} is no duration: write such as 5ms, 30s or 1m30s")
    parts = re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", text)
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


def duration_converter(_kind: type, tokens: Sequence[object]) -> float:
    """Convert a duration for the command-line library."""
    token = tokens[0]
    return seconds(str(getattr(token, "value", token)), flag=str(getattr(token, "keyword", "")).lstrip("-"))


def _duration(value: float) -> str:
    return f"{value * 1e3:g}ms" if value < 1 else f"{value:g}s"


DURATION = Parameter(converter=duration_converter, metavar="DURATION", show_default=_duration)
"""Of a flag that takes a duration; its value is in seconds."""

SWITCH = Parameter(negative=(), show_default=False)
"""Of a flag that is off unless it is given."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DecisionFlags:
    """What decides configurations."""

    controller_name: Annotated[
        str,
        Parameter(
            env_var=f"{ENVIRONMENT}CONTROLLER_NAME", help="Serve the GatewayClasses whose spec.controllerName is this."
        ),
    ] = CONTROLLER_NAME
    dataplane_mode: Annotated[
        DataplaneMode,
        Parameter(
            env_var=f"{ENVIRONMENT}DATAPLANE_MODE",
            help="managed: a document for each Gateway; legacy: one for each GatewayClass.",
        ),
    ] = DataplaneMode.MANAGED
    config_version: Annotated[
        ConfigVersion,
        Parameter(help="How legacy documents are spelled: auto goes by the GatewayConfig, or v1, or v1alpha1."),
    ] = ConfigVersion.AUTO
    endpoint_discovery: Annotated[
        bool | None,
        Parameter(help="List the addresses behind Services; else their domain names. Off for v1alpha1 documents."),
    ] = None
    disable_endpontslice_controller: Annotated[
        bool, SWITCH, Parameter(help="Read Endpoints instead of EndpointSlices (sic: so it has been called so far).")
    ] = False
    relay_to_cluster_ip: Annotated[bool, Parameter(help="Let clients reach the cluster IPs of Services, too.")] = True
    cluster_domain: Annotated[str, Parameter(help="The cluster's DNS domain.")] = "cluster.local"
    reference_grants: Annotated[
        ReferenceGrants,
        Parameter(help="Whether references into other namespaces need a ReferenceGrant; auto goes by the route."),
    ] = ReferenceGrants.AUTO
    udproute_ports: Annotated[
        UDPRoutePorts,
        Parameter(help="What the ports of gateway.networking.k8s.io UDPRoutes mean: nothing, or the only ones open."),
    ] = UDPRoutePorts.IGNORE
    config_discovery_service: Annotated[
        str | None,
        Parameter(
            help="Where the data planes that we run ask for their configuration: name.namespace[:port]; default: "
            "stunner-config-discovery in our own namespace. Outside a cluster that has to be said."
        ),
    ] = None
    label_filter: Annotated[
        str,
        Parameter(
            env_var=f"{ENVIRONMENT}LABEL_FILTER",
            show_default=False,
            help="Labels that data planes do not take over from their Gateway, comma-separated; default: those by "
            "which deployment tools know what is theirs.",
        ),
    ] = ",".join(FILTERED_LABELS)
    public_address: Annotated[
        str,
        Parameter(show_default=False, help="Where clients find a listener for which the manifests give no address."),
    ] = ""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LogFlags:
    """What is logged, and how."""

    log_level: Annotated[Literal["debug", "info", "warning", "error"], Parameter(help="The least that is logged.")] = (
        "info"
    )
    log_format: Annotated[
        Literal["auto", "text", "json"], Parameter(help="How; auto: text on a terminal, else JSON.")
    ] = "auto"


def decisions(
    flags: DecisionFlags | None,
    *,
    standalone: bool = True,
    dry_run: bool = False,
) -> Decisions:
    """Make the settings of a command that works from manifests (``standalone``), or from a cluster.

    Raises:
        UsageError: a value would end up in a document that no data plane takes.
    """
    given = flags or DecisionFlags()
    return Decisions(
        controller_name=given.controller_name,
        dataplane_mode=given.dataplane_mode,
        config_version=given.config_version,
        endpoint_discovery=given.endpoint_discovery,
        endpoint_slices=not given.disable_endpontslice_controller,
        relay_to_cluster_ip=given.relay_to_cluster_ip,
        cluster_domain=_domain(given.cluster_domain, flag="cluster-domain"),
        reference_grants=given.reference_grants,
        udproute_ports=given.udproute_ports,
        config_discovery_service=_service(given.config_discovery_service or DISCOVERY_SERVICE),
        filtered_labels=tuple(label for label in map(str.strip, given.label_filter.split(",")) if label),
        public_address=_host(given.public_address, flag="public-address") if given.public_address else "",
        standalone=standalone,
        dry_run=dry_run,
    )


def _domain(text: str, *, flag: str) -> str:
    if not _DNS_NAME.fullmatch(text):
        raise UsageError(f"--{flag}: {text!r} is no domain name: write such as cluster.local")
    return text


def _host(text: str, *, flag: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        # A name of digits alone is an address with a typing error.
        if _DNS_NAME.fullmatch(text) and not text.replace(".", "").isdigit():
            return text
    raise UsageError(f"--{flag}: {text!r} is neither an IP address nor a host name: write one, without a port")


def _service(text: str) -> str:
    found = _SERVICE.fullmatch(text)
    if found is None or not 1 <= int(found["port"] or 1) <= 65535:
        raise UsageError(f"--config-discovery-service: {text!r} names no Service: write name.namespace[:port]")
    return text
