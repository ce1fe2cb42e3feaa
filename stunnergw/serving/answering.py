"""The shapes of HTTP answers on the config discovery address.

Errors are ``{"code": …, "message": …}`` as stunnerctl prints them whole. Nothing here may be kept by a cache: it
holds credentials, and it changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NO_STORE = {"Cache-Control": "no-store"}
RETRY_AFTER = 1
"""Seconds after which an answer that could not be given yet is worth another try."""

NOTHING_KNOWN = "nothing is known yet: the first projection is not done; ask again in a second"


def node_unknown(node: str | None) -> str:
    """Say why there is no document for a client on this node yet."""
    return f"the external name of Node {node} is not resolved yet; ask again in a second"


def answer(
    body: bytes, *, content_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer 200 with ``body``."""
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers={**NO_STORE, **(headers or {})})


def documents(bodies: Iterable[bytes]) -> web.Response:
    """Answer with a list of documents."""
    return answer(b'{"version":"v1","items":[' + b",".join(bodies) + b"]}")


def problem(status: int, message: str, **more: object) -> web.Response:
    """Answer with an error, and in words what to do; 503 says when to come again."""
    headers = dict(NO_STORE)
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER)
    body = orjson.dumps({"code": status, "message": message, **more})
    return web.Response(status=status, body=body, content_type="application/json", charset="utf-8", headers=headers)
