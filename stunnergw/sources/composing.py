"""From YAML text to plain values, without trusting the text.

libyaml's events come in one by one and the values are built here, on a stack of our own: PyYAML's loader would
crash the process on 30,000 brackets. So nesting, what aliases expand to and keys that are given twice are
refused as they appear, with their line. Scalars mean what they mean to kubectl (YAML 1.1 as Go reads it):
dates stay text, keys become text. JSON is read as the YAML that it is.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from stunnergw.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 100
"""How deeply values may be nested, aliases followed."""

MAX_ALIASED = 4 * 1024 * 1024
"""About how many bytes the aliases of one document may add to it."""

_TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels: flatten it"
_TOO_DEEP_TO_SCAN = "maximum nesting depth"
"""What libyaml says where it reads ahead and gives up before we see a thing; that of PyYAML 6.0.4 does."""

_NODE_SIZE = 8
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({"!", f"{_TAG}str", f"{_TAG}timestamp"})
_COLLECTION_TAGS = frozenset({"!", f"{_TAG}map", f"{_TAG}seq"})
_TYPES: dict[str, tuple[type, ...]] = {
    f"{_TAG}null": (type(None),), f"{_TAG}bool": (bool,), f"{_TAG}int": (int,), f"{_TAG}float": (int, float),
}  # fmt: skip
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_INTEGER = re.compile(r"[-+]?(0[bB][01]+|0[oO][0-7]+|0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)")
_OLD_OCTAL = re.compile(r"[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MERGE = "<<"


class Table(dict[str, Any]):
    """A mapping that knows the line, from 1, where it begins."""

    __slots__ = ("line",)

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


class _Node(NamedTuple):
    """A finished value, how large it is with its aliases expanded, and how many levels it has."""

    value: Any
    size: int
    height: int = 0


@dataclass(slots=True)
class _Open:
    """A mapping or list that is not closed yet."""

    value: Table | list[Any]
    line: int
    anchor: str | None
    size: int = _NODE_SIZE
    height: int = 0
    key: str | None = None
    merging: bool = False
    merged: list[Any] = field(default_factory=list)


def compose(text: str, *, path: str) -> Iterator[tuple[int, Any]]:
    """Yield the documents of ``text``, each with the line where it begins.

    Raises:
        ManifestError: it is no YAML, or YAML that is refused; ``path`` is what the error names.
    """
    composer = _Composer(path)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                composer = _Composer(path)
            elif isinstance(event, yaml.DocumentEndEvent):
                yield composer.line, composer.root
            else:
                composer.take(event)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        problem = error.problem or error.context or "cannot be parsed"
        if _TOO_DEEP_TO_SCAN in problem:
            raise ManifestError(path, _TOO_DEEP, line=line) from None
        raise ManifestError(path, f"is no YAML: {problem}: mend it", line=line) from None
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise ManifestError(path, "holds a control character: take it out", line=line) from None


class _Composer:
    """Builds one document out of its events."""

    def __init__(self, path: str) -> None:
        self.root: Any = None
        self.line = 1
        self._path = path
        self._open: list[_Open] = []
        self._anchors: dict[str, _Node | None] = {}
        self._aliased = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else self.line
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            self._put(self._follow(event.anchor or "", line), line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._finish()

    def _fault(self, problem: str, line: int) -> ManifestError:
        return ManifestError(self._path, problem, line=line)

    def _begin(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self._fault(_TOO_DEEP, line)
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            raise self._fault("has a tag that manifests do not have: take it out", line)
        value: Table | list[Any] = Table(line) if isinstance(event, yaml.MappingStartEvent) else []
        if self._awaits_key():
            raise self._fault("has a key that is no text: write a plain word", line)
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append(_Open(value, line, event.anchor))

    def _finish(self) -> None:
        done = self._open.pop()
        if isinstance(done.value, Table):
            for source in done.merged:
                self._merge(source, into=done.value)
        node = _Node(done.value, done.size, done.height + 1)
        self._put(self._anchored(done.anchor, node), done.line)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        is_plain = bool(event.implicit[0]) and event.tag is None
        if is_plain and event.value == _MERGE and self._awaits_key():
            self._open[-1].key, self._open[-1].merging = _MERGE, True
            return
        value = self._resolve(event, line) if not is_plain else self._plain(event.value, line)
        node = _Node(value, _NODE_SIZE + len(event.value))
        self._put(self._anchored(event.anchor, node), line)

    def _resolve(self, event: yaml.ScalarEvent, line: int) -> Any:
        """Read a scalar that is quoted or carries a tag."""
        if event.tag is None or event.tag in _TEXT_TAGS:
            return event.value
        if event.tag not in _TYPES:
            raise self._fault("has a tag that manifests do not have: take it out", line)
        value = self._plain(event.value, line)
        # bool is an int to Python, so types are compared as they are.
        if type(value) not in _TYPES[event.tag]:
            raise self._fault("has a value that its tag does not fit: take the tag out", line)
        return value

    def _plain(self, text: str, line: int) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _NO_NUMBER.fullmatch(text):
            raise self._fault("holds a number that JSON cannot: put it in quotes if it is text", line)
        return _number(text) if text[0] in "+-.0123456789" else text

    def _anchored(self, anchor: str | None, node: _Node) -> _Node:
        if anchor:
            self._anchors[anchor] = node
        return node

    def _follow(self, anchor: str, line: int) -> _Node:
        if anchor not in self._anchors:
            raise self._fault("has an alias of something that was not named before: name it with &", line)
        node = self._anchors[anchor]
        if node is None:
            raise self._fault("has an alias that stands inside what it names: write the value out", line)
        self._aliased += node.size
        if self._aliased > MAX_ALIASED:
            raise self._fault("has aliases that expand to too much: write the values out", line)
        if len(self._open) + node.height > MAX_DEPTH:
            raise self._fault(_TOO_DEEP, line)
        return node

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, Table) and self._open[-1].key is None

    def _put(self, node: _Node, line: int) -> None:
        """Put a value where the next one belongs."""
        if not self._open:
            self.root, self.line = node.value, line
            return
        parent = self._open[-1]
        parent.size += node.size
        parent.height = max(parent.height, node.height)
        if isinstance(parent.value, list):
            parent.value.append(node.value)
        elif parent.key is None:
            parent.key = self._new_key(node.value, parent.value, line)
        elif parent.merging:
            parent.merged.append((node.value, line))
            parent.key, parent.merging = None, False
        else:
            parent.value[parent.key], parent.key = node.value, None

    def _new_key(self, value: Any, table: Table, line: int) -> str:
        if value is None or isinstance(value, (dict, list)):
            raise self._fault("has a key that is no text: write a plain word", line)
        key = str(value).lower() if isinstance(value, bool) else str(value)
        if key in table:
            raise self._fault(f"has the key {key[:64]!r} twice in one mapping: keep one of them", line)
        return key

    def _merge(self, source: tuple[Any, int], *, into: Table) -> None:
        value, line = source
        for table in value if isinstance(value, list) else [value]:
            if not isinstance(table, Table):
                raise self._fault("merges (<<) something that is no mapping: write the keys out", line)
            for key, inherited in table.items():
                into.setdefault(key, inherited)


def _number(text: str) -> int | float | str:
    """Read a number as Go does; what is none, or does not fit, is text."""
    digits = text.replace("_", "")
    # 66 characters hold 64 bits in base 2; Python refuses to read decimal numbers of any length.
    if len(digits) <= 66:
        whole = _whole(digits)
        if whole is not None and -(2**63) <= whole < 2**64:
            return whole
    if not _FLOAT.fullmatch(digits):
        return text
    number = float(digits)
    return number if math.isfinite(number) else text


def _whole(digits: str) -> int | None:
    if _INTEGER.fullmatch(digits):
        return int(digits, 0)
    return int(digits, 8) if _OLD_OCTAL.fullmatch(digits) else None
