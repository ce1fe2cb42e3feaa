"""One projection after another: from changed inputs to the next snapshot.

A run has two layers. The first brings today's class parameters up to date; these are folded into what is held
(:mod:`~stunnergw.projection.holding`); the second layer, which reads that, brings every output up to date. What is
wanted follows from what exists: a Gateway wants its document, Service and status, a class its own, a route its status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

from stunnergw.projection.addresses import external_address
from stunnergw.projection.classes import HELD_CLASSES, HELD_GATEWAYS, class_hold
from stunnergw.projection.classstatuses import class_status
from stunnergw.projection.configs import class_config, config
from stunnergw.projection.gatewaystatuses import gateway_status
from stunnergw.projection.holding import HeldClass, step
from stunnergw.projection.outputs import ABSENT
from stunnergw.projection.queries import Engine, Root
from stunnergw.projection.routestatuses import route_status
from stunnergw.projection.services import config_map, service
from stunnergw.projection.snapshots import Difference, Explanation, OwnedSlot, Snapshot, StatusSlot
from stunnergw.resources.kinds import GATEWAY, GATEWAY_CLASS, NODE, ROUTE_KINDS
from stunnergw.resources.metadata import Key
from stunnergw.settings import DataplaneMode
from stunnergw.store.store import Get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stunnergw.projection.causes import Cause
    from stunnergw.projection.queries import Result
    from stunnergw.resources.kinds import Kind
    from stunnergw.settings import Decisions
    from stunnergw.store.store import Input, Store

Slot = Key | OwnedSlot | StatusSlot | str


class Place(NamedTuple):
    """Where a root's result goes: one of the snapshot's maps, and the slot in it."""

    map: str
    slot: Slot


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
        self._places: dict[Root, Place] = {}
        self._held: dict[str, HeldClass] = {}
        self._held_for: dict[str, str] = {}

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
        self.engine.mark(dirty)
        self._plan(dirty, maps)
        for result in self.engine.refresh(lambda query: query is class_hold):
            if result is not None:
                self._hold(result)
            yield
        for result in self.engine.refresh(lambda query: query is not class_hold):
            if result is not None:
                maps.put(self._places[result.root], result.value, result.cause)
            yield
        self.engine.finish()
        self.snapshot = maps.snapshot(seq=self._store.seq, held=dict(self._held_for), failures=self.engine.failures)

    def explain(self, config: Key) -> Explanation | None:
        """Say what last changed a configuration, and what it rests on."""
        root = next((root for root, place in self._places.items() if place == Place("configs", config)), None)
        cause = self.engine.cause(root) if root else None
        return Explanation(cause, tuple(self.engine.inputs(root))) if root and cause else None

    # -- what is wanted ----------------------------------------------------------------------------------------

    def _plan(self, dirty: Mapping[Input, int], maps: _Maps) -> None:
        for changed in dirty:
            if isinstance(changed, Get):
                exists = self._store.get(changed.kind, changed.key) is not None
                for root, place in self._roots(changed.kind, changed.key):
                    self._want(root, place) if exists else self._unwant(root, place, maps)

    def _want(self, root: Root, place: Place) -> None:
        self._places[root] = place
        self.engine.want(root)

    def _unwant(self, root: Root, place: Place, maps: _Maps) -> None:
        if self._places.pop(root, None) is not None:
            self.engine.unwant(root)
            maps.put(place, ABSENT, None)

    def _roots(self, kind: Kind[Any], key: Key) -> list[tuple[Root, Place]]:
        if kind is GATEWAY:
            return self._gateway_roots(key)
        if kind is GATEWAY_CLASS:
            return self._class_roots(key)
        if kind is NODE:
            return [(Root(external_address, (key,)), Place("nodes", key.name))]
        if kind in ROUTE_KINDS:
            return [(Root(route_status, (kind, key)), Place("statuses", StatusSlot(kind, key)))]
        return []

    def _gateway_roots(self, key: Key) -> list[tuple[Root, Place]]:
        roots = [
            (Root(service, (key,)), Place("objects", OwnedSlot("Service", key))),
            (Root(gateway_status, (key,)), Place("statuses", StatusSlot(GATEWAY, key))),
        ]
        if self._settings.dataplane_mode is DataplaneMode.MANAGED:
            roots.append((Root(config, (key,)), Place("configs", key)))
        return roots

    def _class_roots(self, key: Key) -> list[tuple[Root, Place]]:
        roots = [
            (Root(class_hold, (key.name,)), Place("", key)),
            (Root(class_status, (key.name,)), Place("statuses", StatusSlot(GATEWAY_CLASS, key))),
        ]
        if self._settings.dataplane_mode is DataplaneMode.LEGACY:
            roots.append((Root(class_config, (key.name,)), Place("configs", key)))
            roots.append((Root(config_map, (key.name,)), Place("objects", OwnedSlot("ConfigMap", key))))
        return roots

    # -- what is held ------------------------------------------------------------------------------------------

    def _hold(self, result: Result) -> None:
        """Fold a class's parameters of today into what is held, and tell the engine what changed."""
        (name,) = result.root.args
        old, today = self._held.get(name), result.value
        new = step(old, today.parameters, today.naming)
        if new is None:
            self._held.pop(name, None)
        else:
            self._held[name] = new
        self._tell(name, old, new)
        if new is not None and today.parameters is None:
            self._held_for[name] = today.reason
        else:
            self._held_for.pop(name, None)

    def _tell(self, name: str, old: HeldClass | None, new: HeldClass | None) -> None:
        if (old and old.parameters) != (new and new.parameters):
            self.engine.hold(HELD_CLASSES, name, new and new.parameters)
        before, after = (old.gateways if old else frozenset()), (new.gateways if new else frozenset())
        for gateway in before ^ after:
            self.engine.hold(HELD_GATEWAYS, (name, gateway), gateway in after or None)


class _Maps:
    """The maps of the next snapshot: copies of the last one's, each made when something in it changes."""

    def __init__(self, old: Snapshot) -> None:
        self._old = old
        self._new: dict[str, dict[Any, Any]] = {}
        self._changed: dict[str, set[Any]] = {"configs": set(), "objects": set(), "statuses": set(), "nodes": set()}
        self._causes: dict[Any, Cause] = {}

    def put(self, place: Place, output: Any, cause: Cause | None) -> None:
        """Set an output; absent ones are not in the maps."""
        if not place.map:
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

    def snapshot(self, *, seq: int, held: dict[str, str], failures: int) -> Snapshot:
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
            previous=self._old.seq,
            changed=Difference(
                configs=frozenset(self._changed["configs"]),
                objects=frozenset(self._changed["objects"]),
                statuses=frozenset(self._changed["statuses"]),
                nodes=frozenset(self._changed["nodes"]),
            ),
        )
