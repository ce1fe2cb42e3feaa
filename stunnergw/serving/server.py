"""The servers: what listens where, from the first bind to the last connection closed.

Built from the settings and a source of snapshots, started, run, stopped. Starting binds every address before any is
served, so that either all listen or a message names the one that cannot. Stopping takes less than a second whatever
the clients do: nobody new, goodbye to all watchers at once, and whoever does not leave is hung up on.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import structlog
from aiohttp import web

from stunnergw.serving.authorizing import may_read as everybody_may_read
from stunnergw.serving.binding import BACKLOG, bind, bound_address
from stunnergw.serving.describing import Describer
from stunnergw.serving.discovery import Discovery
from stunnergw.serving.explaining import Explaining
from stunnergw.serving.fanout import Fanout
from stunnergw.serving.following import Following
from stunnergw.serving.health import Checks, health_routes
from stunnergw.serving.inspecting import host_check, inspection_routes
from stunnergw.serving.metrics import Instruments, ServingCollector, add_process_metrics, counting, metrics_routes
from stunnergw.serving.nodes import NodeAddresses
from stunnergw.serving.nodes import resolve as resolve_name
from stunnergw.serving.polling import Polling
from stunnergw.serving.publishing import Publications
from stunnergw.settings import DataplaneMode

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from stunnergw.events.log import EventLog
    from stunnergw.projection.snapshots import Explainer, SnapshotSource
    from stunnergw.serving.authorizing import MayRead
    from stunnergw.serving.nodes import Resolve
    from stunnergw.settings import Address, Settings
    from stunnergw.store.store import Store

log = structlog.get_logger(__name__)

CONFIG_DISCOVERY = "config-discovery-address"
INSPECTION = "inspection-address"
HEALTH = "health-probe-bind-address"
METRICS = "metrics-bind-address"

HANDLER_GRACE = 0.1
"""Seconds that a request under way has left when all stops; aiohttp waits for it twice."""
CLEANUP_AT_MOST = 0.4


class _Listener(NamedTuple):
    flag: str
    address: Address
    socket: socket.socket


class Servers:
    """All servers of one run.

    ``liveness`` and ``readiness`` are asked on the health address; the servers add checks of their own
    (``fan-out``; ``projected`` and ``serving``), whoever built them adds the others. Without an ``explainer``
    nothing answers at ``/why``; ``store`` is where certificates are looked up.
    """

    def __init__(
        self,
        settings: Settings,
        source: SnapshotSource,
        log: EventLog,
        *,
        run: str,
        liveness: Checks | None = None,
        readiness: Checks | None = None,
        explainer: Explainer | None = None,
        store: Store | None = None,
        instruments: Instruments | None = None,
        may_read: MayRead = everybody_may_read,
        resolve: Resolve = resolve_name,
    ) -> None:
        self._settings = settings
        self._source = source
        self._log = log
        self._run = run
        self._store = store
        self._may_read = may_read
        self.liveness = liveness if liveness is not None else Checks()
        self.readiness = readiness if readiness is not None else Checks()
        self.nodes = NodeAddresses(resolve=resolve)
        self.publications = Publications(source, nodes=self.nodes)
        self.fanout = Fanout(self.publications, may_read=may_read)
        self._following = Following(log, run=run)
        self._explainer = explainer
        self._instruments = instruments if instruments is not None else Instruments()
        self.registry.register(
            ServingCollector(
                self.publications,
                fanout=self.fanout,
                following=self._following,
                log=log,
                answers=self._instruments,
            )
        )
        add_process_metrics(self.registry)
        self._addresses: dict[str, Address] = {}
        self._runners: list[web.AppRunner] = []
        self._serving = False
        self._stopping = asyncio.Event()
        self._add_checks()

    @property
    def registry(self) -> CollectorRegistry:
        """The metrics of this run; whoever built the servers adds collectors of its own."""
        return self._instruments.registry

    @property
    def addresses(self) -> Mapping[str, Address]:
        """Where it listens, by flag (:data:`CONFIG_DISCOVERY` and so on): ports as bound; without those off."""
        return self._addresses

    async def start(self) -> None:
        """Listen. Clients that come are served from now on; changes are pushed by :meth:`run`.

        Raises:
            UsageError: an address cannot be had; none is listened on then.
        """
        with ExitStack() as undo:
            listeners = await self._bind(undo)
            undo.pop_all()
        for listener in listeners:
            await self._serve(listener, self._application(listener))
            self._addresses[listener.flag] = listener.address
            log.info("listening", flag=listener.flag, address=str(listener.address))
        self._serving = True

    async def run(self) -> None:
        """Push changes to the clients until :meth:`stop` is called or this is cancelled."""
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(self.fanout.push()),
                group.create_task(self.fanout.visit_marked()),
                group.create_task(self.nodes.run(self.fanout.nodes_in_use)),
            ]
            await self._stopping.wait()
            for endless in loops:
                endless.cancel()

    async def stop(self) -> None:
        """Stop within a second. May be called at any time, more than once."""
        self._serving = False
        self._stopping.set()
        for runner in self._runners:
            for site in tuple(runner.sites):
                await site.stop()
        self.publications.close()
        self._following.close()
        await self.fanout.close()
        async with asyncio.TaskGroup() as group:
            for runner in self._runners:
                group.create_task(_clean_up(runner))
        self._runners.clear()
        self._addresses.clear()

    def _add_checks(self) -> None:
        self.liveness.add("fan-out", self.fanout.stalled)
        self.readiness.add(
            "projected", lambda: None if self.publications.snapshot is not None else "the first projection is not done"
        )
        self.readiness.add("serving", lambda: None if self._serving else "not listening, or stopping")

    async def _bind(self, undo: ExitStack) -> list[_Listener]:
        wanted = {
            CONFIG_DISCOVERY: self._settings.config_discovery_address,
            INSPECTION: self._settings.inspection_address,
            HEALTH: self._settings.health_probe_bind_address,
            METRICS: self._settings.metrics_bind_address,
        }
        listeners = []
        for flag, address in wanted.items():
            if address is None:
                continue
            listening = await bind(address, flag=flag)
            undo.callback(listening.close)
            listeners.append(_Listener(flag, bound_address(listening, asked=address), listening))
        return listeners

    async def _serve(self, listener: _Listener, application: web.Application) -> None:
        # handler_cancellation: a poller that has gone is not waited for.
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=HANDLER_GRACE)
        await runner.setup()
        self._runners.append(runner)
        await web.SockSite(runner, listener.socket, backlog=BACKLOG).start()

    def _application(self, listener: _Listener) -> web.Application:
        if listener.flag == INSPECTION:
            application = web.Application(middlewares=[host_check(listener.address.host)])
        elif listener.flag == CONFIG_DISCOVERY:
            application = web.Application(middlewares=[counting(self._instruments)])
        else:
            application = web.Application()
        application.add_routes(self._routes(listener.flag))
        return application

    def _routes(self, flag: str) -> list[web.RouteDef]:
        if flag == HEALTH:
            return health_routes(liveness=self.liveness, readiness=self.readiness)
        if flag == METRICS:
            return metrics_routes(self.registry)
        legacy = self._settings.decisions.dataplane_mode is DataplaneMode.LEGACY
        if flag == INSPECTION:
            return [*inspection_routes(self._describer()), *self._following.routes(), *self._why(legacy)]
        discovery = Discovery(self.publications, fanout=self.fanout, may_read=self._may_read, legacy=legacy)
        polling = Polling(self.publications, may_read=self._may_read, legacy=legacy)
        return [*discovery.routes(), *polling.routes()]

    def _why(self, legacy: bool) -> list[web.RouteDef]:
        if self._explainer is None:
            return []
        return Explaining(
            self.publications, explainer=self._explainer, log=self._log, run=self._run, legacy=legacy
        ).routes()

    def _describer(self) -> Describer:
        return Describer(
            publications=self.publications,
            fanout=self.fanout,
            log=self._log,
            run=self._run,
            started=asyncio.get_running_loop().time(),
            store=self._store,
        )


async def _clean_up(runner: web.AppRunner) -> None:
    """Close what a runner has open, also towards clients that do not read."""
    server = runner.server
    transports = [handler.transport for handler in server.connections] if server is not None else []
    try:
        async with asyncio.timeout(CLEANUP_AT_MOST):
            await runner.cleanup()
    except TimeoutError:
        log.warning("requests under way were cut off")
    for transport in transports:
        # aiohttp closes; a connection with something left to write would stay for as long as nobody reads.
        if transport is not None:
            transport.abort()
