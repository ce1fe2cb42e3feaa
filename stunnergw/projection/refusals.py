"""What is wrong with a Gateway for its own sake, whatever its class and listeners (R4.1)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from stunnergw.projection.problems import Problem
from stunnergw.projection.reasons import Reason
from stunnergw.resources.kinds import GATEWAY

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context
    from stunnergw.projection.statuses import AssignedAddress
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
                Reason.UNSUPPORTED_ADDRESS,
                f"spec.addresses[{index}] is of type {address.type}: use one of {', '.join(ADDRESS_TYPES)}",
            )
    infrastructure = found.spec.infrastructure
    if infrastructure and infrastructure.parameters_ref:
        ref = infrastructure.parameters_ref
        return Problem(
            Reason.INVALID_PARAMETERS,
            f"spec.infrastructure.parametersRef names {ref.group or 'core'}/{ref.kind} {ref.name}, which is not "
            "supported: take it out; parameters come from the GatewayClass",
        )
    return None


def unusable_addresses(gateway: Gateway) -> Problem | None:
    """Say which addresses are asked for by value and cannot be had: a Service has one at most, the first (R4.1)."""
    others = [address.value for address in gateway.spec.addresses[1:] if address.value]
    if others:
        message = f"spec.addresses: only the first can be served, {', '.join(others)} cannot: take the others out"
        return Problem(Reason.ADDRESS_NOT_USABLE, message)
    for address in gateway.spec.addresses[:1]:
        if address.type == "IPAddress" and address.value and address_type(address.value) != address.type:
            message = f"spec.addresses[0]: {address.value} is no IPAddress: correct it, or say type: Hostname"
            return Problem(Reason.ADDRESS_NOT_USABLE, message)
    return None


def missing_addresses(gateway: Gateway, assigned: tuple[AssignedAddress, ...]) -> Problem | None:
    """Say which addresses are asked for without a value and are not there (R4.9); ``assigned``: those that are."""
    for index, address in enumerate(gateway.spec.addresses):
        if address.value:
            continue
        field = f"spec.addresses[{index}] asks for any address of type {address.type}"
        if index:
            return Problem(
                Reason.ADDRESS_NOT_ASSIGNED, f"{field} besides the first, and a Service has one: take it out"
            )
        if all(found.type != address.type for found in assigned):
            given = ", ".join(f"{found.value}, of type {found.type}" for found in assigned) or "none"
            return Problem(Reason.ADDRESS_NOT_ASSIGNED, f"{field}, and there is {given}: ask for what there is")
    return None


def address_type(value: str) -> str:
    """Return IPAddress or Hostname."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return "Hostname"
    return "IPAddress"
