"""A running operator over a folder of manifests, for tests that look at it from outside."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING

from stunnergw.examples import example
from stunnergw.operator import Operator
from stunnergw.serving.server import CONFIG_DISCOVERY, HEALTH, INSPECTION, METRICS
from stunnergw.settings import Address, DataplaneMode, Decisions, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LOOPBACK = Address("127.0.0.1", 0)
DEADLINE = 10.0


def copy_example(name: str, folder: Path) -> Path:
    """Lay an example out where a test may change it."""
    shutil.copytree(example(name), folder / "manifests")
    return folder / "manifests"


def settings(manifests: Path, *, mode: DataplaneMode = DataplaneMode.MANAGED) -> Settings:
    """Everything on loopback, each at a free port."""
    return Settings(
        decisions=Decisions(standalone=True, dataplane_mode=mode),
        manifests=(manifests,),
        config_discovery_address=LOOPBACK,
        inspection_address=LOOPBACK,
        health_probe_bind_address=LOOPBACK,
        metrics_bind_address=LOOPBACK,
    )


class Ports:
    """Where a running operator listens."""

    def __init__(self, operator: Operator) -> None:
        addresses = operator.servers.addresses
        self.discovery = addresses[CONFIG_DISCOVERY].port
        self.inspection = addresses[INSPECTION].port
        self.health = addresses[HEALTH].port
        self.metrics = addresses[METRICS].port


@contextlib.asynccontextmanager
async def running(wanted: Settings) -> AsyncIterator[tuple[Operator, Ports]]:
    """Run an operator until the block ends, and be sure that it ends well."""
    operator = Operator(wanted)
    task = asyncio.create_task(operator.run())
    ready = asyncio.create_task(operator.ready.wait())
    try:
        await asyncio.wait([task, ready], timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            task.cancel()
            await task  # raises what ended it
        yield operator, Ports(operator)
    finally:
        operator.stop()
        async with asyncio.timeout(DEADLINE):
            await task
