"""An operator in this process that tests let fall over: faults, where they are put, and how a task comes by them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import stunnergw.operator
from stunnergw.clustered import Cluster as Surroundings
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import connect
from stunnergw.kube.lease import Clocks, system_clocks
from stunnergw.kube.tokens import Fetched, Token
from stunnergw.operator import Operator
from stunnergw.projection.addresses import ExternalNode
from stunnergw.settings import Address, Settings
from tests.cluster import tasks
from tests.cluster.stage import INSTALLATION, install, named, prepare
from tests.realparts.waiting import wait_for
from tests.support.strict_client import StrictClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import pytest

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

LIVE = (
    INSTALLATION.replace("{userName: alice, password: wonderland}", "{authRef: {name: credentials}}")
    + """
---
apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {type: static, username: alice, password: wonderland}
"""
)

LOOPBACK = Address("127.0.0.1", 0)


class Fault:
    """An error that is raised where it is put, in the task that it is meant for, and when."""

    def __init__(self, task: str) -> None:
        self._task = task
        self.raised_at = 0.0

    def strike(self) -> None:
        """Raise it once, in that task."""
        if tasks.current() == self._task and not self.raised_at:
            self.raised_at = time.monotonic()
            raise RuntimeError(f"{self._task} fell over")


class World(NamedTuple):
    """An operator in this process, and what it works on."""

    operator: Operator
    surroundings: Surroundings
    sleeping: Sleeping
    api: Api
    namespace: str

    async def edit(self, thing: dict[str, Any]) -> None:
        """Change an object in a way that decides nothing."""
        note = {"metadata": {"annotations": {"example.org/touched": str(time.monotonic_ns())}}}
        await self.api.patch(thing, note)

    async def touch_gateway(self) -> None:
        """Have a Gateway change."""
        await self.edit(named("Gateway", self.namespace, "edge"))

    async def touch_secret(self) -> None:
        """Have the Secret change that is read."""
        about = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "credentials", "namespace": self.namespace}}
        await self.edit(about)

    async def change_document(self) -> None:
        """Have a document change that somebody watches."""
        await install(self.api, self.namespace, text=LIVE.replace("port: 3478", "port: 3479"))

    async def break_the_class(self) -> None:
        """Have a condition turn, of which an Event tells."""
        await install(self.api, self.namespace, text=LIVE.replace("authRef: {name: credentials}", "authRef: {name: x}"))

    async def keep_a_client_waiting(self) -> None:
        """Have a client that has not read what it was sent."""
        fanout = self.operator.servers.fanout
        (client,) = fanout.clients()
        fanout._mark(client)

    async def name_a_node(self) -> None:
        """Have a node whose name is to be resolved."""
        nodes = self.operator.servers.nodes
        nodes.take({"node": ExternalNode("node", "Hostname", "localhost")}, ["node"])
        nodes.address("node")

    async def look_for_kinds(self) -> None:
        """Have discovery look again."""
        self.surroundings.source._offer.stir()

    async def install_a_kind(self) -> None:
        """Have another offer of kinds."""
        self.surroundings.source._offer._tell()

    async def lose_the_lease(self) -> None:
        """Have the lease lost."""
        assert self.surroundings.election is not None
        self.surroundings.election._step_down()

    async def wake_all(self) -> None:
        """End all waits by the clock of the surroundings."""
        self.sleeping.wake()

    async def nothing(self) -> None:
        """It comes by itself."""


class Sleeping:
    """Waits by the clock that are cut short, so that no test has to wait for a lease to end."""

    def __init__(self) -> None:
        self._waking = asyncio.Event()
        self.fault: Fault | None = None

    def wake(self) -> None:
        """End the waits that are under way."""
        waking, self._waking = self._waking, asyncio.Event()
        waking.set()

    async def sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._waking.wait()
        if self.fault is not None:
            self.fault.strike()

    def clocks(self) -> Clocks:
        own = system_clocks()
        return Clocks(running=own.running, date=own.date, sleep=self.sleep, jitter=own.jitter)


class Case(NamedTuple):
    """Where an error is put, and what has the task come by."""

    owner: Any
    method: str
    stir: Callable[[World], Awaitable[None]]


def put(fault: Fault, case: Case, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a fault strike where a case says, before that does its work."""
    if case.owner is Sleeping:
        world.sleeping.fault = fault
        return
    if case.owner is stunnergw.operator:
        monkeypatch.setattr(stunnergw.operator, case.method, SimpleNamespace(collect=lambda _: fault.strike()))
        return
    before: Any = vars(case.owner)[case.method]
    call: Any = before.fget if isinstance(before, property) else before

    async def later(*given: Any, **more: Any) -> Any:
        fault.strike()
        return await call(*given, **more)

    def at_once(*given: Any, **more: Any) -> Any:
        fault.strike()
        return call(*given, **more)

    now: Any = later if inspect.iscoroutinefunction(call) else at_once
    monkeypatch.setattr(case.owner, case.method, property(now) if isinstance(before, property) else now)


@contextlib.asynccontextmanager
async def operating(
    cluster: Cluster, api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """Build an operator that leads, with a token to renew, over an installation; the caller runs it."""
    await prepare(api)
    await install(api, namespace, text=LIVE)
    sleeping = Sleeping()
    monkeypatch.setattr("stunnergw.clustered.system_clocks", sleeping.clocks)
    monkeypatch.setattr(Token.keep, "__kwdefaults__", {"every": 0.1})
    settings = Settings(
        leader_elect=True,
        leader_election_namespace=namespace,
        config_discovery_address=LOOPBACK,
        inspection_address=LOOPBACK,
        health_probe_bind_address=LOOPBACK,
        metrics_bind_address=LOOPBACK,
    )
    connection = (await connect(str(cluster.kubeconfig)))._replace(token=Token(nobody, source="a test"))
    async with KubeClient(connection) as client:
        surroundings = Surroundings(settings, client=client, connection=connection)
        operator = Operator(settings, surroundings=surroundings, collect=True)
        try:
            yield World(operator, surroundings, sleeping, api, namespace)
        finally:
            gc.unfreeze()


async def nobody() -> Fetched:
    """The token of one whom his certificate makes known."""
    return Fetched("")


@contextlib.asynccontextmanager
async def watched(world: World) -> AsyncIterator[None]:
    """Have a data plane watch, and all be written, within a block."""
    port = world.operator.servers.addresses["config-discovery-address"].port
    async with StrictClient(port, f"{world.namespace}/edge", may_refuse=True) as client:
        await client.document(timeout=30)

        async def at_rest() -> bool:
            return world.surroundings.sinks.leading and world.surroundings.sinks._is_idle()

        await wait_for(at_rest, deadline=30, what="all to be written")
        yield
