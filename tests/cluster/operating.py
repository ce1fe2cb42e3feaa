"""The operator as a process of its own over the real API server: started, looked at from outside, and ended.

It runs as a user of its own, so that the audit log tells what it asked for. Ports are free ones, read from the line
that says that it is ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from tests.realparts.cluster import MASTERS
from tests.realparts.kubectl import Output
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from tests.realparts.cluster import Cluster

USER = "operator"
WITHIN = 60.0
PORTS = ("config-discovery-address", "inspection-address", "health-probe-bind-address", "metrics-bind-address")
LEASE = "92062b70.l7mp.io"
_NUMBERS = itertools.count(1)


class OperatorProcess:
    """One run of ``stunnergw run``, or of another ``command`` that does the same."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "stunnergw"),
    ) -> None:
        self._command = [*command, *arguments]
        self.log = log
        self._environment = dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.ports: dict[str, int] = {}
        self.out: list[str] = []
        self._ready = asyncio.Event()

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    async def start(self, *, wait: bool = True) -> None:
        """Start it, and by default return once it is ready."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self._environment},
                limit=1 << 20,
            )
        self._reading = asyncio.create_task(self._read())
        if wait:
            await self.ready()

    async def ready(self, *, within: float = WITHIN) -> None:
        """Return once it is ready; fails the test where it ends before, or takes too long."""
        ended = asyncio.create_task(self.process.wait())
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait((ended, ready), timeout=within, return_when=asyncio.FIRST_COMPLETED)
            assert ready.done(), f"not ready (exit code {self.process.returncode}):\n{self.said()}"
        finally:
            ended.cancel()
            ready.cancel()

    async def listening(self) -> None:
        """Return once it listens, ready or not: then its log says where."""

        async def all_told() -> bool:
            lines = (orjson.loads(line) for line in self.log.read_bytes().splitlines() if line.startswith(b"{"))
            told = {line["flag"]: line["address"] for line in lines if line["event"] == "listening"}
            self.ports = {flag: int(address.rpartition(":")[2]) for flag, address in told.items()}
            if self.process.returncode is not None:
                pytest.fail(f"it ended with {self.process.returncode}:\n{self.said()}")
            return self.ports.keys() == set(PORTS)

        await wait_for(all_told, deadline=WITHIN, what="listening")

    def said(self) -> str:
        """Return the end of what it logged."""
        return self.log.read_text("utf-8", errors="replace")[-6000:]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float = 10.0) -> int:
        """End it and return its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        try:
            async with asyncio.timeout(within):
                code = await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise AssertionError(f"it did not end within {within:g} s:\n{self.said()}") from None
        if self._reading is not None:
            await self._reading
        return code

    async def kill(self) -> None:
        """End it at once, whatever it does."""
        if self._process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        if self._reading is not None:
            await self._reading

    def url(self, server: str, path: str) -> str:
        """Return where a path of one of its servers is: ``discovery``, ``inspection``, ``health`` or ``metrics``."""
        port = next(port for flag, port in self.ports.items() if server in flag)
        return f"http://127.0.0.1:{port}{path}"

    async def get(self, server: str, path: str) -> tuple[int, bytes]:
        """Ask one of its servers."""
        async with aiohttp.ClientSession() as session, session.get(self.url(server, path)) as answer:
            return answer.status, await answer.read()

    async def document(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return the document of a Gateway; None where it has none."""
        status, body = await self.get("discovery", f"/config?gateway={namespace}/{name}")
        if status != 200:
            return None
        found: dict[str, Any] = orjson.loads(body)
        return found

    @contextlib.asynccontextmanager
    async def watched(self, namespace: str, name: str) -> AsyncIterator[list[dict[str, Any]]]:
        """Watch a Gateway's document as a data plane does; the list grows by every message until the block ends."""
        messages: list[dict[str, Any]] = []
        url = self.url("discovery", f"/api/v1/configs/{namespace}/{name}?watch=true")

        async def read(connection: aiohttp.ClientWebSocketResponse) -> None:
            async for message in connection:
                messages.append(orjson.loads(message.data))  # noqa: PERF401  each is to be seen at once

        async with aiohttp.ClientSession() as session, session.ws_connect(url) as connection:
            reading = asyncio.create_task(read(connection))
            yield messages
            reading.cancel()

    async def metric(self, name: str) -> dict[str, float]:
        """Return the values of a metric by its labels, as they are written."""
        _, body = await self.get("metrics", "/metrics")
        found = {}
        for line in body.decode().splitlines():
            if line.startswith((f"{name} ", f"{name}{{")):
                labels, _, value = line.removeprefix(name).rpartition(" ")
                found[labels] = float(value)
        return found

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            text = line.decode().rstrip()
            self.out.append(text)
            if text.startswith("stunnergw is ready:"):
                pairs = (word.partition("=") for word in text.split()[3:])
                self.ports = {flag: int(address.rpartition(":")[2]) for flag, _, address in pairs}
                self._ready.set()


def arguments(kubeconfig: Path, *more: str) -> list[str]:
    """Return the arguments of a run by a kubeconfig, on free ports where ``more`` does not say which."""
    given = {argument.partition("=")[0] for argument in more}
    addresses = [f"--{flag}=127.0.0.1:0" for flag in PORTS if f"--{flag}" not in given]
    return ["run", f"--kubeconfig={kubeconfig}", *addresses, "--log-format=json", *more]


async def run_to_its_end(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = (sys.executable, "-m", "stunnergw"),
    deadline: float = WITHIN,
) -> Output:
    """Run a command of ours that ends by itself."""
    process = await asyncio.create_subprocess_exec(
        *command,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    try:
        async with asyncio.timeout(deadline):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Output(process.returncode, out.decode(), err.decode())


MANAGED = ("--config-discovery-service=stunner-config-discovery.stunner-gateway-operator-system",)


@contextlib.asynccontextmanager
async def operating(
    cluster: Cluster, folder: Path, *more: str, user: str = USER, groups: Sequence[str] = (MASTERS,), wait: bool = True
) -> AsyncIterator[OperatorProcess]:
    """Run an operator within a block; it is ended by force if it has not ended by then."""
    kubeconfig = cluster.kubeconfig_for(user, groups)
    made = OperatorProcess(arguments(kubeconfig, *(more or MANAGED)), log=folder / f"operator-{next(_NUMBERS)}.log")
    await made.start(wait=wait)
    try:
        yield made
    finally:
        await made.kill()


async def settled(
    cluster: Cluster, operator: OperatorProcess, *, user: str = USER, quiet: float = 1.5, refused: int = 0
) -> None:
    """Return once an operator wants to write nothing, and has written nothing for a while.

    ``refused``: so many objects the API server does not take; they wait to be tried again for as long as it runs.
    """
    loop = asyncio.get_running_loop()
    mark, seen, since = cluster.audit_log.mark(), -1, loop.time()

    async def nothing_comes() -> bool:
        nonlocal seen, since
        written = len(writes(cluster, mark, user=user, succeeded=True))
        waiting = await operator.metric("stunnergw_writes_waiting")
        if waiting.get("") != refused or written != seen:
            seen, since = written, loop.time()
        return loop.time() - since >= quiet  # that nothing comes can only be seen by waiting

    await wait_for(nothing_comes, deadline=WITHIN, what="nothing more to write")


def writes(cluster: Cluster, mark: int, *, user: str = USER, succeeded: bool | None = None) -> list[dict[str, Any]]:
    """Return the audit events of what a user wrote since a mark, those on Leases left out."""
    found = cluster.audit_log.writes(mark, user=user, succeeded=succeeded)
    return [event for event in found if (event.get("objectRef") or {}).get("resource") != "leases"]
