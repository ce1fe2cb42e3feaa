"""Statuses of GatewayClasses (R3.1, R3.2)."""

from __future__ import annotations

from stunnergw.errors import Unknown
from stunnergw.projection.classes import Accepted, Broken, class_today
from stunnergw.projection.conditions import positive
from stunnergw.projection.outputs import ABSENT, Output, Want
from stunnergw.projection.problems import sentence
from stunnergw.projection.queries import Context, query
from stunnergw.projection.statuses import ClassStatus
from stunnergw.resources.kinds import GATEWAY_CLASS
from stunnergw.resources.metadata import Key


@query("status of GatewayClass")
def class_status(db: Context, name: str) -> Output[ClassStatus]:
    """Work out the status of a GatewayClass; absent where it is another controller's."""
    today, found = class_today(db, name), db.get(GATEWAY_CLASS, Key("", name))
    if today is None or found is None:
        raise Unknown(f"GatewayClass {name} not found")
    generation = found.metadata.generation
    match today:
        case Accepted(parameters=parameters, warnings=warnings):
            message = sentence(f"served with GatewayConfig {parameters.config}", *warnings)
            return Want(ClassStatus((positive("Accepted", None, message=message, generation=generation),)))
        case Broken(problem=problem):
            return Want(ClassStatus((positive("Accepted", problem, message="", generation=generation),)))
    return ABSENT
