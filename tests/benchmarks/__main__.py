"""All figures, one after the other: ``python -m tests.benchmarks``."""

from __future__ import annotations

from tests.benchmarks import bench_fanout, bench_latency, bench_projection

if __name__ == "__main__":
    for part in (bench_projection, bench_latency, bench_fanout):
        print(f"\n## {part.__name__.rpartition('.')[2]}\n", flush=True)
        part.main()
