"""While a projection runs: no clock, no randomness, no files, no sockets, and no store but by the context.

:func:`pure` puts a trap into each of the doors that Python code goes through; whoever opens one during a projection
raises Impure, also where the engine would contain it. :func:`pure_to_the_bone` watches every call of a C function
instead, so that no name bound at import time goes unseen; it is slow.
"""

from __future__ import annotations

import builtins
import datetime
import gc
import os
import random
import socket
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from stunnergw.projection.projecting import Projection
from stunnergw.projection.queries import Context
from stunnergw.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


class Impure(BaseException):
    """A projection reached for something that is not its input. No ``except Exception`` holds it up."""


class _NoClock(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        raise Impure("datetime.now")

    @classmethod
    def utcnow(cls) -> Any:
        raise Impure("datetime.utcnow")


_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep")
_CHANCE = ("random", "randint", "randrange", "choice", "choices", "shuffle", "sample", "uniform", "getrandbits")
_SYSTEM = ("open", "stat", "listdir", "scandir", "getenv", "urandom", "getpid", "read", "write", "unlink", "system")
_READERS = ("get", "select", "versions", "keys", "wrote")

_MAY_READ = {getattr(Context, name).__code__ for name in ("get", "select", "versions", "wrote")} | {
    Projection._plan.__code__
}
"""The context, and the plan of what is wanted, which no query sees."""


@contextmanager
def pure() -> Iterator[None]:
    """Raise Impure at each use of a clock, chance, a file, a socket, or the store behind the context's back."""
    with ExitStack() as traps:
        traps.enter_context(_without_gc())
        for module, names in ((time, _CLOCKS), (random, _CHANCE), (os, _SYSTEM)):
            for name in names:
                traps.enter_context(patch.object(module, name, _trap(f"{module.__name__}.{name}")))
        traps.enter_context(patch.object(socket, "socket", _trap("socket.socket")))
        traps.enter_context(patch.object(builtins, "open", _trap("open")))
        traps.enter_context(patch.object(datetime, "datetime", _NoClock))
        for name in _READERS:
            traps.enter_context(patch.object(Store, name, _guarded(name)))
        yield


@contextmanager
def _without_gc() -> Iterator[None]:
    """Keep finalizers and the callbacks of others out, such as hypothesis's, which looks at the clock."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _trap(name: str) -> Callable[..., Any]:
    def sprung(*args: object, **kwargs: object) -> Any:
        raise Impure(name)

    return sprung


def _guarded(name: str) -> Callable[..., Any]:
    reader = getattr(Store, name)

    def guard(*args: Any) -> Any:
        if sys._getframe(1).f_code not in _MAY_READ:
            raise Impure(f"Store.{name}, beside the context")
        return reader(*args)

    return guard


_FORBIDDEN_MODULES = frozenset({"time", "posix", "_io", "io", "_random", "_socket", "_sqlite3", "_ssl", "select"})
_FORBIDDEN_CLASSES = ("Random", "SystemRandom", "datetime", "date", "socket")
_CLASS_CLOCKS = frozenset({"now", "utcnow", "today", "random", "getrandbits", "seed"})


@contextmanager
def pure_to_the_bone() -> Iterator[None]:
    """Raise Impure at each call of a C function that belongs to the outside world."""

    def watch(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and _is_outside(called):
            sys.setprofile(None)
            raise Impure(f"{called!r}, called at {frame.f_code.co_filename}:{frame.f_lineno}")

    before = sys.getprofile()
    with _without_gc():
        sys.setprofile(watch)
        try:
            yield
        finally:
            sys.setprofile(before)


def _is_outside(called: Any) -> bool:
    if getattr(called, "__module__", None) in _FORBIDDEN_MODULES:
        return True
    owner = getattr(called, "__self__", None)
    owner_name = owner.__name__ if isinstance(owner, type) else type(owner).__name__
    return owner_name in _FORBIDDEN_CLASSES and called.__name__ in _CLASS_CLOCKS
