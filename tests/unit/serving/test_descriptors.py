from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from stunnergw.serving.descriptors import ENOUGH, WANTED, make_room

if TYPE_CHECKING:
    from collections.abc import Callable

UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[int, int]]]:
    """Pretend limits, and keep what they are set to."""

    def pretend(soft: int, hard: int, *, refused: bool = False) -> list[tuple[int, int]]:
        asked: list[tuple[int, int]] = []

        def setrlimit(which: int, limits: tuple[int, int]) -> None:
            if refused:
                raise ValueError("not allowed to raise maximum limit")
            asked.append(limits)

        monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", setrlimit)
        return asked

    return pretend


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "limit"),
    [
        (1024, 1_048_576, [(WANTED, 1_048_576)], WANTED),
        (1024, 20_000, [(20_000, 20_000)], 20_000),
        (1024, UNLIMITED, [(WANTED, UNLIMITED)], WANTED),
        (100_000, 1_048_576, [], 100_000),
        (UNLIMITED, UNLIMITED, [], UNLIMITED),
    ],
)
def test_the_limit_is_raised_as_far_as_it_is_of_use(
    limits: Callable[..., list[tuple[int, int]]], soft: int, hard: int, asked: list[tuple[int, int]], limit: int
) -> None:
    given = limits(soft, hard)
    with capture_logs() as logs:
        assert make_room() == limit
    assert given == asked
    assert logs == []


def test_too_low_a_limit_is_said_with_its_remedy(limits: Callable[..., list[tuple[int, int]]]) -> None:
    limits(256, ENOUGH - 1)
    with capture_logs() as logs:
        assert make_room() == ENOUGH - 1
    [line] = logs
    assert (line["log_level"], line["limit"]) == ("warning", ENOUGH - 1)
    assert "ulimit -n" in line["event"]


def test_a_limit_that_cannot_be_raised_stays(limits: Callable[..., list[tuple[int, int]]]) -> None:
    limits(20_000, UNLIMITED, refused=True)
    with capture_logs() as logs:
        assert make_room() == 20_000
    assert [line["log_level"] for line in logs] == ["info"]
