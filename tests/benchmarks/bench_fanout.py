"""How long a change takes to N data planes: ``python -m tests.benchmarks.bench_fanout``.

The server is ``stunnergw run`` as users start it, over an example whose endpoints change; the clients are a Go program
(``fanout/``), since a Python client would measure itself. Beside it, in the same run and with the same clients, a
server that is nothing but a ``send()`` loop shows what the kernel takes: the *floor*. First to last is the time between
the first client's and the last client's message of one change; the median of the rounds is printed. Half of the
floor's rounds come before ours and half after, so that a machine that changes its pace is seen.

Then the clients ping every 5 s, as stunnerd does, and the server's share of a core is taken. Memory is what the
server's resident set grew by, without the kernel's. In the last row one client more never reads, and documents of
200 kB fill what there is to fill before the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stunnergw.examples import example

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GO_MODULE = Path(__file__).parent / "fanout"
TARGET = "/api/v1/configs/stunner/udp-gateway?watch=true"
DOCUMENT = 1024
"""Bytes of a floor's frame; about what the example's document has."""
ROUNDS = 14
PINGING = 10.0
"""Seconds over which the CPU share is taken: each client pings twice."""
DEADLINE = 60.0
QUIET = (("LC_ALL", "C"),)


class Process:
    """A program that prints lines and ends when its input does."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            line = await self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the program ended, with {await self.process.wait()}")
        return line.decode().strip()

    async def told(self) -> Any:
        return json.loads(await self.line())

    def say(self, line: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.asynccontextmanager
async def started(*command: str | Path) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | dict(QUIET)
    )
    try:
        yield Process(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


class Server:
    """``stunnergw run`` over an example, and a way to change its document."""

    def __init__(self, process: Process, *, port: int, manifests: Path) -> None:
        self.process = process
        self.port = port
        self._slices = manifests / "5-endpoints.yaml"
        self._text = self._slices.read_text()
        self._changes = 0

    def change(self, *, endpoints: int = 1) -> None:
        """Have other endpoints: so many, each time others."""
        self._changes += 1
        addresses = [f"10.{self._changes % 250}.{number // 250}.{number % 250 + 1}" for number in range(endpoints)]
        lines = [f"  - addresses: [{', '.join(some)}]\n" for some in batched(addresses, 100)]
        self._slices.write_text(self._text.replace("  - addresses: [10.244.2.20]\n", "".join(lines)))


def batched(items: list[str], size: int) -> list[list[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


@contextlib.asynccontextmanager
async def running_server(folder: Path) -> AsyncIterator[Server]:
    shutil.copytree(example("today/one-udp-gateway"), folder)
    flags = ("config-discovery-address", "inspection-address", "health-probe-bind-address", "metrics-bind-address")
    addresses = [f"--{flag}=127.0.0.1:0" for flag in flags]
    command = [sys.executable, "-m", "stunnergw", "run", f"--manifests={folder}", "--log-level=error", *addresses]
    async with started(*command) as process:
        ready = dict(pair.split("=") for pair in (await process.line()).split() if "=" in pair)
        yield Server(process, port=int(ready[flags[0]].rpartition(":")[2]), manifests=folder)


@dataclass
class Figures:
    """What was measured with so many clients."""

    clients: int
    stuck: int = 0
    floor: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    connecting: float = 0.0
    memory: float = 0.0
    pinging: float = 0.0

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.floor)


async def measure(program: Path, folder: Path, *, clients: int, stuck: int = 0) -> Figures:
    figures = Figures(clients, stuck)
    figures.floor += await measure_floor(program, clients, rounds=ROUNDS // 2)
    async with running_server(folder) as server:
        before = server.process.memory
        address = f"127.0.0.1:{server.port}"
        async with started(program, "clients", address, TARGET, str(clients), str(stuck)) as crowd:
            figures.connecting = (await crowd.told())["seconds"]
            figures.memory = (server.process.memory - before) / clients
            if stuck:
                await fill(server, crowd)
            for _ in range(ROUNDS):
                server.change()
                figures.ours.append((await crowd.told())["first_to_last_ms"])
            figures.pinging = await share_of_a_core(server.process)
    figures.floor += await measure_floor(program, clients, rounds=ROUNDS // 2)
    return figures


async def fill(server: Server, crowd: Process) -> None:
    for _ in range(3):
        server.change(endpoints=12_000)
        await crowd.told()


async def measure_floor(program: Path, clients: int, *, rounds: int) -> list[float]:
    async with started(program, "floor", str(clients)) as floor:
        address = f"127.0.0.1:{(await floor.told())['port']}"
        async with started(program, "clients", address, "/", str(clients), "0") as crowd:
            await crowd.told()
            found = []
            for _ in range(rounds):
                # Apart, as a server's changes are: else the next loop begins while the last client still reads.
                await asyncio.sleep(0.05)
                floor.say(DOCUMENT)
                found.append(float((await crowd.told())["first_to_last_ms"]))
            return found


async def share_of_a_core(process: Process) -> float:
    before, began = process.cpu, asyncio.get_running_loop().time()
    await asyncio.sleep(PINGING)
    return (process.cpu - before) / (asyncio.get_running_loop().time() - began)


def build(folder: Path) -> Path:
    if shutil.which("go") is None:
        raise SystemExit("the clients are a Go program: install Go (https://go.dev) and try again")
    program = folder / "fanout"
    subprocess.run(["go", "build", "-trimpath", "-o", program, "."], cwd=GO_MODULE, check=True)
    return program


def row(figures: Figures) -> str:
    who = f"{figures.clients:,}" + (" + 1 that never reads" if figures.stuck else "")
    ours, floor = statistics.median(figures.ours), statistics.median(figures.floor)
    return (
        f"| {who} | {ours:.1f} | {max(figures.ours):.1f} | {floor:.1f} | {figures.ratio:.2f} | "
        f"{figures.pinging:.0%} | {figures.memory / 1024:.1f} KiB | {figures.connecting:.1f} s |"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description="How long a change takes to N data planes.")
    parser.add_argument("--clients", type=int, nargs="*", default=[100, 1000, 3000, 10_000], help="how many watches")
    wanted: list[int] = parser.parse_args().clients
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, documents of 1 kB\n")
    print("| Clients | First to last, ms | Worst | Floor, ms | Ratio | CPU with pings | Memory a client | To connect |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        program = build(Path(temporary))
        for count in wanted:
            print(row(await measure(program, Path(temporary, f"m{count}"), clients=count)), flush=True)
        print(row(await measure(program, Path(temporary, "stuck"), clients=1000, stuck=1)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
