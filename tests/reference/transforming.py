"""From what the reference operator made to what we must make: the differences, applied in turn.

Those of one scenario alone are patches in its ``differences.yaml``. Those that follow a rule are functions here: each
looks at a world that the patches have already changed, and fills in what the rule makes of it.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tests.reference.document import documented
from tests.reference.patching import merge
from tests.reference.rules_for_objects import OBJECT_RULES
from tests.reference.rules_for_statuses import STATUS_RULES
from tests.reference.scenarios import all_scenarios
from tests.reference.worlds import World, recorded_world

if TYPE_CHECKING:
    from tests.reference.scenarios import Scenario

RULES = OBJECT_RULES | STATUS_RULES

NONE: frozenset[str] = frozenset()

_INSTEAD = "as-recorded-in"
"""In a patch: the reference operator made nothing of this one, so start from what it made of another."""


def expected_world(scenario: Scenario, mode: str, *, without: frozenset[str] = NONE) -> tuple[World, set[str]]:
    """Give what we must make of a scenario, and the names of the differences that changed something.

    ``without`` names differences that the circumstances do not bring about.

    Raises:
        NothingChanged: a patch changed nothing.
    """
    world = recorded_world(scenario.recording(mode))
    changed = set()
    for name, by_mode in scenario.patches.items():
        for part in ("both", mode):
            if part in by_mode and name not in without:
                _patch(world, dict(by_mode[part]), mode, at=f"{name} of {scenario.name}, {mode}")
                changed.add(name)
    for name, rule in RULES.items():
        if name not in without and documented()[name].shown_by(scenario.number):
            before = deepcopy(world)
            rule(world, scenario)
            if world != before:
                changed.add(name)
    return world, changed


def _patch(world: World, patch: dict[str, Any], mode: str, *, at: str) -> None:
    other = patch.pop(_INSTEAD, None)
    if other is not None:
        source = next(scenario for scenario in all_scenarios() if scenario.name == other)
        world.clear()
        world.update(recorded_world(source.recording(mode)))
    merge(world, patch, at=at)
