"""What every test run needs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_configure() -> None:
    # looptime asks for the current loop before tests that have none, too, and asyncio would make one that
    # nobody closes. After this it says instead that there is none.
    asyncio.set_event_loop(None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-scenarios", action="store_true", help="rewrite tests/scenarios/*/out.yaml")
