"""``/why``: what last changed a config, through which results, and all that it rests on.

``/why/NAMESPACE/GATEWAY`` in managed mode, ``/why/CLASS`` in legacy mode: a config's key, as it is spelled everywhere.
The answer comes from the live engine; each input is told with its event, for as long as the log keeps that. A tree
names every result once, and is cut where it would be too long to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from aiohttp import web

from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.resources.metadata import Key
from stunnergw.serving.answering import NOTHING_KNOWN, answer, problem
from stunnergw.serving.retelling import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stunnergw.events.log import EventLog
    from stunnergw.events.types import Event
    from stunnergw.projection.causes import Cause
    from stunnergw.projection.snapshots import Explainer, Explanation, Snapshot
    from stunnergw.serving.publishing import Publications

Json = dict[str, Any]

TREE_AT_MOST = 500
"""Causes in a tree, beyond which it is cut."""
INPUTS_AT_MOST = 1000
"""Inputs told, the newest; the others are counted."""


class Explaining:
    """Answers ``/why``."""

    def __init__(
        self, publications: Publications, *, explainer: Explainer, log: EventLog, run: str, legacy: bool
    ) -> None:
        self._publications = publications
        self._explainer = explainer
        self._log = log
        self._run = run
        self._legacy = legacy

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered, and by whom."""
        return [web.get("/why/{namespace}/{name}", self.get_why), web.get("/why/{name}", self.get_why)]

    async def get_why(self, request: web.Request) -> web.StreamResponse:
        """Answer why a config is as it is."""
        key = Key(request.match_info.get("namespace", ""), request.match_info["name"])
        form = request.query.get("format", "json")
        if form not in ("json", "text"):
            return problem(400, f"format: {form!r} is none; write json or text")
        if bool(key.namespace) is self._legacy:
            return problem(404, self._other_way(key))
        snapshot = self._publications.snapshot
        if snapshot is None:
            return problem(503, NOTHING_KNOWN)
        explanation = self._explainer.explain(key)
        if explanation is None:
            owner = "GatewayClass" if self._legacy else "Gateway"
            return problem(404, f"there is no config of {owner} {key}: no {owner} of that name is there")
        told = self._tell(key, snapshot, explanation)
        if form == "text":
            return answer("".join(f"{line}\n" for line in _as_text(told)).encode(), content_type="text/plain")
        return answer(orjson.dumps(told, option=orjson.OPT_INDENT_2))

    def _other_way(self, key: Key) -> str:
        if self._legacy:
            return f"in legacy mode configs belong to GatewayClasses: ask for /why/CLASS, not /why/{key}"
        return f"in managed mode each Gateway has a config of its own: ask for /why/NAMESPACE/GATEWAY, not /why/{key}"

    def _tell(self, key: Key, snapshot: Snapshot, explanation: Explanation) -> Json:
        inputs = explanation.inputs[-INPUTS_AT_MOST:]
        events = _Events(self._log)
        output = snapshot.configs.get(key, ABSENT)
        served = self._publications.get(key)
        told: Json = {
            "run": self._run,
            "config": str(key),
            "seq": snapshot.seq,
            "state": "wanted" if isinstance(output, Want) else "absent",
            "version": None if served is None else served.version,
        }
        if isinstance(output, Undecided):
            told.update(state="undecided", reason=output.reason)
        told["cause"] = _Tree(events).tell(explanation.cause)
        told["inputs"] = [_tell_input(cause, events) for cause in inputs]
        told["inputsLeftOut"] = len(explanation.inputs) - len(inputs)
        return told


class _Events:
    """The events of the log by sequence number, taken out once: a lookup in the log walks from its end."""

    def __init__(self, log: EventLog) -> None:
        self._oldest = log.oldest
        self._kept = log.since(log.oldest - 1)

    def get(self, seq: int) -> Event | None:
        place = seq - self._oldest
        return self._kept[place] if 0 <= place < len(self._kept) else None


class _Tree:
    """Writes a cause and what is below it, each result once."""

    def __init__(self, events: _Events) -> None:
        self._events = events
        self._seen: set[int] = set()
        self._told = 0

    def tell(self, cause: Cause) -> Json:
        self._told += 1
        if cause.is_input:
            return _tell_input(cause, self._events)
        told: Json = {"label": cause.label, "input": False, "seq": cause.seq}
        # By identity: a result that several others read has one cause, and comparing causes walks all below them.
        if id(cause) in self._seen:
            return {**told, "above": True}
        self._seen.add(id(cause))
        parts = []
        for part in cause.parts:
            if self._told >= TREE_AT_MOST:
                told["cut"] = True
                break
            parts.append(self.tell(part))
        return {**told, "parts": parts}


def _tell_input(cause: Cause, events: _Events) -> Json:
    told: Json = {"label": cause.label, "input": True, "seq": cause.seq or None}
    event = events.get(cause.seq)
    if event is not None:
        told["event"] = {name: value for name, value in summary(event).items() if name != "seq"}
    return told


class _Line(NamedTuple):
    depth: int
    text: str

    def __str__(self) -> str:
        return "  " * self.depth + self.text


def _as_text(told: Json) -> Iterator[_Line]:
    state = told["state"] if told["version"] is None else f"{told['state']}, version {told['version']} is served"
    yield _Line(0, f"config {told['config']}: {state}, as of event {told['seq']}")
    if "reason" in told:
        yield _Line(1, told["reason"])
    yield _Line(0, "")
    yield _Line(0, "what last changed it:")
    yield from _tree_as_text(told["cause"], 1)
    yield _Line(0, "")
    yield _Line(0, "what it rests on, the latest change last:")
    if told["inputsLeftOut"]:
        yield _Line(1, f"{told['inputsLeftOut']} inputs that changed earlier")
    for entry in told["inputs"]:
        yield _Line(1, _in_words(entry))


def _tree_as_text(told: Json, depth: int) -> Iterator[_Line]:
    yield _Line(depth, _in_words(told))
    for part in told.get("parts", ()):
        yield from _tree_as_text(part, depth + 1)
    if told.get("cut"):
        yield _Line(depth + 1, "and more")


def _in_words(told: Json) -> str:
    label = told["label"]
    if not told["input"]:
        return f"{label} (told above)" if told.get("above") else f"{label}, changed in the snapshot at {told['seq']}"
    event = told.get("event")
    if event is None:
        return label if told["seq"] is None else f"{label}: event {told['seq']}, which the log has no longer"
    by = f" by {event['by']}" if event["by"] else ""
    version = f", resourceVersion {event['resourceVersion']}" if event["resourceVersion"] else ""
    return f"{label}: event {told['seq']}, {event['type']}{by} at {event['at']} from {event['source']}{version}"
