"""What nothing needs any more is dropped: an empty store leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from tests.support.bench import Bench
from tests.support.worlds import SETTINGS, emptying, histories

if TYPE_CHECKING:
    from stunnergw.settings import Decisions
    from tests.support.worlds import Run

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@given(histories(), SETTINGS)
def test_an_empty_store_leaves_no_result_no_read_and_no_output(runs: list[Run], settings: Decisions) -> None:
    bench = Bench(settings)
    for run in runs:
        bench.run(*run)
    bench.run(*emptying())
    engine, snapshot = bench.projection.engine, bench.snapshot
    assert engine.size == 0
    assert engine.reads == 0
    assert [dict(each) for each in (snapshot.configs, snapshot.objects, snapshot.statuses, snapshot.nodes)] == [{}] * 4
