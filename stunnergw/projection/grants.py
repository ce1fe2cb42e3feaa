"""Grants: who may refer to what across namespaces (R7.1 to R7.6).

A grant stands in the namespace of what is referred to. Permission is asked before existence, so that a refusal does not
tell whether the target is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection.bundles import only_v1alpha2
from stunnergw.projection.queries import query
from stunnergw.resources.kinds import REFERENCE_GRANT, STUNNER_UDP_ROUTE
from stunnergw.settings import ReferenceGrants
from stunnergw.store.indexes import GRANTS_BY_NAMESPACE

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context
    from stunnergw.resources.grants import GrantFrom
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.resources.routes import UDPRoute


class Referrer(NamedTuple):
    """Who refers: a kind of object in a namespace."""

    group: str
    kind: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.kind} of group {self.group} in namespace {self.namespace}"


class Target(NamedTuple):
    """What is referred to."""

    group: str
    kind: str
    key: Key


def may_refer(db: Context, referrer: Referrer, target: Target, *, enforced: bool) -> bool:
    """Say whether a reference is permitted: in its own namespace always, else by grant where that is enforced."""
    if referrer.namespace == target.key.namespace or not enforced:
        return True
    return granted(db, referrer, target)


@query("granted")
def granted(db: Context, referrer: Referrer, target: Target) -> bool:
    """Say whether some grant permits the reference; entries and grants are OR-ed (R7.2)."""
    for key in db.select(GRANTS_BY_NAMESPACE, target.key.namespace):
        grant = db.get(REFERENCE_GRANT, key)
        if grant is None or not any(_is(referrer, entry) for entry in grant.spec.from_):
            continue
        for to in grant.spec.to:
            if (to.group, to.kind) == (target.group, target.kind) and to.name in (None, "", target.key.name):
                return True
    return False


def _is(referrer: Referrer, entry: GrantFrom) -> bool:
    return referrer == Referrer(entry.group, entry.kind, entry.namespace)


def routes_need_grants(db: Context, kind: Kind[UDPRoute]) -> bool:
    """Say whether a route of this kind needs a grant for a backend in another namespace.

    By default those of stunner.l7mp.io need none, as their documentation has it; and v0.4 had no grants.
    """
    setting = db.settings.reference_grants
    if setting is ReferenceGrants.AUTO:
        return kind is not STUNNER_UDP_ROUTE and not only_v1alpha2(db)
    return setting is ReferenceGrants.ENFORCE


def certificates_need_grants(db: Context) -> bool:
    """Say whether a Gateway needs a grant for a certificate in another namespace."""
    setting = db.settings.reference_grants
    return not only_v1alpha2(db) if setting is ReferenceGrants.AUTO else setting is ReferenceGrants.ENFORCE


def how_to_permit(referrer: Referrer, target: Target) -> str:
    """Say what grant is missing."""
    return f"needs a ReferenceGrant in namespace {target.key.namespace} from {referrer} to {target.kind}"
