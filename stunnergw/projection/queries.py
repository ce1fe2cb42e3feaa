"""Queries: decisions written as if nothing were ever remembered.

A *query* is a pure function of a :class:`Context` and some names. It reads the store through the context and other
queries by calling them, and asks for nothing else. What it read is recorded as it reads, so that the engine
(:mod:`stunnergw.projection.engine`) runs it again when, and only when, that may have changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar, cast, final

from stunnergw.errors import Unknown
from stunnergw.projection.outputs import Undecided
from stunnergw.resources.metadata import Key, KubernetesObject
from stunnergw.store.store import Select, Versions, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from stunnergw.events.types import Wrote
    from stunnergw.projection.engine import Engine
    from stunnergw.resources.kinds import Kind
    from stunnergw.settings import Decisions
    from stunnergw.store.indexes import Index

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=KubernetesObject)
I = TypeVar("I")  # noqa: E741 (an index's item)


@final
class Query(Generic[P, R]):
    """A pure function whose results are remembered, called as ``query(db, …)``."""

    def __init__(self, function: Callable[Concatenate[Context, P], R], *, label: str) -> None:
        self.function: Callable[..., R] = function
        self.label = label
        self.__doc__ = function.__doc__

    def __call__(self, db: Context, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: ARG002  a ParamSpec comes whole
        """Return the result.

        Raises:
            Unknown: it cannot be decided, or the query raised.
        """
        engine = db.engine
        try:
            node = engine.nodes[self][args]
        except KeyError:
            node = engine.node(self, args)
        # Recorded first, so that a circle of queries is taken up again when one of them changes.
        engine.reading[node] = None
        if node.state:
            engine.ensure(node)
        if node.failed:
            raise Unknown(node.value.reason)
        return cast("R", node.value)

    def attempt(self, db: Context, *args: P.args, **kwargs: P.kwargs) -> R | Undecided:
        """Return the result, or that it is undecided."""
        try:
            return self(db, *args, **kwargs)
        except Unknown as unknown:
            return Undecided(unknown.reason)

    def __repr__(self) -> str:
        return f"<query {self.label}>"


def query(label: str) -> Callable[[Callable[Concatenate[Context, P], R]], Query[P, R]]:
    """Make a query of a function. ``label`` names it to a person: ``cluster``."""
    return lambda function: Query(function, label=label)


class Held(NamedTuple):
    """The input that is one entry of what is held."""

    table: str
    key: Hashable

    def __str__(self) -> str:
        return f"held {self.table} {self.key}"


@final
class Context:
    """What a query may see: the store, what is held, the settings that decide, and other queries."""

    __slots__ = ("engine", "settings")

    def __init__(self, engine: Engine, settings: Decisions) -> None:
        self.engine = engine
        """For :class:`Query` alone."""
        self.settings = settings

    def get(self, kind: Kind[T], key: Key) -> T | None:
        """Return an object; that there is none is something to depend on, too."""
        engine = self.engine
        try:
            leaf = engine.gets[kind][key]
        except KeyError:
            leaf = engine.new_get(kind, key)
        engine.reading[leaf] = None
        return engine.store.get(kind, key)

    def select(self, index: Index[T, I], value: Hashable) -> tuple[I, ...]:
        """Return what an index holds under a value, sorted."""
        self.engine.note(Select(index, value))
        return self.engine.store.select(index, value)

    def versions(self, kind: Kind[Any]) -> tuple[str, ...]:
        """Return the served versions of a kind; empty where it is not served."""
        self.engine.note(Versions(kind))
        return self.engine.store.versions(kind)

    def wrote(self, kind: Kind[Any], key: Key) -> Wrote | None:
        """Return what came of the last write of an object of ours; None where none was tried."""
        self.engine.note(Written(kind, key))
        return self.engine.store.wrote(kind.name, key)

    def held(self, table: str, key: Hashable) -> Any:
        """Return what is held under a key, or None."""
        self.engine.note(Held(table, key))
        return self.engine.held.get((table, key))
