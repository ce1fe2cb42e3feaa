"""The operator as a process over a real API server: start, restart, one change, idle; time, writes, memory.

Run as ``python -m tests.benchmarks.bench_cluster [N …]`` (50 200 by default). Each N has an etcd and a kube-apiserver
of its own, on the same cores as all else: compare figures of one run with each other. A change replaces the addresses
of one EndpointSlice by a PATCH; its time runs from just before the PATCH to the message at that Gateway's watcher,
beside the time to the event at a plain watch of the API server.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import orjson

from tests.benchmarks.clusterwork import Watchers, addresses, make, slice_of
from tests.cluster.operating import OperatorProcess, operating, writes
from tests.realparts.cluster import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

SIZES = (50, 200)
CHANGES = 60
QUIET = 3.0
IDLE = 30.0
TICKS = os.sysconf("SC_CLK_TCK")


def say(*words: object) -> None:
    print(*words, flush=True)


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process, at most and now, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(("VmHWM", "VmRSS"))}
    return found["VmHWM"], found["VmRSS"]


async def quiet(cluster: Cluster, operator: OperatorProcess, mark: int) -> float:
    """Return the time of the last write once there has been none for a while, in seconds since the epoch."""
    seen = -1
    while True:
        found = writes(cluster, mark)
        waiting = (await operator.metric("stunnergw_writes_waiting")).get("", 1)
        if len(found) == seen and not waiting:
            return max((_time(event["stageTimestamp"]) for event in found), default=0.0)
        seen = len(found)
        await asyncio.sleep(QUIET)


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def counted(cluster: Cluster, mark: int) -> str:
    """Say how many writes there were since a mark, by verb, kind and answer."""
    counts: Counter[str] = Counter()
    for event in writes(cluster, mark):
        about = event["objectRef"]
        kind = "/".join(filter(None, (about["resource"], about.get("subresource"))))
        counts[f"{event['verb']} {kind} {event['responseStatus']['code']}"] += 1
    total = sum(counts.values())
    return f"{total}" + (
        f" ({', '.join(f'{what}: {count}' for what, count in sorted(counts.items()))})" if counts else ""
    )


@contextlib.asynccontextmanager
async def started(cluster: Cluster, folder: Path, watchers: Watchers, title: str) -> AsyncIterator[OperatorProcess]:
    """Run an operator within a block, and say how its start went."""
    mark, began, epoch = cluster.audit_log.mark(), time.monotonic(), time.time()
    async with operating(cluster, folder, *MORE) as operator:
        ready = time.monotonic() - began
        watchers.move(operator.url("discovery", ""))
        served = await watchers.all_have_one(since=began) - began
        last = await quiet(cluster, operator, mark)
        peak, now = memory_of(operator.process.pid)
        say(f"  {title}: ready {ready:.2f} s; watchers served {served:.2f} s; last write {max(0, last - epoch):.2f} s")
        say(f"  {title}: CPU {cpu_of(operator.process.pid):.1f} s; memory {peak:.0f} / {now:.0f} MiB (most / now)")
        say(f"  {title}: writes {counted(cluster, mark)}")
        yield operator


MORE = ("--config-discovery-service=stunner-config-discovery.stunner-gateway-operator-system", "--leader-elect")


async def raw_watch(api: Api, seen: dict[str, float], opened: asyncio.Event) -> None:
    """Note when each EndpointSlice's event comes to a plain watch."""
    timeout = aiohttp.ClientTimeout(total=None)
    path = "/apis/discovery.k8s.io/v1/endpointslices?watch=1"
    async with api.session.get(path, timeout=timeout) as answer:
        opened.set()
        async for line in answer.content:
            event = orjson.loads(line)
            for endpoint in event["object"].get("endpoints") or ():
                seen[endpoint["addresses"][0]] = time.monotonic()


async def changes(cluster: Cluster, api: Api, operator: OperatorProcess, watchers: Watchers, gateways: int) -> None:
    """Change one EndpointSlice after the other."""
    seen: dict[str, float] = {}
    opened = asyncio.Event()
    watching = asyncio.create_task(raw_watch(api, seen, opened))
    await opened.wait()
    await asyncio.sleep(1)
    mark, used = cluster.audit_log.mark(), cpu_of(operator.process.pid)
    ours, floor = [], []
    for change in range(CHANGES):
        number = change % min(gateways, 200)
        first = 10 + 3 * (change // min(gateways, 200) + 1)
        began = time.monotonic()
        await api.apply(slice_of(number, first))
        address = addresses(number, first)[0]
        async with asyncio.timeout(60):
            came = await watchers.sees(number, address)
        ours.append((came - began) * 1e3)
        floor.append((seen[address] - began) * 1e3)
        await asyncio.sleep(0.05)
    watching.cancel()
    cpu = (cpu_of(operator.process.pid) - used) / CHANGES * 1e3
    differences = statistics.median(own - raw for own, raw in zip(ours, floor, strict=True))
    ours.sort()
    say(
        f"  one change: median {statistics.median(ours):.1f} ms, p90 {ours[len(ours) * 9 // 10]:.1f}; "
        f"raw watch {statistics.median(floor):.1f} ms; difference {differences:.1f} ms; "
        f"CPU {cpu:.2f} ms a change, with what goes on beside; writes {counted(cluster, mark)}"
    )


async def measure(gateways: int) -> None:
    """Take all figures at one size."""
    say(f"N = {gateways}")
    with tempfile.TemporaryDirectory(prefix="stunnergw-bench-") as name:
        folder = Path(name)
        with running(folder / "cluster", say=lambda _: None, node_ports="1024-65000") as cluster:
            async with cluster.api() as api:
                await make(api, gateways)
                await _with(cluster, api, folder, gateways)


async def _with(cluster: Cluster, api: Api, folder: Path, gateways: int) -> None:
    watchers = Watchers("http://127.0.0.1:9", min(gateways, 200))
    async with watchers.running():
        async with started(cluster, folder, watchers, "start") as operator:
            await changes(cluster, api, operator, watchers, gateways)
            mark, used = cluster.audit_log.mark(), cpu_of(operator.process.pid)
            await asyncio.sleep(IDLE)
            cpu = (cpu_of(operator.process.pid) - used) * 60 / IDLE
            say(f"  idle: writes {counted(cluster, mark)}; CPU {cpu:.2f} s a minute, watchers' pings included")
            began = time.monotonic()
            code = await operator.stop()
            say(f"  end: exit {code} in {time.monotonic() - began:.2f} s")
        watchers.bad.clear()
        async with started(cluster, folder, watchers, "restart"):
            say(f"  restart: wrong or empty documents at watchers: {len(watchers.bad)} {watchers.bad[:1]}")


def main() -> None:
    for size in [int(word) for word in sys.argv[1:]] or SIZES:
        asyncio.run(measure(size))


if __name__ == "__main__":
    main()
