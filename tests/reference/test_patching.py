"""A harness that compares nothing passes, too: what it must notice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reference.patching import NothingChanged, differing, merge
from tests.reference.worlds import keyed


def test_a_patch_sets_merges_and_takes_away() -> None:
    value: dict[str, Any] = {"a": {"x": 1, "y": 2}, "b": 1, "c": 3}
    merge(value, {"a": {"x": 9}, "b": None, "d": {"new": True}}, at="patch")
    assert value == {"a": {"x": 9, "y": 2}, "c": 3, "d": {"new": True}}


def test_a_star_reaches_all_that_fit() -> None:
    value = {"Service a": {"x": 1}, "Service b": {"x": 1}, "Deployment a": {"x": 1}}
    merge(value, {"Service *": {"x": 2}}, at="patch")
    assert value == {"Service a": {"x": 2}, "Service b": {"x": 2}, "Deployment a": {"x": 1}}


@pytest.mark.parametrize("patch", [{"a": {"x": 1}}, {"b": None}, {"B*": {"x": 2}}])
def test_a_patch_that_changes_nothing_is_an_error(patch: dict[str, Any]) -> None:
    with pytest.raises(NothingChanged):
        merge({"a": {"x": 1}}, patch, at="patch")


def test_what_is_missing_added_changed_or_moved_is_told() -> None:
    expected = {"gone": 1, "changed": 1, "same": 1, "listeners": {"a": 1, "b": 1}}
    ours = {"added": 1, "changed": 2, "same": 1, "listeners": {"b": 1, "a": 1}}
    told = [line.partition(":")[0] for line in differing(expected, ours)]
    assert told == ["added", "changed", "gone", "listeners"]


def test_a_name_that_comes_twice_is_not_lost() -> None:
    assert keyed([{"name": "a", "v": 1}, {"name": "a", "v": 2}]) == {"a": {"v": 1}, "a (2)": {"v": 2}}
