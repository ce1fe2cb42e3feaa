"""A dead task in a live process is the worst state there is: an error in any of them ends the process, within a second.

Errors are put into what the tasks call, one task at a time. Which tasks there are is not said here but seen: one that
is new and has no case fails a test.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import pytest

import stunnergw.operator
from stunnergw.kube.lease import Election
from stunnergw.kube.tokens import Token
from stunnergw.projection.projector import Projector
from stunnergw.serving.fanout import Fanout
from stunnergw.serving.nodes import NodeAddresses
from stunnergw.sinks.cluster import ClusterSinks
from stunnergw.sinks.queue import WriteQueue
from stunnergw.sinks.reporting import Reporter
from stunnergw.sources.offering import Offer
from stunnergw.sources.reading_secrets import SecretReader
from stunnergw.sources.reflecting import Reflector
from tests.cluster import tasks
from tests.cluster.falling import LIVE, Case, Fault, Sleeping, World, operating, put, watched
from tests.cluster.operating import MANAGED, OperatorProcess, arguments
from tests.cluster.stage import install, named, prepare
from tests.realparts.waiting import wait_for
from tests.support.strict_client import StrictClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

HOLDERS = {"Servers.run", "ClusterSource.run", "ClusterSinks.run", "Election.run", "SecretReader.run", "Operator.run"}
"""Tasks that do nothing but hold others, and end with them."""


CASES: dict[str, Case] = {
    "Projector.run": Case(Projector, "project", World.touch_gateway),
    "Operator._become_ready": Case(stunnergw.operator, "gc", World.nothing),
    "Fanout.push": Case(Fanout, "_watchers", World.change_document),
    "Fanout.visit_marked": Case(Fanout, "_visit_all", World.keep_a_client_waiting),
    "NodeAddresses.run": Case(NodeAddresses, "_look_again", World.name_a_node),
    "NodeAddresses._refresh": Case(NodeAddresses, "_settle", World.name_a_node),
    "Offer.run": Case(Offer, "_look", World.look_for_kinds),
    "Reflector.run": Case(Offer, "is_read", World.install_a_kind),
    "Reflector._follow": Case(Reflector, "_heed", World.touch_gateway),
    "Reflector._until_moved": Case(Offer, "is_read", World.install_a_kind),
    "SecretReader._read": Case(SecretReader, "_get", World.touch_secret),
    "ClusterSinks._lead": Case(ClusterSinks, "_may_lead", World.lose_the_lease),
    "ClusterSinks._follow": Case(ClusterSinks, "_notice", World.touch_gateway),
    "Reporter.run": Case(Reporter, "_send", World.break_the_class),
    "Workers.run": Case(WriteQueue, "take", World.touch_gateway),
    "Workers._one": Case(ClusterSinks, "_write", World.touch_gateway),
    "Election._campaign": Case(Election, "attempt", World.wake_all),
    "Election._notice_the_end": Case(Sleeping, "sleep", World.wake_all),
    "Connection.renew": Case(Token, "authorization", World.nothing),
}

NOW_AND_THEN = {"NodeAddresses._refresh", "SecretReader._read", "Workers._one"}
"""Tasks for one piece of work each."""

IN_BETWEEN = {"_resources", "_clean_up"}
"""Tasks that somebody waits for, and whose errors are his: of discovery, and of the end."""


async def test_every_task_has_a_case(
    cluster: Cluster, api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with operating(cluster, api, namespace, monkeypatch) as world:
        with tasks.noted() as started:
            running = asyncio.create_task(world.operator.run())
            await world.operator.ready.wait()
            async with watched(world):
                lasting = tasks.running()
                await world.name_a_node()
                await world.touch_secret()
                await world.change_document()
                await wait_for(lambda: has_port(world, 3479))
            world.operator.stop()
            await running
    assert lasting - HOLDERS == CASES.keys() - NOW_AND_THEN
    assert started - HOLDERS - IN_BETWEEN == CASES.keys()


async def has_port(world: World, port: int) -> bool:
    service = await world.api.get(named("Service", world.namespace, "edge"))
    return bool(service["spec"]["ports"][0]["port"] == port)


@pytest.mark.parametrize("task", CASES)
async def test_an_error_in_any_task_ends_all(
    cluster: Cluster, api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    case, fault = CASES[task], Fault(task)
    async with operating(cluster, api, namespace, monkeypatch) as world:
        running = asyncio.create_task(world.operator.run())
        ready = asyncio.create_task(world.operator.ready.wait())
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        async with watched(world):
            put(fault, case, world, monkeypatch)
            await case.stir(world)
            await asyncio.wait([running], timeout=15)
            ended_at = time.monotonic()
        assert fault.raised_at, f"the error came to nothing: {task} did not come by"
        with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match=f"{task} fell over"), flatten_subgroups=True):
            running.result()
        assert ended_at - fault.raised_at < 1.0


DRIVER = """
import os, sys, time
from stunnergw.cli import main
from stunnergw.kube.lease import Election

attempt = Election.attempt

async def fall_over(self):
    if os.path.exists(os.environ["FALL_OVER"]):
        print("fell over at", time.monotonic(), file=sys.stderr, flush=True)
        raise RuntimeError("it fell over")
    await attempt(self)

Election.attempt = fall_over
main()
"""
"""The operator as a process, whose lease falls over once there is a file."""


async def test_the_process_ends_with_a_traceback_and_another_exit_code(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    await prepare(api)
    await install(api, namespace, text=LIVE)
    trigger = tmp_path / "fall-over"
    flags = arguments(cluster.kubeconfig, *MANAGED, "--leader-elect", f"--leader-election-namespace={namespace}")
    environment = {"FALL_OVER": str(trigger)}
    operator = OperatorProcess(
        flags, log=tmp_path / "log", environment=environment, command=(sys.executable, "-c", DRIVER)
    )
    await operator.start()
    async with StrictClient(operator.ports["config-discovery-address"], f"{namespace}/edge", may_refuse=True) as client:
        await client.document(timeout=30)
        trigger.touch()
        async with asyncio.timeout(10):
            code = await operator.process.wait()
        ended_at = time.monotonic()
    said = operator.log.read_text("utf-8")
    fell_over_at = float(said.partition("fell over at ")[2].split()[0])
    assert code == 1
    assert "RuntimeError: it fell over" in said
    assert ended_at - fell_over_at < 1.0
