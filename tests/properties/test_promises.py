"""Every document of every world keeps the promises that we make to stunnerd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given

from stunnergw.projection.outputs import Want
from tests.support.bench import Bench
from tests.support.bodies import ANYTHING
from tests.support.our_promises import Served, check_ours
from tests.support.worlds import LEGACY, MANAGED, histories

if TYPE_CHECKING:
    from stunnergw.settings import Decisions
    from tests.support.worlds import Run

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


def check_all(runs: list[Run], settings: Decisions) -> None:
    bench = Bench(settings, recheck=False)
    for run in runs:
        bench.run(*run)
        for output in bench.snapshot.configs.values():
            if isinstance(output, Want):
                check(output.value.body)


def check(body: bytes) -> None:
    document = orjson.loads(body)
    short = {not listener["protocol"].startswith("TURN-") for listener in document.get("listeners", [])}
    # v1alpha1 names protocols as the listeners do: stunnerd 0.13 runs the short names, later ones the others, and
    # none runs both in one document.
    if document["version"] == "v1" or len(short) < 2:
        check_ours(body, short_protocols=document["version"] == "v1alpha1" and short == {True}, served=Served.RENDERED)


@given(histories(), MANAGED)
def test_managed(runs: list[Run], settings: Decisions) -> None:
    check_all(runs, settings)


@given(histories(ANYTHING._replace(stun_mode=False)), LEGACY)
def test_legacy(runs: list[Run], settings: Decisions) -> None:
    check_all(runs, settings)
