"""A snapshot: everything that follows from the events up to one of them, immutable.

It holds what is *wanted*; servers and sinks make it so. An undecided output carries no old value: who serves or
writes keeps the last one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stunnergw.dataplane.documents import Document
    from stunnergw.projection.addresses import ExternalNode
    from stunnergw.projection.bodies import OwnedObject
    from stunnergw.projection.causes import Cause
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.statuses import Status
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key


class OwnedSlot(NamedTuple):
    """Where an owned object belongs: one of each kind for each owner.

    A slot rather than the object's own name, so that an object which is to have another name is seen as moved.
    """

    kind: str
    """``Service``, ``Deployment``, ``ConfigMap``, …"""
    owner: Key
    """The Gateway; in legacy mode of a ConfigMap the class, with an empty namespace."""


class StatusSlot(NamedTuple):
    """The object whose status it is."""

    kind: Kind[Any]
    key: Key


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Difference:
    """What changed between two snapshots: the slots, for whoever acts on them to look up in the newer one."""

    configs: frozenset[Key] = frozenset()
    objects: frozenset[OwnedSlot] = frozenset()
    statuses: frozenset[StatusSlot] = frozenset()
    nodes: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.configs or self.objects or self.statuses or self.nodes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """The outputs at one event."""

    seq: int
    """The last event that this rests on."""
    configs: Mapping[Key, Output[Document]] = field(default_factory=_nothing)
    """Managed mode: by Gateway. Legacy mode: by class, with an empty namespace. Gone ones are not in it."""
    objects: Mapping[OwnedSlot, Output[OwnedObject]] = field(default_factory=_nothing)
    statuses: Mapping[StatusSlot, Output[Status]] = field(default_factory=_nothing)
    causes: Mapping[Any, Cause] = field(default_factory=_nothing)
    """What changed those slots that changed since the snapshot before; of the others the engine knows."""
    nodes: Mapping[str, ExternalNode] = field(default_factory=_nothing)
    """By name, the nodes that have an external address: it stands in for the placeholder in documents."""
    held: Mapping[str, str] = field(default_factory=_nothing)
    """Classes served on held parameters, each with the reason why today's are not."""
    failures: int = 0
    """Queries that raised when this was computed."""
    wanted_secrets: frozenset[Key] = frozenset()
    """The Secrets whose data decisions ask for, whether or not they are there."""
    previous: int = 0
    """``seq`` of the snapshot before, from which ``changed`` counts; 0 for the first."""
    changed: Difference = field(default_factory=Difference)

    def since(self, older: Snapshot | None) -> Difference:
        """Return what differs from ``older``: at no cost where that is the snapshot before this one."""
        if older is None:
            return Difference(
                configs=frozenset(self.configs),
                objects=frozenset(self.objects),
                statuses=frozenset(self.statuses),
                nodes=frozenset(self.nodes),
            )
        if older is self:
            return Difference()
        if older.seq == self.previous:
            return self.changed
        return Difference(
            configs=_differing(self.configs, older.configs),
            objects=_differing(self.objects, older.objects),
            statuses=_differing(self.statuses, older.statuses),
            nodes=_differing(self.nodes, older.nodes),
        )


class Explanation(NamedTuple):
    """Why a configuration is as it is."""

    cause: Cause
    """What last changed it: inputs, and through which results."""
    inputs: tuple[Cause, ...]
    """All that it rests on now, the latest change last."""


class Explainer(Protocol):
    """Who can say why: the projector, or a stand-in in tests."""

    def explain(self, config: Key) -> Explanation | None:
        """Explain a configuration; None where there is none."""


class SnapshotSource(Protocol):
    """Where servers and sinks get snapshots from: the projector, or a stand-in in tests."""

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot; None until the first projection is done."""

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Have ``callback`` called with each new snapshot, at once and in the loop; returns how to end that."""


def _differing(new: Mapping[Any, Any], old: Mapping[Any, Any]) -> frozenset[Any]:
    if new is old:
        return frozenset()
    changed = {slot for slot, output in new.items() if old.get(slot) != output}
    return frozenset(changed.union(slot for slot in old if slot not in new))
