"""Where objects belong: from the name of an object on the API server back to the slot that wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from stunnergw.projection.outputs import Want
from stunnergw.resources.metadata import Key

if TYPE_CHECKING:
    from stunnergw.projection.snapshots import Difference, OwnedSlot, Snapshot
    from stunnergw.resources.kinds import Kind


@final
class Places:
    """Which slot an object on the API server belongs to."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, Key], OwnedSlot] = {}
        self._keys: dict[OwnedSlot, Key] = {}

    def slot(self, kind: Kind[Any], key: Key) -> OwnedSlot | None:
        """Return the slot that wants an object of this name."""
        return self._slots.get((kind.kind, key))

    def update(self, difference: Difference, snapshot: Snapshot) -> None:
        """Take in what changed; what is undecided now keeps its place."""
        for slot in difference.objects:
            output = snapshot.objects.get(slot)
            if output is None:
                self._slots.pop((slot.kind, self._keys.pop(slot, Key("", ""))), None)
            elif isinstance(output, Want):
                key = Key(output.value.namespace, output.value.name)
                before = self._keys.get(slot, key)
                if before != key:
                    self._slots.pop((slot.kind, before), None)
                self._slots[slot.kind, key], self._keys[slot] = slot, key
