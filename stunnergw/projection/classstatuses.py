"""Statuses of GatewayClasses (R3.1 to R3.8): what they lead to, and which Gateway API that is seen through."""

from __future__ import annotations

from stunnergw.errors import Unknown
from stunnergw.projection.answers import unwritten_config_map
from stunnergw.projection.bundles import supported_features, supported_version
from stunnergw.projection.classes import Accepted, Broken, Foreign, class_today
from stunnergw.projection.conditions import positive
from stunnergw.projection.outputs import ABSENT, Output, Undecided, Want
from stunnergw.projection.problems import sentence
from stunnergw.projection.queries import Context, query
from stunnergw.projection.services import config_map
from stunnergw.projection.statuses import ClassStatus
from stunnergw.resources.kinds import GATEWAY_CLASS
from stunnergw.resources.metadata import Key
from stunnergw.settings import DataplaneMode
from stunnergw.store.indexes import CONFIG_MAPS_BY_CLASS


@query("status of GatewayClass")
def class_status(db: Context, name: str) -> Output[ClassStatus]:
    """Work out the status of a GatewayClass; absent where it is another controller's.

    Raises:
        Unknown: it is not there, or its ConfigMap is not written yet.
    """
    today, found = class_today(db, name), db.get(GATEWAY_CLASS, Key("", name))
    if today is None or found is None:
        raise Unknown(f"GatewayClass {name} not found")
    generation = found.metadata.generation
    match today:
        case Accepted():
            accepted = positive("Accepted", None, message=_served(db, name, today), generation=generation)
        case Broken(problem=problem):
            accepted = positive("Accepted", problem, message="", generation=generation)
        case Foreign():
            return ABSENT
    version = supported_version(db, generation=generation)
    return Want(ClassStatus((accepted, version) if version else (accepted,), supported_features(db)))


def _served(db: Context, name: str, today: Accepted) -> str:
    """Say what a class is served with, what its author should know, and what changing it costs."""
    costs = "a new realm ends all calls, new credentials end each at its next refresh"
    config = f"served with GatewayConfig {today.parameters.config}: {costs}"
    return sentence(config, *today.warnings, *_of_config_maps(db, name))


def _of_config_maps(db: Context, name: str) -> tuple[str, ...]:
    """Say in legacy mode why the ConfigMap is not written, and which ones of earlier settings are still there."""
    if db.settings.dataplane_mode is DataplaneMode.MANAGED:
        return ()
    wanted = config_map.attempt(db, name)
    if isinstance(wanted, Undecided):
        return (wanted.reason,)
    if not isinstance(wanted, Want):
        return ()
    ours = Key(wanted.value.namespace, wanted.value.name)
    unwritten = unwritten_config_map(db, name)
    earlier = (
        f"ConfigMap {key} of an earlier setting is left as it is: delete it once no pod mounts it"
        for key in db.select(CONFIG_MAPS_BY_CLASS, name)
        if key != ours
    )
    return (unwritten, *earlier) if unwritten else tuple(earlier)
