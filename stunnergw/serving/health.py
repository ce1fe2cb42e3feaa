"""``/healthz`` and ``/readyz``: named checks, each of which finds nothing wrong or says what.

Alive means that each loop makes progress: a process that is not is to be killed. Ready means listed, projected and
serving: one that is not is to be left alone and given no clients. The parts of the operator add their own checks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from stunnergw.serving.answering import NO_STORE

if TYPE_CHECKING:
    from collections.abc import Awaitable

Check = Callable[[], str | None]
"""Returns None, or in words what is wrong."""


class Checks:
    """Named checks in the order in which they were added."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Add a check, or put it in the place of the one of that name."""
        self._checks[name] = check

    def results(self) -> dict[str, str | None]:
        """Make all checks; None is well."""
        return {name: check() for name, check in self._checks.items()}


def health_routes(*, liveness: Checks, readiness: Checks) -> list[web.RouteDef]:
    """Return what is answered on the health address."""
    return [web.get("/healthz", _handler(liveness)), web.get("/readyz", _handler(readiness))]


def _handler(checks: Checks) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def check(request: web.Request) -> web.StreamResponse:
        results = checks.results()
        well = not any(results.values())
        lines = [_line(name, wrong) for name, wrong in results.items() if "verbose" in request.query or wrong]
        if well:
            lines.append("ok")
        return web.Response(status=200 if well else 503, text="\n".join(lines) + "\n", headers=NO_STORE)

    return check


def _line(name: str, wrong: str | None) -> str:
    return f"[-]{name}: {wrong}" if wrong else f"[+]{name} ok"
