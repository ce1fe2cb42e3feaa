"""Objects that we want to exist, as canonical JSON with the secrets set aside.

The body is bytes in which each secret stands as its digest: cheap to compare and to hash, safe to log and journal.
Who applies the object puts the secrets back (:mod:`stunnergw.sinks.applying`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from stunnergw.dataplane.documents import redacted_with_secrets

if TYPE_CHECKING:
    from stunnergw.opaque import Opaque


class OwnedObject(NamedTuple):
    """An object that a Gateway or class is to own."""

    api_version: str
    kind: str
    namespace: str
    name: str
    body: bytes
    """The whole object as JSON, in writing order, with ``opaque:…`` in place of each secret."""
    secrets: tuple[Opaque, ...] = ()
    """The secrets that stand in the body, to be found by their digests."""


def owned(body: dict[str, Any]) -> OwnedObject:
    """Make the value of a plain object; Opaque values in it are set aside."""
    metadata = body["metadata"]
    written, secrets = redacted_with_secrets(body)
    return OwnedObject(
        api_version=body["apiVersion"],
        kind=body["kind"],
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        body=written,
        secrets=secrets,
    )
