"""The types of events. Whatever reaches stunnergw, or is done by it, is one of these.

A source makes *facts*; the log gives each its sequence number and time and so makes it an :class:`Event`.
Objects are the trimmed models of :mod:`stunnergw.resources`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key, KubernetesObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run begins; the store is emptied. ``settings`` is what it was started with, as JSON."""

    run: str
    version: str
    settings: bytes = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """An object is as it stands here now."""

    kind: Kind[Any]
    object: KubernetesObject
    size: int = 0
    """Bytes of the object as its source had it: what the log's bound counts."""

    @property
    def key(self) -> Key:
        """Namespace and name of the object."""
        return self.object.metadata.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """An object is gone."""

    kind: Kind[Any]
    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The first list of a kind is complete, or the served versions changed.

    ``versions`` is what the server serves, empty for a kind that it lacks. Until the first of these the kind's
    objects stay invisible.
    """

    kind: Kind[Any]
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """A kind cannot be read now; its objects stay as they were."""

    kind: Kind[Any]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """A sink wrote an object, or failed to. ``outcome`` is ``written``, ``refused``, ``failed`` or ``timeout``."""

    kind: str
    key: Key
    digest: str
    snapshot: int
    outcome: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """A snapshot was taken at ``snapshot``: which outputs changed, to which version (empty: gone)."""

    snapshot: int
    changed: tuple[tuple[str, str], ...]
    held: tuple[str, ...] = ()


Fact = Started | Applied | Deleted | Listed | Unavailable | Wrote | Projected


class Event(NamedTuple):
    """A fact with its place in the log."""

    seq: int
    """From 1 within a run, without gaps."""
    at: int
    """Nanoseconds since the epoch, UTC."""
    source: str
    fact: Fact

    @property
    def resource_version(self) -> str:
        """The resourceVersion of the object, where the event is about one and its source has such a thing."""
        return self.fact.object.metadata.resource_version if isinstance(self.fact, Applied) else ""

    @property
    def by(self) -> str:
        """The field manager of the newest change: a program's name. A deletion names nobody."""
        return self.fact.object.metadata.manager if isinstance(self.fact, Applied) else ""
