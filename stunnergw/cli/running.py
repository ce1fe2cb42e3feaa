"""``stunnergw run``: the operator, until somebody ends it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from stunnergw.cli.announcing import announce
from stunnergw.cli.logging import configure
from stunnergw.cli.runflags import RunFlags, settings_of
from stunnergw.errors import UsageError
from stunnergw.operator import Operator
from stunnergw.settings import DISCOVERY_SERVICE, DataplaneMode

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from stunnergw.cli.flags import DecisionFlags, LogFlags
    from stunnergw.kube.client import KubeClient
    from stunnergw.kube.connecting import Connection
    from stunnergw.settings import Settings
    from stunnergw.surroundings import Surroundings


LICENCE = "CUSTOMER_KEY"
"""The environment variable that brings the reference operator its licence."""


def run_operator(flags: RunFlags, *, deciding: DecisionFlags | None, logging: LogFlags) -> NoReturn:
    """Run until SIGTERM or SIGINT; the process ends then, with exit code 0.

    Raises:
        UsageError: a flag is wrong, a manifest or kubeconfig unreadable, an address taken.
    """
    # Nothing is garbage before the first snapshot, and looking for some doubles the time to it.
    gc.disable()
    settings = settings_of(flags, deciding=deciding)
    if os.environ.get(LICENCE):
        print(f"stunnergw: {LICENCE} means nothing here and is ignored: nothing needs a licence", file=sys.stderr)
    configure(level=logging.log_level, form=logging.log_format)
    if settings.manifests:
        if flags.leader_elect:
            print("stunnergw: --leader-elect means nothing without a cluster and is ignored", file=sys.stderr)
        _run_and_leave(_run(settings))
    else:
        service = deciding.config_discovery_service if deciding else None
        _run_and_leave(_run_in_cluster(settings, service=service, form=flags.format))


def _run_and_leave(work: Coroutine[Any, Any, None]) -> NoReturn:
    """Run to the end and leave at once; what goes wrong goes its usual way.

    Everything is closed by then. To free each object of thousands of Gateways, or to wait for a thread that asks a DNS
    server that does not answer, would take seconds that a rollout waits for.
    """
    runner = asyncio.Runner()
    try:
        runner.run(work)
    except BaseException:
        runner.close()
        raise
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _run(settings: Settings, surroundings: Surroundings | None = None) -> None:
    operator = Operator(settings, surroundings=surroundings, collect=True)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, operator.stop)
    await operator.run(on_ready=announce)


async def _run_in_cluster(settings: Settings, *, service: str | None, form: str) -> None:
    # Only here: these cost half a second, which nobody without a cluster should wait.
    from stunnergw.clustered import Cluster
    from stunnergw.kube.client import KubeClient
    from stunnergw.kube.connecting import connect

    connection = await connect(settings.kubeconfig or None)
    if not service:
        settings = with_own_service(settings, connection)
    async with KubeClient(connection) as client:
        if settings.decisions.dry_run:
            await _tell_plan(settings, client, connection, form=form)
        else:
            await _run(settings, Cluster(settings, client=client, connection=connection))


async def _tell_plan(settings: Settings, client: KubeClient, connection: Connection, *, form: str) -> None:
    from stunnergw.cli.planning import make_plan, quiet
    from stunnergw.cli.telling_plans import as_json, as_text
    from stunnergw.clustered import Cluster

    listening_nowhere = quiet(settings)
    cluster = Cluster(listening_nowhere, client=client, connection=connection)
    plan = await make_plan(listening_nowhere, client=client, cluster=cluster)
    if form == "json":
        print(as_json(plan).decode())
    else:
        for line in as_text(plan):
            print(line)


def with_own_service(settings: Settings, connection: Connection) -> Settings:
    """Have data planes ask our own Service, in the namespace that we run in: no flag says another.

    Raises:
        UsageError: we are outside the cluster, and data planes would have nowhere to ask.
    """
    managed = settings.decisions.dataplane_mode is DataplaneMode.MANAGED
    if managed and not connection.in_cluster:
        raise UsageError(
            "--config-discovery-service: outside a cluster, say where data planes reach us: name.namespace[:port] of a "
            "Service that leads here, or run with --dataplane-mode=legacy"
        )
    name, _, port = DISCOVERY_SERVICE.rpartition(":")
    service = f"{name.partition('.')[0]}.{connection.namespace}:{port}"
    return replace(settings, decisions=replace(settings.decisions, config_discovery_service=service))
