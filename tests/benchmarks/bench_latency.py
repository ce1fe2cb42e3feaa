"""How long a change takes through the whole process: appended to the log until read by a watching client.

Run as ``python -m tests.benchmarks.bench_latency``. The operator's own parts run as they do in production (debounce
5 ms, garbage collection frozen and young ones every 0.1 s); the client is a process of its own that reads a raw socket
and stamps each message with the clock that both share.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import socket
import statistics
import time
from typing import TYPE_CHECKING

from stunnergw.operator import collect_garbage
from stunnergw.projection.projector import Projector
from stunnergw.serving.server import CONFIG_DISCOVERY, Servers
from stunnergw.settings import Address, Settings
from tests.benchmarks.worlds import Bench, slice_of, world

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CHANGES = 300
WATCHED = 0
"""The number of the Gateway that the client watches and whose endpoints change."""

REQUEST = (
    "GET /api/v1/configs/ns{gateway}/edge?watch=true HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def client(port: int, results: Connection) -> None:
    """Watch, and send the time of each chunk that arrives; runs in a process of its own."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(REQUEST.format(gateway=WATCHED).encode())
        while connection.recv(65536):
            results.send(time.monotonic())


async def measure(gateways: int) -> tuple[float, float]:
    """Return milliseconds: median and p99."""
    bench = Bench()
    bench.append(list(world(gateways)))
    projector = Projector(
        log=bench.log, store=bench.store, projection=bench.projection, clock=time.monotonic, throttle=0.005
    )
    settings = Settings(
        config_discovery_address=Address("127.0.0.1", 0),
        inspection_address=None,
        health_probe_bind_address=None,
        metrics_bind_address=None,
    )
    servers = Servers(settings, projector, bench.log, run="bench")
    await servers.start()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(servers.run()), group.create_task(projector.run())]
        while projector.latest is None:  # noqa: ASYNC110  a bench may poll
            await asyncio.sleep(0.01)
        tasks.append(group.create_task(collect_garbage()))
        took = await _changes(bench, servers.addresses[CONFIG_DISCOVERY].port)
        await servers.stop()
        for task in tasks:
            task.cancel()
    gc.unfreeze()
    took.sort()
    return statistics.median(took) * 1e3, took[len(took) * 99 // 100] * 1e3


async def _changes(bench: Bench, port: int) -> list[float]:
    reader, writer = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=client, args=(port, writer), daemon=True)
    process.start()
    try:
        for _ in range(2):  # the upgrade, and the document as it is
            await asyncio.to_thread(reader.recv)
        took = []
        for number in range(CHANGES):
            await asyncio.sleep(0.02)
            began = time.monotonic()
            bench.append([slice_of(WATCHED, 10 + number % 200)])
            arrived = await asyncio.to_thread(reader.recv)
            took.append(arrived - began)
        return took
    finally:
        process.kill()
        with contextlib.suppress(OSError):
            reader.close()


def main() -> None:
    """Print the table."""
    print("| Gateways | change to client, ms: median | p99 |")
    print("|---:|---:|---:|")
    for gateways in (64, 512, 4096):
        gc.disable()
        median, p99 = asyncio.run(measure(gateways))
        print(f"| {gateways} | {median:.2f} | {p99:.2f} |", flush=True)


if __name__ == "__main__":
    main()
