"""What turned between a status as it stood and as it was written: the transitions that a person wants to hear of.

A condition that turned False is told as a warning, also where it was never True; one that was False and is True is good
news. That something is True from the beginning is no news, nor is another reason for the same. What follows from
something else is left out: a Gateway that is not accepted any more is not programmed either. Listeners, or parents of a
route, that turned for the same reason are told as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_NAMED = 3
"""Listeners or parents that one transition names."""

_ALL = ("Accepted", "Programmed", "ResolvedRefs")


class Transition(NamedTuple):
    """A condition that turned."""

    warning: bool
    reason: str
    message: str


class _Turned(NamedTuple):
    """One condition of one part that turned, as it is now."""

    part: str
    """``listener udp``, ``parent edge``; empty for the object as a whole."""
    type: str
    before: str
    condition: Mapping[str, Any]

    @property
    def lost(self) -> bool:
        return bool(self.condition["status"] == "False")


def transitions(before: Mapping[str, Any], after: Mapping[str, Any], *, controller: str) -> list[Transition]:
    """Return what turned, worst first; of a route what ``controller`` says alone."""
    turned = [*_turned(before, after, "")]
    lost = {each.type for each in turned if each.lost}
    if "Accepted" in lost:
        turned = [each for each in turned if each.type == "Accepted" or not each.lost]
    # The sum of what listeners say.
    turned = [each for each in turned if each.type != "ResolvedRefs"]
    listeners = [*_of_listeners(before, after)]
    if "Accepted" in lost:
        listeners = [each for each in listeners if each.type != "Accepted" or not each.lost]
    told = [*_told(turned), *_told(listeners), *_told([*_of_parents(before, after, controller)])]
    return sorted(told, key=lambda transition: not transition.warning)


def _turned(before: Mapping[str, Any], after: Mapping[str, Any], part: str) -> Iterator[_Turned]:
    stood = {each.get("type"): each.get("status") for each in before.get("conditions") or ()}
    for condition in after.get("conditions") or ():
        kind, was, now = condition["type"], stood.get(condition["type"]), condition["status"]
        if kind in _ALL and ((now == "False" and was != "False") or (now == "True" and was == "False")):
            yield _Turned(part, kind, was or "", condition)


def _of_listeners(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[_Turned]:
    stood = {each.get("name"): each for each in before.get("listeners") or ()}
    for listener in after.get("listeners") or ():
        for each in _turned(stood.get(listener["name"], {}), listener, f"listener {listener['name']}"):
            # Whether one is programmed follows from the rest, or from the Gateway.
            if each.type != "Programmed":
                yield each


def _of_parents(before: Mapping[str, Any], after: Mapping[str, Any], controller: str) -> Iterator[_Turned]:
    stood = {_ref(each): each for each in before.get("parents") or () if each.get("controllerName") == controller}
    for parent in after.get("parents") or ():
        if parent.get("controllerName") == controller:
            yield from _turned(stood.get(_ref(parent), {}), parent, f"parent {_name(parent)}")


def _told(turned: list[_Turned]) -> Iterator[Transition]:
    alike: dict[tuple[str, str, str], list[_Turned]] = {}
    for each in turned:
        alike.setdefault((each.type, each.condition["status"], each.condition["reason"]), []).append(each)
    for (_, status, reason), found in alike.items():
        first = found[0]
        message = f"{_parts(found)}{_words(first)}: {first.condition['message']}"
        if len({each.condition["message"] for each in found}) > 1:
            message += "; the status says of each why"
        # Accepted, and yet in part alone.
        yield Transition(status == "False" or reason != first.type, reason, message)


def _words(turned: _Turned) -> str:
    if not turned.lost:
        return f"{turned.type} now"
    return f"no longer {turned.type}" if turned.before == "True" else f"not {turned.type}"


def _parts(found: list[_Turned]) -> str:
    names = list(dict.fromkeys(each.part for each in found if each.part))
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}: "


def _ref(parent: Mapping[str, Any]) -> tuple[Any, ...]:
    ref = parent.get("parentRef") or {}
    return tuple(ref.get(field) for field in ("group", "kind", "namespace", "name", "sectionName", "port"))


def _name(parent: Mapping[str, Any]) -> str:
    ref = parent["parentRef"]
    name = "/".join(ref[field] for field in ("namespace", "name") if ref.get(field))
    section = f" section {ref['sectionName']}" if ref.get("sectionName") else ""
    return f"{name}{section} port {ref['port']}" if ref.get("port") else f"{name}{section}"
