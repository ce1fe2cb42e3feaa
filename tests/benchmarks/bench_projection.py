"""What the projection costs: from scratch, for one change, in memory, for a change that all rest on.

Run as ``python -m tests.benchmarks.bench_projection``. Figures, not verdicts: compare medians of runs side by side.
Garbage collection is as in the operator: off before the first projection, frozen after it.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from typing import TYPE_CHECKING

from stunnergw.projection.outputs import Want
from stunnergw.projection.projector import SLICE
from tests.benchmarks.worlds import SIZES, Bench, config, slice_of, world

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGES = 2_000
RUNS = 5


def from_scratch(gateways: int) -> tuple[float, float]:
    """Return CPU milliseconds of folding and of projecting everything: medians of a few runs."""
    folds, runs = [], []
    for _ in range(RUNS if gateways <= 512 else 2):
        bench = Bench()
        bench.append(list(world(gateways)))
        began = time.process_time()
        dirty = bench.store.fold(bench.log.since(0))
        folded = time.process_time()
        bench.projection.run(dirty)
        folds.append(folded - began)
        runs.append(time.process_time() - folded)
    return statistics.median(folds) * 1e3, statistics.median(runs) * 1e3


def filled(gateways: int) -> Bench:
    """Return a projection of the whole world."""
    bench = Bench()
    bench.append(list(world(gateways)))
    bench.project()
    return bench


def one_change(bench: Bench, gateways: int, *, first: int, pause: Callable[[], None]) -> tuple[float, float]:
    """Return microseconds from an EndpointSlice appended to new document bytes: median and p99."""
    took = []
    for number in range(CHANGES):
        fact = slice_of(number * 7 % gateways, first + number % 100)
        pause()
        began = time.perf_counter()
        bench.append([fact])
        bench.project()
        took.append(time.perf_counter() - began)
        (key,) = bench.projection.snapshot.changed.configs
        assert isinstance(bench.projection.snapshot.configs[key], Want)
    took.sort()
    return statistics.median(took) * 1e6, took[CHANGES * 99 // 100] * 1e6


def memory(gateways: int) -> float:
    """Return KiB a Gateway: objects, engine and outputs together."""
    small, large = _traced(64), _traced(gateways)
    return (large - small) / (gateways - 64) / 1024


def _traced(gateways: int) -> int:
    gc.collect()
    tracemalloc.start()
    bench = filled(gateways)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del bench
    return size


def class_wide(bench: Bench) -> tuple[float, float]:
    """Return milliseconds that a new password takes for all documents, and the longest slice of them."""
    bench.append([config("another")])
    dirty = bench.store.fold(bench.log.since(bench.log.folded))
    bench.log.mark_folded(bench.store.seq)
    longest, began = 0.0, time.perf_counter()
    last = began
    for _ in bench.projection.steps(dirty):
        now = time.perf_counter()
        if now - last >= SLICE:
            longest, last = max(longest, now - last), time.perf_counter()
    done = time.perf_counter()
    return (done - began) * 1e3, max(longest, done - last) * 1e3


def main() -> None:
    """Print the table."""
    gc.disable()
    columns = (
        "Gateways", "fold, ms", "from scratch, ms CPU", "a Gateway, µs", "one change, µs (median / p99)",
        "isolated, µs", "password, ms", "longest slice, ms",
    )  # fmt: skip
    print(f"| {' | '.join(columns)} |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for gateways in SIZES:
        fold, scratch = from_scratch(gateways)
        bench = filled(gateways)
        gc.freeze()
        tight = one_change(bench, gateways, first=10, pause=lambda: None)
        isolated = one_change(bench, gateways, first=130, pause=_elsewhere)
        password, longest = class_wide(bench)
        print(
            f"| {gateways} | {fold:.1f} | {scratch:.1f} | {scratch / gateways * 1e3:.0f} "
            f"| {tight[0]:.0f} / {tight[1]:.0f} | {isolated[0]:.0f} | {password:.1f} | {longest:.1f} |",
            flush=True,
        )
        gc.unfreeze()
        del bench
        gc.collect()
    print(f"\nMemory a Gateway (512): {memory(512):.1f} KiB")


_ELSEWHERE = bytearray(4 * 1024 * 1024)


def _elsewhere() -> None:
    """Use the caches for something else: a change in an operator comes alone."""
    for start in range(0, len(_ELSEWHERE), 64):
        _ELSEWHERE[start] = (_ELSEWHERE[start] + 1) % 256


if __name__ == "__main__":
    main()
