"""Attachments: which routes which listeners take, and why not (R6.1 to R6.7).

Each parentRef is looked at on its own: first the listeners that its sectionName and port select, then those among them
that admit the route's kind and namespace. A TURN listener serves the peers of all its routes, so no route wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.errors import Unknown
from stunnergw.projection.listeners import own_listeners
from stunnergw.projection.outputs import Undecided
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason
from stunnergw.projection.selectors import can_be_read, matches
from stunnergw.projection.statuses import SupportedKind
from stunnergw.resources.kinds import NAMESPACE, STUNNER_UDP_ROUTE, UDP_ROUTE
from stunnergw.resources.metadata import GATEWAY_GROUP, Key
from stunnergw.store.indexes import ROUTES_BY_GATEWAY, STUNNER_ROUTES_BY_GATEWAY

if TYPE_CHECKING:
    from stunnergw.projection.listeners import ListenerRule
    from stunnergw.projection.queries import Context
    from stunnergw.resources.gateways import RouteNamespaces
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.routes import ParentReference, UDPRoute


class Attachment(NamedTuple):
    """What became of one parentRef."""

    gateway: Key | None
    """The Gateway that it names; None where it names something else (R6.1)."""
    listeners: tuple[str, ...] = ()
    """The listeners that took the route, in the Gateway's order."""
    refused: Problem | None = None
    """Where none did: why."""
    unknown: str = ""
    """Why it cannot be told; one Gateway's trouble is not that of a route's other parents."""


class AttachedRoute(NamedTuple):
    """A route and those listeners of one Gateway that took it."""

    kind: Kind[UDPRoute]
    key: Key
    listeners: tuple[str, ...]


def parent_key(route: Key, parent: ParentReference) -> Key | None:
    """Return the Gateway that a parentRef names, or None where it names something else (R6.1)."""
    if (parent.group, parent.kind) != (GATEWAY_GROUP, "Gateway"):
        return None
    return Key(parent.namespace or route.namespace, parent.name)


@query("attachments")
def attachments(db: Context, kind: Kind[UDPRoute], route: Key) -> tuple[Attachment, ...]:
    """Attach a route by each of its parentRefs, in their order."""
    found = db.get(kind, route)
    refs = found.spec.parent_refs if found else ()
    return tuple(_attach(db, kind, route, parent) for parent in refs)


def _attach(db: Context, kind: Kind[UDPRoute], route: Key, parent: ParentReference) -> Attachment:
    gateway = parent_key(route, parent)
    if gateway is None:
        return Attachment(None)
    rules = own_listeners.attempt(db, gateway)
    if isinstance(rules, Undecided):
        return Attachment(gateway, unknown=rules.reason)
    selected = [rule for rule in rules if _selected(parent, rule)]
    if not selected:
        return Attachment(gateway, (), _no_match(gateway, parent))
    taking = [rule for rule in selected if _admits(db, kind, route, gateway, rule)]
    if not taking:
        return Attachment(gateway, (), _not_allowed(kind, route, gateway, selected))
    return Attachment(gateway, tuple(rule.name for rule in taking))


def _selected(parent: ParentReference, rule: ListenerRule) -> bool:
    return parent.section_name in (None, rule.name) and parent.port in (None, rule.port)


def _no_match(gateway: Key, parent: ParentReference) -> Problem:
    asked = [f"sectionName {parent.section_name}"] if parent.section_name is not None else []
    asked += [f"port {parent.port}"] if parent.port is not None else []
    if not asked:
        return Problem(Reason.NO_MATCHING_PARENT, f"Gateway {gateway} has no listeners: add one")
    return Problem(
        Reason.NO_MATCHING_PARENT,
        f"Gateway {gateway} has no listener with {' and '.join(asked)}: correct the parentRef or add the listener",
    )


def _not_allowed(kind: Kind[UDPRoute], route: Key, gateway: Key, selected: list[ListenerRule]) -> Problem:
    by_reason: dict[str, list[str]] = {}
    for rule in selected:
        by_reason.setdefault(_objection(kind, route, rule), []).append(rule.name)
    reasons = sentence(*(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()))
    return Problem(
        Reason.NOT_ALLOWED_BY_LISTENERS,
        f"no listener of Gateway {gateway} takes this route: {reasons}; change the listener or the parentRef",
    )


def _objection(kind: Kind[UDPRoute], route: Key, rule: ListenerRule) -> str:
    """Say what a listener that does not admit a route has against it."""
    if not rule.protocol:
        return f"protocol {rule.written_protocol} is not served"
    if SupportedKind(kind.group, kind.kind) not in rule.supported_kinds:
        return f"allowedRoutes.kinds has no {kind.kind} of {kind.group}"
    policy = rule.namespaces
    asks = f"from: {policy.from_}"
    if policy.from_ == "Selector":
        readable = policy.selector is not None and can_be_read(policy.selector)
        asks = "a selector that does not fit" if readable else "no selector that can be read"
    return f"allowedRoutes.namespaces has {asks}, and the route is in namespace {route.namespace}"


def _admits(db: Context, kind: Kind[UDPRoute], route: Key, gateway: Key, rule: ListenerRule) -> bool:
    if SupportedKind(kind.group, kind.kind) not in rule.supported_kinds:
        return False
    return _admits_namespace(db, gateway, rule.namespaces, route.namespace)


def _admits_namespace(db: Context, gateway: Key, policy: RouteNamespaces, namespace: str) -> bool:
    """Say whether a listener takes routes from a namespace (R5.16)."""
    if policy.from_ == "Same":
        return namespace == gateway.namespace
    if policy.from_ == "All":
        return True
    if policy.from_ != "Selector" or policy.selector is None or not can_be_read(policy.selector):
        return False
    found = db.get(NAMESPACE, Key("", namespace))
    return found is not None and matches(policy.selector, found.metadata.labels)


def masked(db: Context, kind: Kind[UDPRoute], route: Key) -> bool:
    """Say whether a gateway.networking.k8s.io route stands behind a stunner.l7mp.io one of the same name."""
    return kind is UDP_ROUTE and db.get(STUNNER_UDP_ROUTE, route) is not None


def _listeners_of(db: Context, kind: Kind[UDPRoute], route: Key, gateway: Key) -> tuple[str, ...]:
    """Return the listeners of a Gateway that take a route, by whichever parentRef; each once, sorted."""
    if masked(db, kind, route):
        return ()
    ours = [one for one in attachments(db, kind, route) if one.gateway == gateway]
    for one in ours:
        if one.unknown:
            raise Unknown(one.unknown)
    return tuple(sorted({name for one in ours for name in one.listeners}))


@query("attached routes")
def attached_routes(db: Context, gateway: Key) -> tuple[AttachedRoute, ...]:
    """Return the routes that some listener of a Gateway takes, by namespace and name."""
    found: list[AttachedRoute] = []
    for kind, index in ((STUNNER_UDP_ROUTE, STUNNER_ROUTES_BY_GATEWAY), (UDP_ROUTE, ROUTES_BY_GATEWAY)):
        for route in db.select(index, gateway):
            taking = _listeners_of(db, kind, route, gateway)
            if taking:
                found.append(AttachedRoute(kind, route, taking))
    return tuple(sorted(found, key=lambda attached: (attached.key, attached.kind.name)))
