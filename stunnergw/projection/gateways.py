"""Whether a Gateway has anything to serve.

A Gateway with nothing to serve is given no new document, Service or workload; what exists stays as it is. So a typing
error in the protocol of the only listener ends no call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.errors import Unknown
from stunnergw.projection.legacy import served_listeners
from stunnergw.projection.refusals import gateway_refusal

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context
    from stunnergw.resources.metadata import Key


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
