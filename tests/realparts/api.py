"""A small client of the API server for tests: what a person, a cloud or another controller does in the cluster.

It is not what is tested, and shares nothing with it. Paths come from the API server's own discovery, so that any kind
that is served can be used. What a client has made it can take away again (:meth:`Api.tidy`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tests.realparts.manifests import Object, Ref, objects_in, ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from tests.realparts.manifests import Manifests

_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_EVERYTHING_SERVED = f"{_JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Resource(NamedTuple):
    """Where objects of a kind are, and what can be done with them."""

    api_version: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]
    short_names: tuple[str, ...] = ()

    def path(self, namespace: str | None = None, *names: str) -> str:
        """Return the path of a list of objects, or of what ``names`` lead to: an object, a subresource of it."""
        root = "/apis" if "/" in self.api_version else "/api"
        inside = ("namespaces", namespace) if namespace and self.namespaced else ()
        return "/".join((root, self.api_version, *inside, self.plural, *names))


class Api:
    """Talks to the API server as one user."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.warnings: list[str] = []
        """What the API server warned of, in the order of the answers."""
        self.session = session
        self._served: dict[tuple[str, str], Resource] = {}
        self._made: list[Ref] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content_type: str = _JSON,
        accept: str = _JSON,
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Send a request and return the answer's status and JSON. Raises :class:`ApiError` for 400 and above."""
        async with self.session.request(
            method,
            path,
            params=query,
            data=None if body is None else orjson.dumps(body),
            headers={"Content-Type": content_type, "Accept": accept},
        ) as answer:
            content = await answer.read()
            for header in answer.headers.getall("Warning", []):
                self.warnings += _WARNING.findall(header)
            if answer.status >= 400:
                raise _error(answer.status, content)
            return answer.status, orjson.loads(content) if answer.content_type == _JSON else content.decode()

    async def apply(
        self,
        manifests: Manifests,
        *,
        namespace: str | None = None,
        status: bool = False,
        manager: str = "tests",
        at_once: int = 1,
    ) -> list[Object]:
        """Apply objects (server-side, by force) and return them as they are now.

        Objects without a namespace go into ``namespace``. With ``status`` what they say there is written as well, as
        the controllers that they belong to would. ``at_once``: how many requests may be under way, for the many.
        """
        wanted = list(objects_in(manifests))
        applied: list[Object] = []
        for start in range(0, len(wanted), at_once):
            requests = (
                self._apply(thing, namespace=namespace, status=status, manager=manager)
                for thing in wanted[start : start + at_once]
            )
            for outcome in await asyncio.gather(*requests, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
                applied.append(outcome)
        return applied

    async def _apply(self, thing: Object, *, namespace: str | None, status: bool, manager: str) -> Object:
        about = ref(thing)
        resource = await self.resource(about.api_version, about.kind)
        inside = (about.namespace or namespace or "default") if resource.namespaced else None
        thing["metadata"] = {**thing["metadata"], **({"namespace": inside} if inside else {})}
        path = resource.path(inside, about.name)
        query = {"fieldManager": manager, "force": "true"}
        said = thing.pop("status", None)  # elsewhere than in /status it is ignored, or refused if it is half a status
        code, now = await self.request("PATCH", path, body=thing, content_type=_APPLY, query=query)
        if code == 201:
            self._made.append(about._replace(namespace=inside))
        if status and said:
            now = await self.patch_status(now, said)
        assert isinstance(now, dict)
        return now

    async def get(self, about: Ref | Mapping[str, Any]) -> Object:
        """Return an object as it is now. Raises :class:`ApiError` where it is not."""
        _, now = await self.request("GET", await self.path(about))
        assert isinstance(now, dict)
        return now

    async def find(self, about: Ref | Mapping[str, Any]) -> Object | None:
        """Return an object as it is now, or ``None`` where it is not."""
        try:
            return await self.get(about)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def all_of(
        self, api_version: str, kind: str, *, namespace: str | None = None, labels: str | None = None
    ) -> list[Object]:
        """Return the objects of a kind, in one namespace or in all, with some labels (a selector) or any."""
        resource = await self.resource(api_version, kind)
        query = {"labelSelector": labels} if labels else None
        _, found = await self.request("GET", resource.path(namespace), query=query)
        # Objects of a list leave out what they have in common.
        return [{"apiVersion": api_version, "kind": kind, **item} for item in found["items"]]

    async def patch(
        self, about: Ref | Mapping[str, Any], change: Mapping[str, Any], *, subresource: str | None = None
    ) -> Object:
        """Merge a change into an object, or a subresource of it, and return it as it is now."""
        path = await self.path(about, *filter(None, [subresource]))
        _, now = await self.request("PATCH", path, body=change, content_type=_MERGE, query={"fieldManager": "tests"})
        assert isinstance(now, dict)
        return now

    async def patch_status(self, about: Ref | Mapping[str, Any], status: Mapping[str, Any]) -> Object:
        """Merge into an object's status, as the cloud or the controller that it belongs to would."""
        return await self.patch(about, {"status": status}, subresource="status")

    async def delete(self, about: Ref | Mapping[str, Any], *, propagation: str = "Background") -> None:
        """Delete an object, if it is there. It may stay for a while if it has finalizers."""
        with contextlib.suppress(_NotFound):
            await self.request("DELETE", await self.path(about), query={"propagationPolicy": propagation})

    async def delete_namespace(self, name: str) -> None:
        """Delete a namespace and all in it, doing the namespace controller's work: there may be none."""
        await self.delete(Ref("v1", "Namespace", name))
        query = {"propagationPolicy": "Background", "gracePeriodSeconds": "0"}
        paths = {
            resource.path(name)
            for resource in (await self.served()).values()
            if resource.namespaced and "deletecollection" in resource.verbs
        }
        emptied = (self.request("DELETE", path, query=query) for path in paths)
        for outcome in await asyncio.gather(*emptied, return_exceptions=True):
            # A kind whose CRD is on its way out is not found, or not allowed.
            if isinstance(outcome, BaseException) and not (
                isinstance(outcome, ApiError) and outcome.status in (404, 405, 429)
            ):
                raise outcome
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {"finalizers": []}}
        with contextlib.suppress(_NotFound):
            await self.request("PUT", f"/api/v1/namespaces/{name}/finalize", body=body)

    async def tidy(self) -> None:
        """Delete what :meth:`apply` made, the last first."""
        while self._made:
            about = self._made.pop()
            if about.kind == "Namespace":
                await self.delete_namespace(about.name)
            else:
                with contextlib.suppress(LookupError):  # its kind went before it
                    await self.delete(about)

    async def path(self, about: Ref | Mapping[str, Any], *subresource: str) -> str:
        """Return the path of an object, or of a subresource of it."""
        api_version, kind, name, namespace = ref(about)
        return (await self.resource(api_version, kind)).path(namespace, name, *subresource)

    async def resource(self, api_version: str, kind: str) -> Resource:
        """Return where a kind is served. Raises ``LookupError`` where it is not."""
        if (api_version, kind) not in self._served:
            await self._discover()
        if (api_version, kind) not in self._served:
            raise LookupError(f"the API server serves no {kind} of {api_version}")
        return self._served[api_version, kind]

    async def served(self) -> Mapping[tuple[str, str], Resource]:
        """Return what is served now, by API version and kind."""
        await self._discover()
        return self._served

    async def _discover(self) -> None:
        served: dict[tuple[str, str], Resource] = {}
        for root in ("/api", "/apis"):
            _, groups = await self.request("GET", root, accept=_EVERYTHING_SERVED)
            for group in groups["items"]:
                for version in group["versions"]:
                    api_version = "/".join(filter(None, (group["metadata"].get("name"), version["version"])))
                    for entry in version.get("resources", ()):
                        resource = Resource(
                            api_version,
                            entry["resource"],
                            entry["scope"] == "Namespaced",
                            frozenset(entry["verbs"]),
                            tuple(entry.get("shortNames", ())),
                        )
                        served[api_version, entry["responseKind"]["kind"]] = resource
        self._served = served


class _NotFound(ApiError):
    pass


def _error(status: int, content: bytes) -> ApiError:
    kind = _NotFound if status == 404 else ApiError
    try:
        said = orjson.loads(content)
        return kind(status, said.get("reason", ""), said.get("message", ""))
    except (orjson.JSONDecodeError, AttributeError):
        return kind(status, "", content.decode(errors="replace"))
