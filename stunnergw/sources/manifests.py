"""Manifests as a source of events: loaded once, and again whenever the files may have changed.

The first load appends one batch: every object, then for every kind that its list is complete. Each later one
appends one batch of what differs, or nothing. At start a file that cannot be read ends the program, since
serving without it would revoke running calls; later it keeps its last good objects, and so does a path that is
gone. Commands that read once take :func:`load_manifests`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, TypeVar

from stunnergw.errors import ManifestError
from stunnergw.events.types import Applied, Deleted, Listed
from stunnergw.opaque import PROCESS_KEY
from stunnergw.resources import kinds
from stunnergw.sources.examining import Reader, Reading, examine
from stunnergw.sources.problems import Problem
from stunnergw.sources.reading import documents, list_files, read_bytes
from stunnergw.sources.settling import NOTHING, Settled, Standing, is_same, settle
from stunnergw.sources.watching_files import each_burst, file_changes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from stunnergw.events.log import EventLog
    from stunnergw.events.types import Fact
    from stunnergw.resources.kinds import Kind
    from stunnergw.sources.examining import ObjectId

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

SOURCE = "manifests"
"""The source that events of manifests name."""

_KEPT = "its last good objects stay"


class Offload(Protocol):
    """Runs a function where it does not hold up the loop, such as :func:`asyncio.to_thread`."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Return what ``work`` returns."""


class Place(NamedTuple):
    """Where an object begins: the file as the user named it, and the line, from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What some manifests amount to."""

    objects: tuple[Applied, ...]
    """By the order of the table of kinds, then by key; namespaces that are only implied among them."""
    versions: Mapping[Kind[Any], tuple[str, ...]]
    """For every kind of the table the versions seen, most preferred first, else the newest."""
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    places: Mapping[ObjectId, Place]
    """Where each object stands that is written down."""
    broken: tuple[str, ...]
    """Files that are no usable YAML: what they hold is not among the objects."""

    @property
    def facts(self) -> list[Fact]:
        """The batch of events that says all of it."""
        return [*self.objects, *_listed(self.versions)]


def load_manifests(
    paths: Sequence[Path],
    *,
    opaque_key: bytes = PROCESS_KEY,
    table: tuple[Kind[Any], ...] = kinds.TABLE,
    strict: bool = True,
) -> Loaded:
    """Read files and folders of manifests once.

    With ``strict``, a file that is no usable YAML is an error like one that cannot be opened; else it is one
    of the problems.

    Raises:
        ManifestError: a path is missing or unreadable, or a file is no usable YAML.
    """
    reader = Reader(table=table, opaque_key=opaque_key)
    scan = _scan(paths, reader=reader)
    scan.refuse(broken_too=strict)
    settled = settle(scan.readings, reader=reader)
    return Loaded(
        objects=tuple(_applied(name, item) for name, item in settled.objects.items()),
        versions=settled.versions,
        problems=(*(Problem.of(error) for error in scan.broken), *settled.problems),
        notes=settled.notes,
        places=_places(scan.readings, settled),
        broken=tuple(error.path for error in scan.broken),
    )


