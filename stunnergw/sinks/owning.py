"""Whose an object is: whether we may write it, and which objects besides may be one slot's.

Ours is what has the Gateway or class for its owner, by uid, or bears our label; a ConfigMap, of which everybody has
many, must name the class in its annotation as well. What is not ours is left alone, and the message says the remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.projection.exposing import fitting_name
from stunnergw.resources.kinds import CONFIG_MAP, DAEMON_SET, DEPLOYMENT, GATEWAY, OWNED_KINDS, SERVICE
from stunnergw.resources.metadata import OWNED_BY, OWNER, Key
from stunnergw.store.indexes import RELATED_GATEWAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.projection.snapshots import OwnedSlot
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import ObjectMeta
    from stunnergw.store.store import Store

_SIBLINGS = {DEPLOYMENT.kind: DAEMON_SET.kind, DAEMON_SET.kind: DEPLOYMENT.kind}


def kind_of(slot: OwnedSlot) -> Kind[Any]:
    """Return the kind of the objects that a slot holds."""
    return next(kind for kind in OWNED_KINDS if kind.kind == slot.kind)


def sibling(slot: OwnedSlot) -> OwnedSlot | None:
    """Return the slot whose object takes this one's place: of the two kinds of workload one is wanted."""
    other = _SIBLINGS.get(slot.kind)
    return slot._replace(kind=other) if other else None


def possible_keys(slot: OwnedSlot) -> tuple[Key, ...]:
    """Return the keys of all objects that we may have made for a slot: a Service has two names, by document version.

    None for a ConfigMap: an earlier one stays, since pods that mount it must still be able to start.
    """
    namespace, name = slot.owner
    if slot.kind == SERVICE.kind:
        names = {fitting_name(name), fitting_name(f"stunner-gateway-{name}-svc")}
        return tuple(Key(namespace, name) for name in sorted(names))
    return () if slot.kind == CONFIG_MAP.kind else (slot.owner,)


def made_for(metadata: ObjectMeta, *, uid: str) -> bool:
    """Say whether we, or the reference, made an object for the owner with this uid: only such a one is deleted."""
    return metadata.labels.get(OWNED_BY) == OWNER and any(ref.uid == uid for ref in metadata.owner_references)


def not_ours(kind: Kind[Any], found: ObjectMeta, body: Mapping[str, Any], store: Store) -> str:
    """Say why an object is not ours to write, and what to do; empty where it is."""
    wanted = body["metadata"]
    owners = {ref["uid"] for ref in wanted["ownerReferences"]}
    if any(ref.uid in owners for ref in found.owner_references):
        return ""
    if found.labels.get(OWNED_BY) != OWNER:
        remedy = f"by the label {OWNED_BY}: {OWNER}"
    elif kind is CONFIG_MAP and found.annotations.get(RELATED_GATEWAY) != wanted["annotations"][RELATED_GATEWAY]:
        remedy = f"by the annotation {RELATED_GATEWAY}: {wanted['annotations'][RELATED_GATEWAY]}"
    elif other := _living_owner(found, store):
        return f"{kind.kind} {found.key} belongs to Gateway {other} and is left alone: rename one of the two Gateways"
    else:
        return ""
    return f"{kind.kind} {found.key} is not ours and is left alone: delete it, or let us have it {remedy}"


def _living_owner(found: ObjectMeta, store: Store) -> Key | None:
    """Return another Gateway that an object has for its owner, and that is there: two slots must not fight for one."""
    for ref in found.owner_references:
        if ref.kind == GATEWAY.kind:
            key = Key(found.namespace, ref.name)
            gateway = store.get(GATEWAY, key)
            if gateway is not None and gateway.metadata.uid == ref.uid:
                return key
    return None
