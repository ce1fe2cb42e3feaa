"""From a configuration to the bytes that travel, and a version that gives nothing away.

The version is a hash of the document in which each secret is replaced by its keyed digest: a plain hash of an
otherwise known document would let its password be guessed offline. It compares within one process or one journal.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stunnergw.dataplane.spellings import Spelling, spell
from stunnergw.opaque import Opaque, facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.dataplane.configs import Config


class Document(NamedTuple):
    """A configuration document. Two of one version are equal byte for byte."""

    id: str
    """``namespace/gateway``, or in legacy mode the class's name."""
    version: str
    """16 hex digits: of the document with its secrets replaced by their digests."""
    body: bytes
    """Compact JSON, secrets in clear."""

    def as_secret(self) -> Opaque:
        """Return the text as one secret, for objects that carry it; its digest is the version.

        The version is made of digests already, so a redacted document stands as the same.
        """
        return Opaque(self.body, digest=self.version, facts=facts_of(self.body))

    def __repr__(self) -> str:
        # The body holds credentials.
        return f"Document({self.id} {self.version}, {len(self.body)} bytes)"


def document_of(config: Config, spelling: Spelling, *, document_id: str) -> Document:
    """Write ``config`` as a document in the given spelling."""
    spelled = spell(config, spelling)
    return Document(document_id, version_of(spelled), revealed_bytes(spelled))


def revealed_bytes(spelled: Any) -> bytes:
    """Return compact JSON with each secret in clear: what stunnerd is served."""
    return _exact(orjson.dumps(spelled, default=_reveal))


def redacted_bytes(spelled: Any) -> bytes:
    """Return compact JSON with each secret replaced by its digest."""
    return _exact(orjson.dumps(spelled, default=_redact))


def redacted_with_secrets(value: Any) -> tuple[bytes, tuple[Opaque, ...]]:
    """Return compact JSON with each secret replaced by its digest, and the secrets, each once."""
    found: dict[Opaque, None] = {}

    def redact(part: Any) -> str:
        if isinstance(part, Opaque):
            found[part] = None
        return _redact(part)

    return _exact(orjson.dumps(value, default=redact)), tuple(found)


def version_of(spelled: Any) -> str:
    """Return 16 hex digits that change when the document does."""
    return blake2b(redacted_bytes(spelled), digest_size=8).hexdigest()


_ZERO_USER, _ZERO_PASSWORD = "dummy-username", "dummy-password"


def zero_document(document_id: str) -> bytes:
    """Return what a watcher is sent when its Gateway is gone; stunnerd knows it as a deletion."""
    credentials = {"username": _ZERO_USER, "password": _ZERO_PASSWORD}
    return orjson.dumps(
        {
            "version": "v1",
            "admin": {"name": document_id},
            "auth": {"type": "static", "realm": "stunner.l7mp.io", "credentials": credentials},
        }
    )


def is_zero(document: Mapping[str, Any]) -> bool:
    """Say whether a parsed document is a zero document, with or without its defaults written out."""
    credentials = document["auth"]["credentials"]
    given = credentials.get("username"), credentials.get("password")
    return given == (_ZERO_USER, _ZERO_PASSWORD) and not document.get("listeners") and not document.get("clusters")


def _exact(dumped: bytes) -> bytes:
    # orjson's own result keeps a buffer of at least 4 KiB for as long as it lives.
    return bytes(memoryview(dumped))


def _reveal(value: Any) -> str:
    if isinstance(value, Opaque):
        return value.reveal().decode()
    raise TypeError(type(value).__name__)


def _redact(value: Any) -> str:
    if isinstance(value, Opaque):
        return str(value)
    raise TypeError(type(value).__name__)
