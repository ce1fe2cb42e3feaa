"""One projection after another: from changed inputs to the next snapshot.

A run has two layers. The first brings today's class parameters up to date; these are folded into what is held
(:mod:`~stunnergw.projection.holding`); the second layer, which reads that, brings every output up to date. What is
wanted follows from what exists: a Gateway wants its document, Service and status, a class its own, others their status.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast, final

from stunnergw.projection.addresses import external_address
from stunnergw.projection.certificates import certificates_of_gateway, wants_certificate
from stunnergw.projection.classes import ClassHold, class_hold
from stunnergw.projection.classstatuses import class_status
from stunnergw.projection.configs import class_config, config
from stunnergw.projection.engine import Engine, Root
from stunnergw.projection.gatewaystatuses import gateway_status
from stunnergw.projection.holding import HeldState, Holding
from stunnergw.projection.outputs import ABSENT, Undecided
from stunnergw.projection.parameterstatuses import dataplane_status, gateway_config_status
from stunnergw.projection.routestatuses import route_status
from stunnergw.projection.services import config_map, service
from stunnergw.projection.snapshots import Difference, Explanation, OwnedSlot, Snapshot, StatusSlot
from stunnergw.projection.staticservicestatuses import static_service_status
from stunnergw.projection.workloads import Workloads, workloads
from stunnergw.resources.kinds import (
    DAEMON_SET,
    DATAPLANE,
    DEPLOYMENT,
    GATEWAY,
    GATEWAY_CLASS,
    GATEWAY_CONFIG,
    NODE,
    ROUTE_KINDS,
    SECRET,
    STATIC_SERVICE,
    STATUS_KINDS,
)
from stunnergw.resources.metadata import Key
from stunnergw.settings import DataplaneMode
from stunnergw.store.store import Get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stunnergw.projection.causes import Cause
    from stunnergw.projection.engine import Result
    from stunnergw.projection.queries import Query
    from stunnergw.resources.gateways import Gateway
    from stunnergw.resources.kinds import Kind
    from stunnergw.settings import Decisions
    from stunnergw.store.store import Input, Store

FIRST_LAYER: frozenset[Query[Any, Any]] = frozenset({class_hold, certificates_of_gateway})
"""The queries whose results are folded into what is held, before all others are worked out."""

WORKLOADS = "workloads"
"""A result that fills two slots: one for each kind of workload."""

_STATUSES: Mapping[Kind[Any], Query[[Key], Any]] = MappingProxyType(
    {
        GATEWAY: gateway_status,
        GATEWAY_CONFIG: gateway_config_status,
        DATAPLANE: dataplane_status,
        STATIC_SERVICE: static_service_status,
    }
)
"""The status of an object that is told by its key alone."""

_OTHERS: frozenset[Query[Any, Any]] = frozenset(
    {
        config,
        class_config,
        service,
        config_map,
        workloads,
        external_address,
        class_status,
        route_status,
        *_STATUSES.values(),
    }
)

Slot = Key | OwnedSlot | StatusSlot | str


class Place(NamedTuple):
    """Where a root's result goes: one of the snapshot's maps, and the slot in it."""

    map: str
    slot: Slot


NOWHERE = Place("", "")
"""The place of a first-layer result: it goes into what is held."""

_WANTING = STATUS_KINDS | {NODE}
"""The kinds whose objects want outputs."""


Wanted = tuple["Query[Any, Any]", tuple[Any, ...], Place]


@final
class Projection:
    """The outputs of a store, kept up to date. Pure but for its memory: what it gives follows from the inputs alone.

    ``on_failure`` is told of each query that raised. With ``recheck`` every query runs twice (for tests).
    """

    def __init__(
        self,
        *,
        store: Store,
        settings: Decisions,
        on_failure: Callable[[str, Exception], None],
        recheck: bool = False,
    ) -> None:
        self.engine = Engine(store=store, settings=settings, on_failure=on_failure, recheck=recheck)
        self.snapshot = Snapshot(seq=0)
        self._store = store
        self._settings = settings
        self._holding = Holding(self.engine)
        self._reads_seen = -1
        self._secrets: frozenset[Key] = frozenset()

    def run(self, dirty: Mapping[Input, int]) -> Snapshot:
        """Work through one run at once and return its snapshot."""
        for _ in self.steps(dirty):
            pass
        return self.snapshot

    def steps(self, dirty: Mapping[Input, int]) -> Iterator[None]:
        """Work through one run in small steps, so that a caller can let others in; then ``snapshot`` is new.

        The store must not change in between.
        """
        maps = _Maps(self.snapshot)
        self.engine.begin()
        yield from self.engine.mark(dirty)
        yield from self._plan(dirty, maps)
        yield from self.engine.refresh(FIRST_LAYER, take=self._hold)
        yield from self.engine.spread()
        yield from self.engine.refresh(_OTHERS, take=maps.take)
        self.engine.finish()
        self.snapshot = maps.snapshot(
            seq=self._store.seq,
            held=self._holding.reasons(),
            failures=self.engine.failures,
            wanted_secrets=self._wanted_secrets(),
        )

    @property
    def held(self) -> HeldState:
        """What is held: not part of a snapshot, and what the next one rests on beside the store."""
        return self._holding.state

    def adopt(self, held: HeldState) -> None:
        """Hold what another projection held, before the first run."""
        self._holding.adopt(held)

    def explain(self, config_key: Key) -> Explanation | None:
        """Say what last changed a configuration, and what it rests on."""
        managed = self._settings.dataplane_mode is DataplaneMode.MANAGED
        root = Root(config, (config_key,)) if managed else Root(class_config, (config_key.name,))
        cause = self.engine.cause(root)
        return Explanation(cause, tuple(self.engine.inputs(root))) if cause else None

    def _wanted_secrets(self) -> frozenset[Key]:
        """Return the Secrets that decisions read, there or not; the same set as before where it is equal."""
        if self._reads_seen != self.engine.reads_moved:
            self._reads_seen = self.engine.reads_moved
            read = self.engine.gets.get(SECRET, {})
            if read.keys() != self._secrets:
                self._secrets = frozenset(read)
        return self._secrets

    def _hold(self, result: Result) -> None:
        # What cannot be told today leaves what is held as it is.
        if isinstance(result.value, Undecided):
            self._holding.cannot_tell(result)
        else:
            self._holding.fold(result)
        if isinstance(result.value, ClassHold) and result.value.missing and not self._holding.holds(*result.args):
            # While it holds, a class that is gone is looked at for who still names it.
            self.engine.unwant(class_hold, result.args)

    # -- what is wanted ----------------------------------------------------------------------------------------

    def _plan(self, dirty: Mapping[Input, int], maps: _Maps) -> Iterator[None]:
        for changed in dirty:
            # type rather than isinstance: this walks all inputs of a first run.
            if type(changed) is not Get or changed.kind not in _WANTING:
                continue
            thing = self._store.get(changed.kind, changed.key)
            for wanted, args, place in self._wanted(changed.kind, changed.key):
                if thing is not None:
                    self.engine.want(wanted, args, place)
                elif wanted is not class_hold and self.engine.unwant(wanted, args):
                    maps.put(place, ABSENT, None)
            if changed.kind is GATEWAY:
                self._plan_certificates(changed.key, cast("Gateway | None", thing))
            yield

    def _plan_certificates(self, key: Key, gateway: Gateway | None) -> None:
        """Want the certificates of a Gateway that has TLS listeners; most have none."""
        if gateway is not None and any(wants_certificate(listener) for listener in gateway.spec.listeners):
            self.engine.want(certificates_of_gateway, (key,), NOWHERE)
        else:
            self.engine.unwant(certificates_of_gateway, (key,))
            self._holding.release(key)

    def _wanted(self, kind: Kind[Any], key: Key) -> list[Wanted]:
        managed = self._settings.dataplane_mode is DataplaneMode.MANAGED
        if kind is GATEWAY:
            wanted: list[Wanted] = [
                (service, (key,), Place("objects", OwnedSlot("Service", key))),
                (gateway_status, (key,), Place("statuses", StatusSlot(GATEWAY, key))),
            ]
            own: list[Wanted] = [(config, (key,), Place("configs", key)), (workloads, (key,), Place(WORKLOADS, key))]
            return wanted + own if managed else wanted
        if kind is GATEWAY_CLASS:
            wanted = [
                (class_hold, (key.name,), NOWHERE),
                (class_status, (key.name,), Place("statuses", StatusSlot(GATEWAY_CLASS, key))),
            ]
            shared: list[Wanted] = [
                (class_config, (key.name,), Place("configs", key)),
                (config_map, (key.name,), Place("objects", OwnedSlot("ConfigMap", key))),
            ]
            return wanted if managed else wanted + shared
        if kind is NODE:
            return [(external_address, (key,), Place("nodes", key.name))]
        status = Place("statuses", StatusSlot(kind, key))
        return [(route_status, (kind, key), status) if kind in ROUTE_KINDS else (_STATUSES[kind], (key,), status)]


class _Maps:
    """The maps of the next snapshot: copies of the last one's, each made when something in it changes."""

    def __init__(self, old: Snapshot) -> None:
        self._old = old
        self._new: dict[str, dict[Any, Any]] = {}
        self._changed: dict[str, set[Any]] = {"configs": set(), "objects": set(), "statuses": set(), "nodes": set()}
        self._causes: dict[Any, Cause] = {}

    def take(self, result: Result) -> None:
        """Set the output that a changed result gives."""
        self.put(result.place, result.value, result.cause)

    def put(self, place: Place, output: Any, cause: Cause | None) -> None:
        """Set an output; absent ones are not in the maps."""
        if place.map == WORKLOADS:
            self._put_workloads(cast("Key", place.slot), output, cause)
            return
        new = self._new.get(place.map)
        if new is None:
            new = self._new[place.map] = dict(getattr(self._old, place.map))
        if output is not ABSENT:
            # A node's address is what it is: nothing about it is undecided.
            new[place.slot] = output.value if place.map == "nodes" else output
        elif new.pop(place.slot, None) is None:
            return
        self._changed[place.map].add(place.slot)
        if cause is not None:
            self._causes[place.slot] = cause

    def _put_workloads(self, gateway: Key, output: Any, cause: Cause | None) -> None:
        """Set both kinds of workload: what is undecided, or absent, is so of both."""
        parts = output if isinstance(output, Workloads) else Workloads(output, output)
        for kind, part in ((DEPLOYMENT, parts.deployment), (DAEMON_SET, parts.daemon_set)):
            self.put(Place("objects", OwnedSlot(kind.kind, gateway)), part, cause)

    def snapshot(self, *, seq: int, held: dict[str, str], failures: int, wanted_secrets: frozenset[Key]) -> Snapshot:
        """Return the snapshot that these maps make."""
        return Snapshot(
            seq=seq,
            configs=self._new.get("configs", self._old.configs),
            objects=self._new.get("objects", self._old.objects),
            statuses=self._new.get("statuses", self._old.statuses),
            nodes=self._new.get("nodes", self._old.nodes),
            causes=self._causes,
            held=held,
            failures=failures,
            wanted_secrets=wanted_secrets,
            previous=self._old.seq,
            changed=Difference(
                configs=frozenset(self._changed["configs"]),
                objects=frozenset(self._changed["objects"]),
                statuses=frozenset(self._changed["statuses"]),
                nodes=frozenset(self._changed["nodes"]),
            ),
        )
