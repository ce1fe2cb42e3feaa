"""What we make of each scenario is what the reference operator made of it, or differs as docs/differences.md says."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from tests.reference.document import documented
from tests.reference.patching import differing
from tests.reference.playing import ours
from tests.reference.scenarios import HERE, LEFT_OUT, Scenario, all_scenarios, played
from tests.reference.transforming import RULES, expected_world
from tests.reference.worlds import World, recorded_world

WORKLOADS = ("Deployment ", "DaemonSet ")
PARTS = ("documents", "services", "workloads", "statuses")


def part_of(world: World, part: str) -> Any:
    """Give what one test compares."""
    if part in ("services", "workloads"):
        wanted = part == "workloads"
        return {name: thing for name, thing in world["objects"].items() if name.startswith(WORKLOADS) == wanted}
    return world["configs" if part == "documents" else part]


def _text(world: World) -> bytes:
    """Give the documents as text: where nothing differs, they can be compared by ``diff``."""
    return orjson.dumps(world["configs"])


def cases() -> list[Any]:
    return [
        pytest.param(scenario, mode, part, id=f"{scenario.name}-{mode}-{part}")
        for scenario in played()
        for mode in scenario.modes
        for part in PARTS
    ]


@pytest.mark.parametrize(("scenario", "mode", "part"), cases())
def test_recording(scenario: Scenario, mode: str, part: str) -> None:
    expected, _ = expected_world(scenario, mode)
    told = list(differing(part_of(expected, part), part_of(ours(scenario, mode), part)))
    if part == "documents" and expected["configs"] == recorded_world(scenario.recording(mode))["configs"]:
        told += [] if _text(expected) == _text(ours(scenario, mode)) else ["the same fields in another order"]
    assert not told, "neither as recorded nor as docs/differences.md says:\n" + "\n".join(told)


@pytest.mark.parametrize("scenario", all_scenarios(), ids=lambda scenario: scenario.name)
def test_the_differences_of_a_recording_are_those_of_the_document(scenario: Scenario) -> None:
    changed = set().union(*(expected_world(scenario, mode)[1] for mode in scenario.modes))
    listed = {name for name, found in documented().items() if found.numbers and scenario.number in found.numbers}
    everywhere = {name for name, found in documented().items() if found.numbers is None}
    assert changed - everywhere == listed


def test_every_difference_has_a_place_in_the_document() -> None:
    named = set(RULES).union(*(scenario.patches for scenario in all_scenarios()))
    assert named == set(documented())


def test_what_holds_everywhere_occurs_somewhere() -> None:
    changed: set[str] = set()
    for scenario in played():
        for mode in scenario.modes:
            changed |= expected_world(scenario, mode)[1]
    assert {name for name, found in documented().items() if found.numbers is None} <= changed


def test_what_is_left_out_is_in_the_table() -> None:
    rows = re.findall(r"^\| (\d\d-[a-z0-9-]+) \| (.*) \|$", (HERE / "README.md").read_text(), re.MULTILINE)
    assert dict(rows) == LEFT_OUT
    assert set(LEFT_OUT) <= {scenario.name for scenario in all_scenarios()}
