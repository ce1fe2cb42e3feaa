"""Owned objects: made, kept as they are wanted, and taken away.

An object is applied server-side, by force, and only where it is not as we want it. What is not ours is left alone.
Each write is for one version of one object; when somebody was quicker, it is looked at again. What the reference
operator wrote becomes ours first, so that what we no longer say goes.

Taking away is for :mod:`stunnergw.sinks.removing`: after an object was renamed, once the new one is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

import orjson
import structlog
from pydantic import TypeAdapter

from stunnergw.errors import ApiError, InvalidObject, NotFoundOut
from stunnergw.projection.bodies import APPLIED
from stunnergw.projection.outputs import Undecided, Want
from stunnergw.projection.services import MOST_OF_A_CONFIG_MAP
from stunnergw.resources.core import Service
from stunnergw.resources.kinds import CONFIG_MAP, SERVICE, find
from stunnergw.resources.metadata import Key, ObjectMeta
from stunnergw.resources.parsing import parse
from stunnergw.sinks.applying import applied_body, has_secrets, without_secrets
from stunnergw.sinks.changes import differences
from stunnergw.sinks.clashing import rearranged, with_ports
from stunnergw.sinks.fields import REFERENCE_BINARY, covers, our_entry, takeover
from stunnergw.sinks.owning import not_ours
from stunnergw.sinks.sending import NOTHING_THERE, Effect, Target, apply, take_over
from stunnergw.sinks.simulating import applied, owners
from stunnergw.sinks.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    from stunnergw.kube.lease import Clocks
    from stunnergw.projection.bodies import OwnedObject
    from stunnergw.projection.snapshots import OwnedSlot, Snapshot
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import KubernetesObject
    from stunnergw.sinks.fields import Takeover
    from stunnergw.sinks.knowing import Known
    from stunnergw.sinks.removing import Remover
    from stunnergw.sinks.sending import Sender

log = structlog.get_logger(__name__)

TRIES = 5
"""How often a write is tried while others are quicker."""

_METADATA: TypeAdapter[ObjectMeta] = TypeAdapter(ObjectMeta)


class _Job(NamedTuple):
    """An object to apply."""

    wanted: OwnedObject
    kind: Kind[Any]
    version: str
    key: Key
    body: dict[str, Any]
    verdict: Verdict
    """What is filled in once it is known how it ended."""

    @property
    def digest(self) -> str:
        return self.verdict.digest

    @property
    def owner_uid(self) -> str:
        return str(self.body["metadata"]["ownerReferences"][0]["uid"])

    def is_met_by(self, found: KubernetesObject) -> bool:
        """Say whether an object is as it is wanted."""
        metadata = found.metadata
        marked = metadata.annotations.get(APPLIED) == self.digest
        return marked and has_secrets(found, self.wanted) and covers(metadata.applied_fields, self.body)

    def is_met_by_body(self, found: dict[str, Any]) -> bool:
        """Say so of an object in Kubernetes' JSON form."""
        try:
            return self.is_met_by(parse(self.kind, found))
        except InvalidObject:
            return False

    def failed(self, error: NotFoundOut) -> Verdict:
        if isinstance(error, ApiError) and self.kind is CONFIG_MAP:
            # The server may quote the document, and any part of it.
            return self.verdict.after(error, said=f"the API server refused it: {error.status} {error.reason}")
        return self.verdict.after(error, said=without_secrets(str(error), self.wanted))


class _Live(NamedTuple):
    """What is to be written upon."""

    target: Target
    takeover: Takeover | None = None
    found: dict[str, Any] | None = None


