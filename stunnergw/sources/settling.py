"""Which objects there are, settled over all files and against what there was before.

Two files may claim one object: the one that had it keeps it, else the first with a valid document has it; within
one file the last document counts, as with kubectl. All others are told of. An invalid document takes nothing
away: the last good version of its object stays. Generations count on from those before, and namespaces that no
manifest declares are added, so that selectors find them. Pure: nothing is read here.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key, KubernetesObject
from stunnergw.sources.defaulting import completed
from stunnergw.sources.examining import Made, ObjectId, make
from stunnergw.sources.validating import validate_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stunnergw.resources.kinds import Kind
    from stunnergw.sources.examining import Candidate, Reader, Reading
    from stunnergw.sources.problems import Problem

IMPLIED = ""
"""The file of an object that stands in none."""

LEFT_OUT = "the object is left out"
STAYS = "its last good version stays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An object that there is, and the file that it is from."""

    made: Made
    file: str
    version: str

    @property
    def object(self) -> KubernetesObject:
        """The object."""
        return self.made.object


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """All objects, in the order of the table of kinds and by key; the versions seen of each kind."""

    objects: Mapping[ObjectId, Standing]
    versions: Mapping[Kind[Any], tuple[str, ...]]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


NOTHING: Mapping[ObjectId, Standing] = MappingProxyType({})


def settle(readings: Sequence[Reading], *, reader: Reader, before: Mapping[ObjectId, Standing] = NOTHING) -> Settled:
    """Settle which objects there are; ``readings`` are those of all files, in their order."""
    objects: dict[ObjectId, Standing] = {}
    problems: list[Problem] = []
    for claimants in _claims(readings).values():
        _award(claimants, before, objects, problems)
    problems += _unidentified(readings, before, objects)
    versions = _versions(readings, objects, reader.table)
    _add_namespaces(objects, before, reader)
    return Settled(
        objects=_ordered(objects, reader.table),
        versions=versions,
        problems=tuple(problems),
        notes=tuple(_once_per_kind(note for reading in readings for note in reading.ignored)),
    )


def is_same(kind: Kind[Any], one: KubernetesObject, other: KubernetesObject) -> bool:
    """Say whether a cluster would have nothing to tell of the step from ``one`` to ``other``."""
    if one != other:
        return False
    # The rest takes no part in `==`: projections ignore it, writers do not.
    versions = (one.metadata.resource_version, other.metadata.resource_version)
    return not kind.written or (_status(one) == _status(other) and versions[0] == versions[1])


def _status(item: KubernetesObject) -> Any:
    return getattr(item, "status", None)


def _claims(readings: Sequence[Reading]) -> dict[ObjectId, list[Candidate]]:
    claims: dict[ObjectId, list[Candidate]] = {}
    for reading in readings:
        for candidate in reading.candidates:
            claims.setdefault(candidate.id, []).append(candidate)
    return claims


def _award(
    claimants: list[Candidate],
    before: Mapping[ObjectId, Standing],
    objects: dict[ObjectId, Standing],
    problems: list[Problem],
) -> None:
    """Give an object to one of those that claim it."""
    previous = before.get(claimants[0].id)
    winner = _winner(claimants, previous)
    for other in claimants:
        if other is not winner:
            text = f"is also in {winner.file}:{winner.line}, which counts: take one of the two out"
            problems.append(other.problem("", text))
    standing, said = _standing(winner, previous)
    problems += said
    if standing:
        objects[winner.id] = standing


def _winner(claimants: list[Candidate], previous: Standing | None) -> Candidate:
    files = {candidate.file for candidate in claimants}
    if previous and previous.file in files:
        file = previous.file
    else:
        file = next((candidate for candidate in claimants if candidate.made), claimants[0]).file
    # Within one file it is as with kubectl: what comes later is applied later.
    own = [candidate for candidate in claimants if candidate.file == file]
    return next((candidate for candidate in reversed(own) if candidate.made), own[-1])


