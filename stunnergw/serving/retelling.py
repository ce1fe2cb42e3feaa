"""Events as JSON, for people and programs that look in from outside.

Every event has the same fields, null where they mean nothing; what is its own stands beside them. Objects are written
as their models are: a secret as its digest, whatever it says.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.events.types import Applied, Deleted, Listed, Projected, Started, Unavailable, Wrote

if TYPE_CHECKING:
    from stunnergw.events.types import Event, Fact
    from stunnergw.resources.metadata import Key

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def retell(event: Event) -> bytes:
    """Return an event as one line of JSON."""
    return orjson.dumps({**summary(event), **_particulars(event.fact)})


def summary(event: Event) -> Json:
    """Return what every event has: when, whence, what about."""
    key = key_of(event.fact)
    return {
        "seq": event.seq,
        "at": instant(event.at),
        "source": event.source,
        "type": type(event.fact).__name__,
        "kind": kind_of(event.fact),
        "key": None if key is None else str(key),
        "resourceVersion": event.resource_version or None,
        "by": event.by or None,
    }


def instant(nanoseconds: int) -> str:
    """Return nanoseconds since the epoch as ISO 8601 in UTC, to the microsecond."""
    moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def kind_of(fact: Fact) -> str | None:
    """Return the name of the kind that a fact is about."""
    match fact:
        case Applied() | Deleted() | Listed() | Unavailable():
            return fact.kind.name
        case Wrote():
            return fact.kind
    return None


def key_of(fact: Fact) -> Key | None:
    """Return the key of the object that a fact is about."""
    return fact.key if isinstance(fact, Applied | Deleted | Wrote) else None


def _particulars(fact: Fact) -> Json:
    match fact:
        case Started():
            return {"run": fact.run, "version": fact.version, "settings": orjson.Fragment(fact.settings)}
        case Applied():
            return {"object": orjson.Fragment(fact.kind.adapter.dump_json(fact.object, by_alias=True))}
        case Listed():
            return {"versions": fact.versions}
        case Unavailable():
            return {"reason": fact.reason}
        case Wrote():
            return {
                "digest": fact.digest, "snapshot": fact.snapshot, "outcome": fact.outcome, "message": fact.message
            }  # fmt: skip
        case Projected():
            return {"snapshot": fact.snapshot, "changed": dict(fact.changed), "held": fact.held}
        case _:
            return {}
