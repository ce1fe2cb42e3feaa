"""Reading the parameters of ``/config``: each is checked, and a wrong one is answered with the right one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.resources.metadata import Key

if TYPE_CHECKING:
    from multidict import MultiMapping

WAIT_AT_MOST = 120.0
"""Seconds; longer waits are cut to it."""

_PARAMETERS = ("gateway", "class", "node", "wait", "format")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}


class Question(NamedTuple):
    """What is asked for."""

    key: Key | None
    """The config, or None: the only one there is."""
    node: str | None
    """The node that the asker's stunnerd runs on."""
    wait: float
    """Seconds that the answer may be held back for."""
    yaml: bool


def read_question(query: MultiMapping[str], *, legacy: bool) -> Question | str:
    """Return the question that a query asks, or in words what is wrong with it."""
    for name in query:
        if name not in _PARAMETERS:
            return f"{name}: there is no such parameter; there are {', '.join(_PARAMETERS)}"
        if len(query.getall(name)) > 1:
            return f"{name}: given more than once; give it once"
    key = _read_key(query, legacy=legacy)
    wait = _read_wait(query.get("wait", "0"))
    spelling = query.get("format", "json")
    if isinstance(key, str):
        return key
    if isinstance(wait, str):
        return wait
    if spelling not in ("json", "yaml"):
        return f"format: {spelling!r} is none; write json or yaml"
    return Question(key, query.get("node"), wait, yaml=spelling == "yaml")


def _read_key(query: MultiMapping[str], *, legacy: bool) -> Key | str | None:
    gateway, cls = query.get("gateway"), query.get("class")
    if gateway is not None and cls is not None:
        return "gateway and class: give one of them, class in legacy mode, else gateway"
    if gateway is not None:
        return _gateway_key(gateway, legacy=legacy)
    if cls is None:
        return None
    if not legacy:
        return "class: in managed mode each Gateway has a config of its own; ask with gateway=NAMESPACE/NAME instead"
    if not cls or "/" in cls:
        return f"class: {cls!r} is no name of a GatewayClass; write class=NAME"
    return Key("", cls)


def _gateway_key(gateway: str, *, legacy: bool) -> Key | str:
    if legacy:
        return "gateway: in legacy mode configs belong to GatewayClasses; ask with class=NAME instead"
    namespace, slash, name = gateway.partition("/")
    if not (namespace and slash and name) or "/" in name:
        return f"gateway: {gateway!r} names no Gateway; write gateway=NAMESPACE/NAME"
    return Key(namespace, name)


def _read_wait(text: str) -> float | str:
    match = _DURATION.fullmatch(text)
    if match is None:
        return f"wait: {text!r} is no duration; write seconds such as 30s, at most {WAIT_AT_MOST:.0f}s"
    return min(float(match[1]) * _SECONDS[match[2]], WAIT_AT_MOST)
