"""Legacy mode: all Gateways of a class share one document, and so one set of sockets and names.

There the oldest Gateway (ties by namespace and name) keeps a port, so that a newcomer cannot cut off calls. That is
not R5.5's rule, on purpose: within one Gateway, which somebody wrote as a whole, nobody wins. v1alpha1 documents have
unqualified names, so the younger of two listeners or routes of one name is left out, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.errors import Unknown
from stunnergw.projection.attachments import attached_routes
from stunnergw.projection.certificates import HELD_CERTIFICATES, Certificate, certificate
from stunnergw.projection.classes import gateways_of_class, ruling
from stunnergw.projection.listeners import own_listeners
from stunnergw.projection.problems import Problem
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason
from stunnergw.projection.refusals import gateway_refusal
from stunnergw.projection.reservedports import without_reserved
from stunnergw.resources.kinds import GATEWAY
from stunnergw.settings import DataplaneMode

if TYPE_CHECKING:
    from stunnergw.projection.listeners import ListenerRule
    from stunnergw.projection.queries import Context
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.resources.routes import UDPRoute


class LeftOut(NamedTuple):
    """A listener that an older Gateway's listener keeps out of the class's document."""

    gateway: Key
    listener: str
    problem: Problem
    conflict: bool


@query("served Gateways of class")
def served_gateways(db: Context, class_name: str) -> tuple[Key, ...]:
    """Return the Gateways that a class's document serves, by namespace and name."""
    keys = (item.key for item in gateways_of_class(db, class_name))
    return tuple(key for key in keys if _is_served(db, key))


def _is_served(db: Context, gateway: Key) -> bool:
    try:
        return ruling(db, gateway) is not None
    except Unknown:
        return False


@query("age")
def age(db: Context, gateway: Key) -> str:
    """Return when a Gateway was made, as text that sorts."""
    found = db.get(GATEWAY, gateway)
    return found.metadata.creation_timestamp if found else ""


@query("listeners left out")
def left_out(db: Context, class_name: str) -> tuple[LeftOut, ...]:
    """Return the listeners that have no place in the class's document."""
    sockets: dict[tuple[str, int], tuple[Key, str]] = {}
    names: dict[str, tuple[Key, str]] = {}
    found: list[LeftOut] = []
    for gateway in sorted(served_gateways(db, class_name), key=lambda key: (age(db, key), key)):
        for rule in without_reserved(db, gateway, own_listeners(db, gateway), held=True):
            # Certificates do not count: a listener must not lose its port the moment a neighbour's Secret appears.
            if rule.refused or (rule.withheld and not rule.waits_for_certificate):
                continue
            problem = _no_place(db, gateway, rule, sockets, names)
            if problem:
                found.append(LeftOut(gateway, rule.name, *problem))
                continue
            if gateway_refusal(db, gateway) is None:  # else it is judged, and serves nothing that could be in the way
                sockets[rule.socket] = names[rule.name] = (gateway, rule.name)
    return tuple(found)


def _no_place(
    db: Context,
    gateway: Key,
    rule: ListenerRule,
    sockets: dict[tuple[str, int], tuple[Key, str]],
    names: dict[str, tuple[Key, str]],
) -> tuple[Problem, bool] | None:
    holder = sockets.get(rule.socket)
    if holder and holder[0] != gateway:
        message = (
            f"listener {holder[1]} of Gateway {holder[0]}, which is older, has {rule.transport} port "
            f"{rule.document_port}, and both Gateways share one stunnerd: give listener {rule.name} another port"
        )
        return Problem(Reason.PORT_UNAVAILABLE, message), True
    holder = names.get(rule.name)
    ruled = ruling(db, gateway)
    if holder and holder[0] != gateway and ruled and ruled.parameters.spelling == "v1alpha1":
        message = (
            f"Gateway {holder[0]}, which is older, has a listener {rule.name} too, and a v1alpha1 document cannot "
            "tell them apart: rename one"
        )
        return Problem(Reason.UNSUPPORTED_VALUE, message), False
    return None


@query("certificate waited for")
def waited_for(db: Context, gateway: Key) -> str:
    """Say which unread certificate the document of an accepted class's Gateway waits for; empty where none.

    What is held may stand in for it, of which a status must not know.
    """
    if gateway_refusal(db, gateway) is not None:
        return ""
    rules = listeners(db, gateway, held=True)
    return next((rule.unread for rule in rules if rule.unread and not rule.refused), "")


