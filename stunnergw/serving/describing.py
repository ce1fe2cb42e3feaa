"""What ``/status`` says, as plain values.

Statuses are those of the snapshot, as the projection wants them. A config is named by its version, the one that is
served here, and by its state: *wanted* is served as it is, *undecided* is served as it was, if it ever was.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import stunnergw
from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.projection.snapshots import StatusSlot
from stunnergw.projection.statuses import RouteStatus, parent_json
from stunnergw.resources.kinds import (
    DATAPLANE,
    GATEWAY,
    GATEWAY_CLASS,
    GATEWAY_CONFIG,
    ROUTE_KINDS,
    SECRET,
    STATIC_SERVICE,
)
from stunnergw.serving.publishing import version_of_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stunnergw.events.log import EventLog
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.snapshots import Snapshot
    from stunnergw.projection.statuses import Status
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.serving.clients import Client
    from stunnergw.serving.fanout import Fanout
    from stunnergw.serving.publishing import Publications
    from stunnergw.store.store import Store

Json = dict[str, Any]

_PARAMETERS: Mapping[str, Kind[Any]] = MappingProxyType(
    {"gatewayConfigs": GATEWAY_CONFIG, "dataplanes": DATAPLANE, "staticServices": STATIC_SERVICE}
)

SLICE = 200
"""Objects described between two turns of the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Describer:
    """Describes the state of one run, begun at ``started`` by the loop's clock."""

    publications: Publications
    fanout: Fanout
    log: EventLog
    run: str
    started: float
    store: Store | None = None

    async def describe(self) -> Json:
        """Return the whole of ``/status``; lets others run in between, on one snapshot all the same."""
        snapshot = self.publications.snapshot
        described: Json = {
            "run": self.run,
            "version": stunnergw.__version__,
            "uptimeSeconds": round(asyncio.get_running_loop().time() - self.started, 3),
            "seq": None if snapshot is None else snapshot.seq,
            "lastEvent": self.log.last,
            "clients": [self._client(client) for client in self.fanout.clients()],
        }
        if snapshot is None:
            return described
        described["nodes"] = self._nodes(snapshot)
        described["certificates"] = self._certificates()
        described["held"] = dict(sorted(snapshot.held.items()))
        described["failures"] = snapshot.failures
        described["classes"] = await _in_slices(
            sorted(_keys(snapshot, GATEWAY_CLASS) | {key for key in snapshot.configs if not key.namespace}),
            lambda key: self._class(snapshot, key),
        )
        described["gateways"] = await _in_slices(
            sorted(_keys(snapshot, GATEWAY) | {key for key in snapshot.configs if key.namespace}),
            lambda key: self._gateway(snapshot, key),
        )
        described["routes"] = [
            route
            for kind in ROUTE_KINDS
            for route in await _in_slices(sorted(_keys(snapshot, kind)), _describer_of_routes(snapshot, kind))
        ]
        for name, kind in _PARAMETERS.items():
            described[name] = await _in_slices(sorted(_keys(snapshot, kind)), _describer_of(snapshot, kind))
        return described

    def _nodes(self, snapshot: Snapshot) -> list[Json]:
        """Describe the nodes that clients name: their addresses, and what stands in for the placeholder."""
        described = []
        for name, count in sorted(self.fanout.clients_by_node().items()):
            node = snapshot.nodes.get(name)
            entry: Json = {"name": name, "clients": count, "address": self.publications.nodes.shown(name)}
            if node is not None:
                entry["external"] = {"type": node.type, "value": node.value}
            described.append(entry)
        return described

    def _certificates(self) -> list[Json]:
        """Describe the Secrets that hold a certificate and a key."""
        if self.store is None:
            return []
        described = []
        for key in self.store.keys(SECRET):
            secret = self.store.get(SECRET, key)
            if secret is None or secret.data.pair is None:
                continue
            entry: Json = {"namespace": key.namespace, "name": key.name, "notAfter": secret.data.pair.not_after or None}
            if secret.data.pair.problem:
                entry["problem"] = secret.data.pair.problem
            described.append(entry)
        return described

    def _class(self, snapshot: Snapshot, key: Key) -> Json:
        described: Json = {"name": key.name, **_status(snapshot, GATEWAY_CLASS, key)}
        if key in snapshot.configs:
            described["config"] = self._config(snapshot, key)
        if key.name in snapshot.held:
            described["held"] = snapshot.held[key.name]
        return described

    def _gateway(self, snapshot: Snapshot, key: Key) -> Json:
        described: Json = {
            "namespace": key.namespace, "name": key.name, **_status(snapshot, GATEWAY, key)
        }  # fmt: skip
        if key in snapshot.configs:
            described["config"] = self._config(snapshot, key)
        described["dataPlanes"] = [self._client(client) for client in self.fanout.clients(key)]
        return described

    def _config(self, snapshot: Snapshot, key: Key) -> Json:
        output = snapshot.configs[key]
        served = self.publications.get(key)
        described: Json = {"state": _state(output), "version": None if served is None else served.version}
        if isinstance(output, Undecided):
            described["reason"] = output.reason
        return described

    def _client(self, client: Client) -> Json:
        described: Json = {
            "peer": str(client.peer),
            "watches": client.watches,
            "node": client.node,
            "connectedSeconds": round(asyncio.get_running_loop().time() - client.since, 3),
            "behind": not client.is_idle or bool(client.pending),
        }
        if client.config is not None:
            stamp = client.has.get(client.config)
            described["version"] = None if stamp is None else version_of_stamp(stamp)
        else:
            described["documents"] = len(client.has)
        return described


