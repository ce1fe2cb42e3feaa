"""What the log was last told of the objects of a kind.

A list and a watch say how things are; the log wants to know what changed. Between them stands a memory: by key the
resourceVersion, so that a new list shows what is new and what is gone; and of kinds that we never write the object
too, so that a change of the version alone is no event. The object is the one that the store holds: it costs a
reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from stunnergw.events.types import Applied, Deleted

if TYPE_CHECKING:
    from collections.abc import Collection

    from stunnergw.events.types import Fact
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key, KubernetesObject


class Memory:
    """The objects of one kind, as the log knows them."""

    def __init__(self, kind: Kind[Any]) -> None:
        self.kind = kind
        self._versions: dict[Key, str] = {}
        self._objects: dict[Key, KubernetesObject] = {}

    def __len__(self) -> int:
        return len(self._versions)

    def apply(self, thing: KubernetesObject, *, size: int, anew: bool = False) -> list[Fact]:
        """Take in an object as it is now and return what the log must be told.

        ``anew`` tells of an object that was known in another version of its kind: it may say more now.
        """
        key, version = thing.metadata.key, thing.metadata.resource_version
        if self._versions.get(key) == version and not anew:
            return []
        self._versions[key] = version
        return self._told(key, thing, size=size)

    def forget(self, key: Key, *, uid: str = "") -> list[Fact]:
        """Take in that an object is gone. ``uid`` names which one of that name, where it is known."""
        known = self._objects.get(key)
        if known is not None and uid and known.metadata.uid not in ("", uid):
            # Another of that name is there already.
            return []
        self._objects.pop(key, None)
        if self._versions.pop(key, None) is None:
            return []
        return [Deleted(kind=self.kind, key=key)]

    def missing(self, listed: Collection[Key]) -> list[Key]:
        """Return what was known and is not among what a list held."""
        return [key for key in self._versions if key not in listed]

    def _told(self, key: Key, thing: KubernetesObject, *, size: int) -> list[Fact]:
        if not self.kind.written:
            if self._objects.get(key) == thing:
                return []
            self._objects[key] = thing
        return [Applied(kind=self.kind, object=thing, size=size)]


@final
class NamedIn(Memory):
    """Of CustomResourceDefinitions those of one group: a cluster has hundreds that mean nothing to us."""

    def __init__(self, kind: Kind[Any], *, group: str) -> None:
        super().__init__(kind)
        self._suffix = f".{group}"

    def apply(self, thing: KubernetesObject, *, size: int, anew: bool = False) -> list[Fact]:
        """Take in an object, unless it is of another group."""
        if not thing.metadata.name.endswith(self._suffix):
            return []
        return super().apply(thing, size=size, anew=anew)
