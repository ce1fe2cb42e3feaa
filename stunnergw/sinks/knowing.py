"""What an object is like now, as far as we know without asking: the store's, or the answer to our last write of it.

A write's answer is ahead of the watch that brings it to the store. It counts for as long as the store still has the
version that we wrote upon; whatever the store learns of the object afterwards is newer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, final

import orjson

from stunnergw.errors import InvalidObject
from stunnergw.resources.metadata import KubernetesObject
from stunnergw.resources.parsing import parse

if TYPE_CHECKING:
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.store.store import Store

T = TypeVar("T", bound=KubernetesObject)

AWAITED = 5.0
"""Seconds after which a watch that does not bring what we wrote is taken to be broken."""


class _Answer(NamedTuple):
    upon: str
    """The version that the store had when we wrote; empty for none."""
    object: KubernetesObject
    at: float
    """When it came."""


@final
class Known:
    """Objects as they were last seen, by a watch or in an answer."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._answers: dict[tuple[Kind[Any], Key], _Answer] = {}

    def get(self, kind: Kind[T], key: Key) -> T | None:
        """Return an object, or None where there is none as far as we know."""
        answer = self._answers.get((kind, key))
        if answer is not None:
            if answer.upon == self.stored_version(kind, key):
                return answer.object  # type: ignore[return-value]  # kept under its kind
            del self._answers[kind, key]
        return self.store.get(kind, key)

    def stored_version(self, kind: Kind[Any], key: Key) -> str:
        """Return the resourceVersion that the store has; empty where it has no such object."""
        found = self.store.get(kind, key)
        return found.metadata.resource_version if found else ""

    def is_ahead(self, kind: Kind[Any], key: Key, *, now: float) -> bool:
        """Say whether the watch has still to bring our last write; it is waited for :data:`AWAITED` seconds."""
        answer = self._answers.get((kind, key))
        return answer is not None and answer.upon == self.stored_version(kind, key) and now < answer.at + AWAITED

    def answered(self, kind: Kind[Any], key: Key, answer: bytes, *, now: float) -> None:
        """Take in what the server said to a write, and when."""
        try:
            made = parse(kind, orjson.loads(answer))
        except (InvalidObject, orjson.JSONDecodeError):
            return  # the watch will tell
        self._answers[kind, key] = _Answer(self.stored_version(kind, key), made, now)

    def forget(self, kind: Kind[Any], key: Key) -> None:
        """Drop an answer: the store has heard of the object since."""
        self._answers.pop((kind, key), None)
