"""Statuses of GatewayConfigs and Dataplanes: which classes use them, whether they are in order, and what is wrong.

They name classes and never Gateways, whose coming and going would rewrite them. No secret is repeated. Operators of
several controllers may share such an object, and its conditions are one list: the controller of the oldest class that
uses it (ties by name) writes them. Where no class does, all say the same, which rests on no setting of theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection.classes import Accepted, Broken, class_today
from stunnergw.projection.conditions import positive, with_notes
from stunnergw.projection.credentials import credentials
from stunnergw.projection.outputs import ABSENT, Want
from stunnergw.projection.parameters import without_effect_in_dataplane
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.statuses import ParameterStatus
from stunnergw.resources.kinds import DATAPLANE, GATEWAY_CLASS, GATEWAY_CONFIG
from stunnergw.settings import DataplaneMode
from stunnergw.store.indexes import CLASSES_BY_CONFIG, CONFIGS_BY_DATAPLANE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stunnergw.projection.outputs import Output
    from stunnergw.projection.queries import Context
    from stunnergw.resources.metadata import Key
    from stunnergw.resources.stunner import GatewayConfig

MOST_NAMED = 3
"""Classes that a message names; ``status.classes`` has them all."""

Users = tuple["User", ...]


class User(NamedTuple):
    """A class that uses an object; the oldest sorts first."""

    created: str
    name: str
    controller: str


@query("status of GatewayConfig")
def gateway_config_status(db: Context, key: Key) -> Output[ParameterStatus]:
    """Work out the status of a GatewayConfig; absent where another controller writes it.

    Raises:
        Unknown: the Secret with its credentials is there and not read.
    """
    config = db.get(GATEWAY_CONFIG, key)
    users = _users(db, (key,))
    if config is None or _is_left_to_others(db, users):
        return ABSENT
    problem, notes = _judged(db, users) if users else _judged_alone(db, config)
    problem = with_notes(problem, notes)
    used = f"used by {_named(users)}" if users else "used by no GatewayClass: name it in spec.parametersRef of one"
    generation = config.metadata.generation
    accepted = positive("Accepted", problem, message=sentence(used, *notes), generation=generation)
    return Want(ParameterStatus((accepted,), _names(users)))


@query("status of Dataplane")
def dataplane_status(db: Context, key: Key) -> Output[ParameterStatus]:
    """Work out the status of a Dataplane; absent where another controller writes it."""
    dataplane = db.get(DATAPLANE, key)
    users = _users(db, db.select(CONFIGS_BY_DATAPLANE, key.name))
    if dataplane is None or _is_left_to_others(db, users):
        return ABSENT
    if not users:
        used = "used by no GatewayClass: name it in spec.dataplane of a GatewayConfig that a class uses"
    elif db.settings.dataplane_mode is DataplaneMode.MANAGED:
        used = f"used by {_named(users)}"
    else:
        used = f"named for {_named(users)}, without effect: in legacy mode the operator runs no data planes"
    message = sentence(used, *without_effect_in_dataplane(dataplane))
    accepted = positive("Accepted", None, message=message, generation=dataplane.metadata.generation)
    return Want(ParameterStatus((accepted,), _names(users)))


def _users(db: Context, configs: Iterable[Key]) -> Users:
    """Return the classes, of whichever controller, that name one of these GatewayConfigs: the oldest first."""
    found = (db.get(GATEWAY_CLASS, key) for config in configs for key in db.select(CLASSES_BY_CONFIG, config))
    return tuple(
        sorted(
            User(each.metadata.creation_timestamp, each.metadata.name, each.spec.controller_name)
            for each in found
            if each is not None
        )
    )


def _is_left_to_others(db: Context, users: Users) -> bool:
    return bool(users) and users[0].controller != db.settings.controller_name


def _names(users: Users) -> tuple[str, ...]:
    return tuple(sorted(user.name for user in users))


def _named(users: Users) -> str:
    names = _names(users)
    if len(names) > MOST_NAMED:
        return f"{len(names)} GatewayClasses"
    *first, last = names
    return f"GatewayClasses {', '.join(first)} and {last}" if first else f"GatewayClass {last}"


def _judged(db: Context, users: Users) -> tuple[Problem | None, tuple[str, ...]]:
    """Judge a GatewayConfig by its classes of ours: it is in order where one of them is accepted."""
    ours = [user for user in users if user.controller == db.settings.controller_name]
    judged = {user.name: class_today(db, user.name) for user in ours}
    broken = {name: today.problem for name, today in judged.items() if isinstance(today, Broken)}
    warnings = [warning for today in judged.values() if isinstance(today, Accepted) for warning in today.warnings]
    if len(broken) < len(judged):
        refused = (f"GatewayClass {name} is not accepted: {problem.message}" for name, problem in broken.items())
        return None, (*dict.fromkeys(warnings), *refused)
    reason = next(iter(broken.values())).reason
    message = sentence(*dict.fromkeys(problem.message for problem in broken.values()))
    return Problem(reason, message), (f"not accepted for that: {_named(tuple(ours))}",)


def _judged_alone(db: Context, config: GatewayConfig) -> tuple[Problem | None, tuple[str, ...]]:
    """Judge what rests on nothing but the GatewayConfig and its Secret."""
    found = credentials(db, config)
    return (found, ()) if isinstance(found, Problem) else (None, found.warnings)
