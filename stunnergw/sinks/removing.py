"""Taking objects away: only what we made, only while its Gateway is there and asks for it, and only one version of it.

What follows from a partial or late view must not end calls, so the Gateway and its class are read again from the API
server first, and must be what the decision rested on. The objects of a Gateway that is gone go by garbage collection.

A Gateway that moved to a class of another controller is the odd case: the other one may have taken the object over, and
where a second operator like us runs, its objects look like ours. So only what we wrote, or found in order, in this run
goes then, and only if nobody applied it since. After a restart it stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from stunnergw.errors import ApiError, InvalidObject, NotFoundOut
from stunnergw.projection.bodies import APPLIED
from stunnergw.projection.outputs import Want
from stunnergw.resources.kinds import GATEWAY, GATEWAY_CLASS
from stunnergw.resources.metadata import Key
from stunnergw.resources.parsing import parse
from stunnergw.sinks.owning import kind_of, made_for, possible_keys, sibling
from stunnergw.sinks.sending import Effect, Target, delete
from stunnergw.sinks.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stunnergw.kube.discovery import Served
    from stunnergw.projection.snapshots import OwnedSlot, Snapshot
    from stunnergw.resources.gateways import Gateway, GatewayClass
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import KubernetesObject, ObjectMeta
    from stunnergw.sinks.knowing import Known
    from stunnergw.sinks.sending import Sender


@final
class Remover:
    """Deletes what a slot no longer wants."""

    def __init__(self, *, sender: Sender, known: Known, served: Callable[[], Served], controller: str) -> None:
        self._sender = sender
        self._known = known
        self._served = served
        self._controller = controller
        self._expected: dict[OwnedSlot, str] = {}
        """What each slot's object bore when we last wanted it."""

    def expect(self, slot: OwnedSlot, digest: str) -> None:
        """Note what a slot's object is to bear."""
        self._expected[slot] = digest

    async def remove(self, slot: OwnedSlot, snapshot: Snapshot) -> list[Verdict]:
        """Delete the objects of a slot that wants none."""
        gateway = self._known.store.get(GATEWAY, slot.owner)
        made = self._made(slot, possible_keys(slot), gateway.metadata.uid) if gateway else []
        if not made:
            self._expected.pop(slot, None)
            return []
        waits = self._waits_for(slot, snapshot)
        if waits:
            return [Verdict(Outcome.WAIT, slot.kind, made[0].key, message=waits)]
        verdicts = await self._delete(slot, made)
        if all(verdict.right for verdict in verdicts):
            self._expected.pop(slot, None)
        return verdicts

    async def remove_others(self, slot: OwnedSlot, kept: Key, *, owner_uid: str) -> list[Verdict]:
        """Delete what a slot had under another name, once the object of the new name is there."""
        keys = [key for key in possible_keys(slot) if key != kept]
        made = self._made(slot, keys, owner_uid)
        return await self._delete(slot, made) if made else []

    def _made(self, slot: OwnedSlot, keys: Iterable[Key], uid: str) -> list[ObjectMeta]:
        found = [self._known.get(kind_of(slot), key) for key in keys]
        return [thing.metadata for thing in found if thing is not None and made_for(thing.metadata, uid=uid)]

    def _waits_for(self, slot: OwnedSlot, snapshot: Snapshot) -> str:
        """Say which object has to be there first: calls go on where it takes over."""
        other = sibling(slot)
        output = snapshot.objects.get(other) if other else None
        if other is None or not isinstance(output, Want):
            return ""
        found = self._known.get(kind_of(other), Key(output.value.namespace, output.value.name))
        there = found is not None and APPLIED in found.metadata.annotations
        return "" if there else f"{other.kind} {output.value.name} has to be there first"

    async def _delete(self, slot: OwnedSlot, made: list[ObjectMeta]) -> list[Verdict]:
        verdicts = []
        for found in made:
            verdict = Verdict(Outcome.WAIT, slot.kind, found.key)
            try:
                decided = await self._decide(slot, found)
                verdicts.append(await self._send(slot, found) if decided is None else decided)
            except NotFoundOut as error:
                verdicts.append(verdict.after(error))
        return verdicts

    async def _decide(self, slot: OwnedSlot, found: ObjectMeta) -> Verdict | None:
        """Read the owner again; None means that the object is to go."""
        verdict = Verdict(Outcome.NOTHING, slot.kind, found.key)
        store, stale = self._known.store, verdict._replace(outcome=Outcome.WAIT, message="its Gateway changed")
        gateway: Gateway | None = await self._read(GATEWAY, slot.owner)
        if gateway is None or gateway.metadata.uid not in {ref.uid for ref in found.owner_references}:
            return verdict  # garbage collection sees to it
        if gateway != store.get(GATEWAY, slot.owner):
            return stale
        name = Key("", gateway.spec.gateway_class_name)
        gateway_class: GatewayClass | None = await self._read(GATEWAY_CLASS, name)
        if gateway_class is None:
            return verdict  # unknown is not absent
        if gateway_class != store.get(GATEWAY_CLASS, name):
            return stale
        if gateway_class.spec.controller_name == self._controller:
            return None
        return None if found.annotations.get(APPLIED) == self._expected.get(slot, "-") else verdict

    async def _read(self, kind: Kind[Any], key: Key) -> Any:
        version = self._served().version(kind)
        if version is None:
            return None
        body = await self._sender.read(kind, version, key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        try:
            read: KubernetesObject = parse(kind, body)
        except InvalidObject:
            return None
        return read

    async def _send(self, slot: OwnedSlot, found: ObjectMeta) -> Verdict:
        kind = kind_of(slot)
        verdict = Verdict(Outcome.WRITTEN, slot.kind, found.key, message="deleted")
        target = Target(found.uid, found.resource_version)
        effect = None
        if self._sender.dry:
            effect = Effect(before=await self._sender.read(kind, kind.versions[0], found.key))
        try:
            answer = await self._sender.send(delete(kind, kind.versions[0], found.key, target=target, effect=effect))
        except ApiError as error:
            if error.status == 404:
                return verdict._replace(outcome=Outcome.NOTHING)
            if error.status == 409:
                return verdict._replace(outcome=Outcome.WAIT, message=error.message)
            raise
        return verdict if answer is not None else verdict._replace(outcome=Outcome.UNSENT, message="")
