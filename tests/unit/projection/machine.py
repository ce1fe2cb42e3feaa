"""An engine with a store, for tests of the engine alone: namespaces are its inputs, their label ``v`` what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.events.types import Event, Fact
from stunnergw.projection.engine import Engine, Result, Root
from stunnergw.projection.queries import Context, Query, query
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.settings import Decisions
from stunnergw.store.store import Store
from tests.support.objects import listed, namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from stunnergw.store.store import Input


def key(name: str) -> Key:
    return Key("", name)


def value(db: Context, name: str) -> str:
    """Read an input: the label ``v`` of a namespace, or nothing."""
    found = db.get(kinds.NAMESPACE, key(name))
    return found.metadata.labels.get("v", "") if found else ""


def say(name: str, v: str) -> Fact:
    """Set an input."""
    return namespace(name, v=v)


class Machine:
    """An engine, its store, and how often each query of it has run."""

    def __init__(self, *, recheck: bool = False) -> None:
        self.store = Store(table=kinds.TABLE)
        self.failures: list[tuple[str, Exception]] = []
        self.engine = Engine(
            store=self.store,
            settings=Decisions(),
            on_failure=lambda label, error: self.failures.append((label, error)),
            recheck=recheck,
        )
        self.counts: dict[str, int] = {}
        self._queries: set[Query[Any, Any]] = set()
        self.fold(*listed())

    def query(self, label: str) -> Callable[[Callable[..., Any]], Query[Any, Any]]:
        """Make a query whose runs are counted."""

        def make(function: Callable[..., Any]) -> Query[Any, Any]:
            def counted(db: Context, *args: Any) -> Any:
                self.counts[label] = self.counts.get(label, 0) + 1
                return function(db, *args)

            made: Query[Any, Any] = query(label)(counted)
            self._queries.add(made)
            return made

        return make

    def want(self, wanted: Query[Any, Any], *args: Any) -> None:
        self.engine.want(wanted, args, wanted.label)

    def unwant(self, wanted: Query[Any, Any], *args: Any) -> None:
        self.engine.unwant(wanted, args)

    def run(self, *facts: Fact, held: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fold facts, hold what is given, and return the wanted results that changed, by label; counts start anew."""
        self.counts.clear()
        dirty = self.fold(*facts)
        found: list[Result] = []
        self.engine.begin()
        for _ in self.engine.mark(dirty):
            pass
        for name, thing in (held or {}).items():
            self.engine.hold("table", name, thing)
        for _ in self.engine.spread():
            pass
        for _ in self.engine.refresh(self._queries, take=found.append):
            pass
        self.engine.finish()
        return {result.place: result.value for result in found}

    def inputs(self, wanted: Query[Any, Any], *args: Any) -> list[str]:
        """Name all inputs that a result rests on."""
        return [cause.label for cause in self.engine.inputs(Root(wanted, args))]

    def fold(self, *facts: Fact) -> dict[Input, int]:
        """Take facts into the store alone."""
        return self.store.fold(Event(number, 0, "test", fact) for number, fact in enumerate(facts, self.store.seq + 1))
