"""The TURN servers that tests send packets through: our own relay, and the real stunnerd where the machine has it.

Both watch the same origin of documents and are told of it in the same words; what differs is where they say that they
are ready. Neither tells when that is, so they are asked again and again until a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.plain_http import fetch
from tests.support.turn_clients import Way

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

STUNNERD_HEALTH = 8086
"""stunnerd begins with its health server here, whatever a document says later."""

_DEADLINE = 10.0


class DataPlane(NamedTuple):
    """A program that does what a document says; one without a port of its own for health is given a free one."""

    name: str
    program: Path | str
    health: int = 0


def stunnerd() -> DataPlane:
    """Find the real stunnerd, or skip the test: it is no package of any registry."""
    found = os.environ.get("STUNNERD") or shutil.which("stunnerd")
    if not found:
        pytest.skip("no stunnerd: set STUNNERD or put it on PATH")
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", STUNNERD_HEALTH))
        except OSError:
            pytest.skip(f"stunnerd needs port {STUNNERD_HEALTH}, and somebody else has it")
    return DataPlane("stunnerd", found, STUNNERD_HEALTH)


@contextlib.asynccontextmanager
async def serving(plane: DataPlane, gateway: str, *, origin: str, log: Path) -> AsyncIterator[None]:
    """Run a data plane for a Gateway ``namespace/name`` until the block ends; ready when it begins.

    ``origin`` is where its documents come from: ``http://host:port`` or ``file:///path``.
    """
    namespace, _, name = gateway.partition("/")
    health = plane.health or free_health_port()
    environ = {
        "STUNNER_ADDR": "127.0.0.1",
        "STUNNER_NAMESPACE": namespace,
        "STUNNER_NAME": name,
        "STUNNER_CONFIG_ORIGIN": origin,
        "HEALTH_ADDRESS": f"127.0.0.1:{health}",
    }
    async with process(str(plane.program), "-w", log=log, environ=environ) as running:
        await until_ready(running, health, log)
        yield


@contextlib.asynccontextmanager
async def piped(relay: Path, server: tuple[str, int], *, authority: Path, log: Path) -> AsyncIterator[Way]:
    """Run the relay's DTLS pipe to a server whose certificate ``authority`` vouches for, and give the way into it."""
    where = f"{server[0]}:{server[1]}"
    command = (str(relay), "pipe", "-server", where, "-ca", str(authority))
    async with process(*command, log=log) as running:
        assert running.stdout is not None
        async with asyncio.timeout(_DEADLINE):
            host, _, port = (await running.stdout.readline()).decode().strip().rpartition(":")
        yield Way((host, int(port)))


@contextlib.asynccontextmanager
async def process(
    *command: str, log: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program until the block ends; without variables of its own it is one that says something first."""
    with log.open("ab") as sink:
        running = await asyncio.create_subprocess_exec(
            *command,
            stdout=sink if environ else asyncio.subprocess.PIPE,
            stderr=sink,
            env={**os.environ, **(environ or {})},
        )
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()


async def until_ready(running: asyncio.subprocess.Process, health: int, log: Path, *, path: str = "/ready") -> None:
    """Return once a data plane says that it is ready; fails the test where it ends, or takes too long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DEADLINE):
            while running.returncode is None:
                with contextlib.suppress(OSError):
                    if (await fetch(health, path)).status == 200:
                        return
                await asyncio.sleep(0.02)
    pytest.fail(f"{running.returncode=}, never ready:\n{await asyncio.to_thread(log.read_text)}")


def free_health_port() -> int:
    """Return a port that nobody has now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
