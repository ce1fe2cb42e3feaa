"""What is wrong with a Gateway for its own sake, whatever its class and listeners (R4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.projection.problems import Problem
from stunnergw.resources.kinds import GATEWAY

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context
    from stunnergw.resources.gateways import Gateway
    from stunnergw.resources.metadata import Key

ADDRESS_TYPES = ("IPAddress", "Hostname")


def gateway_refusal(db: Context, gateway: Key) -> Problem | None:
    """Say why a Gateway is not accepted for its own sake: an address type or parametersRef that is not served."""
    found = db.get(GATEWAY, gateway)
    if found is None:
        return None
    for index, address in enumerate(found.spec.addresses):
        if address.type not in ADDRESS_TYPES:
            return Problem(
                "UnsupportedAddress",
                f"spec.addresses[{index}] is of type {address.type}: use one of {', '.join(ADDRESS_TYPES)}",
            )
    infrastructure = found.spec.infrastructure
    if infrastructure and infrastructure.parameters_ref:
        ref = infrastructure.parameters_ref
        return Problem(
            "InvalidParameters",
            f"spec.infrastructure.parametersRef names {ref.group or 'core'}/{ref.kind} {ref.name}, which is not "
            "supported: take it out; parameters come from the GatewayClass",
        )
    return None


def unusable_addresses(gateway: Gateway) -> tuple[str, ...]:
    """Return the addresses that are asked for and cannot be had: a Service has one at most, the first."""
    return tuple(address.value for address in gateway.spec.addresses[1:] if address.value)
