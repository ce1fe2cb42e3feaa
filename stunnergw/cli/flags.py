"""Flags that several commands share, and how they become settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from stunnergw.errors import UsageError
from stunnergw.settings import CONTROLLER_NAME, ConfigVersion, DataplaneMode, Decisions

if TYPE_CHECKING:
    from collections.abc import Sequence

ENVIRONMENT = "STUNNER_GATEWAY_OPERATOR_"

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+|0")


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
    relay_to_cluster_ip: Annotated[bool, Parameter(help="Let clients reach the cluster IPs of Services, too.")] = True
    cluster_domain: Annotated[str, Parameter(help="The cluster's DNS domain.")] = "cluster.local"
    public_address: Annotated[
        str, Parameter(help="The address at which clients find a listener where the manifests give none.")
    ] = ""


def decisions(flags: DecisionFlags | None) -> Decisions:
    """Make the settings of a command that works from manifests."""
    given = flags or DecisionFlags()
    return Decisions(
        controller_name=given.controller_name,
        dataplane_mode=given.dataplane_mode,
        config_version=given.config_version,
        endpoint_discovery=given.endpoint_discovery,
        relay_to_cluster_ip=given.relay_to_cluster_ip,
        cluster_domain=given.cluster_domain,
        public_address=given.public_address,
        standalone=True,
    )


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
