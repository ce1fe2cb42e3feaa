"""An operator's writing half over an API server in memory, on virtual time: real log, store, projector and sinks.

:class:`Stage` is one cluster; each :meth:`Stage.running` is one life of an operator in it, so that a restart, or a
second replica, is another of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from stunnergw.events.log import EventLog
from stunnergw.events.types import Started, Wrote
from stunnergw.kube.lease import Clocks
from stunnergw.projection.projecting import Projection
from stunnergw.projection.projector import Projector
from stunnergw.resources import kinds
from stunnergw.resources.metadata import STUNNER_GROUP, Key
from stunnergw.settings import CONTROLLER_NAME, Decisions
from stunnergw.sinks.cluster import ClusterSinks
from stunnergw.store.store import Store
from tests.unit.sinks.apiserver import SERVED, ApiServer, Body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stunnergw.kube.discovery import Served

DEADLINE = 3600.0
"""Virtual seconds."""

START = datetime(2026, 1, 1, tzinfo=UTC)


class Lease:
    """Leadership that the test gives and takes."""

    def __init__(self, *, leading: bool = True) -> None:
        self.leading = leading
        self.lasts = 10.0
        self._changed = asyncio.Event()

    def may_write(self, *, within: float) -> bool:
        return self.leading and within < self.lasts

    async def changed(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def set(self, *, leading: bool) -> None:
        self.leading = leading
        self._changed.set()


class Life:
    """One life of an operator."""

    def __init__(
        self, server: ApiServer, lease: Lease | None, decisions: Decisions, served: Served, **more: Any
    ) -> None:
        loop = asyncio.get_running_loop()
        clocks = Clocks(
            running=loop.time,
            date=lambda: START + timedelta(seconds=loop.time()),
            sleep=asyncio.sleep,
            jitter=lambda: 0.0,
        )
        self.log = EventLog(clock=lambda: int(loop.time() * 1e9))
        self.store = Store(table=kinds.TABLE)
        self.failures: list[str] = []
        projection = Projection(
            store=self.store,
            settings=decisions,
            on_failure=lambda query, error: self.failures.append(f"{query}: {error!r}"),
        )
        self.projector = Projector(log=self.log, store=self.store, projection=projection, clock=loop.time)
        self.sinks = ClusterSinks(
            server,
            log=self.log,
            store=self.store,
            snapshots=self.projector,
            election=lease,
            served=lambda: served,
            decisions=decisions,
            clocks=clocks,
            **more,
        )
        self.log.append([Started(run="test", version="0"), *server.listing()], source="watch")

    @property
    def wrote(self) -> list[Wrote]:
        return [event.fact for event in self.log.since(0) if isinstance(event.fact, Wrote)]

    def outcomes(self, kind: str) -> list[str]:
        return [fact.outcome for fact in self.wrote if fact.kind == kind]

    async def idle(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self.sinks.idle()


class Stage:
    """A cluster with a class in order and a Gateway ``media/edge`` of it."""

    def __init__(self, *, decisions: Decisions | None = None, served: Served = SERVED) -> None:
        self.server = ApiServer()
        self.decisions = decisions or Decisions()
        self.served = served
        self.server.put(kinds.NAMESPACE, {"metadata": {"name": "media"}})
        self.server.put(kinds.GATEWAY_CLASS, gateway_class("turn"))
        self.server.put(kinds.GATEWAY_CONFIG, gateway_config())
        self.server.put(kinds.DATAPLANE, {"metadata": {"name": "default"}, "spec": {}})
        self.server.put(kinds.GATEWAY, gateway("edge"))

    @contextlib.asynccontextmanager
    async def running(self, *, lease: Lease | None = None, dry_run: bool = False, **more: Any) -> AsyncIterator[Life]:
        """Live once, from the listing to the end of the block."""
        life = Life(self.server, lease, replace(self.decisions, dry_run=dry_run), self.served, **more)
        self.server.log = life.log
        tasks = [asyncio.create_task(life.projector.run()), asyncio.create_task(life.sinks.run())]
        try:
            yield life
            for task in tasks:
                assert not task.done(), task.exception()
            assert life.failures == []
        finally:
            self.server.log = None
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def once(self) -> None:
        """Live until all is written, so that the next life finds it so."""
        async with self.running() as life:
            await life.idle()
        self.server.forget_requests()


def gateway_class(name: str, *, controller: str = CONTROLLER_NAME) -> Body:
    ref = {"group": STUNNER_GROUP, "kind": "GatewayConfig", "name": "turn", "namespace": "media"}
    return {"metadata": {"name": name}, "spec": {"controllerName": controller, "parametersRef": ref}}


def gateway_config(**spec: Any) -> Body:
    return {
        "metadata": {"name": "turn", "namespace": "media"},
        "spec": {"userName": "user", "password": "pa55word", **spec},
    }


def gateway(name: str, *, class_name: str = "turn", port: int = 3478, annotations: Body | None = None) -> Body:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": "media", "annotations": annotations or {}},
        "spec": {
            "gatewayClassName": class_name,
            "listeners": [{"name": "udp", "port": port, "protocol": "TURN-UDP"}],
        },
    }


def route(name: str, *parents: str) -> Body:
    refs = [{"name": parent} for parent in parents or ("edge",)]
    backends = [{"backendRefs": [{"name": "sfu"}]}]
    return {"metadata": {"name": name, "namespace": "media"}, "spec": {"parentRefs": refs, "rules": backends}}


EDGE = Key("media", "edge")
