"""The engine: what is remembered, what is worked out again, what is dropped, and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.errors import Unknown
from stunnergw.events.types import Event
from stunnergw.projection.engine import Engine, ImpureQuery, Root
from stunnergw.projection.outputs import Undecided
from stunnergw.projection.queries import Query
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.settings import Decisions
from stunnergw.store.indexes import ROUTES_BY_GATEWAY, STUNNER_ROUTES_BY_GATEWAY
from stunnergw.store.store import Store
from tests.support.objects import EDGE, applied, deleted, listed, namespace, parent, route

if TYPE_CHECKING:
    from collections.abc import Callable

    from stunnergw.events.types import Fact
    from stunnergw.projection.engine import Result
    from stunnergw.projection.queries import Context


class Desk:
    """An engine over a store, with queries of the test's own that count how often they run."""

    def __init__(self, *facts: Fact, recheck: bool = False) -> None:
        self.store = Store(table=kinds.TABLE)
        self.failures: list[str] = []
        self.engine = Engine(
            store=self.store,
            settings=Decisions(),
            on_failure=lambda label, _: self.failures.append(label),
            recheck=recheck,
        )
        self.ran: Counter[str] = Counter()
        self.results: dict[Any, Result] = {}
        self._queries: list[Query[Any, Any]] = []
        self.run(*listed(), *facts)

    def query(self, label: str) -> Callable[[Callable[..., Any]], Query[Any, Any]]:
        def make(function: Callable[..., Any]) -> Query[Any, Any]:
            def counted(db: Context, *args: Any) -> Any:
                self.ran[label] += 1
                return function(db, *args)

            made: Query[Any, Any] = Query(counted, label=label)
            self._queries.append(made)
            return made

        return make

    def want(self, query: Query[Any, Any], *args: Any) -> Any:
        self.engine.want(query, args, query.label)
        return self.run()

    def run(self, *facts: Fact) -> Any:
        """Fold, and bring what is wanted up to date; returns what changed, by label."""
        events = [Event(self.store.seq + number, 0, "test", fact) for number, fact in enumerate(facts, start=1)]
        dirty = self.store.fold(events)
        self.ran.clear()
        changed: dict[Any, Any] = {}

        def take(result: Result) -> None:
            changed[result.place] = result.value
            self.results[result.place] = result

        self.engine.begin()
        for _ in self.engine.mark(dirty):
            pass
        for _ in self.engine.refresh(frozenset(self._queries), take=take):
            pass
        self.engine.finish()
        return changed


MEDIA = Key("", "media")


def labels_of(desk: Desk) -> Query[Any, Any]:
    @desk.query("labels")
    def labels(db: Context, key: Key) -> Any:
        found = db.get(kinds.NAMESPACE, key)
        return dict(found.metadata.labels) if found else None

    return labels


def test_a_result_that_comes_out_equal_stops_there() -> None:
    desk = Desk(namespace(color="red", size="big"))
    labels = labels_of(desk)

    @desk.query("color")
    def color(db: Context) -> Any:
        return (labels(db, MEDIA) or {}).get("color")

    @desk.query("top")
    def top(db: Context) -> Any:
        return f"it is {color(db)}"

    assert desk.want(top) == {"top": "it is red"}
    assert desk.run(namespace(color="red", size="small")) == {}
    assert desk.ran == {"labels": 1, "color": 1}
    assert desk.run(namespace(color="blue", size="small")) == {"top": "it is blue"}


def test_what_is_not_read_any_more_dirties_nothing_and_is_dropped() -> None:
    desk = Desk(namespace(other="one"), namespace("one", a="1"), namespace("two", a="2"))
    labels = labels_of(desk)

    @desk.query("top")
    def top(db: Context) -> Any:
        return labels(db, Key("", labels(db, MEDIA)["other"]))

    desk.want(top)
    size = desk.engine.size
    assert desk.run(namespace(other="two")) == {"top": {"a": "2"}}
    assert desk.engine.size == size
    assert desk.run(namespace("one", a="3")) == {}
    assert desk.ran == {}


def test_that_there_is_nothing_is_something_to_depend_on() -> None:
    desk = Desk()

    @desk.query("routes")
    def routes(db: Context) -> Any:
        return db.select(STUNNER_ROUTES_BY_GATEWAY, EDGE), db.get(kinds.NAMESPACE, MEDIA) is not None

    assert desk.want(routes) == {"routes": ((), False)}
    calls = route()
    assert desk.run(calls) == {"routes": ((calls.key,), False)}
    assert desk.run(namespace()) == {"routes": ((calls.key,), True)}
    # An index changes at the old value and at the new one.
    assert desk.run(route(parents=[parent("core")])) == {"routes": ((), True)}


