"""``stunnergw demo``: the whole river in ten seconds, on this machine alone.

It runs the real operator over the example in a temporary folder, subscribes to a configuration as a stunnerd would,
takes an endpoint away by editing a manifest, and shows the change arrive.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from rich.console import Console
from rich.table import Table

from stunnergw.cli.logging import configure
from stunnergw.errors import NotFoundOut
from stunnergw.examples import example
from stunnergw.operator import Operator
from stunnergw.serving.server import CONFIG_DISCOVERY, INSPECTION
from stunnergw.settings import Address, Decisions, Settings

if TYPE_CHECKING:
    from stunnergw.settings import Address as BoundAddress

EXAMPLE = "today/one-udp-gateway"
GATEWAY = "stunner/udp-gateway"
GOING = "10.244.2.20"
PATIENCE = 10.0
"""Seconds after which something that should happen at once counts as failed."""

LOOPBACK = Address("127.0.0.1", 0)


def tour() -> int:
    """Take the tour; 0 when all of it was seen to work.

    Raises:
        NotFoundOut: something did not come within ten seconds.
    """
    configure(level="error", form="text")
    asyncio.run(_tour(Console()))
    return 0


async def _tour(console: Console) -> None:
    with TemporaryDirectory(prefix="stunnergw-demo-") as folder:
        manifests = Path(folder, "manifests")
        shutil.copytree(example(EXAMPLE), manifests)
        console.print(f"[bold]1.[/] The manifests are in {manifests}; the operator starts.")
        operator = Operator(_settings(manifests))
        async with asyncio.TaskGroup() as group:
            group.create_task(operator.run())
            try:
                async with asyncio.timeout(PATIENCE):
                    await operator.ready.wait()
                    await _watch(console, operator, manifests)
            except TimeoutError:
                raise NotFoundOut("demo: what should happen at once did not within ten seconds") from None
            finally:
                operator.stop()


def _settings(manifests: Path) -> Settings:
    return Settings(
        decisions=Decisions(standalone=True),
        manifests=(manifests,),
        config_discovery_address=LOOPBACK,
        inspection_address=LOOPBACK,
        health_probe_bind_address=None,
        metrics_bind_address=None,
    )


async def _watch(console: Console, operator: Operator, manifests: Path) -> None:
    addresses = operator.servers.addresses
    url = f"ws://{addresses[CONFIG_DISCOVERY]}/api/v1/configs/{GATEWAY}?watch=true"
    console.print(f"[bold]2.[/] A stunnerd would subscribe now, at {url}. It is told:")
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as watch:
        first = orjson.loads(await watch.receive_str())
        console.print(_peers(first))
        console.print(f"[bold]3.[/] A media server goes: {GOING} is taken out of the EndpointSlice.")
        slices = manifests / "5-endpoints.yaml"
        text = slices.read_text().replace(f"  - addresses: [{GOING}]\n", "")
        saved = time.perf_counter()
        slices.write_text(text)
        changed = orjson.loads(await watch.receive_str())
        arrived = time.perf_counter() - saved
        console.print(_peers(changed))
        console.print(
            f"   From the saved file to the data plane: {arrived * 1e3:.0f} ms, "
            "most of it waiting for the folder to be quiet."
        )
        await _status(console, session, addresses[INSPECTION])


def _peers(document: Any) -> Table:
    table = Table("listener", "clients reach it at", "and may send to")
    clusters = {cluster["name"]: cluster for cluster in document["clusters"]}
    for listener in document["listeners"]:
        peers = [peer for route in listener["routes"] for peer in clusters[route]["endpoints"]]
        table.add_row(
            f"{listener['name']} ({listener['protocol']})",
            f"{listener['public_address']}:{listener['public_port']}",
            "\n".join(peers),
        )
    return table


async def _status(console: Console, session: aiohttp.ClientSession, address: BoundAddress) -> None:
    async with session.get(f"http://{address}/status") as response:
        status = await response.json()
    console.print(f"[bold]4.[/] The status, as http://{address}/status tells it:")
    for gateway in status["gateways"]:
        for condition in gateway["conditions"]:
            line = f"{condition['type']}={condition['status']}: {condition['message']}"
            console.print(f"   Gateway {gateway['namespace']}/{gateway['name']} {line}", soft_wrap=True)
    console.print("That is all. README.md goes on from here: `stunnergw run --manifests FOLDER`.")
