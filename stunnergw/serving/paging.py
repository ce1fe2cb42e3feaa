"""Pages of the event log: which events are asked for, and a bounded piece of them.

Both ``/events`` answers are made of pages. A page ends after so many events or bytes, or where the log ends, and says
where the next begins. Going through the log lets others run in between; what is trimmed meanwhile is said.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.errors import FellBehind
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.serving.retelling import key_of, kind_of, retell

if TYPE_CHECKING:
    from multidict import MultiMapping

    from stunnergw.events.log import EventLog
    from stunnergw.events.types import Event

LIMIT = 100
LIMIT_AT_MOST = 1000
BYTES_AT_MOST = 1024 * 1024
"""A page that has so many bytes takes no further event."""
SLICE = 1000
"""Events looked at between two turns of the loop."""
SLICE_BYTES = 64 * 1024
"""Bytes written between two turns of the loop."""

_PARAMETERS = ("since", "kind", "key", "limit")


class EventQuestion(NamedTuple):
    """Which events are asked for."""

    since: int | None
    """Those after this one; None: the newest."""
    kind: str | None
    """A kind's name or, for both of a name, its kind; in lower case."""
    key: Key | None
    limit: int

    def matches(self, event: Event) -> bool:
        """Say whether it is asked for."""
        if self.key is not None and key_of(event.fact) != self.key:
            return False
        if self.kind is None:
            return True
        name = (kind_of(event.fact) or "").lower()
        return self.kind == name or (bool(name) and self.kind == name.partition(".")[0])


class Retold(NamedTuple):
    """An event as a line of JSON."""

    seq: int
    json: bytes


class Page(NamedTuple):
    """A piece of the log."""

    events: list[Retold]
    next: int
    """``since`` of the page that follows."""
    fell_behind: bool
    """Events before this page are asked for and gone."""


def read_event_question(query: MultiMapping[str]) -> EventQuestion | str:
    """Return the question that a query asks, or in words what is wrong with it."""
    for name in query:
        if name not in _PARAMETERS:
            return f"{name}: there is no such parameter; there are {', '.join(_PARAMETERS)}"
        if len(query.getall(name)) > 1:
            return f"{name}: given more than once; give it once"
    since, limit, key, kind = (query.get(name) for name in ("since", "limit", "key", "kind"))
    if since is not None and not is_number(since):
        return f"since: {since!r} is no sequence number; write the last one that you have, 0 for all"
    if limit is not None and not (is_number(limit) and int(limit)):
        return f"limit: {limit!r} is none; write a number from 1 to {LIMIT_AT_MOST}"
    if key is not None and (not key or key.count("/") > 1):
        return f"key: {key!r} names no object; write NAMESPACE/NAME, or NAME of one without a namespace"
    if kind is not None and kind.lower() not in _known_kinds():
        return f"kind: {kind!r} is none that is read; there are {', '.join(kind.name for kind in kinds.TABLE)}"
    return EventQuestion(
        since=None if since is None else int(since),
        kind=None if kind is None else kind.lower(),
        key=None if key is None else Key.parse(key),
        limit=min(int(limit or LIMIT), LIMIT_AT_MOST),
    )


def is_number(text: str) -> bool:
    """Say whether a text is a number that can count events."""
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _known_kinds() -> set[str]:
    return {name.lower() for kind in kinds.TABLE for name in (kind.name, kind.kind)}


async def start_of_newest(log: EventLog, wanted: EventQuestion) -> int:
    """Return after which event the newest of those that are asked for begin, as many as a page has."""
    found = 0
    for count, event in enumerate(reversed(log.since(log.oldest - 1)), 1):
        found += wanted.matches(event)
        if found == wanted.limit:
            return event.seq - 1
        if count % SLICE == 0:
            await asyncio.sleep(0)
    return log.oldest - 1


async def page_after(log: EventLog, wanted: EventQuestion, *, after: int, bytes_at_most: int = BYTES_AT_MOST) -> Page:
    """Return the events after one of them, at most a page."""
    fell_behind = False
    try:
        events = log.since(after)
    except FellBehind as behind:
        fell_behind = True
        events = log.since(behind.oldest - 1)
    page = Page([], log.last, fell_behind)
    size = written = 0
    for count, event in enumerate(events, 1):
        if wanted.matches(event):
            page.events.append(Retold(event.seq, retell(event)))
            size += len(page.events[-1].json)
            if len(page.events) == wanted.limit or size >= bytes_at_most:
                return page._replace(next=event.seq)
        if count % SLICE == 0 or size - written > SLICE_BYTES:
            written = size
            await asyncio.sleep(0)
    return page