def test_an_index_of_another_kind_is_not_touched() -> None:
    desk = Desk()

    @desk.query("routes")
    def routes(db: Context) -> Any:
        return db.select(ROUTES_BY_GATEWAY, EDGE)

    desk.want(routes)
    desk.run(route())
    assert desk.ran == {}


def test_an_undecided_result_is_undecided_for_all_that_rests_on_it() -> None:
    desk = Desk()

    @desk.query("low")
    def low(db: Context) -> Any:
        if db.get(kinds.NAMESPACE, MEDIA) is None:
            raise Unknown("no namespace")
        return "fine"

    @desk.query("high")
    def high(db: Context) -> Any:
        return low(db)

    @desk.query("careful")
    def careful(db: Context) -> Any:
        return low.attempt(db)

    assert desk.want(high) == {"high": Undecided("no namespace")}
    assert desk.want(careful) == {"careful": Undecided("no namespace")}
    assert desk.run(namespace()) == {"high": "fine", "careful": "fine"}
    assert desk.failures == []


def test_a_query_that_raises_is_contained_told_and_heals() -> None:
    desk = Desk()

    @desk.query("shaky")
    def shaky(db: Context) -> Any:
        return db.get(kinds.NAMESPACE, MEDIA).metadata.name  # type: ignore[union-attr]

    @desk.query("sound")
    def sound(db: Context) -> Any:
        return db.get(kinds.NAMESPACE, MEDIA) is None

    assert desk.want(sound) == {"sound": True}
    (told,) = desk.want(shaky).values()
    assert isinstance(told, Undecided)
    assert "AttributeError" in told.reason
    assert desk.failures == ["shaky "]
    assert desk.run(namespace()) == {"sound": False, "shaky": "media"}


def test_a_circle_is_contained_and_heals() -> None:
    desk = Desk(namespace(circle="yes"))

    @desk.query("one")
    def one(db: Context) -> Any:
        found = db.get(kinds.NAMESPACE, MEDIA)
        return two(db) if found and found.metadata.labels.get("circle") == "yes" else "out of it"

    @desk.query("two")
    def two(db: Context) -> Any:
        return one(db)

    (told,) = desk.want(one).values()
    assert isinstance(told, Undecided)
    assert desk.run(namespace(circle="no")) == {"one": "out of it"}
    assert desk.run(namespace(circle="yes")) == {"one": told}


def test_what_is_no_longer_wanted_leaves_nothing() -> None:
    desk = Desk(namespace(a="b"))
    labels = labels_of(desk)

    @desk.query("top")
    def top(db: Context) -> Any:
        return labels(db, MEDIA)

    desk.want(top)
    assert (desk.engine.size, desk.engine.reads) == (2, 1)
    assert desk.engine.unwant(top, ())
    assert not desk.engine.unwant(top, ())
    desk.run()
    assert (desk.engine.size, desk.engine.reads) == (0, 0)


def test_a_cause_leads_from_the_result_to_the_event() -> None:
    desk = Desk(namespace(a="1"), namespace("one", a="1"))
    labels = labels_of(desk)

    @desk.query("top")
    def top(db: Context) -> Any:
        return labels(db, MEDIA), labels(db, Key("", "one"))

    desk.want(top)
    desk.run(namespace(a="2"))
    cause = desk.results["top"].cause
    assert cause is not None
    assert [part.label for part in cause.parts] == ["labels media"]
    (leaf,) = cause.inputs()
    assert (leaf.label, leaf.seq) == ("Namespace media", desk.store.seq)
    assert [each.label for each in desk.engine.inputs(Root(top, ()))] == ["Namespace one", "Namespace media"]


def test_what_is_held_is_an_input() -> None:
    desk = Desk()

    @desk.query("top")
    def top(db: Context) -> Any:
        return db.held("table", "key")

    assert desk.want(top) == {"top": None}
    desk.engine.begin()
    desk.engine.hold("table", "key", "kept")
    for _ in desk.engine.spread():
        pass
    assert desk.run() == {"top": "kept"}


def test_an_impure_query_is_found_out() -> None:
    desk = Desk(recheck=True)
    turns = iter(range(9))

    @desk.query("impure")
    def impure(_db: Context) -> Any:
        return next(turns)

    with pytest.raises(ImpureQuery, match="impure"):
        desk.want(impure)


def test_deleting_and_making_anew_is_a_change_each_time() -> None:
    desk = Desk(namespace(a="b"))
    labels = labels_of(desk)

    @desk.query("top")
    def top(db: Context) -> Any:
        return labels(db, MEDIA)

    desk.want(top)
    assert desk.run(deleted(namespace())) == {"top": None}
    (again,) = desk.run(applied(kinds.NAMESPACE, "media", meta={"labels": {"a": "c"}})).values()
    assert again["a"] == "c"