@final
class ObjectWriter:
    """Brings the object of a slot to what a snapshot wants."""

    def __init__(self, *, sender: Sender, known: Known, remover: Remover, clocks: Clocks) -> None:
        self._sender = sender
        self._known = known
        self._remover = remover
        self._clocks = clocks

    async def write(self, slot: OwnedSlot, snapshot: Snapshot) -> list[Verdict]:
        """Apply what is wanted, or take away what is not; what is undecided stays. Tells of each thing looked at."""
        output = snapshot.objects.get(slot)
        if isinstance(output, Undecided):
            return []
        if not isinstance(output, Want):
            return await self._remover.remove(slot, snapshot)
        job = _job(output.value)
        self._remover.expect(slot, job.digest)
        verdict = await self._apply(job)
        planned = self._sender.dry and verdict.outcome is Outcome.UNSENT
        if not (verdict.right or planned):
            return [verdict]
        return [verdict, *await self._remover.remove_others(slot, job.key, owner_uid=job.owner_uid)]

    async def _apply(self, job: _Job) -> Verdict:
        found = self._known.get(job.kind, job.key)
        if found is not None and job.is_met_by(found):
            return job.verdict
        if job.kind is CONFIG_MAP and (size := _size(job.body)) > MOST_OF_A_CONFIG_MAP:
            message = f"{size} bytes are too many for ConfigMap {job.key}: the last document stays"
            return job.verdict._replace(outcome=Outcome.REFUSED, message=message)
        try:
            return await self._try(job, None if self._sender.dry else self._unseen(job, found))
        except NotFoundOut as error:
            return job.failed(error)

    def _unseen(self, job: _Job, found: KubernetesObject | None) -> _Live | None:
        """Return what can be written upon without a look: nothing, or what we wrote before and nobody rearranged."""
        if found is None:
            return _Live(NOTHING_THERE)
        metadata = found.metadata
        if not metadata.applied_fields or not_ours(job.kind, metadata, job.body, self._known.store):
            return None
        # Somebody took fields of ours: should it be the reference operator, back in between, its own have to go, too.
        if metadata.annotations.get(APPLIED) == job.digest or metadata.manager == REFERENCE_BINARY:
            return None
        if isinstance(found, Service) and rearranged(found, job.body):
            return None
        return _Live(Target(metadata.uid, metadata.resource_version))

    async def _try(self, job: _Job, live: _Live | None) -> Verdict:
        for _ in range(TRIES):
            looked = live or await self._look(job)
            if isinstance(looked, Verdict):
                return looked
            try:
                return await self._send(job, looked)
            except ApiError as error:
                if error.status != 409:
                    raise
            await settled(self._known, job.kind, job.key, sent=looked.target.version, clocks=self._clocks)
            live = None
        message = f"others keep changing {job.kind.kind} {job.key}"
        return job.verdict._replace(outcome=Outcome.FAILED, message=message)

    async def _look(self, job: _Job) -> _Live | Verdict:
        """Ask the API server what is there, and decide."""
        found = await self._sender.read(job.kind, job.version, job.key)
        if found is None:
            return _Live(NOTHING_THERE)
        metadata = _METADATA.validate_python(found["metadata"])
        if job.is_met_by_body(found):
            return job.verdict
        refused = not_ours(job.kind, metadata, job.body, self._known.store)
        if refused:
            return job.verdict._replace(outcome=Outcome.REFUSED, message=refused)
        target = Target(metadata.uid, metadata.resource_version)
        taken = takeover(found["metadata"], job.body)
        if job.kind is SERVICE:
            taken = with_ports(taken, found=found, body=job.body)
        return _Live(target, taken, found)

    async def _send(self, job: _Job, live: _Live) -> Verdict:
        target, taken = live.target, live.takeover
        if taken is not None:
            answer = await self._sender.send(
                take_over(job.kind, job.body, target=target, entries=taken.entries, left=taken.left)
            )
            if answer is not None:
                metadata = _METADATA.validate_python(orjson.loads(answer)["metadata"])
                target = Target(metadata.uid, metadata.resource_version)
                _tell_taken(job, taken)
        effect = _effect(job, live) if self._sender.dry else None
        answer = await self._sender.send(apply(job.kind, job.body, target=target, effect=effect))
        if answer is None:
            return job.verdict._replace(outcome=Outcome.UNSENT)
        self._known.answered(job.kind, job.key, answer, now=self._clocks.running())
        return job.verdict._replace(outcome=Outcome.WRITTEN)


async def settled(known: Known, kind: Kind[Any], key: Key, *, sent: str, clocks: Clocks) -> None:
    """Wait, after a conflict, until the store has another version than the one that was sent; at most two seconds.

    So what is decided next rests on what the other writer wrote.
    """
    until = clocks.running() + 2.0
    while known.stored_version(kind, key) == sent and clocks.running() < until:
        await clocks.sleep(0.05)
    known.forget(kind, key)


def _job(wanted: OwnedObject) -> _Job:
    kind = find(wanted.api_version, wanted.kind)
    if kind is None:
        raise ValueError(f"{wanted.api_version} {wanted.kind} is no kind that we write")
    key = Key(wanted.namespace, wanted.name)
    verdict = Verdict(Outcome.UNCHANGED, kind.name, key, wanted.digest)
    version = wanted.api_version.rpartition("/")[2]
    return _Job(wanted, kind, version, key, applied_body(wanted), verdict)


def _effect(job: _Job, live: _Live) -> Effect:
    """Work out what an apply would bring about."""
    if live.found is None:
        return Effect(after=job.body)
    entries = live.takeover.entries if live.takeover else live.found["metadata"].get("managedFields") or []
    after = applied(live.found, job.body, by=owners(entries, ours=our_entry(entries)))
    changes = (without_secrets(str(change), job.wanted) for change in differences(after, live.found))
    return Effect(tuple(changes), before=live.found, after=after)


def _size(body: dict[str, Any]) -> int:
    return sum(len(text.encode()) for text in body.get("data", {}).values())


def _tell_taken(job: _Job, taken: Takeover) -> None:
    if taken.ports:
        log.info("ports that others wrote were in the way", object=f"{job.kind.kind} {job.key}", gone=list(taken.ports))
        return
    log.info(
        "taken over from the reference operator",
        object=f"{job.kind.kind} {job.key}",
        annotations_that_stay=list(taken.left),
    )
