"""From a document to a *candidate*: an object with its identity, or what stands in the way of one.

A document that does not say what object it is becomes a problem; one of a kind or version that is none of ours
is ignored; every other is a candidate, with a model if it fits its kind and an empty place for it if not.
Which candidate becomes an object is settled later, over all files.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from stunnergw.errors import InvalidObject
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key, KubernetesObject, is_ours
from stunnergw.resources.modelling import canonical
from stunnergw.resources.parsing import parse
from stunnergw.sources.defaulting import DEFAULT_NAMESPACE, completed, specification
from stunnergw.sources.problems import Problem
from stunnergw.sources.validating import validate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stunnergw.resources.kinds import Kind
    from stunnergw.sources.reading import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How documents are read: the kinds that are ours, and the key of the digests of secrets."""

    table: tuple[Kind[Any], ...] = kinds.TABLE
    opaque_key: bytes


class ObjectId(NamedTuple):
    """One object among all."""

    kind: Kind[Any]
    key: Key

    def __str__(self) -> str:
        return self.kind.describe(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An object as it is made of its manifest."""

    object: KubernetesObject
    specification: bytes
    """Keyed digest of what makes a new generation when it changes."""
    size: int
    """Bytes of the canonical JSON of the object as a cluster would hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A document that says which object it is. Without ``made`` it does not fit its kind."""

    file: str
    line: int
    id: ObjectId
    version: str
    made: Made | None = None
    problems: tuple[Problem, ...] = ()

    def problem(self, field: str, text: str) -> Problem:
        """Make a problem of this object."""
        return Problem(file=self.file, line=self.line, object=str(self.id), field=field, problem=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one file says."""

    candidates: tuple[Candidate, ...] = ()
    ignored: tuple[Problem, ...] = ()
    """Notes, one for each document of a kind or version that is none of ours."""
    unidentified: tuple[Problem, ...] = ()
    """One for each document that does not say which object it is."""


def examine(documents: Iterable[Document], *, reader: Reader) -> Reading:
    """Examine the documents of one file."""
    candidates: list[Candidate] = []
    ignored: list[Problem] = []
    unidentified: list[Problem] = []
    for document in documents:
        found = _examine(document, reader)
        if isinstance(found, Candidate):
            candidates.append(found)
        else:
            (ignored if found.note else unidentified).append(found)
    return Reading(candidates=tuple(candidates), ignored=tuple(ignored), unidentified=tuple(unidentified))


def make(kind: Kind[Any], body: dict[str, Any], *, reader: Reader) -> Made:
    """Make an object of a completed ``body``.

    Raises:
        InvalidObject: it does not fit its kind.
    """
    made = parse(kind, body, opaque_key=reader.opaque_key)
    digest = blake2b(canonical(specification(body)), key=reader.opaque_key, digest_size=16).digest()
    return Made(object=made, specification=digest, size=len(canonical(body)))


def _examine(document: Document, reader: Reader) -> Candidate | Problem:
    body = document.body
    if not isinstance(body, dict):
        return _unidentified(document, "", "", "is no object: write apiVersion, kind and metadata")
    for field in ("apiVersion", "kind"):
        if not isinstance(body.get(field), str) or not body[field]:
            return _unidentified(document, "", field, "is missing or no text: add it")
    kind = kinds.find(body["apiVersion"], body["kind"], table=reader.table)
    version = body["apiVersion"].rpartition("/")[2]
    if kind is None:
        return _ignored(document, "is none of the kinds that stunnergw reads")
    if version not in kind.versions:
        return _ignored(document, f"is none of the versions that stunnergw reads ({', '.join(kind.versions)})")
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return _unidentified(document, kind.kind, "metadata", "is missing or no mapping: add it, with a name")
    if kind.labelled and not is_ours(metadata):
        return _ignored(document, "does not bear the label of what stunnergw makes")
    for field, needed in (("name", True), ("namespace", False)):
        value = metadata.get(field)
        if (needed and not value) or not isinstance(value, str | None):
            return _unidentified(document, kind.kind, f"metadata.{field}", "is missing or no text: write a name")
    return _candidate(document, kind, version, reader)


def _candidate(document: Document, kind: Kind[Any], version: str, reader: Reader) -> Candidate:
    metadata = document.body["metadata"]
    namespace = metadata.get("namespace") or ""
    key = Key((namespace or DEFAULT_NAMESPACE) if kind.namespaced else "", metadata["name"])
    bare = Candidate(file=document.file, line=document.line, id=ObjectId(kind, key), version=version)
    said: tuple[Problem, ...] = ()
    if namespace and not kind.namespaced:
        said = (bare.problem("metadata.namespace", f"is ignored, a {kind.kind} has none: take it out"),)
    made, problems = _made(bare, completed(kind, key, document.body), reader)
    return Candidate(
        file=bare.file, line=bare.line, id=bare.id, version=version, made=made, problems=(*said, *problems)
    )


def _made(bare: Candidate, body: dict[str, Any], reader: Reader) -> tuple[Made | None, list[Problem]]:
    try:
        made = make(bare.id.kind, body, reader=reader)
    except InvalidObject as error:
        text = "is missing: add it" if error.problem == "field required" else error.problem
        return None, [bare.problem(error.field, text)]
    findings = validate(bare.id.kind, bare.version, body)
    return None if findings else made, [bare.problem(field, text) for field, text in findings]


def _unidentified(document: Document, kind: str, field: str, text: str) -> Problem:
    return Problem(file=document.file, line=document.line, object=kind, field=field, problem=text)


def _ignored(document: Document, text: str) -> Problem:
    body = document.body
    described = f"{body['kind'][:64]} ({body['apiVersion'][:128]})"
    return Problem(file=document.file, line=document.line, object=described, problem=f"{text}: ignored", note=True)
