"""Statuses: ours merged into what stands there, written only where that makes a difference.

A status goes out as a merge patch that names the version it was merged into, lists whole; when somebody was quicker, it
is merged again, so that no entry of another controller is lost. A status that a later view of the object produced
is left alone (R2.3): ours comes again when we have seen that view, too.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple, final

import orjson

from stunnergw.errors import ApiError, NotFoundOut
from stunnergw.projection.outputs import Want
from stunnergw.projection.projector import version_of
from stunnergw.projection.snapshots import OwnedSlot
from stunnergw.projection.statuses import (
    ClassStatus,
    GatewayStatus,
    ParameterStatus,
    RouteStatus,
    StaticServiceStatus,
)
from stunnergw.resources.kinds import GATEWAY, GATEWAY_CLASS, OWNED_KINDS
from stunnergw.resources.modelling import canonical
from stunnergw.sinks.changes import differences
from stunnergw.sinks.objects import TRIES, settled
from stunnergw.sinks.owning import kind_of, possible_keys
from stunnergw.sinks.reporting import About
from stunnergw.sinks.sending import Effect, patch_status
from stunnergw.sinks.statuses import merged_status
from stunnergw.sinks.transitions import transitions
from stunnergw.sinks.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stunnergw.kube.discovery import Served
    from stunnergw.kube.lease import Clocks
    from stunnergw.projection.snapshots import Snapshot, StatusSlot
    from stunnergw.projection.statuses import Status
    from stunnergw.sinks.knowing import Known
    from stunnergw.sinks.reporting import Reporter
    from stunnergw.sinks.sending import Sender

TIME = "lastTransitionTime"

_HELD = "Gateways that it served go on with what they have"


class _Stored(NamedTuple):
    """A status as it stands, and which object, in which version, it stands in."""

    uid: str
    version: str
    status: bytes | None


class _Goal(NamedTuple):
    """Which status is to be what."""

    slot: StatusSlot
    version: str
    """That the API server serves."""
    wanted: Status
    held: bool
    """It is that of a class that is served on what it had."""


@final
class StatusWriter:
    """Brings the status of an object to what a snapshot wants, and reports what that turned."""

    def __init__(
        self,
        *,
        sender: Sender,
        known: Known,
        served: Callable[[], Served],
        clocks: Clocks,
        controller: str,
        reporter: Reporter,
    ) -> None:
        self._sender = sender
        self._controller = controller
        self._reporter = reporter
        self._known = known
        self._served = served
        self._clocks = clocks

    async def write(self, slot: StatusSlot, snapshot: Snapshot) -> list[Verdict]:
        """Write what is wanted, where it differs. Objects that are gone, or have no status to write, are passed by."""
        output = snapshot.statuses.get(slot)
        served = self._served()
        version = served.version(slot.kind)
        if not isinstance(output, Want) or version is None or (slot.kind, version) not in served.with_status:
            return []
        found = self._known.get(slot.kind, slot.key)
        if found is None:
            return []
        verdict = Verdict(Outcome.UNCHANGED, slot.kind.name, slot.key, version_of(output))
        if self._rests_on_old(slot):
            return [verdict._replace(outcome=Outcome.UNSENT)]
        stored = _Stored(found.metadata.uid, found.metadata.resource_version, found.status)
        held = slot.kind is GATEWAY_CLASS and slot.key.name in snapshot.held
        try:
            return [await self._try(_Goal(slot, version, output.value, held), stored, verdict)]
        except NotFoundOut as error:
            if isinstance(error, ApiError) and error.status == 404:
                return []
            return [verdict.after(error)]

    def _rests_on_old(self, slot: StatusSlot) -> bool:
        """Say whether an object of a Gateway was written and is not in the store yet: its status would change again."""
        if slot.kind is not GATEWAY:
            return False
        now = self._clocks.running()
        owned = (OwnedSlot(kind.kind, slot.key) for kind in OWNED_KINDS)
        return any(
            self._known.is_ahead(kind_of(place), key, now=now) for place in owned for key in possible_keys(place)
        )

    async def _try(self, goal: _Goal, stored: _Stored, verdict: Verdict) -> Verdict:
        slot, version, wanted, _ = goal
        for _ in range(TRIES):
            if is_newer(stored.status, wanted):
                return verdict._replace(outcome=Outcome.NOTHING)
            merged = merged_status(wanted, stored.status, now=self._now())
            if not differs(merged, stored.status):
                return verdict
            effect = _effect(merged, stored) if self._sender.dry else None
            write = patch_status(
                slot.kind, version, slot.key, status=merged, resource_version=stored.version, effect=effect
            )
            try:
                answer = await self._sender.send(write)
            except ApiError as error:
                if error.status != 409:
                    raise
            else:
                if answer is None:
                    return verdict._replace(outcome=Outcome.UNSENT)
                self._known.answered(slot.kind, slot.key, answer, now=self._clocks.running())
                self._report(goal, stored, merged)
                return verdict._replace(outcome=Outcome.WRITTEN)
            await settled(self._known, slot.kind, slot.key, sent=stored.version, clocks=self._clocks)
            looked = await self._look(slot, version)
            if looked is None:
                return verdict._replace(outcome=Outcome.NOTHING)
            stored = looked
        message = f"others keep changing {slot.kind.kind} {slot.key}"
        return verdict._replace(outcome=Outcome.FAILED, message=message)

    def _report(self, goal: _Goal, stored: _Stored, merged: dict[str, Any]) -> None:
        """Report what a write turned; of a class that is held, what that means for its Gateways."""
        found = transitions(_loaded(stored.status), merged, controller=self._controller)
        if goal.held:
            found = [each._replace(message=f"{_HELD}: {each.message}") if each.warning else each for each in found]
        self._reporter.report(About(goal.slot.kind, goal.version, goal.slot.key, stored.uid), found)

    async def _look(self, slot: StatusSlot, version: str) -> _Stored | None:
        found = await self._sender.read(slot.kind, version, slot.key)
        if found is None:
            return None
        status, metadata = found.get("status"), found["metadata"]
        return _Stored(metadata["uid"], metadata["resourceVersion"], orjson.dumps(status) if status else None)

    def _now(self) -> str:
        return self._clocks.date().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _effect(merged: dict[str, Any], stored: _Stored) -> Effect:
    """Work out what a status would change."""
    after, before = without_times(merged), without_times(_loaded(stored.status))
    return Effect(tuple(map(str, differences(after, before))), before=before, after=after)


def differs(merged: dict[str, Any], stored: bytes | None) -> bool:
    """Say whether a merged status is another than the stored one: times and the order of lists do not count."""
    before = _loaded(stored)
    return merged != before and _normal(merged) != _normal(before)


def without_times(value: Any) -> Any:
    """Return a status without its times."""
    if isinstance(value, dict):
        return {name: without_times(part) for name, part in value.items() if name != TIME}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _normal(part) for name, part in value.items() if name != TIME}
    if isinstance(value, list):
        return sorted((_normal(part) for part in value), key=canonical)
    return value


def is_newer(stored: bytes | None, wanted: Status) -> bool:
    """Say whether a condition of ours stands there that a later generation of the object produced (R2.3)."""
    status = _loaded(stored)
    ours = max((condition.observed_generation for condition in _wanted_conditions(wanted)), default=None)
    if ours is None:
        return False
    types = {condition.type for condition in _wanted_conditions(wanted)}
    return any(
        condition.get("type") in types and (condition.get("observedGeneration") or 0) > ours
        for condition in _stored_conditions(status, wanted)
    )


def _wanted_conditions(wanted: Status) -> Iterator[Any]:
    match wanted:
        case ClassStatus() | ParameterStatus() | StaticServiceStatus():
            yield from wanted.conditions
        case GatewayStatus():
            yield from wanted.conditions
            for listener in wanted.listeners:
                yield from listener.conditions
        case RouteStatus():
            for parent in wanted.parents:
                if isinstance(parent.conditions, Want):
                    yield from parent.conditions.value


def _stored_conditions(status: dict[str, Any], wanted: Status) -> Iterator[dict[str, Any]]:
    yield from status.get("conditions") or []
    for listener in status.get("listeners") or []:
        yield from listener.get("conditions") or []
    for parent in status.get("parents") or []:
        if isinstance(wanted, RouteStatus) and parent.get("controllerName") == wanted.controller:
            yield from parent.get("conditions") or []


def _loaded(stored: bytes | None) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(stored) if stored else {}
    return loaded
