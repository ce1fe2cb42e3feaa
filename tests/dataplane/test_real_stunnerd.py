"""The real stunnerd and turncat, where the machine has them: our document taken, packets through, live changes.

They are found by the variables STUNNERD and TURNCAT or on PATH, and are no package of any registry, so these tests are
skipped where they are not. Everything runs on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from typing import TYPE_CHECKING

import pytest

from tests.dataplane.stage import echoing, free_port
from tests.operator.stage import DEADLINE, Ports, copy_example, running, settings
from tests.support.plain_http import fetch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from stunnergw.operator import Operator

HEALTH_PORT = 8086
MESSAGE = b"sixteen bytes ok, and then some"


def real(variable: str, program: str) -> str:
    found = os.environ.get(variable) or shutil.which(program)
    if not found:
        pytest.skip(f"no {program}: set {variable} or put it on PATH")
    return found


@pytest.fixture
def stunnerd() -> str:
    found = real("STUNNERD", "stunnerd")
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", HEALTH_PORT))
        except OSError:
            pytest.skip(f"stunnerd needs port {HEALTH_PORT}, and somebody else has it")
    return found


@pytest.fixture
def turncat() -> str:
    return real("TURNCAT", "turncat")


class Asking(asyncio.DatagramProtocol):
    """Sends a packet until an answer comes: what a relay is still setting up for is lost."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.put_nowait(data)


async def echoes(port: int, *, tries: int = 20) -> bool:
    """Say whether a packet to a turncat's local port comes back."""
    loop = asyncio.get_running_loop()
    transport, asking = await loop.create_datagram_endpoint(Asking, remote_addr=("127.0.0.1", port))
    with contextlib.closing(transport):
        for _ in range(tries):
            transport.sendto(MESSAGE)
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(asking.answers.get(), 0.25) == MESSAGE
    return False


@contextlib.asynccontextmanager
async def process(*command: str, log: Path, env: dict[str, str] | None = None) -> AsyncIterator[None]:
    with log.open("wb") as sink:
        started = await asyncio.create_subprocess_exec(
            *command, stdout=sink, stderr=sink, env={**os.environ, **(env or {})}
        )
    try:
        yield
    finally:
        started.kill()
        await started.wait()


async def until_ready(log: Path) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            # Nothing tells when a program of others listens: asking again is all there is.
            while not await is_ready():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(await asyncio.to_thread(log.read_text))


async def is_ready() -> bool:
    with contextlib.suppress(OSError):
        return (await fetch(HEALTH_PORT, "/ready")).status == 200
    return False


def local_manifests(folder: Path, *, example: str, port: int) -> Path:
    """The example with peers on loopback and a free listener port."""
    manifests = copy_example(example, folder)
    for file in manifests.iterdir():
        text = file.read_text()
        for there, here in (
            ("34.116.220.190", "127.0.0.1"),
            ("34.116.220.191", "127.0.0.1"),
            ("10.244.1.10", "127.0.0.1"),
        ):
            text = text.replace(there, here)
        file.write_text(text.replace("port: 3478", f"port: {port}"))
    return manifests


def environment(ports: Ports, gateway: str) -> dict[str, str]:
    return {
        "STUNNER_ADDR": "127.0.0.1",
        "STUNNER_NAMESPACE": "stunner",
        "STUNNER_NAME": gateway,
        "STUNNER_CONFIG_ORIGIN": f"http://127.0.0.1:{ports.discovery}",
    }


@pytest.mark.parametrize(("gateway", "transport"), [("udp-gateway", "udp"), ("tcp-gateway", "tcp")])
async def test_packets_reach_the_listed_peer_and_live_changes_are_taken(
    tmp_path: Path, stunnerd: str, turncat: str, gateway: str, transport: str
) -> None:
    port, local = (
        free_port(socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM),
        free_port(socket.SOCK_DGRAM),
    )
    manifests = local_manifests(tmp_path, example="today/udp-and-tcp-gateways", port=port)
    url = f"turn://user-1:pass-1@127.0.0.1:{port}?transport={transport}"
    logs = tmp_path / "stunnerd.log"
    async with (
        echoing("127.0.0.1") as peer,
        running(settings(manifests)) as (operator, ports),
        process(stunnerd, "-w", log=logs, env=environment(ports, gateway)),
    ):
        await until_ready(logs)
        client = (turncat, f"udp://127.0.0.1:{local}", url, f"udp://127.0.0.1:{peer}")
        async with process(*client, log=tmp_path / "turncat.log"):
            assert await echoes(local), logs.read_text()
            await replace_endpoint(operator, manifests, old="127.0.0.1", new="127.0.0.77")
            assert not await echoes(local, tries=3)
            await replace_endpoint(operator, manifests, old="127.0.0.77", new="127.0.0.1")
            assert await echoes(local), logs.read_text()


async def replace_endpoint(operator: Operator, manifests: Path, *, old: str, new: str) -> None:
    """Change the EndpointSlice, and wait until the change is served."""
    slices = manifests / "5-endpoints.yaml"
    runs = operator.projector.runs
    slices.write_text(slices.read_text().replace(f"[{old}]", f"[{new}]"))
    async with asyncio.timeout(DEADLINE):
        while operator.projector.runs == runs:
            await operator.log.wait(after=operator.log.last)


async def test_it_serves_on_without_us(tmp_path: Path, stunnerd: str) -> None:
    manifests = local_manifests(tmp_path, example="today/one-udp-gateway", port=free_port(socket.SOCK_DGRAM))
    logs = tmp_path / "stunnerd.log"
    async with contextlib.AsyncExitStack() as stack:
        async with running(settings(manifests)) as (_, ports):
            await stack.enter_async_context(process(stunnerd, "-w", log=logs, env=environment(ports, "udp-gateway")))
            await until_ready(logs)
        assert (await fetch(HEALTH_PORT, "/ready")).status == 200
