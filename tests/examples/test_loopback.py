"""What docs/standalone.md does with a real stunnerd, where the machine has one: by watch, and by a polled file."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.dataplane import test_real_stunnerd as real
from tests.dataplane.stage import echoing, free_port
from tests.dataplane.test_real_stunnerd import echoes, environment, process, until_ready
from tests.operator.stage import DEADLINE, copy_example, running, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.operator.stage import Ports

    Way = Callable[[str, Ports, Path], AbstractAsyncContextManager[Path]]

# Fixtures: they find the programs, or skip.
stunnerd, turncat = real.stunnerd, real.turncat

POLL = "import sys; from stunnergw.cli import main; main(sys.argv[1:])"


@contextlib.asynccontextmanager
async def watching(stunnerd: str, ports: Ports, folder: Path) -> AsyncIterator[Path]:
    log = folder / "stunnerd.log"
    async with process(stunnerd, "-w", log=log, env=environment(ports, "udp-gateway")):
        await until_ready(log)
        yield log


@contextlib.asynccontextmanager
async def reading_a_file(stunnerd: str, ports: Ports, folder: Path) -> AsyncIterator[Path]:
    log, file = folder / "stunnerd.log", folder / "stunnerd.conf"
    url = f"http://127.0.0.1:{ports.discovery}/config?gateway=stunner/udp-gateway"
    poll = (sys.executable, "-c", POLL, "poll", url, "-o", str(file))
    serve = (stunnerd, "-w", "-c", f"file://{file}")
    async with (
        process(*poll, log=folder / "poll.log"),
        process(*serve, log=log, env={"STUNNER_ADDR": "127.0.0.1"}),
    ):
        await until_ready(log)
        yield log


@pytest.mark.parametrize("way", [watching, reading_a_file], ids=["by watch", "by file"])
async def test_packets_go_where_the_document_says(
    way: Way,
    tmp_path: Path,
    stunnerd: str,
    turncat: str,
) -> None:
    port, local = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    manifests = copy_example("loopback", tmp_path)
    gateways, route = manifests / "2-gateways.yaml", manifests / "3-route.yaml"
    gateways.write_text(gateways.read_text().replace("port: 3478", f"port: {port}"))
    url = f"turn://user-1:pass-1@127.0.0.1:{port}?transport=udp"
    async with (
        echoing("127.0.0.1") as peer,
        running(settings(manifests)) as (_, ports),
        way(stunnerd, ports, tmp_path) as log,
        process(turncat, f"udp://127.0.0.1:{local}", url, f"udp://127.0.0.1:{peer}", log=tmp_path / "turncat.log"),
    ):
        assert await echoes(local), log.read_text()
        route.write_text(route.read_text().replace("[127.0.0.1]", "[127.0.0.77]"))
        async with asyncio.timeout(DEADLINE):
            while await echoes(local, tries=1):
                pass
