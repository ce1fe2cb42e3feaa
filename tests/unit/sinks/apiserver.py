"""An API server in memory, as far as writers need one: versions, preconditions, apply, merge patches, deletions.

What it holds reaches the event log as a watch would bring it, at once or, with ``lag``, when :meth:`catch_up` says so.
Faults are scripted: :meth:`refuse` answers the next requests that fit with an error, :meth:`before` runs something
between a writer's look and its write.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stunnergw.errors import ApiError, StunnergwError
from stunnergw.events.types import Applied, Deleted, Fact, Listed
from stunnergw.kube.discovery import Served
from stunnergw.kube.paths import APPLY, MERGE_PATCH, collection_path, object_path
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key, is_ours
from stunnergw.resources.parsing import parse
from tests.unit.sinks.ownership import body_paths, flat, merge, nested, remove

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stunnergw.events.log import EventLog
    from stunnergw.resources.kinds import Kind

Body = dict[str, Any]

WITH_STATUS = kinds.STATUS_KINDS
SERVED = Served(
    {kind: kind.versions[:1] for kind in kinds.TABLE}, frozenset((kind, kind.versions[0]) for kind in WITH_STATUS)
)


class Request(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    body: Any

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class Place(NamedTuple):
    """What a path names."""

    kind: Kind[Any]
    key: Key
    subresource: str


@dataclass
class _Fault:
    fits: Callable[[Request], bool]
    error: StunnergwError | None
    times: int
    act: Callable[[], None] = field(default=lambda: None)


class ApiServer:
    """Objects by kind and key, in Kubernetes' JSON form."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Kind[Any], Key], Body] = {}
        self.requests: list[Request] = []
        self.lag = False
        self.log: EventLog | None = None
        self._faults: list[_Fault] = []
        self._version = 100
        self._unseen: list[Fact] = []

    # -- for the test --------------------------------------------------------------------------------------------

    @property
    def writes(self) -> list[str]:
        """The requests that would change something, Events apart: method and path, shortened."""
        return [
            f"{request.method} {self._short(request.path)}"
            for request in self.requests
            if request.writes and not request.path.endswith("/events")
        ]

    @property
    def events(self) -> list[Body]:
        """The Events that were written."""
        return [request.body for request in self.requests if request.path.endswith("/events")]

    @property
    def reads(self) -> list[str]:
        return [self._short(request.path) for request in self.requests if not request.writes]

    def forget_requests(self) -> None:
        self.requests.clear()

    def get(self, kind: Kind[Any], name: str, namespace: str = "media") -> Body:
        return self.objects[kind, Key(namespace if kind.namespaced else "", name)]

    def has(self, kind: Kind[Any], name: str, namespace: str = "media") -> bool:
        return (kind, Key(namespace if kind.namespaced else "", name)) in self.objects

    def put(self, kind: Kind[Any], body: Body, *, manager: str = "kubectl", operation: str = "Update") -> Body:
        """Make or replace an object, as another program does."""
        metadata = body["metadata"]
        key = Key(metadata.get("namespace", ""), metadata["name"])
        before = self.objects.get((kind, key))
        made = copy.deepcopy(body)
        made["metadata"].setdefault("uid", before["metadata"]["uid"] if before else f"{kind.kind} {key}")
        changed = before is not None and before.get("spec") != made.get("spec")
        made["metadata"]["generation"] = (before["metadata"]["generation"] if before else 1) + changed
        if before is None:
            made["metadata"]["managedFields"] = [_entry(manager, operation, body_paths(body))]
        else:
            made["metadata"]["managedFields"] = _after_update(before, made, manager)
            if "status" in before:
                made.setdefault("status", before["status"])
        return self._keep(kind, key, made)

    def edit(self, kind: Kind[Any], name: str, change: Callable[[Body], Any], *, manager: str = "kubectl") -> Body:
        """Change an object in place, as ``kubectl edit`` does."""
        body = copy.deepcopy(self.get(kind, name))
        change(body)
        return self.put(kind, body, manager=manager)

    def delete(self, kind: Kind[Any], name: str, namespace: str = "media") -> None:
        key = Key(namespace if kind.namespaced else "", name)
        del self.objects[kind, key]
        self._happens(Deleted(kind=kind, key=key), watched=True)

    def refuse(self, error: StunnergwError, *, fits: Callable[[Request], bool], times: int = 1_000_000) -> None:
        """Answer the next requests that fit with an error."""
        self._faults.append(_Fault(fits, error, times))

    def before(self, act: Callable[[], Any], *, fits: Callable[[Request], bool], times: int = 1) -> None:
        """Do something just before the next requests that fit are worked on."""
        self._faults.append(_Fault(fits, None, times, act))

    def relent(self) -> None:
        """Refuse nothing any more."""
        self._faults.clear()

    def listing(self) -> list[Fact]:
        """Return what a source says that lists everything."""
        facts = [self._applied(kind, body) for (kind, _), body in self.objects.items() if _is_watched(kind, body)]
        return [*facts, *(Listed(kind=kind, versions=SERVED.versions[kind]) for kind in kinds.TABLE)]

    def catch_up(self) -> None:
        """Let the watch bring what it has held back."""
        self.lag = False
        facts, self._unseen = self._unseen, []
        if self.log is not None and facts:
            self.log.append(facts, source="watch")

    # -- for the writers -----------------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "",
        within: float = 30.0,
    ) -> bytes:
        made = Request(method, path, copy.deepcopy(body))
        self.requests.append(made)
        self._fail(made)
        if path.endswith("/events"):
            assert (method, path) == ("POST", f"/api/v1/namespaces/{body['metadata']['namespace']}/events")
            return orjson.dumps(body)
        place = self._place(path)
        match method, content_type:
            case "GET", _:
                return orjson.dumps(self._existing(place))
            case "DELETE", _:
                return self._delete(place, body)
            case "PATCH", content if content == APPLY:
                assert query == {"fieldManager": "stunner-gateway-operator", "force": "true"}
                return orjson.dumps(self._apply(place, copy.deepcopy(body), dict(query)["fieldManager"]))
            case "PATCH", content if content == MERGE_PATCH:
                return orjson.dumps(self._patch(place, copy.deepcopy(body)))
        raise AssertionError(made)

    def _fail(self, request: Request) -> None:
        for fault in list(self._faults):
            if fault.times > 0 and fault.fits(request):
                fault.times -= 1
                fault.act()
                if fault.error is not None:
                    raise fault.error

    def _place(self, path: str) -> Place:
        for kind in kinds.TABLE:
            parts = path.split("/")
            for version in kind.versions:
                for length, subresource in ((len(parts), ""), (len(parts) - 1, parts[-1])):
                    name = parts[length - 1]
                    namespace = parts[length - 3] if kind.namespaced else ""
                    key = Key(namespace, name)
                    if object_path(kind, version, key, subresource=subresource) == path:
                        return Place(kind, key, subresource)
        raise _error(404, "NotFound", f"the server could not find {path}")

    def _short(self, path: str) -> str:
        place = self._place(path)
        return f"{place.kind.name} {place.key}" + (f"/{place.subresource}" if place.subresource else "")

    def _existing(self, place: Place) -> Body:
        found = self.objects.get((place.kind, place.key))
        if found is None:
            raise _error(404, "NotFound", f'{place.kind.plural} "{place.key.name}" not found')
        return found

    def _apply(self, place: Place, body: Body, manager: str) -> Body:
        metadata = body["metadata"]
        version, uid = metadata.pop("resourceVersion", ""), metadata.pop("uid", "")
        live = self.objects.get((place.kind, place.key))
        if live is None:
            if uid:
                raise _error(409, "Conflict", "Precondition failed: UID in precondition, and no existing object")
            body["metadata"] |= {"uid": f"{place.kind.kind} {place.key} {self._version}", "generation": 1}
            body["metadata"]["managedFields"] = [_entry(manager, "Apply", body_paths(body))]
            return self._keep(place.kind, place.key, body)
        _check(live, version, uid)
        new = body_paths(body)
        merged = merge(copy.deepcopy(live), body)
        entries, others = [], set[tuple[str, ...]]()
        ours: set[tuple[str, ...]] = set()
        for entry in live["metadata"]["managedFields"]:
            owned = flat(entry["fieldsV1"])
            if (entry["manager"], entry["operation"]) == (manager, "Apply"):
                ours = owned
                continue
            kept = {path for path in owned if path not in new or _value(live, path) == _value(body, path)}
            others |= kept
            entries.append({**entry, "fieldsV1": nested(kept)})
        for path in sorted(ours - new - others, key=lambda path: path[-1] != "."):
            remove(merged, path)
        merged["metadata"]["managedFields"] = [*entries, _entry(manager, "Apply", new)]
        if merged == live:
            return live
        return self._keep(place.kind, place.key, merged)

    def _patch(self, place: Place, body: Body) -> Body:
        live = self._existing(place)
        metadata = body.get("metadata", {})
        _check(live, metadata.pop("resourceVersion", ""), metadata.pop("uid", ""))
        made = copy.deepcopy(live)
        if place.subresource == "status":
            assert place.kind in WITH_STATUS
            made["status"] = made.get("status", {}) | body["status"]
        else:
            assert set(body) == {"metadata"}
            made["metadata"] |= metadata
        return live if made == live else self._keep(place.kind, place.key, made)

    def _delete(self, place: Place, body: Body) -> bytes:
        live = self._existing(place)
        _check(live, body["preconditions"]["resourceVersion"], body["preconditions"]["uid"])
        del self.objects[place.kind, place.key]
        self._happens(Deleted(kind=place.kind, key=place.key), watched=_is_watched(place.kind, live))
        return b"{}"

    def _keep(self, kind: Kind[Any], key: Key, body: Body) -> Body:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self.objects[kind, key] = body
        self._happens(self._applied(kind, body), watched=_is_watched(kind, body))
        return body

    def _happens(self, fact: Fact, *, watched: bool) -> None:
        if self.log is None or not watched:
            return
        if self.lag:
            self._unseen.append(fact)
        else:
            self.log.append([fact], source="watch")

    @staticmethod
    def _applied(kind: Kind[Any], body: Body) -> Applied:
        return Applied(kind=kind, object=parse(kind, body))


