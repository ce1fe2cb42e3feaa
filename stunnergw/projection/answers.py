"""What the API server said to the objects of a Gateway, or a class: its status waits for that, and tells of a refusal.

Documents and owned objects never depend on it. A wanted object is *answered* when the object that stands there bears
its digest, or when the last write of that digest came to an end, whatever it was. Until then the status is undecided,
and so stays as it is: after a restart too, until a refused object is tried, and refused, again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from stunnergw.errors import Unknown
from stunnergw.projection.bodies import APPLIED
from stunnergw.projection.outputs import Want
from stunnergw.projection.problems import Problem, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason
from stunnergw.projection.services import config_map, service
from stunnergw.projection.workloads import Workloads, workloads
from stunnergw.resources.kinds import CONFIG_MAP, DAEMON_SET, DEPLOYMENT, GATEWAY, SERVICE
from stunnergw.resources.metadata import Key
from stunnergw.settings import DataplaneMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stunnergw.events.types import Wrote
    from stunnergw.projection.bodies import OwnedObject
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.queries import Context
    from stunnergw.resources.kinds import Kind

LONGEST_ANSWER = 1_000
"""Characters of what the API server said that a status repeats."""


class Unwritten(NamedTuple):
    """An object that the API server did not take as it is wanted."""

    kind: str
    name: str
    """Kind, namespace and name: ``Service media/edge``."""
    message: str
    """Why, and what to do."""
    stands: bool
    """An earlier version of ours is there, and stays."""


@query("answers to writes")
def unwritten(db: Context, gateway: Key) -> tuple[Unwritten, ...]:
    """Return the objects of a Gateway that were refused, or could not be written; none where all are accepted.

    An object that is undecided or absent is not waited for. Where nothing is ever written all counts as accepted.

    Raises:
        Unknown: one is not answered yet.
    """
    if db.settings.standalone or db.settings.dry_run:
        return ()
    found, waiting = [], []
    for kind, wanted in _wanted(db, gateway):
        answered, last = _answer(db, kind, wanted)
        if not answered:
            waiting.append(kind.describe(Key(wanted.namespace, wanted.name)))
        elif last is not None:
            found.append(_unwritten(kind, last, stands=_is_owned(db, gateway, kind, last.key)))
    if waiting:
        raise Unknown(f"the status waits for {' and '.join(waiting)} to be written")
    return tuple(found)


@query("answer to ConfigMap")
def unwritten_config_map(db: Context, class_name: str) -> str:
    """Say why the ConfigMap of a class (legacy mode) is not as it is wanted; empty where it is.

    Raises:
        Unknown: it is not answered yet.
    """
    wanted = config_map.attempt(db, class_name)
    if db.settings.standalone or db.settings.dry_run or not isinstance(wanted, Want):
        return ""
    answered, last = _answer(db, CONFIG_MAP, wanted.value)
    if not answered:
        name = CONFIG_MAP.describe(Key(wanted.value.namespace, wanted.value.name))
        raise Unknown(f"the status waits for {name} to be written")
    if last is None:
        return ""
    found = db.get(CONFIG_MAP, last.key)
    return _unwritten(CONFIG_MAP, last, stands=found is not None and APPLIED in found.metadata.annotations).message


def not_programmed(objects: tuple[Unwritten, ...], *, reachable: bool) -> Problem | None:
    """Say why a Gateway is not programmed; ``reachable``: each listener that is served has an address."""
    if not objects:
        return None
    reason = Reason.PENDING
    if not reachable and any(each.kind == SERVICE.kind for each in objects):
        reason = Reason.ADDRESS_NOT_ASSIGNED
    elif any(each.kind != SERVICE.kind and not each.stands for each in objects):
        reason = Reason.NO_RESOURCES
    return Problem(reason, sentence(*(each.message for each in objects)))


def listener_not_programmed(objects: tuple[Unwritten, ...]) -> Problem | None:
    """Say in short why no listener of a Gateway is programmed."""
    if not objects:
        return None
    names = " and ".join(each.name for each in objects)
    return Problem(
        Reason.PENDING, f"{names} could not be written as wanted: the Gateway's Programmed condition says why"
    )


def _wanted(db: Context, gateway: Key) -> Iterator[tuple[Kind[Any], OwnedObject]]:
    outputs: list[tuple[Kind[Any], Output[OwnedObject]]] = [(SERVICE, service.attempt(db, gateway))]
    if db.settings.dataplane_mode is DataplaneMode.MANAGED:
        made = workloads.attempt(db, gateway)
        if isinstance(made, Workloads):
            outputs += [(DEPLOYMENT, made.deployment), (DAEMON_SET, made.daemon_set)]
    for kind, output in outputs:
        if isinstance(output, Want):
            yield kind, output.value


def _answer(db: Context, kind: Kind[Any], wanted: OwnedObject) -> tuple[bool, Wrote | None]:
    """Say whether a wanted object is answered, and with what where it was not taken."""
    key = Key(wanted.namespace, wanted.name)
    found = db.get(kind, key)
    if found is not None and found.metadata.annotations.get(APPLIED) == wanted.digest:
        return True, None
    last = db.wrote(kind, key)
    if last is None or last.digest != wanted.digest:
        return False, None
    return True, None if last.outcome == "written" else last


def _unwritten(kind: Kind[Any], last: Wrote, *, stands: bool) -> Unwritten:
    name, said = kind.describe(last.key), _steady(last.message)
    if said.startswith(f"{name} "):
        message = said  # our own words: they name the object and the remedy
    else:
        message = f"{name} could not be written as wanted: {said}; {_remedy(kind, last.outcome)}"
    return Unwritten(kind.kind, name, f"{message}; the last accepted one stays" if stands else message, stands)


def _remedy(kind: Kind[Any], outcome: str) -> str:
    if outcome != "refused":
        return "it is tried again"
    if kind is CONFIG_MAP:
        return "look at permissions, quotas and admission webhooks"
    if kind is SERVICE:
        return "mend what it names: the Gateway, its annotations or the GatewayConfig, else quotas and permissions"
    return "mend what it names: the Dataplane or the Gateway, else quotas and permissions"


def _is_owned(db: Context, gateway: Key, kind: Kind[Any], key: Key) -> bool:
    found, owner = db.get(kind, key), db.get(GATEWAY, gateway)
    if found is None or owner is None:
        return False
    return any(ref.uid == owner.metadata.uid for ref in found.metadata.owner_references)


_VARYING = re.compile(
    r"(?:\[[0-9a-fA-F:.]+\]|[0-9.]+):[0-9]+(?=->)"  # whence a connection came
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # a uid
    r"|\b[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9.]+(?:Z|[+-][0-9:]+)?"  # a time
)


def _steady(message: str) -> str:
    """Return a message in one line, without what differs each time, so that the same refusal rewrites no status."""
    text = _VARYING.sub("…", " ".join(message.split())) or "no reason was given"
    return text if len(text) <= LONGEST_ANSWER else f"{text[: LONGEST_ANSWER - 1]}…"
