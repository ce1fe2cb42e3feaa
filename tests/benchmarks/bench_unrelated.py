"""What a large cluster costs that has next to nothing to do with us: start, CPU and memory of the operator.

Run as ``python -m tests.benchmarks.bench_unrelated [N …]`` (0 1000 10000 by default): one Gateway, and N Secrets of
4 KiB, N Services and N EndpointSlices that no route and no listener names, over one etcd and kube-apiserver, which grow
from size to size. No operator need read such a Secret's data, and each must be able to answer for any Service.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.bench_cluster import MORE, cpu_of, memory_of, quiet, say
from tests.benchmarks.clusterwork import addresses, make, space
from tests.cluster.operating import operating
from tests.realparts.cluster import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.clusterwork import Object
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

SIZES = (0, 1000, 10_000)
PER_NAMESPACE = 100
AT_ONCE = 32
STARTS = 3


def unrelated(numbers: range) -> Iterator[Object]:
    """A Secret, a Service and its EndpointSlice for each number, a hundred to a namespace."""
    for number in numbers:
        inside = {"namespace": f"other{number // PER_NAMESPACE}"}
        name = f"app-{number}"
        if number % PER_NAMESPACE == 0:
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inside["namespace"]}}
        data = {"value": b64encode(name.encode().ljust(4096)).decode()}
        yield {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, **inside}, "data": data}
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": name}, **inside},
            "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        }
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-abcde", "labels": {"kubernetes.io/service-name": name}, **inside},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [
                {"addresses": [address], "conditions": {"ready": True}, "nodeName": "node-1"}
                for address in addresses(number % 30_000)
            ],
        }


async def grow(api: Api, numbers: range) -> None:
    """Make what is missing; namespaces come before what is in them."""
    things = list(unrelated(numbers))
    await api.apply([thing for thing in things if thing["kind"] == "Namespace"], at_once=AT_ONCE)
    await api.apply([thing for thing in things if thing["kind"] != "Namespace"], at_once=AT_ONCE)


async def start(cluster: Cluster, folder: Path) -> tuple[float, float, float, float]:
    """Start an operator, and return the seconds until it was ready, those of CPU, and MiB at most and when idle."""
    mark, began = cluster.audit_log.mark(), time.monotonic()
    async with operating(cluster, folder, *MORE) as operator:
        ready = time.monotonic() - began
        cpu = cpu_of(operator.process.pid)
        assert await operator.document(space(0), "edge") is not None
        await quiet(cluster, operator, mark)
        most, idle = memory_of(operator.process.pid)
        await operator.stop()
    return ready, cpu, most, idle


async def measure(sizes: list[int]) -> None:
    """Take the figures at each size, the smallest first; the best of some starts, since others use the machine, too."""
    say("| Secrets, Services, EndpointSlices each | ready, s | CPU until then, s | memory at most, MiB | idle, MiB |")
    say("|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="stunnergw-bench-") as name:
        folder = Path(name)
        with running(folder / "cluster", say=lambda _: None) as cluster:
            async with cluster.api() as api:
                await make(api, 1)
                there = 0
                for size in sorted(sizes):
                    await grow(api, range(there, size))
                    there = size
                    starts = [await start(cluster, folder) for _ in range(STARTS)]
                    ready, cpu, most, idle = (min(figures) for figures in zip(*starts, strict=True))
                    say(f"| {size:,} | {ready:.1f} | {cpu:.1f} | {most:.0f} | {idle:.0f} |")


def main() -> None:
    asyncio.run(measure([int(word) for word in sys.argv[1:]] or list(SIZES)))


if __name__ == "__main__":
    main()
