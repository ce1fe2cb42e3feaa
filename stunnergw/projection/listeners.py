"""Listeners: which of a Gateway's listeners can be served, and as what.

Protocol names are normalised first (UDP means TURN-UDP, in any case); then listeners of one transport and port
conflict, and none of them wins (R5.5). A listener that is refused for a reason of its own leaves the others alone.
In legacy mode all Gateways of a class share a document, so there the oldest Gateway keeps a port (:mod:`legacy`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection.annotations import TARGET_PORT, port_map
from stunnergw.projection.certificates import certificate, tls_problem
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason
from stunnergw.projection.selectors import can_be_read
from stunnergw.projection.statuses import SupportedKind
from stunnergw.resources.gateways import RouteNamespaces
from stunnergw.resources.kinds import GATEWAY
from stunnergw.resources.metadata import GATEWAY_GROUP, STUNNER_GROUP

if TYPE_CHECKING:
    from collections.abc import Collection

    from stunnergw.projection.annotations import PortMap
    from stunnergw.projection.queries import Context
    from stunnergw.resources.gateways import Listener
    from stunnergw.resources.metadata import Key

_ALIASES = {"UDP": "TURN-UDP", "TCP": "TURN-TCP", "TLS": "TURN-TLS", "DTLS": "TURN-DTLS"}

TRANSPORTS = {"TURN-UDP": "UDP", "TURN-DTLS": "UDP", "TURN-TCP": "TCP", "TURN-TLS": "TCP"}
"""The transport under each of stunnerd's protocols."""

ROUTE_KINDS = (SupportedKind(GATEWAY_GROUP, "UDPRoute"), SupportedKind(STUNNER_GROUP, "UDPRoute"))
"""The kinds of route that all our listeners can take (R6.4)."""

SECURED = ("TURN-TLS", "TURN-DTLS")
"""The protocols that need a certificate."""

NAMESPACE_POLICIES = ("Same", "All", "Selector")

SAME_NAMESPACE = RouteNamespaces()
"""The policy of a listener that says nothing of namespaces."""


class ListenerRule(NamedTuple):
    """A listener, judged."""

    name: str
    protocol: str
    """Normalised; empty where it is none of ours."""
    written_protocol: str
    transport: str
    """UDP or TCP; empty where the protocol is none of ours."""
    port: int
    document_port: int
    """The port that stunnerd binds."""
    supported_kinds: tuple[SupportedKind, ...]
    refused: Problem | None = None
    """Accepted=False, for this."""
    conflict: str = ""
    """The message of Conflicted=True; empty where there is no conflict."""
    unresolved: Problem | None = None
    """ResolvedRefs=False, for this."""
    withheld: Problem | None = None
    """Accepted, and yet not to be served as it is: Programmed=False, for this."""
    waits_for_certificate: bool = False
    """It is withheld for want of a certificate alone: a held one may stand in."""
    unread: str = ""
    """Why its certificate cannot be told; empty where it can."""
    notes: tuple[str, ...] = ()
    """What its author should know though it is served."""
    namespaces: RouteNamespaces = SAME_NAMESPACE
    """Which namespaces its routes may come from."""

    @property
    def sound(self) -> bool:
        """Nothing keeps it out of the document and the Service, by the objects as they are."""
        return self.refused is None and self.withheld is None

    @property
    def secured(self) -> bool:
        """It needs a certificate."""
        return self.protocol in SECURED

    @property
    def socket(self) -> tuple[str, int]:
        """Transport and port that stunnerd binds."""
        return self.transport, self.document_port


def normalise(protocol: str) -> str:
    """Return stunnerd's name of a protocol, or an empty text where it knows none."""
    upper = protocol.upper()
    upper = _ALIASES.get(upper, upper)
    return upper if upper in TRANSPORTS else ""


