"""``stunnergw run --dry-run``: what the operator would write to the cluster, told and not written.

The operator runs as ever, but for servers and writes: it reads the cluster, works out all there is, and its writers say
what they would do. What another operator left is compared with what would stand there, and what deserves a look before
a switch is marked.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.cli.marking import marks
from stunnergw.cli.marks import Mark, Trouble
from stunnergw.errors import NotFoundOut
from stunnergw.operator import Operator
from stunnergw.projection.outputs import Undecided
from stunnergw.resources.kinds import CONFIG_MAP
from stunnergw.store.indexes import RELATED_GATEWAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stunnergw.clustered import Cluster
    from stunnergw.kube.client import KubeClient
    from stunnergw.projection.snapshots import Snapshot
    from stunnergw.resources.metadata import Key
    from stunnergw.settings import Settings
    from stunnergw.sinks.sending import Planned
    from stunnergw.store.store import Store

ANSWER_WITHIN = 10.0
"""Seconds for the API server to say its version."""
PATIENCE = 5.0
"""Seconds for which a kind may be refused or out of reach: an API server that has just started settles by then."""
WITHIN = 120.0
"""Seconds for all of the cluster to be read."""
TELL_EVERY = 2.0


class Step(NamedTuple):
    """One write, or what is in its way."""

    planned: Planned
    marks: tuple[Mark, ...]


class Plan(NamedTuple):
    """All that a start would do."""

    steps: tuple[Step, ...]
    undecided: tuple[str, ...]
    """What stays as it is because it cannot be decided, and why."""


def quiet(settings: Settings) -> Settings:
    """Return the settings of an operator that listens nowhere."""
    return replace(
        settings,
        config_discovery_address=None,
        inspection_address=None,
        health_probe_bind_address=None,
        metrics_bind_address=None,
    )


async def make_plan(settings: Settings, *, client: KubeClient, cluster: Cluster) -> Plan:
    """Work out what an operator with these settings (of a dry run) would write.

    Raises:
        NotFoundOut: the API server does not answer, or refuses what has to be read.
    """
    await client.request("GET", "/version", within=ANSWER_WITHIN)
    operator = Operator(settings, surroundings=cluster)
    async with asyncio.TaskGroup() as group:
        group.create_task(operator.run(), name="operator")
        await _read(operator, cluster)
        snapshot = operator.projector.latest
        if snapshot is None:
            raise RuntimeError("ready without a snapshot")
        planned = await cluster.sinks.plan()
        steps = tuple(Step(write, (*marks(write), *_left_without_updates(write, operator.store))) for write in planned)
        operator.stop()
    return Plan(steps, tuple(_undecided(snapshot)))


async def _read(operator: Operator, cluster: Cluster) -> None:
    """Wait for the first snapshot, saying what it waits for."""
    loop = asyncio.get_running_loop()
    began = told = loop.time()
    since: dict[str, float] = {}
    print("stunnergw: reading the cluster", file=sys.stderr, flush=True)
    while not operator.ready.is_set():
        now = loop.time()
        since = {kind: since.get(kind, now) for kind in _refused(cluster)}
        for kind, first in since.items():
            if now - first >= PATIENCE:
                raise NotFoundOut(f"{kind} cannot be read: {_refused(cluster)[kind]}")
        waiting = operator.servers.readiness.results()
        missing = "; ".join(said for said in waiting.values() if said)
        if now - began >= WITHIN:
            raise NotFoundOut(f"the cluster was not read within {WITHIN:g} s: {missing}")
        if now - told >= TELL_EVERY:
            told = now
            print(f"stunnergw: {missing}", file=sys.stderr, flush=True)
        try:
            async with asyncio.timeout(0.2):
                await operator.ready.wait()
        except TimeoutError:
            continue


def _left_without_updates(write: Planned, store: Store) -> Iterator[Mark]:
    """Mark the creation of a ConfigMap where the class has one of another name, which pods may have mounted."""
    if write.verb != "create" or write.kind != CONFIG_MAP.name or write.effect.after is None:
        return
    owner = write.effect.after["metadata"]["annotations"][RELATED_GATEWAY]
    for key in store.keys(CONFIG_MAP):
        found = store.get(CONFIG_MAP, key)
        if found is not None and found.metadata.annotations.get(RELATED_GATEWAY) == owner:
            yield Mark(Trouble.CALLS, f"ConfigMap {key} gets no updates any more: have stunnerd mount {write.key.name}")


def _refused(cluster: Cluster) -> dict[str, str]:
    states = cluster.source.states.values()
    return {state.kind.name: state.unavailable for state in states if state.unavailable and not state.listed}


def _undecided(snapshot: Snapshot) -> Iterator[str]:
    for key, output in sorted(snapshot.configs.items()):
        if isinstance(output, Undecided):
            yield f"the document of {_owner(key)}: {output.reason}"
    for slot, owned in sorted(snapshot.objects.items()):
        if isinstance(owned, Undecided):
            yield f"the {slot.kind} of {_owner(slot.owner)}: {owned.reason}"
    for status, found in sorted(snapshot.statuses.items(), key=lambda item: (item[0].kind.name, item[0].key)):
        if isinstance(found, Undecided):
            yield f"the status of {status.kind.name} {status.key}: {found.reason}"


def _owner(key: Key) -> str:
    return f"Gateway {key}" if key.namespace else f"GatewayClass {key}"
