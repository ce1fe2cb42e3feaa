"""From paths to documents: which files there are, and what stands in them.

A folder gives its files in the order of their names, subfolders among them; names that begin with a dot are
skipped, since a ConfigMap mount keeps its files a second time below ``..data``. A file that two paths lead to
is read once. A file is read as a whole or not at all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from stunnergw.errors import ManifestError
from stunnergw.sources.composing import Table, compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
"""Which files of a folder are manifests. A file that is named itself is read whatever its name."""


class Document(NamedTuple):
    """A document of a file, or an item of a List in it."""

    file: str
    line: int
    body: Any


@dataclass(slots=True)
class Listing:
    """The files of some paths, their folders, and what of them could not be looked into."""

    files: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    unreadable: list[ManifestError] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def is_new(self, path: Path) -> bool:
        """Say whether no other path has led to the same file or folder before."""
        real = os.path.realpath(path)
        known = real in self._seen
        self._seen.add(real)
        return not known


# os.path answers False where pathlib raises: below a folder that may not be searched.


def list_files(paths: Sequence[Path]) -> Listing:
    """Return the manifest files of ``paths``, in order."""
    listing = Listing()
    for path in paths:
        if os.path.isdir(path):
            _list_folder(path, listing)
        elif not os.path.exists(path):
            listing.unreadable.append(ManifestError(str(path), "is not there: name a file or folder that is"))
        elif listing.is_new(path):
            listing.files.append(path)
    return listing


def _list_folder(folder: Path, listing: Listing) -> None:
    # A link back to a folder above would otherwise go round for ever.
    if not listing.is_new(folder):
        return
    listing.folders.append(folder)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        listing.unreadable.append(_unreadable(folder, error))
        return
    for path in (folder / name for name in names if not name.startswith(".")):
        if os.path.isdir(path):
            _list_folder(path, listing)
        elif path.suffix in SUFFIXES and (os.path.isfile(path) or os.path.islink(path)) and listing.is_new(path):
            listing.files.append(path)


def read_bytes(path: Path) -> bytes | None:
    """Return what a file holds; None where it went away since it was listed.

    Raises:
        ManifestError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        if os.path.islink(path):
            raise _unreadable(path, error) from None
        return None
    except OSError as error:
        raise _unreadable(path, error) from None


def documents(data: bytes, *, path: str) -> list[Document]:
    """Return the documents of a file: empty ones left out, Lists taken apart.

    Raises:
        ManifestError: it cannot be read as a whole; whatever the bytes are, nothing else is raised.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ManifestError(path, "is not UTF-8: save it as UTF-8", line=line) from None
    return list(_expanded(Document(path, line, body) for line, body in compose(text, path=path)))


def _expanded(found: Iterable[Document]) -> Iterator[Document]:
    for document in found:
        body = document.body
        if body is None:
            continue
        if isinstance(body, dict) and body.get("kind") == "List" and body.get("apiVersion") == "v1":
            yield from _expanded(_items(document))
        else:
            yield document


def _items(document: Document) -> Iterator[Document]:
    items = document.body.get("items")
    if items is not None and not isinstance(items, list):
        raise ManifestError(document.file, "has a List whose items are no list: make them one", line=document.line)
    for item in items or ():
        yield Document(document.file, item.line if isinstance(item, Table) else document.line, item)


def _unreadable(path: Path, error: OSError) -> ManifestError:
    return ManifestError(str(path), f"cannot be read: {error.strerror or error}: see that it is there and readable")
