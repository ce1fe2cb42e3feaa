"""The config discovery service (CDS), as stock stunnerd and stunnerctl speak it: config by config, or as lists.

What is undecided and was never served is answered with 503, for "not yet" must not look like "not there" to a
client; what is absent with 404. A watch is never refused for want of a config: it is open, and silent until there
is one. In legacy mode configs belong to classes and have no name here: see :mod:`~stunnergw.serving.polling`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from stunnergw.resources.metadata import Key
from stunnergw.serving.answering import NOTHING_KNOWN, answer, documents, node_unknown, problem
from stunnergw.serving.authorizing import peer_of
from stunnergw.serving.subscribing import watch

if TYPE_CHECKING:
    from stunnergw.serving.authorizing import MayRead
    from stunnergw.serving.fanout import Fanout
    from stunnergw.serving.publishing import Publications, Scope

# What the reference answers where nobody has a licence: stunnerctl prints it.
_LICENSE = orjson.dumps({"enabledFeatures": [], "subscriptionType": "free", "lastUpdated": "N/A", "lastError": ""})


class Discovery:
    """Answers the requests below ``/api/v1``."""

    def __init__(self, publications: Publications, *, fanout: Fanout, may_read: MayRead, legacy: bool) -> None:
        self._publications = publications
        self._fanout = fanout
        self._may_read = may_read
        self._legacy = legacy

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered, and by whom."""
        return [
            web.get("/api/v1/configs", self.list_configs),
            web.get("/api/v1/configs/{namespace}", self.list_configs),
            web.get("/api/v1/configs/{namespace}/{name}", self.get_config),
            web.get("/api/v1/license", self.get_license),
        ]

    async def list_configs(self, request: web.Request) -> web.StreamResponse:
        """Answer with the documents of all Gateways or of a namespace, or watch them."""
        scope: Scope = tuple(request.match_info.values())
        if _asks_to_watch(request):
            return await watch(request, scope=scope, fanout=self._fanout)
        if self._publications.snapshot is None:
            return problem(503, NOTHING_KNOWN)
        peer = peer_of(request)
        keys = [key for key in self._publications.in_scope(scope) if key.namespace and self._may_read(peer, key)]
        return documents(found.document.body for key in keys if (found := self._publications.get(key)))

    async def get_config(self, request: web.Request) -> web.StreamResponse:
        """Answer with one Gateway's document, or watch it."""
        key = Key(request.match_info["namespace"], request.match_info["name"])
        if not self._may_read(peer_of(request), key):
            return problem(403, f"reading the config of {key} is not allowed from {peer_of(request).host}")
        if _asks_to_watch(request):
            return await watch(request, scope=key, fanout=self._fanout)
        node = request.query.get("node")
        await self._publications.settled(key, node=node)
        publication = self._publications.get(key)
        if publication is None:
            return self._without(key)
        body = self._publications.body(publication, node=node)
        return problem(503, node_unknown(node)) if body is None else answer(body)

    async def get_license(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - a handler
        """Answer that nothing is licensed, and that nothing has to be."""
        return answer(_LICENSE)

    def _without(self, key: Key) -> web.Response:
        if self._publications.snapshot is None:
            return problem(503, NOTHING_KNOWN)
        if (reason := self._publications.undecided(key)) is not None:
            return problem(503, f"Config for ID {key} is undecided: {reason}")
        message = f"Config not found for ID {key}"
        if self._legacy:
            message += ": in legacy mode configs belong to GatewayClasses; ask for /config?class=NAME"
        return problem(404, message)


def _asks_to_watch(request: web.Request) -> bool:
    return request.method == "GET" and request.query.get("watch", "").lower() in ("true", "1")
