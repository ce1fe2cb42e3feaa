"""The inspection address: ``/status``, what the operator thinks and who is connected, for people and programs.

Everything comes from one snapshot and from the servers' own books. Documents are named by version, never shown:
credentials stay out. A page open in somebody's browser could ask, too, under a name of its own that leads here;
so the Host header has to be one under which we know ourselves.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from stunnergw.serving.answering import answer, problem

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from stunnergw.serving.describing import Describer

_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def inspection_routes(describer: Describer) -> list[web.RouteDef]:
    """Return what is answered on the inspection address."""

    async def status(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler
        return answer(orjson.dumps(await describer.describe(), option=orjson.OPT_INDENT_2))

    return [web.get("/status", status)]


def host_check(bound_host: str) -> Middleware:
    """Return what refuses requests for other hosts than this one, listening on ``bound_host``."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.getall("Host", [])
        if len(given) == 1 and _is_ours(given[0], bound_host=bound_host):
            return await handler(request)
        return problem(
            421, "this address answers under localhost, 127.0.0.1, [::1] or the host that it listens on, "
            f"and not for the Host {', '.join(given)!r}; ask by one of these (kubectl port-forward does)",
        )  # fmt: skip

    return check


def _is_ours(given: str, *, bound_host: str) -> bool:
    try:
        host = urlsplit(f"//{given}").hostname or ""
    except ValueError:
        return False
    if host in _OWN_NAMES or host == bound_host.lower():
        return bool(host)
    # Listening on all addresses we have many; a name made to lead here is not one of them.
    return bound_host in _EVERYWHERE and _is_ip_address(host)


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
