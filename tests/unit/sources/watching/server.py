"""An API server in memory that lists, watches and serves kinds, and goes wrong as it is told to.

It stands where the client stands: what a client would raise, it raises. Each request may meet a *fault* that was
planned for it; the next one finds the server well again, unless the fault is to stay.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stunnergw.errors import ApiError, Unreachable
from stunnergw.kube.paths import collection_path, group_path, object_path
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key

if TYPE_CHECKING:
    from stunnergw.resources.kinds import Kind

Body = dict[str, Any]
Fault = Exception | bytes | Sequence[bytes | float] | Callable[[], None]
"""What a request meets: an error, an answer, the lines of a watch that then ends (a number is a pause, in seconds); or
something that happens before it."""

HANG: Fault = (float("inf"),)
"""Nothing is said any more."""

BOOKMARK_EVERY = 60.0
"""Seconds between two bookmarks of a watch."""

CUT: bytes = b"cut"
"""As a line: here the connection breaks."""


def refusal(status: int, *, reason: str = "", message: str = "", retry_after: float | None = None) -> ApiError:
    return ApiError(status, reason=reason, message=message or f"no: {status}", retry_after=retry_after)


def line(kind: str, thing: Body) -> bytes:
    return orjson.dumps({"type": kind, "object": thing})


def status_line(code: int, *, reason: str, retry_after: int | None = None) -> bytes:
    details = {"retryAfterSeconds": retry_after} if retry_after else {}
    status = {"kind": "Status", "code": code, "reason": reason, "message": f"{reason}, it said", "details": details}
    return line("ERROR", status)


class Request(NamedTuple):
    verb: str
    path: str
    query: Mapping[str, str]
    at: float
    accept: str


class _Event(NamedTuple):
    version: int
    line: bytes
    body: Body


@dataclass
class _Collection:
    objects: dict[Key, Body] = field(default_factory=dict)
    events: list[_Event] = field(default_factory=list)
    compacted: int = 0
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def stir(self) -> None:
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()


class Server:
    """Objects of all kinds; every kind of the table is served in all its versions unless :meth:`withdraw` says not."""

    def __init__(self, *, page: int = 500) -> None:
        self.version = 100
        self.page = page
        self.requests: list[Request] = []
        self.open = 0
        """Watches that are open now."""
        self.most_reads = 0
        self._reads = 0
        self.slow: float = 0.0
        self._collections: dict[str, _Collection] = defaultdict(_Collection)
        self._served = {
            group_path(kind.group, version): set[str]() for kind in kinds.TABLE for version in kind.versions
        }
        self._planned: dict[tuple[str, str], deque[Fault]] = defaultdict(deque)
        self._lasting: dict[tuple[str, str], Fault] = {}
        for kind in kinds.TABLE:
            self.serve(kind)

    # -- what it holds -----------------------------------------------------------------------------------------

    def put(
        self, kind: Kind[Any], name: str, *, namespace: str = "media", meta: Body | None = None, **body: Any
    ) -> Body:
        """Create or change an object."""
        self.version += 1
        collection, key = self.collection(kind), Key(namespace if kind.namespaced else "", name)
        old = collection.objects.get(key)
        metadata = {
            "name": name,
            **({"namespace": namespace} if kind.namespaced else {}),
            "uid": old["metadata"]["uid"] if old else f"uid-{self.version}",
            **(meta or {}),
            "resourceVersion": str(self.version),
        }
        thing = collection.objects[key] = {"metadata": metadata, **body}
        self._happen(collection, "MODIFIED" if old else "ADDED", thing)
        return thing

    def delete(self, kind: Kind[Any], name: str, *, namespace: str = "media", silently: bool = False) -> None:
        """Delete an object; ``silently``: no watch will ever tell."""
        self.version += 1
        collection = self.collection(kind)
        thing = collection.objects.pop(Key(namespace if kind.namespaced else "", name))
        gone = {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(self.version)}}
        if not silently:
            self._happen(collection, "DELETED", gone)

    def bookmark(self, kind: Kind[Any]) -> None:
        """Tell the watches of a kind how far they are."""
        self.version += 1
        self._happen(self.collection(kind), "BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})

    def compact(self, kind: Kind[Any]) -> None:
        """Forget what happened so far: who goes on from before gets 410."""
        self.collection(kind).compacted = self.version

    def lose(self, kind: Kind[Any]) -> None:
        """Break the watches of a kind, and let none go on from where they were."""
        self.tell(kind, CUT)
        self.version += 1
        self.compact(kind)

    def tell(self, kind: Kind[Any], raw: bytes) -> None:
        """Say a line to the watches of a kind."""
        collection = self.collection(kind)
        collection.events.append(_Event(self.version, raw, {}))
        collection.stir()

    def collection(self, kind: Kind[Any]) -> _Collection:
        # Objects are the same in all versions.
        return self._collections[f"{kind.group}/{kind.plural}"]

    def _happen(self, collection: _Collection, what: str, thing: Body) -> None:
        collection.events.append(_Event(self.version, line(what, thing), thing))
        collection.stir()

    # -- what it serves ----------------------------------------------------------------------------------------

    def serve(self, kind: Kind[Any], *versions: str) -> None:
        """Serve a kind in these versions alone, or in all that there are."""
        self.withdraw(kind)
        for version in versions or kind.versions:
            self._served[group_path(kind.group, version)].add(kind.plural)

    def withdraw(self, kind: Kind[Any]) -> None:
        """Serve a kind no more."""
        for version in kind.versions:
            self._served[group_path(kind.group, version)].discard(kind.plural)

    # -- going wrong -------------------------------------------------------------------------------------------

    def plan(self, verb: str, kind: Kind[Any], *faults: Fault, version: str | None = None) -> None:
        """Let the next requests meet these, one each. ``verb``: list, watch."""
        self._planned[verb, collection_path(kind, version or kind.versions[0])] += faults

    def always(self, verb: str, kind: Kind[Any], fault: Fault | None, *, version: str | None = None) -> None:
        """Let every request meet this, until None."""
        self.always_at(verb, collection_path(kind, version or kind.versions[0]), fault)

    def always_at(self, verb: str, path: str, fault: Fault | None) -> None:
        """Let every request at a path meet this, until None."""
        if fault is None:
            self._lasting.pop((verb, path), None)
        else:
            self._lasting[verb, path] = fault

    def plan_at(self, verb: str, path: str, *faults: Fault) -> None:
        """Let the next requests at a path meet these."""
        self._planned[verb, path] += faults

    def asked(self, verb: str, kind: Kind[Any], *, version: str | None = None) -> list[Request]:
        """Return the requests of a kind so far."""
        path = collection_path(kind, version or kind.versions[0])
        return [request for request in self.requests if (request.verb, request.path) == (verb, path)]

    def reads(self, key: Key) -> list[Request]:
        """Return the reads of a Secret so far."""
        path = object_path(kinds.SECRET, "v1", key)
        return [request for request in self.requests if (request.verb, request.path) == ("get", path)]

    def _fault(self, verb: str, path: str) -> Fault | None:
        planned = self._planned[verb, path]
        found = planned.popleft() if planned else self._lasting.get((verb, path))
        if isinstance(found, Exception):
            raise found
        if callable(found):
            found()
            return None
        return found

    # -- standing in for the client ----------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        accept: str = "",
        within: float = 30.0,
    ) -> bytes:
        assert method == "GET"
        verb = "discover" if path in self._served else "list" if self._kind(path) else "get"
        self._note(verb, path, query or {}, accept)
        self._reads += verb == "get"
        self.most_reads = max(self.most_reads, self._reads)
        try:
            await asyncio.sleep(self.slow)
            fault = self._fault(verb, path)
            if fault == HANG:
                await asyncio.sleep(within)
                raise Unreachable(f"the API server did not answer {path}: TimeoutError")
            if isinstance(fault, bytes):
                return fault
            return self._answer(verb, path, query or {}, accept)
        finally:
            self._reads -= verb == "get"

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], accept: str = "", silence: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        self._note("watch", path, query, accept)
        await asyncio.sleep(0)
        fault = self._fault("watch", path)
        kind = self._kind(path)
        if kind is None or not self._is_served(path, kind):
            raise refusal(404, reason="NotFound")
        self.open += 1
        try:
            lines = self._scripted(fault, silence) if isinstance(fault, tuple | list) else None
            yield lines or self._lines(self.collection(kind), query)
        finally:
            self.open -= 1

    async def _scripted(self, lines: Sequence[bytes | float], silence: float) -> AsyncIterator[bytes]:
        for each in lines:
            if isinstance(each, float):
                await asyncio.sleep(min(each, silence))
                if each > silence:
                    raise Unreachable("the API server did not answer: it fell silent")
            elif each == CUT:
                raise Unreachable("the API server did not answer: it went away")
            else:
                yield each

    async def _lines(self, collection: _Collection, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        since = int(query["resourceVersion"])
        if since < collection.compacted:
            yield status_line(410, reason="Expired")
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + float(query["timeoutSeconds"])
        told = next((place for place, event in enumerate(collection.events) if event.version > since), None)
        place = len(collection.events) if told is None else told
        while True:
            while place < len(collection.events):
                event = collection.events[place]
                place += 1
                if event.line == CUT:
                    raise Unreachable("the API server did not answer: it went away")
                if event.line == b"end":
                    return
                if _is_selected(event.body, query) or not event.body.get("metadata", {}).get("name"):
                    yield event.line
            grown = collection.grown
            left = end - loop.time()
            try:
                async with asyncio.timeout(min(left, BOOKMARK_EVERY)):
                    await grown.wait()
            except TimeoutError:
                if left <= BOOKMARK_EVERY:
                    return
                yield line("BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})

    def _answer(self, verb: str, path: str, query: Mapping[str, str], accept: str) -> bytes:
        if verb == "discover":
            return self._discovery(path)
        if verb == "get":
            return self._object(path)
        kind = self._kind(path)
        assert kind is not None
        if not self._is_served(path, kind):
            raise refusal(404, reason="NotFound")
        start = int(query.get("continue", 0))
        size = min(self.page, int(query["limit"]))
        found = [thing for thing in self.collection(kind).objects.values() if _is_selected(thing, query)]
        if "PartialObjectMetadataList" in accept:
            found = [{"metadata": thing["metadata"]} for thing in found]
        more = {"continue": str(start + size)} if len(found) > start + size else {}
        metadata = {"resourceVersion": str(self.version), **more}
        return orjson.dumps({"metadata": metadata, "items": found[start : start + size]})

    def _discovery(self, path: str) -> bytes:
        if not self._served[path]:
            raise refusal(404, reason="NotFound")
        return orjson.dumps(
            {"kind": "APIResourceList", "resources": [{"name": plural} for plural in sorted(self._served[path])]}
        )

    def _object(self, path: str) -> bytes:
        for key, thing in self.collection(kinds.SECRET).objects.items():
            if path == object_path(kinds.SECRET, "v1", key):
                return orjson.dumps(thing)
        raise refusal(404, reason="NotFound")

    def _note(self, verb: str, path: str, query: Mapping[str, str], accept: str) -> None:
        self.requests.append(Request(verb, path, query, asyncio.get_running_loop().time(), accept))

    def _kind(self, path: str) -> Kind[Any] | None:
        paths: Iterator[Kind[Any]] = (
            kind for kind in kinds.TABLE for version in kind.versions if collection_path(kind, version) == path
        )
        return next(paths, None)

    def _is_served(self, path: str, kind: Kind[Any]) -> bool:
        return any(
            path == collection_path(kind, version) and kind.plural in self._served[group_path(kind.group, version)]
            for version in kind.versions
        )


def _is_selected(thing: Body, query: Mapping[str, str]) -> bool:
    selector = query.get("labelSelector")
    if not selector:
        return True
    name, _, value = selector.partition("=")
    labels: Mapping[str, str] = thing.get("metadata", {}).get("labels", {})
    return labels.get(name) == value
