"""Which Gateway API is installed, by what its CustomResourceDefinitions say of themselves (R3.6 to R3.8).

Whatever version it is, it is served as well as can be: what a version means is told, never a reason to refuse. Versions
come in many shapes (release candidates, monthly snapshots, none at all in v0.4), and none of them is an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection.conditions import UNKNOWN, positive
from stunnergw.projection.problems import Problem
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason
from stunnergw.projection.statuses import Condition
from stunnergw.resources.kinds import CUSTOM_RESOURCE_DEFINITION, GATEWAY, GATEWAY_CLASS
from stunnergw.resources.metadata import GATEWAY_GROUP
from stunnergw.settings import ReferenceGrants
from stunnergw.store.indexes import DEFINITIONS_BY_GROUP

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context

BUNDLE_VERSION = f"{GATEWAY_GROUP}/bundle-version"
CHANNEL = f"{GATEWAY_GROUP}/channel"

_RECOGNISED = ((1, 0), (1, 7))
"""The first and the last bundle that we know, major and minor."""

_FEATURES_SINCE = {"standard": (1, 4), "experimental": (1, 2)}
"""Since when, by channel, GatewayClasses have supportedFeatures as we write them; before, a list of plain texts."""

_FEATURES = ("Gateway", "GatewayInfrastructurePropagation", "GatewayStaticAddresses", "ReferenceGrant", "UDPRoute")

_VERSION = re.compile(r"v(\d{1,4})\.(\d{1,4})\.\d{1,4}(?:[-+].*)?")


def only_v1alpha2(db: Context) -> bool:
    """Say whether Gateways are served as v1alpha2 and nothing else, which was so in v0.4."""
    return db.versions(GATEWAY) == ("v1alpha2",)


class Definition(NamedTuple):
    """A definition of the Gateway API: what it is called, and the bundle that it came with; empty where none."""

    name: str
    bundle: str
    channel: str

    @property
    def version(self) -> tuple[int, int] | None:
        """Major and minor; None where the bundle is called otherwise, or not at all."""
        found = _VERSION.fullmatch(self.bundle)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def recognised(self) -> bool:
        """We know this bundle."""
        return self.version is not None and _RECOGNISED[0] <= self.version <= _RECOGNISED[1]


@query("Gateway API")
def gateway_api(db: Context) -> tuple[Definition, ...]:
    """Return the installed definitions of the Gateway API, by name; none where they cannot be read."""
    found = []
    for key in db.select(DEFINITIONS_BY_GROUP, GATEWAY_GROUP):
        definition = db.get(CUSTOM_RESOURCE_DEFINITION, key)
        if definition is not None:
            annotations = definition.metadata.annotations
            found.append(Definition(key.name, annotations.get(BUNDLE_VERSION, ""), annotations.get(CHANNEL, "")))
    return tuple(found)


def supported_version(db: Context, *, generation: int) -> Condition | None:
    """Say whether the installed bundle is one that we know; None for manifests that bring no definitions."""
    installed = gateway_api(db)
    if not installed:
        if db.settings.standalone:
            return None
        unread = (
            "the version of the Gateway API is not known, its CustomResourceDefinitions cannot be read: grant list and "
            "watch on customresourcedefinitions.apiextensions.k8s.io; all is served as ever"
        )
        return Condition("SupportedVersion", UNKNOWN, Reason.PENDING, unread, generation)
    detected = ", ".join(sorted({each.bundle[:64] or "none" for each in installed}))
    known = f"{_text(_RECOGNISED[0])} to {_text(_RECOGNISED[1])}"
    strange = [f"{each.name} is of {each.bundle[:64] or 'no bundle'}" for each in installed if not each.recognised]
    problem = Problem(
        Reason.UNSUPPORTED_VERSION,
        f"{', '.join(strange)}: detected {detected}, known are {known}; all is served as well as can be: install a "
        "bundle that is known, or a newer stunnergw",
    )
    message = f"Gateway API {detected} is installed, known are {known}"
    return positive("SupportedVersion", problem if strange else None, message=message, generation=generation)


def supported_features(db: Context) -> tuple[str, ...] | None:
    """Return what we support of the Gateway API, sorted (R3.8); None where the status of a class has no place for it.

    ReferenceGrant is not claimed where the settings say that grants are ignored.
    """
    name = f"{GATEWAY_CLASS.plural}.{GATEWAY_CLASS.group}"
    found = next((each for each in gateway_api(db) if each.name == name), None)
    if found is None or not found.bundle:
        return None
    # What is called otherwise is a snapshot of late.
    since = _FEATURES_SINCE.get(found.channel, _FEATURES_SINCE["standard"])
    if found.version is not None and found.version < since:
        return None
    ignored = {"ReferenceGrant"} if db.settings.reference_grants is ReferenceGrants.IGNORE else set()
    return tuple(name for name in _FEATURES if name not in ignored)


def _text(version: tuple[int, int]) -> str:
    return f"v{version[0]}.{version[1]}"
