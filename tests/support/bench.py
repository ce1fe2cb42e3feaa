"""A projection on the bench: facts go in, a snapshot comes out, and what was held can be lent to another.

Each call of :meth:`Bench.run` is one run of the projection, and a second one where an object is wanted anew: the API
server took it, unless the bench is told otherwise. Every query runs twice, in a projection that may touch nothing but
its context (:mod:`tests.support.purity`). A query that raises fails the test, unless ``failures`` are expected. The
helpers below read a snapshot's maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stunnergw.events.types import Applied, Event, Fact, Wrote
from stunnergw.projection.outputs import Undecided, Want
from stunnergw.projection.projecting import Projection
from stunnergw.projection.snapshots import OwnedSlot, Snapshot, StatusSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.resources.parsing import parse
from stunnergw.settings import DataplaneMode, Decisions
from stunnergw.sinks.applying import applied_body
from stunnergw.store.store import Store
from tests.support.purity import pure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stunnergw.projection.bodies import OwnedObject
    from stunnergw.resources.kinds import Kind

MANAGED = Decisions()
LEGACY = Decisions(dataplane_mode=DataplaneMode.LEGACY)


class Answer(NamedTuple):
    """What the API server says to the write of an object that is wanted just when this is folded.

    ``outcome`` is a write's, or ``seen``: the object itself comes by the watch, as it was applied.
    """

    slot: OwnedSlot
    outcome: str = "written"
    message: str = ""


class Bench:
    """A store and its projection. ``failing``: queries that raise are noted in ``failures``, not raised again.

    Without ``answering`` nobody writes what is wanted, and nobody says what came of it.
    """

    def __init__(
        self,
        settings: Decisions = MANAGED,
        *,
        failing: bool = False,
        recheck: bool = True,
        answering: bool = True,
    ) -> None:
        self.store = Store(table=kinds.TABLE)
        self.failures: list[tuple[str, Exception]] = []
        self._failing = failing
        self._answering = answering
        self.told: list[list[Fact]] = []
        """The facts of each run so far, answers of the API server among them."""
        self.settings = settings
        self.projection = Projection(store=self.store, settings=settings, on_failure=self._on_failure, recheck=recheck)

    def _on_failure(self, label: str, error: Exception) -> None:
        self.failures.append((label, error))
        if not self._failing:
            raise AssertionError(f"{label} raised {error!r}") from error

    @property
    def snapshot(self) -> Snapshot:
        return self.projection.snapshot

    def run(self, *facts: Fact | Answer) -> Snapshot:
        """Fold facts and project them, as one run; then what the API server says to what is wanted."""
        snapshot = self._run([self.fact(told) if isinstance(told, Answer) else told for told in facts])
        answers = [*self._answers()] if self._answering else []
        return self._run(answers) if answers else snapshot

    def fact(self, answer: Answer) -> Applied | Wrote:
        """Return what an answer is to the object that is wanted now; about none where there is none."""
        slot, outcome, message = answer
        output = self.snapshot.objects.get(slot)
        if not isinstance(output, Want):
            return Wrote(kind=slot.kind, key=slot.owner, digest="", snapshot=0, outcome=outcome, message=message)
        wanted = output.value
        if outcome == "seen":
            return seen(wanted)
        key, seq = Key(wanted.namespace, wanted.name), self.snapshot.seq
        return Wrote(kind=slot.kind, key=key, digest=wanted.digest, snapshot=seq, outcome=outcome, message=message)

    def _answers(self) -> Iterator[Fact]:
        for slot, output in self.snapshot.objects.items():
            if isinstance(output, Want):
                last = self.store.wrote(slot.kind, Key(output.value.namespace, output.value.name))
                if last is None or last.digest != output.value.digest:
                    yield self.fact(Answer(slot))

    def _run(self, facts: list[Fact]) -> Snapshot:
        self.told.append(facts)
        events = [Event(self.store.seq + number, 0, "test", fact) for number, fact in enumerate(facts, start=1)]
        dirty = self.store.fold(events)
        with pure():
            return self.projection.run(dirty)

    def borrow(self, other: Bench) -> None:
        """Hold what ``other`` holds."""
        self.projection.adopt(other.projection.held)

    # -- reading the snapshot ----------------------------------------------------------------------------------

    def document(self, key: Key) -> dict[str, Any]:
        """Return a wanted document, parsed. In legacy mode the key is ``Key("", class)``."""
        parsed: dict[str, Any] = orjson.loads(self.document_bytes(key))
        return parsed

    def document_bytes(self, key: Key) -> bytes:
        return wanted(self.snapshot.configs[key]).body  # type: ignore[no-any-return]

    def owned(self, key: Key, kind: str = "Service") -> dict[str, Any]:
        """Return the body of a wanted object, parsed."""
        parsed: dict[str, Any] = orjson.loads(wanted(self.snapshot.objects[OwnedSlot(kind, key)]).body)
        return parsed

    def status(self, kind: Kind[Any], key: Key) -> Any:
        """Return a wanted status as a value."""
        return wanted(self.snapshot.statuses[StatusSlot(kind, key)])

    def conditions(self, kind: Kind[Any], key: Key, listener: str = "") -> dict[str, str]:
        """Return the conditions of an object, or of one of its listeners: type → ``status/reason``."""
        status = self.status(kind, key)
        if listener:
            status = next(entry for entry in status.listeners if entry.name == listener)
        return told(status.conditions)

    def message(self, kind: Kind[Any], key: Key, condition: str, listener: str = "") -> str:
        """Return the message of one condition."""
        status = self.status(kind, key)
        if listener:
            status = next(entry for entry in status.listeners if entry.name == listener)
        return str(next(each.message for each in status.conditions if each.type == condition))

    def parents(self, route: Applied) -> list[dict[str, str] | str]:
        """Return a route's entries in the order of its parentRefs: conditions, ``absent`` or ``undecided``."""
        entries = self.status(route.kind, route.key).parents
        return [_entry(entry.conditions) for entry in entries]

    def parent_message(self, route: Applied, condition: str, index: int = 0) -> str:
        entry = wanted(self.status(route.kind, route.key).parents[index].conditions)
        return str(next(each.message for each in entry if each.type == condition))