@query("Gateway that class waits for")
def class_waits_for(db: Context, class_name: str) -> str:
    """Say for which Gateway's unread certificate the document of a class waits; empty where for none.

    The Secret is not named: its name is nothing for those who use other Gateways (R9.11).
    """
    waiting = (gateway for gateway in served_gateways(db, class_name) if waited_for(db, gateway))
    return next((f"a certificate of Gateway {gateway} is not read: its status says why" for gateway in waiting), "")


def listeners(db: Context, gateway: Key, *, held: bool) -> tuple[ListenerRule, ...]:
    """Judge the listeners of a Gateway, beside those of the Gateways that share its document.

    Not ``held``: the class is broken, so nobody shares a document with anybody as far as a status can tell.
    """
    if held and db.settings.dataplane_mode is DataplaneMode.LEGACY:
        return _beside_others(db, gateway)
    return without_reserved(db, gateway, own_listeners(db, gateway), held=held)


@query("listeners beside others")
def _beside_others(db: Context, gateway: Key) -> tuple[ListenerRule, ...]:
    own = without_reserved(db, gateway, own_listeners(db, gateway), held=True)
    outside = {item.listener: item for item in _left_out_of(db, gateway)}
    return tuple(_exclude(rule, outside.get(rule.name)) for rule in own)


def _left_out_of(db: Context, gateway: Key) -> list[LeftOut]:
    found = db.get(GATEWAY, gateway)
    if found is None:
        return []
    return [item for item in left_out(db, found.spec.gateway_class_name) if item.gateway == gateway]


def _exclude(rule: ListenerRule, outside: LeftOut | None) -> ListenerRule:
    if outside is None:
        return rule
    return rule._replace(refused=outside.problem, conflict=outside.problem.message if outside.conflict else "")


class ServedListener(NamedTuple):
    """A listener that goes into the document and the Service, with the certificate that it is served with."""

    rule: ListenerRule
    certificate: Certificate | None


@query("served listeners")
def served_listeners(db: Context, gateway: Key) -> tuple[ServedListener, ...]:
    """Return the listeners that go into the document and the Service, on certificates of today or held."""
    found = db.get(GATEWAY, gateway)
    if found is None:
        return ()
    served = []
    for rule in listeners(db, gateway, held=True):
        if rule.sound and not rule.secured:
            served.append(ServedListener(rule, None))
        elif rule.refused is None and rule.secured and (rule.withheld is None or rule.waits_for_certificate):
            pair = _certificate(db, gateway, found.metadata.uid, rule)
            if pair:
                served.append(ServedListener(rule, pair))
    return tuple(served)


def _certificate(db: Context, gateway: Key, uid: str, rule: ListenerRule) -> Certificate | None:
    today = certificate(db, gateway, rule.name)
    if today.usable:
        return today.usable
    held: Certificate | None = db.held(HELD_CERTIFICATES, (gateway, uid, rule.name))
    if held is None and today.unread:
        # There is a certificate, and it cannot be told: the whole document waits.
        raise Unknown(today.unread)
    return held


@query("route left out")
def route_left_out(db: Context, class_name: str, route: Key) -> Problem | None:
    """Say why a route has no place in the class's v1alpha1 document: an older one has its name."""
    holder = next((key for name, key in route_names(db, class_name) if name == route.name), route)
    if holder == route:
        return None
    return Problem(
        Reason.UNSUPPORTED_VALUE,
        f"UDPRoute {holder}, which is older, has the same name, and a v1alpha1 document cannot tell them apart: "
        "rename one",
    )


@query("route names of class")
def route_names(db: Context, class_name: str) -> tuple[tuple[str, Key], ...]:
    """Return, for each unqualified route name of a class's document, the oldest route that has it."""
    found: dict[Key, str] = {}
    serving = (key for key in served_gateways(db, class_name) if gateway_refusal(db, key) is None)
    for gateway in serving:
        for attached in attached_routes(db, gateway):
            found[attached.key] = age_of_route(db, attached.kind, attached.key)
    names: dict[str, Key] = {}
    for key in sorted(found, key=lambda key: (found[key], key)):
        names.setdefault(key.name, key)
    return tuple(sorted(names.items()))


@query("age of route")
def age_of_route(db: Context, kind: Kind[UDPRoute], route: Key) -> str:
    """Return when a route was made, as text that sorts."""
    found = db.get(kind, route)
    return found.metadata.creation_timestamp if found else ""
