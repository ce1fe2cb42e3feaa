"""The TURN servers that tests send packets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.data_planes import build_relay, data_plane, relay

if TYPE_CHECKING:
    import pytest

__all__ = ["data_plane", "relay"]


def pytest_collection_finish(session: pytest.Session) -> None:
    build_relay(session)
