"""The smallest checks that validation is made of, and how a rule walks through an object.

A *finding* is the field and what is wrong with it, remedy included. Checks quote no value: what stands in the
wrong field may be a secret. Absent values pass; that a field is needed is what the models say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sized

Finding = tuple[str, str]
"""Dotted path of the field; what is wrong with it and what to do."""

_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_NAME = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_LABEL = re.compile(_DNS_LABEL)
_NAME = re.compile(_DNS_NAME)
_HOSTNAME = re.compile(rf"(\*\.)?{_DNS_NAME}")
_KIND = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
_MAP_KEY = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_MAP_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")

_MANY = 100
"""More entries than any list may have are not compared with each other: that there are too many has been said."""

_NAME_HELP = "use lower-case letters, digits, - and ., with a letter or digit at both ends"


def fields(node: Any, name: str) -> Mapping[str, Any]:
    """Return the mapping under ``name``; an empty one where there is none."""
    value = node.get(name) if isinstance(node, dict) else None
    return value if isinstance(value, dict) else {}


def entries(node: Any, name: str, *, at: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the mappings of the list under ``name``, each with its path; ``at`` is the path of ``node``."""
    for index, entry in enumerate(items(node, name)):
        if isinstance(entry, dict):
            yield f"{at}.{name}[{index}]", entry


def items(node: Any, name: str) -> list[Any]:
    """Return the list under ``name``; an empty one where there is none."""
    value = node.get(name) if isinstance(node, dict) else None
    return value if isinstance(value, list) else []


def count(field: str, value: Sized, *, low: int = 0, high: int) -> Iterator[Finding]:
    """Check how many entries there are."""
    if not low <= len(value) <= high:
        wanted = f"{low} to {high}" if low < high else f"exactly {high}"
        if not low:
            wanted = f"at most {high}"
        yield field, f"has {len(value)} entries: give {wanted}"


def number(field: str, value: Any, *, low: int, high: int) -> Iterator[Finding]:
    """Check that a number lies within its range."""
    if isinstance(value, int) and not low <= value <= high:
        yield field, f"is out of range: give a number from {low} to {high}"


def port(field: str, value: Any) -> Iterator[Finding]:
    """Check a port."""
    yield from number(field, value, low=1, high=65535)


def one_of(field: str, value: Any, allowed: Collection[str]) -> Iterator[Finding]:
    """Check that a word is one of those that there are."""
    if isinstance(value, str) and value not in allowed:
        yield field, f"is none of the words that it can be: write one of {', '.join(allowed)}"


def text(field: str, value: Any, *, form: re.Pattern[str], longest: int, remedy: str) -> Iterator[Finding]:
    """Check the form and length of a text."""
    if not isinstance(value, str):
        return
    if len(value) > longest:
        yield field, f"has {len(value)} characters: shorten it to at most {longest}"
    elif not form.fullmatch(value):
        yield field, f"is malformed: {remedy}" if value else f"is empty: {remedy}"


def name(field: str, value: Any) -> Iterator[Finding]:
    """Check an RFC 1123 subdomain name."""
    yield from text(field, value, form=_NAME, longest=253, remedy=_NAME_HELP)


def label(field: str, value: Any) -> Iterator[Finding]:
    """Check an RFC 1123 label, which is what namespaces are called."""
    yield from text(
        field, value, form=_LABEL, longest=63,
        remedy="use lower-case letters, digits and -, with a letter or digit at both ends",
    )  # fmt: skip


def hostname(field: str, value: Any) -> Iterator[Finding]:
    """Check a hostname, whose first part may be ``*``."""
    remedy = f"{_NAME_HELP}; the first part may be *"
    yield from text(field, value, form=_HOSTNAME, longest=253, remedy=remedy)


def reference(field: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the group, kind, name and namespace of a reference to another object."""
    if node.get("group") != "":
        yield from name(f"{field}.group", node.get("group"))
    yield from text(f"{field}.kind", node.get("kind"), form=_KIND, longest=63, remedy="write a kind, such as Service")
    yield from label(f"{field}.namespace", node.get("namespace"))
    target = node.get("name")
    if isinstance(target, str) and not 1 <= len(target) <= 253:
        yield f"{field}.name", "is empty or too long: give the name of an object"


def map_keys(field: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the keys of labels or annotations."""
    for key in node:
        prefix, slash, rest = str(key).rpartition("/")
        prefix_fits = not slash or (len(prefix) <= 253 and _NAME.fullmatch(prefix.lower()))
        if not prefix_fits or not _MAP_KEY.fullmatch(rest):
            yield (
                f"{field}[{str(key)[:64]}]",
                ("is a malformed key: use up to 63 letters, digits, -, _ and ., after an optional domain and /"),
            )


def map_values(field: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the values of labels."""
    for key, value in node.items():
        yield from text(
            f"{field}[{str(key)[:64]}]", value, form=_MAP_VALUE, longest=63,
            remedy="use letters, digits, -, _ and ., with a letter or digit at both ends",
        )  # fmt: skip


def distinct(field: str, values: list[Any], *, what: str) -> Iterator[Finding]:
    """Check that no two of ``values``, which stand for the entries of ``field``, are equal."""
    if len(values) > _MANY:
        return
    for index, value in enumerate(values):
        first = values.index(value)
        if first != index:
            yield f"{field}[{index}]", f"has the {what} of {field}[{first}]: change one of them"
