"""What ``spec.infrastructure`` puts on all that is made for a Gateway: labels and annotations, pods included.

The names under ``gateway.networking.k8s.io/`` are the Gateway API's (GEP-1762): a Gateway that sets one would have its
pods, which carry no class of ours, say something that nobody keeps true. Those are left out, and said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.resources.metadata import GATEWAY_GROUP
from stunnergw.resources.modelling import EMPTY_MAP

if TYPE_CHECKING:
    from stunnergw.resources.gateways import Gateway
    from stunnergw.resources.modelling import FrozenMap

RESERVED = f"{GATEWAY_GROUP}/"
"""What a reserved key begins with."""

GATEWAY_NAME_LABEL = f"{RESERVED}gateway-name"
CLASS_NAME_LABEL = f"{RESERVED}gateway-class-name"


def infrastructure_labels(gateway: Gateway) -> dict[str, str]:
    """Return the labels that a Gateway asks for on what is made for it."""
    infrastructure = gateway.spec.infrastructure
    return _free(infrastructure.labels if infrastructure else EMPTY_MAP)


def infrastructure_annotations(gateway: Gateway) -> dict[str, str]:
    """Return the annotations that a Gateway asks for on what is made for it."""
    infrastructure = gateway.spec.infrastructure
    return _free(infrastructure.annotations if infrastructure else EMPTY_MAP)


def reserved_keys(gateway: Gateway) -> tuple[str, ...]:
    """Say which keys of ``spec.infrastructure`` are left out, in a sentence each."""
    infrastructure = gateway.spec.infrastructure
    if infrastructure is None:
        return ()
    maps = {"labels": infrastructure.labels, "annotations": infrastructure.annotations}
    return tuple(
        f"spec.infrastructure.{field}: {name} is left out: the Gateway API keeps {RESERVED} for itself"
        for field, entries in maps.items()
        for name in entries
        if name.startswith(RESERVED)
    )


def _free(entries: FrozenMap) -> dict[str, str]:
    return {name: value for name, value in entries.items() if not name.startswith(RESERVED)}
