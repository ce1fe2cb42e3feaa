"""Clusters: the peers that a route lets clients reach, out of the backends of all its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection.backends import Backend, resolve
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query

if TYPE_CHECKING:
    from stunnergw.dataplane.endpoints import Endpoint
    from stunnergw.projection.queries import Context
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.resources.routes import UDPRoute


class Cluster(NamedTuple):
    """A route's cluster, still without a name: names belong to the document."""

    type: str
    endpoints: tuple[Endpoint, ...]
    problem: Problem | None
    """ResolvedRefs=False: the reason of the first backend that failed, a message that names all."""
    notes: tuple[str, ...]


@query("cluster")
def cluster(db: Context, kind: Kind[UDPRoute], route: Key, discovery: bool) -> Cluster:
    """Work out a route's cluster, with addresses (``discovery``) or with domain names."""
    found = db.get(kind, route)
    rules = found.spec.rules if found else ()
    backends = [
        resolve(db, kind=kind, route=route, where=f"rules[{number}].backendRefs[{index}]", ref=ref, discovery=discovery)
        for number, rule in enumerate(rules)
        for index, ref in enumerate(rule.backend_refs)
    ]
    cluster_type = next((backend.type for backend in backends if backend.type), "STATIC" if discovery else "STRICT_DNS")
    fitting = [backend for backend in backends if backend.type == cluster_type]
    return Cluster(
        type=cluster_type,
        endpoints=tuple(sorted({endpoint for backend in fitting for endpoint in backend.endpoints}, key=_text)),
        problem=_problem(backends),
        notes=tuple(dict.fromkeys(note for backend in backends for note in backend.notes)),
    )


def _text(endpoint: Endpoint) -> str:
    return endpoint.text


def _problem(backends: list[Backend]) -> Problem | None:
    problems = [backend.problem for backend in backends if backend.problem]
    if not problems:
        return None
    return Problem(problems[0].reason, sentence(*(problem.message for problem in problems)))
