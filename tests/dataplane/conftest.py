"""The TURN server that tests send packets through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.realparts.building import built

RELAY = Path(__file__).parents[1] / "realparts" / "relay"


@pytest.fixture(scope="session")
def relay(request: pytest.FixtureRequest) -> Path:
    """The program of tests/realparts/relay."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n[real parts] {line}", flush=True)

    return built("relay", module=RELAY, say=say)
