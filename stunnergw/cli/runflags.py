"""The flags of ``stunnergw run`` beside those that decide configurations, and the settings of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

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
            help="Work without a cluster, from a file or folder of manifests, which is watched; repeatable.",
        ),
    ] = ()
    kubeconfig: Annotated[
        str,
        Parameter(
            show_default=False,
            help="Reach the cluster by this file; default: by KUBECONFIG, as the pod's service account, or by "
            "~/.kube/config.",
        ),
    ] = ""
    dry_run: Annotated[
        bool, SWITCH, Parameter(help="Say what would be written to the cluster, write nothing, and end.")
    ] = False
    format: Annotated[Literal["text", "json"], Parameter(help="How --dry-run prints it.")] = "text"
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
    leader_election_namespace: Annotated[
        str, Parameter(show_default=False, help="Where the lease of the leader is; default: in our own namespace.")
    ] = ""


def settings_of(flags: RunFlags, *, deciding: DecisionFlags | None = None) -> Settings:
    """Make the settings of the flags: of work from manifests where there are any, else in a cluster.

    Raises:
        UsageError: a value cannot be used.
    """
    _check(flags, deciding or DecisionFlags())
    address = Address.parse(flags.config_discovery_address, flag="config-discovery-address")
    if address is not None and flags.operator_address:
        address = address._replace(host=flags.operator_address)
    return Settings(
        decisions=decisions(deciding, standalone=bool(flags.manifests), dry_run=flags.dry_run),
        manifests=flags.manifests,
        kubeconfig=flags.kubeconfig,
        leader_elect=flags.leader_elect,
        leader_election_namespace=flags.leader_election_namespace,
        throttle_timeout=flags.throttle_timeout,
        config_discovery_address=address,
        inspection_address=Address.parse(flags.inspection_address, flag="inspection-address"),
        health_probe_bind_address=Address.parse(flags.health_probe_bind_address, flag="health-probe-bind-address"),
        metrics_bind_address=Address.parse(flags.metrics_bind_address, flag="metrics-bind-address"),
    )


def _check(flags: RunFlags, deciding: DecisionFlags) -> None:
    """See that flags go together."""
    if flags.manifests and flags.kubeconfig:
        raise UsageError("--kubeconfig: work is from manifests here: name either a kubeconfig or --manifests")
    if flags.manifests and flags.dry_run:
        raise UsageError("--dry-run: from manifests nothing is written: stunnergw render prints what would be")
    if not flags.manifests and deciding.public_address:
        raise UsageError("--public-address: in a cluster addresses come from Services and nodes: take it out")
