"""Requests that write, fenced: nothing is sent unless our lease outlasts the time that the request may take.

What a writer wants done is a :class:`Write`, a value; the :class:`Sender` sends it and counts it, or, in a dry run,
only notes it. Reading is for everybody.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, final

from stunnergw.errors import ApiError, NotFoundOut
from stunnergw.kube.answers import json_object
from stunnergw.kube.paths import APPLY, JSON, MERGE_PATCH, object_path
from stunnergw.resources.metadata import FIELD_MANAGER, Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.resources.kinds import Kind

WITHIN = 5.0
"""Seconds that a request may take: well below what a lease has left after a renewal."""


class Requests(Protocol):
    """What writers need of a client (:class:`~stunnergw.kube.client.KubeClient`)."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        within: float = 30.0,
    ) -> bytes:
        """Make a request and return the whole answer."""


class Leadership(Protocol):
    """Who may write (:class:`~stunnergw.kube.lease.Election`)."""

    @property
    def leading(self) -> bool:
        """Whether we may write now."""

    def may_write(self, *, within: float) -> bool:
        """Say whether we may for so many seconds more."""

    async def changed(self) -> None:
        """Return when leadership is won or lost next; look at ``leading`` first. Any number may wait."""


class Write(NamedTuple):
    """One request that changes something."""

    verb: str
    """``create``, ``apply``, ``take over``, ``delete``, ``status``."""
    kind: Kind[Any]
    key: Key
    method: str
    path: str
    body: Any
    content_type: str = JSON
    query: tuple[tuple[str, str], ...] = ()
    effect: Effect | None = None
    """Worked out in a dry run alone."""


class Effect(NamedTuple):
    """What a write would bring about."""

    changes: tuple[str, ...] = ()
    """Line by line, for a person. No secret is in them."""
    before: Mapping[str, Any] | None = None
    """The object as it is; of a status, that status. None: there is nothing yet. Never to be shown whole."""
    after: Mapping[str, Any] | None = None
    """As it would be; None where it goes."""


class Planned(NamedTuple):
    """A write that a dry run would have made; with the verb ``none`` one that cannot be made, or not yet."""

    verb: str
    kind: str
    key: Key
    effect: Effect


@final
class Sender:
    """Sends writes, or notes them. ``leadership`` None: nobody else writes."""

    def __init__(self, client: Requests, *, leadership: Leadership | None, dry: bool = False) -> None:
        self._client = client
        self._leadership = leadership
        self.dry = dry
        self.planned: list[Planned] = []
        self.writes: Counter[tuple[str, str, str]] = Counter()
        """By verb, kind and outcome: ``ok``, the server's status, or ``unreachable``."""

    @property
    def allowed(self) -> bool:
        """Whether a request sent now would end before our lease does."""
        return self._leadership is None or self._leadership.may_write(within=WITHIN)

    async def read(self, kind: Kind[Any], version: str, key: Key) -> dict[str, Any] | None:
        """Read an object; None where there is none.

        Raises:
            NotFoundOut: it could not be read.
        """
        path = object_path(kind, version, key)
        try:
            answer = await self._client.request("GET", path, within=WITHIN)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return json_object(answer, path=path)

    async def send(self, write: Write) -> bytes | None:
        """Send a write and return the answer; None where it was not sent: we may not, or the run is dry.

        Raises:
            NotFoundOut: the server refused it, or did not answer.
        """
        if self.dry:
            self.planned.append(Planned(write.verb, write.kind.name, write.key, write.effect or Effect()))
            return None
        if not self.allowed:
            return None
        outcome = "ok"
        try:
            return await self._client.request(
                write.method,
                write.path,
                query=dict(write.query),
                body=write.body,
                content_type=write.content_type,
                within=WITHIN,
            )
        except NotFoundOut as error:
            outcome = str(error.status) if isinstance(error, ApiError) else "unreachable"
            raise
        finally:
            self.writes[write.verb, write.kind.name, outcome] += 1


class Target(NamedTuple):
    """The very object that a write is for: in a later version of it, or another of its name, the write fails."""

    uid: str
    version: str


NOTHING_THERE = Target("", "1")
"""The target of a creation. No object has the version 1, so it fails where there is one by now."""


def apply(kind: Kind[Any], body: Mapping[str, Any], *, target: Target, effect: Effect | None = None) -> Write:
    """Make the server-side apply of a whole object."""
    metadata = {**body["metadata"], "resourceVersion": target.version}
    if target.uid:
        metadata["uid"] = target.uid
    path, key = _place(kind, body)
    return Write(
        verb="apply" if target.uid else "create",
        kind=kind,
        key=key,
        method="PATCH",
        path=path,
        body={**body, "metadata": metadata},
        content_type=APPLY,
        query=(("fieldManager", FIELD_MANAGER), ("force", "true")),
        effect=effect,
    )


def take_over(
    kind: Kind[Any], body: Mapping[str, Any], *, target: Target, entries: list[dict[str, Any]], left: tuple[str, ...]
) -> Write:
    """Make the write that gives an object other managedFields, and changes nothing else of it."""
    path, key = _place(kind, body)
    metadata = {"uid": target.uid, "resourceVersion": target.version, "managedFields": entries}
    effect = Effect(tuple(f"annotation {name} stays, and is nobody's" for name in left))
    return Write("take over", kind, key, "PATCH", path, {"metadata": metadata}, MERGE_PATCH, effect=effect)


def delete(kind: Kind[Any], version: str, key: Key, *, target: Target, effect: Effect | None = None) -> Write:
    """Make the deletion of exactly one version of one object."""
    body = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Background",
        "preconditions": {"uid": target.uid, "resourceVersion": target.version},
    }
    return Write("delete", kind, key, "DELETE", object_path(kind, version, key), body, effect=effect)


def patch_status(
    kind: Kind[Any],
    version: str,
    key: Key,
    *,
    status: Mapping[str, Any],
    resource_version: str,
    effect: Effect | None = None,
) -> Write:
    """Make the merge patch of a status, lists whole."""
    body = {"metadata": {"resourceVersion": resource_version}, "status": status}
    path = object_path(kind, version, key, subresource="status")
    return Write("status", kind, key, "PATCH", path, body, MERGE_PATCH, effect=effect)


def _place(kind: Kind[Any], body: Mapping[str, Any]) -> tuple[str, Key]:
    key = Key(body["metadata"].get("namespace", ""), body["metadata"]["name"])
    _, _, version = body["apiVersion"].rpartition("/")
    return object_path(kind, version, key), key