def _standing(winner: Candidate, previous: Standing | None) -> tuple[Standing | None, list[Problem]]:
    made, problems = winner.made, list(winner.problems)
    if made and previous:
        changes = validate_change(previous.object, made.object)
        problems += [winner.problem(field, text) for field, text in changes]
        made = None if changes else _next_generation(made, previous.made)
    if made:
        return Standing(made=made, file=winner.file, version=winner.version), problems
    consequence = STAYS if previous else LEFT_OUT
    said = [dataclasses.replace(each, problem=f"{each.problem} ({consequence})") for each in problems]
    # It belongs to the file that names it now, whatever file its last good version was from.
    return dataclasses.replace(previous, file=winner.file) if previous else None, said


def _next_generation(made: Made, previous: Made) -> Made:
    generation = previous.object.metadata.generation
    if made.specification != previous.specification:
        generation += 1
    # A manifest that was dumped from a cluster brings its generation, to which its status refers.
    return _with_generation(made, max(generation, made.object.metadata.generation))


def _with_generation(made: Made, generation: int) -> Made:
    if made.object.metadata.generation == generation:
        return made
    # dataclasses.replace() on the object would have its stored status validated once more, and refused:
    # that is JSON already. So a copy is made, which nobody else has seen, and given its metadata.
    twin = copy.copy(made.object)
    metadata = dataclasses.replace(twin.metadata, generation=generation)
    object.__setattr__(twin, "metadata", metadata)
    return dataclasses.replace(made, object=twin)


def _unidentified(
    readings: Sequence[Reading], before: Mapping[ObjectId, Standing], objects: dict[ObjectId, Standing]
) -> list[Problem]:
    """Keep what a document may have meant that no longer says which object it is."""
    files = {problem.file for reading in readings for problem in reading.unidentified}
    kept = {name: item for name, item in before.items() if item.file in files and name not in objects}
    objects.update(kept)
    losers = {item.file for item in kept.values()}
    return [
        dataclasses.replace(each, problem=f"{each.problem} ({_consequence(each.file in losers)})")
        for reading in readings
        for each in reading.unidentified
    ]


def _consequence(kept: bool) -> str:
    return "objects that this file no longer names stay" if kept else LEFT_OUT


def _versions(
    readings: Sequence[Reading], objects: Mapping[ObjectId, Standing], table: tuple[Kind[Any], ...]
) -> dict[Kind[Any], tuple[str, ...]]:
    seen = {(each.id.kind, each.version) for reading in readings for each in reading.candidates}
    seen |= {(name.kind, item.version) for name, item in objects.items()}
    versions = {kind: tuple(each for each in kind.versions if (kind, each) in seen) for kind in table}
    return {kind: found or kind.versions[:1] for kind, found in versions.items()}


def _add_namespaces(objects: dict[ObjectId, Standing], before: Mapping[ObjectId, Standing], reader: Reader) -> None:
    if kinds.NAMESPACE not in reader.table:
        return
    for namespace in sorted({name.key.namespace for name in objects} - {""}):
        name = ObjectId(kinds.NAMESPACE, Key("", namespace))
        if name in objects:
            continue
        previous = before.get(name)
        if previous and previous.file == IMPLIED:
            objects[name] = previous
            continue
        made = make(name.kind, completed(*name, {"metadata": {}}), reader=reader)
        made = _next_generation(made, previous.made) if previous else made
        objects[name] = Standing(made=made, file=IMPLIED, version=kinds.NAMESPACE.versions[0])


def _ordered(objects: Mapping[ObjectId, Standing], table: tuple[Kind[Any], ...]) -> dict[ObjectId, Standing]:
    place = {kind: index for index, kind in enumerate(table)}
    return {name: objects[name] for name in sorted(objects, key=lambda name: (place[name.kind], name.key))}


def _once_per_kind(notes: Iterable[Problem]) -> list[Problem]:
    first: dict[tuple[str, str], Problem] = {}
    for note in notes:
        first.setdefault((note.object, note.problem), note)
    return list(first.values())
