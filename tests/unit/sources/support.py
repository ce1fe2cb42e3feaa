"""Manifests to try things on, and a log to read them from."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from stunnergw.events.log import EventLog
from stunnergw.events.types import Applied, Deleted, Listed
from stunnergw.sources.manifests import ManifestSource

if TYPE_CHECKING:
    from pathlib import Path

    from stunnergw.sources.problems import Problem

CLASS = """\
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: turn}
spec: {controllerName: stunner.l7mp.io/gateway-operator}
"""

GATEWAY = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: media}
spec:
  gatewayClassName: turn
  listeners:
  - {name: udp, protocol: TURN-UDP, port: 3478}
"""

CONFIG = """\
apiVersion: stunner.l7mp.io/v1
kind: GatewayConfig
metadata: {name: turn-config, namespace: turn-system}
spec: {userName: alice, password: wonderland}
"""


class Bench:
    """A source over ``folder``, with what it appended and what it reported."""

    def __init__(self, folder: Path, *paths: Path, **options: Any) -> None:
        ticks = itertools.count(1)
        self.folder = folder
        self.log = EventLog(clock=lambda: next(ticks))
        self.reported: list[Problem] = []
        self.told = asyncio.Event()
        self.source = ManifestSource(paths=paths or (folder,), log=self.log, report=self._hear, **options)
        self._read = 0

    def _hear(self, problem: Problem) -> None:
        self.reported.append(problem)
        self.told.set()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def news(self) -> list[str]:
        """What was appended since the last call, a line an event."""
        events = self.log.since(self._read)
        self._read = self.log.last
        return [line(event.fact) for event in events]

    def last(self, name: str) -> Any:
        """The last applied version of an object, such as ``Gateway media/edge``."""
        facts = (event.fact for event in reversed(self.log.since(0)))
        return next(fact.object for fact in facts if isinstance(fact, Applied) and fact.kind.describe(fact.key) == name)


def line(fact: object) -> str:
    match fact:
        case Applied():
            return f"+ {fact.kind.describe(fact.key)}"
        case Deleted():
            return f"- {fact.kind.describe(fact.key)}"
        case Listed():
            return f"{fact.kind.name} {','.join(fact.versions)}"
    raise AssertionError(fact)