class ManifestSource:
    """Keeps an event log in step with files and folders of manifests.

    ``report`` is told of each problem and note when it appears, once while it lasts. ``changes`` gives something
    whenever files may have changed; by default the file system is watched. Reading runs in ``offload``.
    """

    def __init__(
        self,
        *,
        paths: Sequence[Path],
        log: EventLog,
        report: Callable[[Problem], None],
        opaque_key: bytes = PROCESS_KEY,
        table: tuple[Kind[Any], ...] = kinds.TABLE,
        changes: Callable[[], AsyncIterator[object]] | None = None,
        offload: Offload = asyncio.to_thread,
    ) -> None:
        self._paths = tuple(paths)
        self._log = log
        self._report = report
        self._reader = Reader(table=table, opaque_key=opaque_key)
        self._changes = changes or (lambda: file_changes(self._paths))
        self._offload = offload
        self._files: Mapping[str, _File] = MappingProxyType({})
        self._objects: Mapping[ObjectId, Standing] = NOTHING
        self._versions: Mapping[Kind[Any], tuple[str, ...]] = MappingProxyType({})
        self._said: frozenset[Problem] = frozenset()

    def load(self) -> list[Problem]:
        """Append everything that the manifests hold, and return what is wrong with them.

        Raises:
            ManifestError: a path is missing, or a file cannot be read as a whole. Nothing was appended then.
        """
        step = self._look()
        step.scan.refuse(broken_too=True)
        return self._take(step)

    def rescan(self) -> list[Problem]:
        """Append what changed since the last time, and return all that is wrong now."""
        return self._take(self._look())

    async def watch(self) -> NoReturn:
        """Rescan whenever files may have changed, once they have been quiet for 50 ms; runs for ever."""
        await each_burst(self._changes(), then=self._rescan_aside)

    async def _rescan_aside(self) -> None:
        self._take(await self._offload(self._look))

    def _look(self) -> _Step:
        """Read and compare everything, and change nothing: safe in another thread."""
        scan = _scan(self._paths, reader=self._reader, before=self._files)
        settled = settle(scan.readings, reader=self._reader, before=self._objects)
        facts = _difference(self._objects, settled, listed=self._versions)
        return _Step(scan=scan, settled=settled, facts=facts)

    def _take(self, step: _Step) -> list[Problem]:
        scan, settled = step.scan, step.settled
        if step.facts:
            self._log.append(step.facts, source=SOURCE)
        self._files, self._objects, self._versions = scan.files, settled.objects, settled.versions
        errors = (Problem.of(error, consequence=_KEPT) for error in (*scan.unreadable, *scan.broken))
        problems = [*errors, *settled.problems]
        self._tell(problems, settled.notes)
        return problems

    def _tell(self, problems: Iterable[Problem], notes: Iterable[Problem]) -> None:
        # A note is told by what it says: that it moved to another line is nothing new.
        told = {note.problem + note.object for note in self._said if note.note}
        for problem in problems:
            if problem not in self._said:
                self._report(problem)
        for note in notes:
            if note.problem + note.object not in told:
                self._report(note)
        self._said = frozenset((*problems, *notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file as it was last read: what it said when it last could be, and why it cannot be now."""

    digest: bytes
    reading: Reading
    broken: ManifestError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    """All files at one time. What could not be read stands for what was read before."""

    files: Mapping[str, _File]
    unreadable: list[ManifestError] = field(default_factory=list)

    @property
    def broken(self) -> list[ManifestError]:
        return [file.broken for file in self.files.values() if file.broken]

    @property
    def readings(self) -> list[Reading]:
        return [file.reading for file in self.files.values()]

    def refuse(self, *, broken_too: bool) -> None:
        """Raise the first thing that could not be read."""
        for error in (*self.unreadable, *(self.broken if broken_too else ())):
            raise error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What a look at the files found, and the events that it comes to."""

    scan: _Scan
    settled: Settled
    facts: list[Fact]


_NO_FILES: Mapping[str, _File] = MappingProxyType({})


def _scan(paths: Sequence[Path], *, reader: Reader, before: Mapping[str, _File] = _NO_FILES) -> _Scan:
    listing = list_files(paths)
    unreadable = list(listing.unreadable)
    files: dict[str, _File] = {}
    for path in listing.files:
        name = str(path)
        try:
            data = read_bytes(path)
        except ManifestError as error:
            unreadable.append(error)
            continue
        if data is not None:
            files[name] = _read(data, name=name, reader=reader, before=before.get(name))
    kept = {name: file for name, file in before.items() if name not in files and _is_below(name, unreadable)}
    return _Scan(files={**files, **kept}, unreadable=unreadable)


def _read(data: bytes, *, name: str, reader: Reader, before: _File | None) -> _File:
    digest = blake2b(data, digest_size=16).digest()
    if before and before.digest == digest:
        return before
    try:
        return _File(digest=digest, reading=examine(documents(data, path=name), reader=reader))
    except ManifestError as error:
        return _File(digest=digest, reading=before.reading if before else Reading(), broken=error)


def _places(readings: Iterable[Reading], settled: Settled) -> Mapping[ObjectId, Place]:
    return {
        candidate.id: Place(candidate.file, candidate.line)
        for reading in readings
        for candidate in reading.candidates
        if (standing := settled.objects.get(candidate.id)) and standing.made is candidate.made
    }


def _is_below(name: str, unreadable: Iterable[ManifestError]) -> bool:
    return any(Path(name).is_relative_to(error.path) for error in unreadable)


def _difference(
    before: Mapping[ObjectId, Standing], settled: Settled, *, listed: Mapping[Kind[Any], tuple[str, ...]]
) -> list[Fact]:
    applied = [
        _applied(name, item)
        for name, item in settled.objects.items()
        if (old := before.get(name)) is None or not is_same(name.kind, old.object, item.object)
    ]
    deleted = [Deleted(kind=name.kind, key=name.key) for name in before if name not in settled.objects]
    news = {kind: versions for kind, versions in settled.versions.items() if listed.get(kind) != versions}
    return [*applied, *deleted, *_listed(news)]


def _applied(name: ObjectId, item: Standing) -> Applied:
    return Applied(kind=name.kind, object=item.object, size=item.made.size)


def _listed(versions: Mapping[Kind[Any], tuple[str, ...]]) -> list[Listed]:
    return [Listed(kind=kind, versions=each) for kind, each in versions.items()]
