"""The store: what the events add up to.

Only the projector folds events in, and never during a run, so that a projection sees a store that stands still.
A fold says which *inputs* changed: an object read by key, an index read by value, the served versions of a kind, what
came of writing an object.
Objects of a kind stay invisible until the kind is listed, so that nothing is decided from a partial view.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from stunnergw.events.types import Applied, Deleted, Listed, Started, Unavailable, Wrote
from stunnergw.resources.kinds import OWNED_KINDS
from stunnergw.resources.metadata import Key, KubernetesObject
from stunnergw.store.indexes import INDEXES, Index

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from stunnergw.events.types import Event
    from stunnergw.resources.kinds import Kind

T = TypeVar("T", bound=KubernetesObject)
I = TypeVar("I")  # noqa: E741 (an index's item)


class Get(NamedTuple):
    """The input that is one object."""

    kind: Kind[Any]
    key: Key

    def __str__(self) -> str:
        return f"{self.kind.name} {self.key}"


class Select(NamedTuple):
    """The input that is what an index holds under one value."""

    by: Index[Any, Any]
    value: Hashable

    def __str__(self) -> str:
        return f"{self.by.name} {self.value}".rstrip()


class Versions(NamedTuple):
    """The input that is the served versions of a kind."""

    kind: Kind[Any]
    tag: str = "versions"

    def __str__(self) -> str:
        return f"served versions of {self.kind.name}"


class Written(NamedTuple):
    """The input that is what came of the last write of an object that we make."""

    kind: Kind[Any]
    key: Key
    tag: str = "written"

    def __str__(self) -> str:
        return f"write of {self.kind.name} {self.key}"


Input = Get | Select | Versions | Written


_OWNED = MappingProxyType({kind.name: kind for kind in OWNED_KINDS})


def _said(wrote: Wrote) -> tuple[str, str, str]:
    return wrote.digest, wrote.outcome, wrote.message


class Stored(NamedTuple):
    """An object and the sequence number of the event that last changed it."""

    object: KubernetesObject
    seq: int


@dataclass(slots=True)
class _Table:
    """The objects of one kind."""

    objects: dict[Key, Stored] = field(default_factory=dict)
    versions: tuple[str, ...] | None = None
    unavailable: str = ""


class Store:
    """Objects by kind and key, with indexes."""

    def __init__(self, *, table: Iterable[Kind[Any]], indexes: Iterable[Index[Any, Any]] = INDEXES) -> None:
        self._tables: dict[Kind[Any], _Table] = {kind: _Table() for kind in table}
        self._indexes: dict[Kind[Any], list[Index[Any, Any]]] = {kind: [] for kind in self._tables}
        self._selections: dict[Index[Any, Any], dict[Hashable, list[Any]]] = {}
        for index in indexes:
            self._indexes[index.kind].append(index)
            self._selections[index] = {}
        self._wrote: dict[tuple[str, Key], Wrote] = {}
        self.seq = 0
        """Sequence number of the last event folded in."""

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, kind: Kind[T], key: Key) -> T | None:
        """Return an object, or None where there is none (or its kind is not listed yet)."""
        table = self._tables[kind]
        stored = table.objects.get(key)
        return None if stored is None or table.versions is None else stored.object  # type: ignore[return-value]  # of the kind's table

    def select(self, index: Index[T, I], value: Hashable) -> tuple[I, ...]:
        """Return the items that ``index`` holds under ``value``, sorted."""
        if self._tables[index.kind].versions is None:
            return ()
        return tuple(self._selections[index].get(value, ()))

    def versions(self, kind: Kind[Any]) -> tuple[str, ...]:
        """Return the served versions of a kind; empty where it is not served or not listed."""
        return self._tables[kind].versions or ()

    def keys(self, kind: Kind[Any]) -> list[Key]:
        """Return the keys of all visible objects of a kind, sorted."""
        table = self._tables[kind]
        return [] if table.versions is None else sorted(table.objects)

    def changed_at(self, read: Input) -> int:
        """Return the sequence number that last changed an object; 0 where it is not known."""
        if not isinstance(read, Get):
            return 0
        stored = self._tables[read.kind].objects.get(read.key)
        return stored.seq if stored else 0

    def waiting_for(self) -> list[Kind[Any]]:
        """Return the kinds that are not listed yet: nothing may be published before."""
        return [kind for kind, table in self._tables.items() if table.versions is None]

    def unavailable(self) -> Mapping[str, str]:
        """Return, by kind name, why a kind cannot be read now."""
        return {kind.name: table.unavailable for kind, table in self._tables.items() if table.unavailable}

    def wrote(self, kind: str, key: Key) -> Wrote | None:
        """Return the outcome of the last write of an object."""
        return self._wrote.get((kind, key))

    # -- folding -----------------------------------------------------------------------------------------------

    def fold(self, events: Iterable[Event]) -> dict[Input, int]:
        """Take events in and return the inputs that changed, each with the last event that changed it."""
        dirty: dict[Input, int] = {}
        for event in events:
            self._fold_one(event, dirty)
            self.seq = event.seq
        return dirty

    def _fold_one(self, event: Event, dirty: dict[Input, int]) -> None:
        match event.fact:
            case Applied(kind=kind, object=thing):
                self._put(kind, Stored(thing, event.seq), dirty)
            case Deleted(kind=kind, key=key):
                self._remove(kind, key, event.seq, dirty)
            case Listed(kind=kind, versions=versions):
                self._list(kind, versions, event.seq, dirty)
            case Unavailable(kind=kind, reason=reason):
                self._tables[kind].unavailable = reason
            case Wrote(kind=name, key=key) as wrote:
                self._note(name, key, wrote, event.seq, dirty)
            case Started():
                self._empty(event.seq, dirty)
            case _:
                pass

    def _note(self, name: str, key: Key, wrote: Wrote, seq: int, dirty: dict[Input, int]) -> None:
        last = self._wrote.get((name, key))
        self._wrote[name, key] = wrote
        kind = _OWNED.get(name)
        if kind is not None and (last is None or _said(last) != _said(wrote)):
            dirty[Written(kind, key)] = seq

    def _put(self, kind: Kind[Any], stored: Stored, dirty: dict[Input, int]) -> None:
        table, key = self._tables[kind], stored.object.metadata.key
        old = table.objects.get(key)
        if old is not None and old.object == stored.object:
            # Status, version or manager alone: kept for those who write, no decision reads it.
            table.objects[key] = Stored(stored.object, old.seq)
            return
        table.objects[key] = stored
        self._reindex(kind, old and old.object, stored.object, stored.seq, dirty)
        if table.versions is not None:
            dirty[Get(kind, key)] = stored.seq

    def _remove(self, kind: Kind[Any], key: Key, seq: int, dirty: dict[Input, int]) -> None:
        table = self._tables[kind]
        old = table.objects.pop(key, None)
        if old is None:
            return
        self._reindex(kind, old.object, None, seq, dirty)
        if table.versions is not None:
            dirty[Get(kind, key)] = seq

    def _list(self, kind: Kind[Any], versions: tuple[str, ...], seq: int, dirty: dict[Input, int]) -> None:
        table = self._tables[kind]
        table.unavailable = ""
        first, changed = table.versions is None, table.versions != versions
        table.versions = versions
        if changed:
            dirty[Versions(kind)] = seq
        if first:
            self._all_dirty(kind, seq, dirty)

    def _empty(self, seq: int, dirty: dict[Input, int]) -> None:
        for kind, table in self._tables.items():
            if table.versions is not None:
                self._all_dirty(kind, seq, dirty)
                dirty[Versions(kind)] = seq
            self._tables[kind] = _Table()
        for selection in self._selections.values():
            selection.clear()
        dirty.update((Written(_OWNED[name], key), seq) for name, key in self._wrote if name in _OWNED)
        self._wrote.clear()

    def _all_dirty(self, kind: Kind[Any], seq: int, dirty: dict[Input, int]) -> None:
        dirty.update((Get(kind, key), seq) for key in self._tables[kind].objects)
        for index in self._indexes[kind]:
            dirty.update((Select(index, value), seq) for value in self._selections[index])

    def _reindex(self, kind: Kind[Any], old: Any, new: Any, seq: int, dirty: dict[Input, int]) -> None:
        visible = self._tables[kind].versions is not None
        for index in self._indexes[kind]:
            before = {(value, index.item(old)) for value in index.values(old)} if old is not None else set()
            after = {(value, index.item(new)) for value in index.values(new)} if new is not None else set()
            for value, item in before - after:
                self._unindex(index, value, item)
            for value, item in after - before:
                insort(self._selections[index].setdefault(value, []), item)
            if visible:
                dirty.update((Select(index, value), seq) for value, _ in before ^ after)

    def _unindex(self, index: Index[Any, Any], value: Hashable, item: Any) -> None:
        items = self._selections[index][value]
        items.remove(item)
        if not items:
            del self._selections[index][value]
