"""What a status that would change tells of clients: an address that goes, a listener or route no longer served.

The status as it is may be another operator's. What it said was served and we would not serve is marked with our own
message, which names the remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.cli.marks import Mark, Trouble
from stunnergw.settings import CONTROLLER_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Conditions = dict[str, dict[str, Any]]


def status_marks(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Mark]:
    """Return the marks of a class's, a Gateway's or a route's status."""
    yield from _addresses(before, after)
    yield from _turned(before, after, "", ("Accepted", "Programmed"))
    yield from _listeners(before, after)
    yield from _parents(before, after)


def _addresses(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Mark]:
    kept = {address.get("value") for address in after.get("addresses") or ()}
    for address in before.get("addresses") or ():
        if address.get("value") not in kept:
            yield Mark(Trouble.ADDRESS, f"the address {address.get('value')} goes from the status: DNS may drop it")


def _listeners(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Mark]:
    new = {listener["name"]: listener for listener in after.get("listeners") or ()}
    for listener in before.get("listeners") or ():
        name = listener["name"]
        if name not in new:
            continue  # the Gateway does not have it any more
        yield from _turned(listener, new[name], f"listener {name}: ", ("Accepted", "ResolvedRefs"))
        was, now = _by_type(listener), _by_type(new[name])
        # Other operators may never say Programmed: what they accepted, they served.
        served = _is(was, "Accepted", "True") and now.get("Programmed", {}).get("reason") in ("Invalid", _TLS)
        if served and not _is(now, "Accepted", "False") and not _is(now, "ResolvedRefs", "False"):
            yield Mark(Trouble.SHUT_OUT, f"listener {name}: it would not be served: {now['Programmed']['message']}")
        if new[name].get("attachedRoutes", 0) < listener.get("attachedRoutes", 0):
            counts = f"{listener['attachedRoutes']} to {new[name]['attachedRoutes']}"
            yield Mark(Trouble.SHUT_OUT, f"listener {name}: attached routes go from {counts}")


_TLS = "InvalidTLSConfig"


def _parents(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Mark]:
    # The reference operator leaves the port out of what it echoes: one entry of its may be several of ours.
    for entry in before.get("parents") or ():
        parent = _parent(entry)
        ours = [each for each in after.get("parents") or () if _parent(each) == parent]
        if not ours and _is(_by_type(entry), "Accepted", "True"):
            yield Mark(Trouble.SHUT_OUT, f"parent {_named(entry)}: its entry goes, and with it the route")
        seen = set()
        for each in ours:
            for mark in _turned(entry, each, f"parent {_named(each)}: ", ("Accepted", "ResolvedRefs")):
                if mark not in seen:
                    seen.add(mark)
                    yield mark


def _turned(before: Mapping[str, Any], after: Mapping[str, Any], where: str, types: tuple[str, ...]) -> Iterator[Mark]:
    """Mark conditions that were True and would be False."""
    was, now = _by_type(before), _by_type(after)
    for kind in types:
        if _is(was, kind, "True") and _is(now, kind, "False"):
            said = f"{where}{kind} turns False ({now[kind]['reason']}): {now[kind]['message']}"
            yield Mark(Trouble.SHUT_OUT, said)


def _by_type(part: Mapping[str, Any]) -> Conditions:
    return {condition["type"]: condition for condition in part.get("conditions") or ()}


def _is(conditions: Conditions, kind: str, status: str) -> bool:
    return conditions.get(kind, {}).get("status") == status


def _parent(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    ref = entry.get("parentRef") or {}
    fields = (ref.get(field) for field in ("namespace", "name", "sectionName"))
    return (entry.get("controllerName", CONTROLLER_NAME), *fields)


def _named(entry: Mapping[str, Any]) -> str:
    ref = entry.get("parentRef") or {}
    parts = [ref.get("namespace"), ref.get("name")]
    name = "/".join(part for part in parts if part)
    name += f" section {ref['sectionName']}" if ref.get("sectionName") else ""
    return name + (f" port {ref['port']}" if ref.get("port") else "")
