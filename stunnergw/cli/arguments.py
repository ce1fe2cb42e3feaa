"""Arguments as other programs of this kind take them: one function rewrites them before they are read.

The reference operator is a Go program: ``-word`` means ``--word``, durations look like ``250ms``, and what its
Deployment passes must start us unchanged. Flags that mean nothing here are dropped, with a line that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

WITHOUT_MEANING = (
    "pprof-bind-address",
    "startup-render-timeout",
    "leader-election-id",
    "enable-finalizer",
)
"""Flags of the reference that are accepted and do nothing here."""

PREFIX_WITHOUT_MEANING = "zap-"

_SWITCHES = ("enable-finalizer", "zap-devel")
"""Those that are on or off: what follows them is no value of theirs."""

_SHORT = ("-f", "-o", "-h")


class Rewritten(NamedTuple):
    """Arguments in our own spelling."""

    arguments: list[str]
    dropped: list[str]
    """Flags that were left out, as they were written."""


def rewrite(arguments: Sequence[str]) -> Rewritten:
    """Rewrite arguments; a leading dash without a command means ``run``."""
    kept: list[str] = []
    dropped: list[str] = []
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version"):
        kept.append("run")
    waiting = list(arguments)
    while waiting:
        argument = _long(waiting.pop(0))
        if not _meaningless(argument):
            kept.append(argument)
            continue
        dropped.append(argument)
        switch = argument.removeprefix("--") in _SWITCHES
        if "=" not in argument and not switch and waiting and not waiting[0].startswith("-"):
            waiting.pop(0)
    return Rewritten(kept, dropped)


def _long(argument: str) -> str:
    single = argument.startswith("-") and not argument.startswith("--")
    if single and len(argument) > 2 and argument[:2] not in _SHORT:
        return f"-{argument}"
    # -file and -output would be taken for -f ile and -o utput.
    if single and len(argument) > 2 and argument[1:].partition("=")[0].replace("-", "").isalpha():
        return f"-{argument}"
    return argument


def _meaningless(argument: str) -> bool:
    name = argument.removeprefix("--").partition("=")[0]
    return argument.startswith("--") and (name in WITHOUT_MEANING or name.startswith(PREFIX_WITHOUT_MEANING))
