"""Holding: what runs keeps running while its class is broken.

Held are parameters, not documents: for each class the last accepted parameters and the Gateways that named the class
while it was accepted. The first layer of queries works out today's parameters; :func:`step` folds them into what is
held; the second layer reads the result. So pods may roll while a class is broken, and what a removed route allowed is
gone at once. A class holds for those Gateways alone, as long as one of them names it; after a restart nothing is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stunnergw.projection.classes import Parameters
    from stunnergw.store.indexes import GatewayItem


class HeldClass(NamedTuple):
    """What is held for a class."""

    parameters: Parameters
    gateways: frozenset[GatewayItem]
    """The Gateways held for, each with its uid: one made anew under the same name is another."""


def step(old: HeldClass | None, parameters: Parameters | None, naming: tuple[GatewayItem, ...]) -> HeldClass | None:
    """Fold today's parameters (None: broken) and the Gateways that name the class into what is held."""
    if parameters is not None:
        return HeldClass(parameters, frozenset(naming))
    if old is None:
        return None
    still = old.gateways.intersection(naming)
    return HeldClass(old.parameters, still) if still else None