def collection(kind: Kind[Any]) -> str:
    return collection_path(kind, kind.versions[0], namespace="media" if kind.namespaced else "")


def to(kind: Kind[Any], *, method: str = "", subresource: str = "") -> Callable[[Request], bool]:
    """Say whether a request is about objects of a kind."""

    def fits(request: Request) -> bool:
        about = request.path.startswith(collection(kind) + "/")
        return about and method in ("", request.method) and request.path.endswith(subresource)

    return fits


def _is_watched(kind: Kind[Any], body: Body) -> bool:
    return not kind.labelled or is_ours(body["metadata"])


def _entry(manager: str, operation: str, paths: set[tuple[str, ...]]) -> Body:
    return {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": nested(paths)}


def _after_update(before: Body, after: Body, manager: str) -> list[Body]:
    """Who owns what after a plain update: what it changed is the updater's alone."""
    changed = {path for path in body_paths(after) if _value(before, path) != _value(after, path)}
    there = body_paths(after)
    entries = []
    for entry in before["metadata"]["managedFields"]:
        mine = (entry["manager"], entry["operation"]) == (manager, "Update")
        owned = flat(entry["fieldsV1"]) & there
        if mine:
            changed |= owned
        else:
            entries.append({**entry, "fieldsV1": nested(owned - changed)})
    return [*entries, _entry(manager, "Update", changed)] if changed else entries


def _value(body: Any, path: tuple[str, ...]) -> Any:
    name = ""
    for step in path:
        if body is None or step == ".":
            return body is not None
        if step.startswith("k:"):
            keys = orjson.loads(step[2:])
            body = next((item for item in body if all(item.get(key) == keys[key] for key in keys)), None)
        else:
            name = step[2:]
            body = body.get(name) if isinstance(body, dict) else None
    return body


def _check(live: Body, version: str, uid: str) -> None:
    metadata = live["metadata"]
    if (version and version != metadata["resourceVersion"]) or (uid and uid != metadata["uid"]):
        raise _error(409, "Conflict", "the object has been modified; please apply your changes to the latest version")


def _error(status: int, reason: str, message: str) -> ApiError:
    return ApiError(status, reason=reason, message=message)
