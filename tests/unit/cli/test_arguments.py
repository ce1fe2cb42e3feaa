"""Arguments in the spellings of other programs."""

from __future__ import annotations

import pytest

from stunnergw.cli.arguments import rewrite
from stunnergw.cli.flags import seconds
from stunnergw.errors import UsageError


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["run", "-manifests", "m"], ["run", "--manifests", "m"]),
        (["-controller-name=x"], ["run", "--controller-name=x"]),
        (["--dataplane-mode=managed"], ["run", "--dataplane-mode=managed"]),
        (["render", "-f", "m"], ["render", "-f", "m"]),
        (["render", "-filename", "m"], ["render", "--filename", "m"]),
        (["--help"], ["--help"]),
        (["-h"], ["-h"]),
        (["version"], ["version"]),
        ([], []),
    ],
)
def test_spellings(written: list[str], read: list[str]) -> None:
    assert rewrite(written).arguments == read


def test_flags_without_meaning_are_dropped_with_their_values() -> None:
    rewritten = rewrite(["--zap-encoder=console", "--zap-log-level", "info", "-pprof-bind-address=:1", "--manifests=m"])
    assert rewritten.arguments == ["run", "--manifests=m"]
    assert rewritten.dropped == ["--zap-encoder=console", "--zap-log-level", "--pprof-bind-address=:1"]


def test_a_switch_without_meaning_takes_nothing_along() -> None:
    rewritten = rewrite(["run", "--enable-finalizer", "poll"])
    assert rewritten.arguments == ["run", "poll"]


@pytest.mark.parametrize(("text", "value"), [("250ms", 0.25), ("0", 0), ("1m30s", 90), ("5s", 5), ("1.5h", 5400)])
def test_durations(text: str, value: float) -> None:
    assert seconds(text, flag="x") == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "5", "ms", "5 ms", "-5ms", "5d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="--throttle-timeout"):
        seconds(text, flag="throttle-timeout")
