"""Classes: whether a GatewayClass is ours, and what rules its Gateways.

A class is ours by its controllerName. One whose parameters are not in order is broken, and served on held parameters
(:mod:`stunnergw.projection.holding`); a missing one is unknown, not left, so that its Gateways stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.errors import Unknown
from stunnergw.projection.parameters import class_credentials, judge
from stunnergw.projection.problems import Problem
from stunnergw.projection.queries import query
from stunnergw.resources.kinds import GATEWAY, GATEWAY_CLASS
from stunnergw.resources.metadata import Key
from stunnergw.store.indexes import GATEWAYS_BY_CLASS, GatewayItem

if TYPE_CHECKING:
    from stunnergw.dataplane.configs import Auth
    from stunnergw.projection.parameters import Parameters
    from stunnergw.projection.queries import Context

HELD_CLASSES = "class"
"""The table of held parameters, by class name."""

HELD_CREDENTIALS = "credentials"
"""The table of held credentials, by class name."""

HELD_GATEWAYS = "gateway of class"
"""The table of Gateways that a class holds for, by class name and the Gateway's uid and key."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The class is ours and in order."""

    parameters: Parameters
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """The class is ours, and something lacks."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Foreign:
    """The class belongs to another controller."""


ClassToday = Accepted | Broken | Foreign


@query("class")
def class_today(db: Context, name: str) -> ClassToday | None:
    """Judge a class as it stands, whatever is held; None where there is no such class.

    Raises:
        Unknown: the Secret with its credentials is there and not read.
    """
    gateway_class = db.get(GATEWAY_CLASS, Key("", name))
    if gateway_class is None:
        return None
    if gateway_class.spec.controller_name != db.settings.controller_name:
        return Foreign()
    found = class_credentials(db, name)
    judged = judge(db, name)
    for problem in (judged, found):
        if isinstance(problem, Problem):
            return Broken(problem)
    return Accepted(judged.parameters, (*found.warnings, *judged.warnings))  # type: ignore[union-attr]  # no Problem: see above


class Ruling(NamedTuple):
    """The parameters a Gateway is served with."""

    parameters: Parameters
    held_for: str = ""
    """Why today's parameters are not used; empty where they are."""


@query("ruling")
def ruling(db: Context, gateway: Key) -> Ruling | None:
    """Return the parameters that rule a Gateway; None where its class is another controller's.

    Raises:
        Unknown: the class is missing, or broken with nothing held for this Gateway.
    """
    uid, class_name = _naming(db, gateway)
    today = class_today(db, class_name)
    match today:
        case Accepted():
            return Ruling(today.parameters)
        case Broken():
            held = _held(db, class_name, GatewayItem(gateway, uid))
            if held is None:
                raise Unknown(f"GatewayClass {class_name} is not accepted: {today.problem.message}")
            return Ruling(held, today.problem.message)
        case Foreign():
            return None
        case None:
            raise Unknown(f"GatewayClass {class_name} not found: Gateway {gateway} stays as it is")


def parameters_for(db: Context, gateway: Key, *, held: bool) -> Parameters | None:
    """Return the parameters that a Gateway is served with, or (not ``held``) those of today alone.

    Statuses go by today: a restart, after which nothing is held, must not change them. None where there are none.
    """
    if held:
        ruled = ruling.attempt(db, gateway)
        return ruled.parameters if isinstance(ruled, Ruling) else None
    found = db.get(GATEWAY, gateway)
    today = class_today(db, found.spec.gateway_class_name) if found else None
    return today.parameters if isinstance(today, Accepted) else None


def _naming(db: Context, key: Key) -> tuple[str, str]:
    gateway = db.get(GATEWAY, key)
    if gateway is None:
        raise Unknown(f"Gateway {key} not found")
    return gateway.metadata.uid, gateway.spec.gateway_class_name


@query("auth")
def auth(db: Context, gateway: Key) -> Auth:
    """Return who may allocate at a Gateway of ours.

    Raises:
        Unknown: as for :func:`ruling`.
    """
    ruled = ruling(db, gateway)
    if ruled is None:
        raise Unknown(f"the class of Gateway {gateway} belongs to another controller")
    return auth_of_class(db, ruled.parameters.class_name, held=bool(ruled.held_for))


def auth_of_class(db: Context, name: str, *, held: bool) -> Auth:
    """Return who may allocate at the Gateways of a class, by what is held or by today's credentials."""
    kept: Auth | None = db.held(HELD_CREDENTIALS, name) if held else None
    if kept is not None:
        return kept
    found = class_credentials(db, name)
    if isinstance(found, Problem):
        raise Unknown(found.message)
    return found.auth


def _held(db: Context, class_name: str, gateway: GatewayItem) -> Parameters | None:
    if not db.held(HELD_GATEWAYS, (class_name, gateway)):
        return None
    held: Parameters | None = db.held(HELD_CLASSES, class_name)
    return held


@query("Gateways of class")
def gateways_of_class(db: Context, class_name: str) -> tuple[GatewayItem, ...]:
    """Return the Gateways that name a class, by namespace and name."""
    return db.select(GATEWAYS_BY_CLASS, class_name)


class ClassHold(NamedTuple):
    """What holding goes by."""

    parameters: Parameters | None
    """Today's; None where there are none."""
    auth: Auth | None
    reason: str
    """Why there are none."""
    naming: tuple[GatewayItem, ...]
    """The Gateways that name the class."""
    missing: bool = False
    """There is no such class: nobody is served on what it holds, until it is back."""


@query("hold of class")
def class_hold(db: Context, class_name: str) -> ClassHold:
    """Return what holding goes by: the first layer's result for a class."""
    today, naming = class_today(db, class_name), gateways_of_class(db, class_name)
    match today:
        case Accepted(parameters=parameters):
            return ClassHold(parameters, auth_of_class(db, class_name, held=False), "", naming)
        case Broken(problem=problem):
            return ClassHold(None, None, problem.message, naming)
        case None:
            return ClassHold(None, None, "", naming, missing=True)
    # Another controller's class: nothing is held for those who name it.
    return ClassHold(None, None, "", ())
