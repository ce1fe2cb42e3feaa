"""What every test run needs: no current loop, and profiles of the property tests.

The profile ``ci`` is for every run, ``thorough`` for a long night: choose with ``HYPOTHESIS_PROFILE=thorough``, and
``--timeout=0`` then. No deadline: a projection on a busy machine is slow, not wrong.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)

# Not Phase.explain: its tracer looks for files in the middle of a projection, which nobody may there.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)

settings.register_profile(
    "ci", max_examples=60, deadline=None, print_blob=True, suppress_health_check=_QUIET, phases=_PHASES
)
settings.register_profile("thorough", parent=settings.get_profile("ci"), max_examples=3000)
settings.register_profile("unshrunk", parent=settings.get_profile("ci"), phases=_PHASES[:3])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure() -> None:
    # looptime asks for the current loop before tests that have none, too, and asyncio would make one that
    # nobody closes. After this it says instead that there is none.
    asyncio.set_event_loop(None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-scenarios", action="store_true", help="rewrite tests/scenarios/*/out.yaml")


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Commands set the log up; the next test has it as it was."""
    yield
    structlog.reset_defaults()
