"""The flags of ``stunnergw run`` beside those that decide configurations, and the settings of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from stunnergw.cli.flags import DURATION, ENVIRONMENT, SWITCH, DecisionFlags, decisions
from stunnergw.errors import UsageError
from stunnergw.settings import Address, Settings


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """What is read, and what listens where."""

    manifests: Annotated[
        tuple[Path, ...],
        Parameter(
            name="--manifests",
            negative=(),
            show_default=False,
            help="Serve from a file or folder of manifests, which is watched; repeatable.",
        ),
    ] = ()
    throttle_timeout: Annotated[
        float, DURATION, Parameter(help="How long to wait for more changes after the first.")
    ] = 0.005
    config_discovery_address: Annotated[
        str, Parameter(help="Where data planes and pollers ask for configurations.")
    ] = ":13478"
    operator_address: Annotated[
        str | None,
        Parameter(
            env_var=f"{ENVIRONMENT}ADDRESS", show=False, help="Replaces the host of the config discovery address."
        ),
    ] = None
    inspection_address: Annotated[str, Parameter(help="Where /status answers.")] = "127.0.0.1:8082"
    health_probe_bind_address: Annotated[str, Parameter(help="Where /healthz and /readyz answer.")] = ":8081"
    metrics_bind_address: Annotated[str, Parameter(help="Where /metrics answers.")] = ":8080"
    leader_elect: Annotated[
        bool,
        SWITCH,
        Parameter(help="Let one replica of several write; without a cluster nobody does, and it is ignored."),
    ] = False


def settings_of(flags: RunFlags, *, deciding: DecisionFlags | None = None) -> Settings:
    """Make the settings of the flags.

    Raises:
        UsageError: a value cannot be used, or there is nothing to work from.
    """
    if not flags.manifests:
        raise UsageError("--manifests: name a file or folder of manifests to serve from")
    discovery = Address.parse(flags.config_discovery_address, flag="config-discovery-address")
    if discovery is not None and flags.operator_address:
        discovery = discovery._replace(host=flags.operator_address)
    return Settings(
        decisions=decisions(deciding),
        manifests=flags.manifests,
        throttle_timeout=flags.throttle_timeout,
        config_discovery_address=discovery,
        inspection_address=Address.parse(flags.inspection_address, flag="inspection-address"),
        health_probe_bind_address=Address.parse(flags.health_probe_bind_address, flag="health-probe-bind-address"),
        metrics_bind_address=Address.parse(flags.metrics_bind_address, flag="metrics-bind-address"),
    )
