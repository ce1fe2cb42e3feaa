"""Objects that we want to exist, as canonical JSON with the secrets set aside.

The body is bytes in which each secret stands as its digest: cheap to compare and to hash, safe to log and journal.
Who applies the object puts the secrets back (:mod:`stunnergw.sinks.applying`), and marks it with a hash in which they
take no part: a plain hash of them would let a password be guessed from an annotation or an event.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from stunnergw.dataplane.documents import redacted_with_secrets

if TYPE_CHECKING:
    from stunnergw.opaque import Opaque

APPLIED = "stunner.l7mp.io/applied"
"""Annotation of what we wrote: the digest of what was wanted then."""

_ANY_SECRET = b'"opaque"'


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

    @property
    def digest(self) -> str:
        """16 hex digits of all but the secrets: the same in every process and replica, and in a redacted replay.

        That a secret changed it does not say.
        """
        text = self.body
        for secret in self.secrets:
            text = text.replace(f'"{secret}"'.encode(), _ANY_SECRET)
        return blake2b(text, digest_size=8).hexdigest()


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
