"""Clusters: the peers that a route lets clients reach, out of the backends of all its rules.

A cluster holds addresses or domain names, never both: the first backend that resolves decides, the others are left out
and said. A rule of which nothing can be served is dropped, and said in a condition of its own where others remain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection.backends import Asked, Backend, resolve
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason

if TYPE_CHECKING:
    from stunnergw.dataplane.endpoints import Endpoint
    from stunnergw.projection.queries import Context
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.resources.routes import UDPRoute, UDPRouteRule

_GIVES = {"STATIC": "addresses", "STRICT_DNS": "a domain name"}


class Cluster(NamedTuple):
    """A route's cluster, still without a name: names belong to the document."""

    type: str
    endpoints: tuple[Endpoint, ...]
    problem: Problem | None
    """ResolvedRefs=False: the reason of the first backend that failed, a message that names all."""
    notes: tuple[str, ...]
    dropped: Problem | None
    """PartiallyInvalid=True: some rules can never be served as they are written, and others can."""


@query("cluster")
def cluster(db: Context, kind: Kind[UDPRoute], route: Key, discovery: bool) -> Cluster:
    """Work out a route's cluster, with addresses (``discovery``) or with domain names."""
    found = db.get(kind, route)
    rules = found.spec.rules if found else ()
    asked = [
        Asked(kind, route, f"rules[{number}].backendRefs[{index}]", ref, discovery)
        for number, rule in enumerate(rules)
        for index, ref in enumerate(rule.backend_refs)
    ]
    backends = [resolve(db, one) for one in asked]
    cluster_type = _type(asked, backends)
    fitting = [_fit(one, backend, cluster_type) for one, backend in zip(asked, backends, strict=True)]
    return Cluster(
        type=cluster_type,
        endpoints=tuple(sorted({endpoint for backend in fitting for endpoint in backend.endpoints}, key=_text)),
        problem=_problem(fitting),
        notes=tuple(dict.fromkeys(note for backend in fitting for note in backend.notes)),
        dropped=_dropped(rules, fitting),
    )


class Resolution(NamedTuple):
    """Whether a route's backends resolve: what its status says of them."""

    problem: Problem | None
    notes: tuple[str, ...]
    dropped: Problem | None


@query("resolution")
def resolution(db: Context, kind: Kind[UDPRoute], route: Key, discovery: bool) -> Resolution:
    """Return what is wrong with a route's backends; apart, since pods come and go and this stays as it is."""
    found = cluster(db, kind, route, discovery)
    return Resolution(found.problem, found.notes, found.dropped)


def _type(asked: list[Asked], backends: list[Backend]) -> str:
    """Return the type of the first backend that resolved; with none, that of what was asked for."""
    found = next((backend.type for backend in backends if backend.type), "")
    if found:
        return found
    names = any(not one.discovery and one.ref.kind == "Service" for one in asked)
    return "STRICT_DNS" if names else "STATIC"


def _fit(asked: Asked, backend: Backend, cluster_type: str) -> Backend:
    """Leave a backend out that resolved to the other type."""
    if backend.type in ("", cluster_type):
        return backend
    message = (
        f"{asked.where}: {asked.ref.kind} {asked.key} gives {_GIVES[backend.type]}, backends before it "
        f"{_GIVES[cluster_type]}, and one route cannot mix them: left out, give it a route of its own"
    )
    return Backend(problem=Problem(Reason.UNSUPPORTED_VALUE, message), hopeless=True)


def _text(endpoint: Endpoint) -> str:
    return endpoint.text


def _problem(backends: list[Backend]) -> Problem | None:
    problems = [backend.problem for backend in backends if backend.problem]
    if not problems:
        return None
    return Problem(problems[0].reason, sentence(*(problem.message for problem in problems)))


def _dropped(rules: tuple[UDPRouteRule, ...], backends: list[Backend]) -> Problem | None:
    """Say which rules are dropped whole; None where none is, and where no other remains: then it is no part.

    Dropped rather than served as they last were: what they last were does not survive a restart.
    """
    of_rules, start = [], 0
    for rule in rules:
        of_rules.append(backends[start : start + len(rule.backend_refs)])
        start += len(rule.backend_refs)
    problems = [_problem(part) if part and all(backend.hopeless for backend in part) else None for part in of_rules]
    found = [f"rules[{number}]: {problem.message}" for number, problem in enumerate(problems) if problem]
    first = next((problem for problem in problems if problem), None)
    if first is None or None not in problems:
        return None
    return Problem(first.reason, sentence(f"Dropped Rule {found[0]}", *found[1:]))
