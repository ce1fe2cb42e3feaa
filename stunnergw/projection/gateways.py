"""Gateways as a whole: what is wrong with one for its own sake, and whether it has anything to serve (R4.1).

A Gateway with nothing to serve is given no new document, Service or workload; what exists stays as it is. So a typing
error in the protocol of the only listener ends no call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.errors import Unknown
from stunnergw.projection.legacy import served_listeners
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
    """Return the addresses that are asked for and cannot be had: a Service has one at most."""
    values = [address.value for address in gateway.spec.addresses if address.value]
    return tuple(values[1:])


def must_have_something_to_serve(db: Context, gateway: Key) -> None:
    """Return where a Gateway has something to serve.

    Raises:
        Unknown: it has not.
    """
    refused = gateway_refusal(db, gateway)
    if refused:
        raise Unknown(f"Gateway {gateway} is not accepted: {refused.message}")
    if not served_listeners(db, gateway):
        raise Unknown(f"no listener of Gateway {gateway} can be served: what runs stays as it is")
