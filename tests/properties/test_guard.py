"""The guard that keeps projections pure catches what it is for: a test that catches nothing proves nothing."""

from __future__ import annotations

import datetime
import os
import random
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.projection import listeners
from stunnergw.resources import kinds
from tests.support.bench import Bench
from tests.support.objects import EDGE, gateway, healthy
from tests.support.purity import Impure, pure, pure_to_the_bone

if TYPE_CHECKING:
    from collections.abc import Callable

    from stunnergw.projection.queries import Context

HERE = str(Path(__file__))
BOUND_EARLY = time.monotonic
"""As ``from time import monotonic`` binds it: no trap set later is in its way."""

SLIPS: list[Callable[[Any], Any]] = [
    lambda db: time.time(),
    lambda db: datetime.datetime.now(tz=datetime.UTC),
    lambda db: random.random(),
    lambda db: os.getenv("HOME"),
    lambda db: socket.socket(),
    lambda db: open(HERE).read(),  # noqa: SIM115
    lambda db: db.engine.store.get(kinds.GATEWAY, EDGE),
    lambda db: db.engine.store.keys(kinds.GATEWAY),
]


@pytest.mark.parametrize("slip", SLIPS)
def test_a_query_that_slips_is_caught(slip: Callable[[Context], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = listeners.own_listeners.function
    monkeypatch.setattr(listeners.own_listeners, "function", lambda db, *args: (slip(db), sound(db, *args))[1])
    with pytest.raises(Impure):
        Bench(failing=True).run(*healthy(), gateway())


def test_a_name_bound_early_is_caught_to_the_bone() -> None:
    with pure():
        BOUND_EARLY()
    with pytest.raises(Impure, match="monotonic"), pure_to_the_bone():
        BOUND_EARLY()


def test_afterwards_all_is_as_it_was() -> None:
    with pure():
        pass
    assert time.time() > 0
    assert Path(HERE).read_text()