async def _in_slices(keys: Iterable[Key], describe: Callable[[Key], Json]) -> list[Json]:
    described = []
    for count, key in enumerate(keys, 1):
        described.append(describe(key))
        if count % SLICE == 0:
            await asyncio.sleep(0)
    return described


def _keys(snapshot: Snapshot, kind: Kind[Any]) -> set[Key]:
    return {slot.key for slot in snapshot.statuses if slot.kind is kind}


def _status(snapshot: Snapshot, kind: Kind[Any], key: Key) -> Json:
    """Return the fields of an object's status, or why there are none."""
    output: Output[Status] = snapshot.statuses.get(StatusSlot(kind, key), ABSENT)
    if isinstance(output, Undecided):
        return {"undecided": output.reason}
    if not isinstance(output, Want) or isinstance(output.value, RouteStatus):
        return {}
    return output.value.as_json()


def _describer_of(snapshot: Snapshot, kind: Kind[Any]) -> Callable[[Key], Json]:
    def describe(key: Key) -> Json:
        named = {"namespace": key.namespace, "name": key.name} if kind.namespaced else {"name": key.name}
        return {**named, **_status(snapshot, kind, key)}

    return describe


def _describer_of_routes(snapshot: Snapshot, kind: Kind[Any]) -> Callable[[Key], Json]:
    def describe(key: Key) -> Json:
        described: Json = {"kind": kind.kind, "group": kind.group, "namespace": key.namespace, "name": key.name}
        output = snapshot.statuses[StatusSlot(kind, key)]
        if isinstance(output, Undecided):
            described["undecided"] = output.reason
        elif isinstance(output, Want) and isinstance(output.value, RouteStatus):
            described["parents"] = _parents(output.value)
        return described

    return describe


def _parents(status: RouteStatus) -> list[Json]:
    described = []
    for parent, conditions in status.parents:
        entry: Json = {"parentRef": parent_json(parent), "controllerName": status.controller}
        if isinstance(conditions, Want):
            entry["conditions"] = [condition.as_json() for condition in conditions.value]
        elif isinstance(conditions, Undecided):
            entry["undecided"] = conditions.reason
        else:
            continue
        described.append(entry)
    return described


def _state(output: Output[Any]) -> str:
    if isinstance(output, Want):
        return "wanted"
    return "undecided" if isinstance(output, Undecided) else "absent"
