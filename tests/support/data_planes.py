"""The fixtures of the TURN servers that tests send packets through, for the conftest of whichever folder uses them.

What has to be built is built before the first test, which has a time limit that a build would exceed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.realparts.building import built
from tests.support.turn_servers import DataPlane, stunnerd

RELAY = Path(__file__).parents[1] / "realparts" / "relay"


def _built_relay(config: pytest.Config) -> Path:
    capture = config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n[real parts] {line}", flush=True)

    return built("relay", module=RELAY, say=say)


def build_relay(session: pytest.Session) -> None:
    """Build it now if any test of the session uses it."""
    if session.config.option.collectonly:
        return
    if any({"relay", "data_plane"} & set(getattr(item, "fixturenames", ())) for item in session.items):
        try:
            _built_relay(session.config)
        except (pytest.skip.Exception, pytest.fail.Exception):
            return  # the tests say why, each in its own name


@pytest.fixture(scope="session")
def relay(pytestconfig: pytest.Config) -> Path:
    """The program of tests/realparts/relay."""
    return _built_relay(pytestconfig)


@pytest.fixture(params=["relay", "stunnerd"])
def data_plane(request: pytest.FixtureRequest) -> DataPlane:
    """Each TURN server that reads our documents: the relay always, the real stunnerd where there is one."""
    if request.param == "stunnerd":
        return stunnerd()  # needs no Go
    return DataPlane("relay", request.getfixturevalue("relay"))