def seen(wanted: OwnedObject) -> Applied:
    """Return the event by which an object that was applied comes back from the API server."""
    kind = kinds.find(wanted.api_version, wanted.kind)
    assert kind is not None
    body = applied_body(wanted)
    body["metadata"] |= {"uid": f"{kind.name} {wanted.namespace}/{wanted.name}", "generation": 1}
    return Applied(kind=kind, object=parse(kind, body))


def bench(*facts: Fact, settings: Decisions = MANAGED) -> Bench:
    """Make a bench and run the facts on it at once."""
    made = Bench(settings)
    made.run(*facts)
    return made


def wanted(output: Any) -> Any:
    """Return the value of an output that is to be wanted."""
    assert isinstance(output, Want), f"not wanted: {output}"
    return output.value


def undecided(output: Any) -> str:
    """Return the reason of an output that is to be undecided."""
    assert isinstance(output, Undecided), f"not undecided: {output}"
    return output.reason


def told(conditions: Iterable[Any]) -> dict[str, str]:
    """Write conditions in short."""
    return {each.type: f"{each.status}/{each.reason}" for each in conditions}


def _entry(output: Any) -> dict[str, str] | str:
    if isinstance(output, Want):
        return told(output.value)
    return "undecided" if isinstance(output, Undecided) else "absent"


def maps_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return what a snapshot says, in a form that compares: maps, documents and bodies with their bytes."""
    return {
        "configs": dict(snapshot.configs),
        "objects": dict(snapshot.objects),
        "statuses": dict(snapshot.statuses),
        "status texts": {slot: status_text(output) for slot, output in snapshot.statuses.items()},
        "held": dict(snapshot.held),
    }


def differences(one: Snapshot, other: Snapshot) -> list[str]:
    """Say where two snapshots differ, in a few lines: pytest would compare the texts of whole worlds for minutes."""
    left, right = maps_of(one), maps_of(other)
    found: list[str] = []
    for name in left:
        for slot in {**left[name], **right[name]}:
            ours, theirs = left[name].get(slot), right[name].get(slot)
            if ours != theirs:
                found.append(f"{name} {slot}: {ours} is not {theirs}")
    return found


def status_text(output: Any) -> str:
    """Write a status as text, in which the order of everything shows."""
    return repr(output)
