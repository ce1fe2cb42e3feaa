"""The kinds of trouble that a plan is marked with."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Trouble(StrEnum):
    """What a write would cost somebody."""

    CALLS = "calls"
    """Calls end, or cannot be made for a while."""
    ADDRESS = "address"
    """An address that clients know goes, or may."""
    SHUT_OUT = "shut out"
    """What was served, a route, a backend, a listener or a certificate, would not be."""
    NOT_WRITTEN = "not written"
    """It cannot be written."""


class Mark(NamedTuple):
    """One thing to look at."""

    trouble: Trouble
    what: str