@query("own listeners")
def own_listeners(db: Context, gateway: Key) -> tuple[ListenerRule, ...]:
    """Judge the listeners of a Gateway on their own merits, in the order of its spec."""
    found = db.get(GATEWAY, gateway)
    specs = found.spec.listeners if found else ()
    crowded = _shared([_socket(spec) for spec in specs])
    rules = [_secure(db, gateway, spec, _judge(spec, crowded=_socket(spec) in crowded)) for spec in specs]
    if found and TARGET_PORT in found.metadata.annotations:
        targets = port_map(found.metadata.annotations, TARGET_PORT, frozenset(spec.name for spec in specs))
        rules = _with_targets(rules, targets)
    return tuple(rules)


def _shared(sockets: list[tuple[str, int]]) -> Collection[tuple[str, int]]:
    """Return the sockets that stand more than once."""
    if len(set(sockets)) == len(sockets):
        return ()
    return {socket for socket, number in Counter(sockets).items() if number > 1}


def _socket(spec: Listener) -> tuple[str, int]:
    transport = TRANSPORTS.get(normalise(spec.protocol))
    # Those that are none of ours conflict with nobody.
    return (transport, spec.port) if transport else (f"{spec.protocol} {spec.name}", spec.port)


def _judge(spec: Listener, *, crowded: bool) -> ListenerRule:
    protocol = normalise(spec.protocol)
    supported, unresolved = _kinds(spec, protocol)
    conflict = _conflict(spec) if crowded else ""
    return ListenerRule(
        name=spec.name,
        protocol=protocol,
        written_protocol=spec.protocol.upper(),
        transport=TRANSPORTS.get(protocol, ""),
        port=spec.port,
        document_port=spec.port,
        supported_kinds=supported,
        refused=_refusal(spec, protocol, conflict),
        conflict=conflict,
        unresolved=unresolved,
        withheld=_withheld(spec),
        notes=_ignored(spec, protocol),
        namespaces=spec.allowed_routes.namespaces if spec.allowed_routes else SAME_NAMESPACE,
    )


def _conflict(spec: Listener) -> str:
    transport = TRANSPORTS[normalise(spec.protocol)]
    return (
        f"another listener of this Gateway has {transport} port {spec.port} too: "
        f"give listener {spec.name} a port of its own"
    )


def _refusal(spec: Listener, protocol: str, conflict: str) -> Problem | None:
    """Say why a listener is not accepted, whatever else there is: protocol first, then conflict, then odd values."""
    if not protocol:
        known = ", ".join((*_ALIASES, *TRANSPORTS))
        return Problem(
            Reason.UNSUPPORTED_PROTOCOL,
            f"protocol {spec.protocol} of listener {spec.name} is not served: use one of {known}",
        )
    if conflict:
        return Problem(Reason.PORT_UNAVAILABLE, conflict)
    policy = spec.allowed_routes.namespaces.from_ if spec.allowed_routes else SAME_NAMESPACE.from_
    if policy not in NAMESPACE_POLICIES:
        known = ", ".join(NAMESPACE_POLICIES)
        return Problem(
            Reason.UNSUPPORTED_VALUE,
            f"allowedRoutes.namespaces of listener {spec.name} says from: {policy}: use one of {known}",
        )
    return None


def _ignored(spec: Listener, protocol: str) -> tuple[str, ...]:
    """Say what a TURN listener has no use for, though a protocol of its own name gets it past the schema (R5.10)."""
    notes = []
    if protocol and spec.hostname:
        notes.append(f"hostname of listener {spec.name} is ignored, since TURN clients name none: take it out")
    if protocol and spec.tls and protocol not in SECURED:
        remedy = "take it out, or make the protocol TURN-TLS or TURN-DTLS"
        notes.append(f"tls of listener {spec.name} is ignored, since {protocol} has none: {remedy}")
    return tuple(notes)


