"""``stunnergw run``: the operator, until somebody ends it."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stunnergw.cli.flags import DecisionFlags, decisions
from stunnergw.cli.logging import configure
from stunnergw.errors import UsageError
from stunnergw.operator import Operator
from stunnergw.settings import Address, Settings

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """The flags of ``run``, as written."""

    manifests: tuple[Path, ...]
    decisions: DecisionFlags | None
    throttle_timeout: float
    config_discovery_address: str
    operator_address: str | None
    inspection_address: str
    health_probe_bind_address: str
    metrics_bind_address: str
    log_level: str
    log_format: str


def run_operator(flags: RunFlags) -> int:
    """Run until SIGTERM or SIGINT; 0 then."""
    # Nothing is garbage before the first snapshot, and looking for some doubles the time to it.
    gc.disable()
    settings = settings_of(flags)
    configure(level=flags.log_level, form=flags.log_format)
    asyncio.run(_run(settings))
    return 0


def settings_of(flags: RunFlags) -> Settings:
    """Make the settings of the flags.

    Raises:
        UsageError: an address cannot be read, or there is nothing to work from.
    """
    if not flags.manifests:
        raise UsageError("--manifests: name a file or folder of manifests to serve from")
    discovery = Address.parse(flags.config_discovery_address, flag="config-discovery-address")
    if discovery is not None and flags.operator_address:
        discovery = discovery._replace(host=flags.operator_address)
    return Settings(
        decisions=decisions(flags.decisions),
        manifests=flags.manifests,
        throttle_timeout=flags.throttle_timeout,
        config_discovery_address=discovery,
        inspection_address=Address.parse(flags.inspection_address, flag="inspection-address"),
        health_probe_bind_address=Address.parse(flags.health_probe_bind_address, flag="health-probe-bind-address"),
        metrics_bind_address=Address.parse(flags.metrics_bind_address, flag="metrics-bind-address"),
    )


async def _run(settings: Settings) -> None:
    operator = Operator(settings, collect=True)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, operator.stop)
    await operator.run(on_ready=_announce)


def _announce(operator: Operator) -> None:
    """Say on standard output where it listens, ports as bound: the line that scripts wait for."""
    addresses = " ".join(f"{flag}={address}" for flag, address in operator.servers.addresses.items())
    print(f"stunnergw is ready: {addresses}", flush=True)
    sys.stdout.flush()
