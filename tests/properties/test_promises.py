"""Every document of every world keeps the promises that we make to stunnerd, and no object has two who want it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given

from stunnergw.projection.outputs import Want
from stunnergw.settings import ConfigVersion
from tests.support.bench import Bench
from tests.support.bodies import ANYTHING
from tests.support.our_promises import Served, check_ours
from tests.support.worlds import LEGACY, MANAGED, histories

if TYPE_CHECKING:
    from stunnergw.settings import Decisions
    from tests.support.worlds import Run

AUTO = LEGACY.map(lambda settings: replace(settings, config_version=ConfigVersion.AUTO))
"""Classes choose the version of their documents by what their GatewayConfigs say."""

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


def wanted_twice(bench: Bench) -> list[str]:
    """Name the Kubernetes objects that two outputs want: they would overwrite each other for ever."""
    wants = [output.value for output in bench.snapshot.objects.values() if isinstance(output, Want)]
    counted = Counter(f"{each.kind} {each.namespace}/{each.name}" for each in wants)
    return [name for name, count in counted.items() if count > 1]


RIVALS = histories(ANYTHING._replace(rivals=True))


@given(RIVALS, MANAGED)
def test_no_object_is_wanted_twice_in_managed_mode(runs: list[Run], settings: Decisions) -> None:
    check_wants(runs, settings)


@given(RIVALS, AUTO)
def test_no_object_is_wanted_twice_in_legacy_mode(runs: list[Run], settings: Decisions) -> None:
    check_wants(runs, settings)


def check_wants(runs: list[Run], settings: Decisions) -> None:
    bench = Bench(settings, recheck=False)
    for run in runs:
        bench.run(*run)
        assert wanted_twice(bench) == []


@given(histories(), MANAGED)
def test_managed(runs: list[Run], settings: Decisions) -> None:
    check_all(runs, settings)


@given(histories(ANYTHING._replace(stun_mode=False)), LEGACY)
def test_legacy(runs: list[Run], settings: Decisions) -> None:
    check_all(runs, settings)