def _kinds(spec: Listener, protocol: str) -> tuple[tuple[SupportedKind, ...], Problem | None]:
    """Return the route kinds that the listener takes, and what is wrong with those it asks for (R5.12, R5.13)."""
    ours = ROUTE_KINDS if protocol else ()
    asked = spec.allowed_routes.kinds if spec.allowed_routes else ()
    if not asked:
        return ours, None
    named = {SupportedKind(kind.group, kind.kind) for kind in asked}
    strange = sorted(f"{kind.group}/{kind.kind}" for kind in named.difference(ROUTE_KINDS))
    problem = Problem(
        Reason.INVALID_ROUTE_KINDS,
        f"allowedRoutes.kinds of listener {spec.name} names {', '.join(strange)}: only UDPRoute "
        f"of {GATEWAY_GROUP} or {STUNNER_GROUP} can be served",
    )
    return tuple(kind for kind in ours if kind in named), problem if strange else None


def _secure(db: Context, gateway: Key, spec: Listener, rule: ListenerRule) -> ListenerRule:
    """Add what a TLS or DTLS listener's certificate comes to."""
    if not rule.secured:
        return rule
    missing = tls_problem(spec)
    if missing:
        return rule._replace(withheld=rule.withheld or missing, waits_for_certificate=rule.withheld is None)
    today = certificate(db, gateway, spec.name)
    rule = rule._replace(unresolved=_both(today.unresolved, rule.unresolved), notes=(*rule.notes, *today.notes))
    if rule.withheld:
        return rule
    if today.unread:
        waits = f"listener {spec.name}: {today.unread}"
        return rule._replace(withheld=Problem(Reason.PENDING, waits), waits_for_certificate=True, unread=waits)
    if today.usable or today.unresolved is None:
        return rule
    return rule._replace(withheld=Problem(Reason.INVALID, today.unresolved.message), waits_for_certificate=True)


def _both(certificate: Problem | None, kinds: Problem | None) -> Problem | None:
    """Return one problem for references of both sorts; that of the certificate decides whether anything is served."""
    if certificate is None or kinds is None:
        return certificate or kinds
    return certificate._replace(message=sentence(certificate.message, kinds.message))


def _withheld(spec: Listener) -> Problem | None:
    namespaces = spec.allowed_routes.namespaces if spec.allowed_routes else None
    if namespaces and namespaces.from_ == "Selector" and not _selects(namespaces):
        return Problem(
            Reason.INVALID,
            f"allowedRoutes.namespaces of listener {spec.name} says from: Selector, "
            "and has no selector that can be read: add one",
        )
    return None


def _selects(namespaces: RouteNamespaces) -> bool:
    return namespaces.selector is not None and can_be_read(namespaces.selector)


# -- the ports that stunnerd binds ---------------------------------------------------------------------------------


def _with_targets(rules: list[ListenerRule], targets: PortMap) -> list[ListenerRule]:
    """Give listeners the target ports that the annotation asks for, unless two would then share a socket."""
    honoured = {rule.name: targets.port(rule.name) for rule in rules if rule.transport and targets.port(rule.name)}
    dropped: set[str] = set()
    while crowded := _crowded(rules, honoured):
        # Own ports are distinct, so taking target ports back comes to an end.
        dropped |= crowded
        honoured = {name: port for name, port in honoured.items() if name not in crowded}
    return [
        rule._replace(
            document_port=honoured.get(rule.name, rule.port),
            notes=(*rule.notes, *targets.said(rule.name), *_taken_back(rule, dropped)),
        )
        for rule in rules
    ]


def _crowded(rules: list[ListenerRule], honoured: dict[str, int]) -> set[str]:
    """Return the listeners whose target port another listener would bind, too."""
    bound = Counter(
        (rule.transport, honoured.get(rule.name, rule.port)) for rule in rules if rule.transport and not rule.refused
    )
    return {rule.name for rule in rules if rule.name in honoured and bound[rule.transport, honoured[rule.name]] > 1}


def _taken_back(rule: ListenerRule, dropped: set[str]) -> tuple[str, ...]:
    if rule.name not in dropped:
        return ()
    return (
        f"annotation {TARGET_PORT} is ignored for listener {rule.name}: another listener would bind that port, too",
    )
