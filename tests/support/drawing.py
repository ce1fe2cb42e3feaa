"""Choices in generated worlds, without a new strategy for each.

A world takes a thousand small choices, and to make and check a strategy takes longer than to draw from it: so a choice
draws an index, from one of a few strategies that are made once. It shrinks as ``sampled_from`` does, to the first.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import SearchStrategy

    Draw = Callable[[SearchStrategy[Any]], Any]

T = TypeVar("T")


@cache
def below(count: int) -> SearchStrategy[int]:
    """Draw a number from 0 to ``count`` - 1."""
    return st.integers(0, count - 1)


def pick(draw: Draw, choices: Sequence[T]) -> T:
    """Draw one of several."""
    return choices[draw(below(len(choices)))]


def mostly(draw: Draw, *choices: T) -> T:
    """Draw the first choice four times out of five."""
    others = len(choices) - 1
    first = 4 * max(1, others)
    index: int = draw(below(first + others))
    return choices[0] if index < first else choices[index - first + 1]
