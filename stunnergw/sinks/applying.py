"""The body of an owned object as it is applied: secrets put back, and marked with a hash of itself.

The annotation ``stunner.l7mp.io/applied`` is how a later run, or another replica, sees without comparing fields that an
object is as we want it, and leaves it alone.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.projection.bodies import OwnedObject

APPLIED = "stunner.l7mp.io/applied"


def applied_body(wanted: OwnedObject) -> dict[str, Any]:
    """Return the whole object, secrets in clear, with the hash of the rest among its annotations."""
    body: dict[str, Any] = _revealed(orjson.loads(wanted.body), {str(secret): secret for secret in wanted.secrets})
    digest = sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    body["metadata"].setdefault("annotations", {})[APPLIED] = digest
    return body


def digest_of(body: Mapping[str, Any]) -> str:
    """Return the hash that a body made by :func:`applied_body` bears."""
    return str(body["metadata"]["annotations"][APPLIED])


def told_digest(wanted: OwnedObject) -> str:
    """Return what events call an object by: the hash that it bears, unless secrets take part in that.

    A plain hash would let a secret be guessed from a journal; there its keyed digest takes part.
    """
    return sha256(orjson.dumps(orjson.loads(wanted.body), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def without_secrets(message: str, wanted: OwnedObject) -> str:
    """Blank out the object's secrets in what the API server says of it: it likes to quote values."""
    for secret in wanted.secrets:
        text = secret.reveal().decode()
        for spelled in {text, orjson.dumps(text).decode()[1:-1]} - {""}:
            message = message.replace(spelled, "…")
    return message


def _revealed(value: Any, secrets: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _revealed(part, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [_revealed(part, secrets) for part in value]
    if isinstance(value, str) and value in secrets:
        return secrets[value].reveal().decode()
    return value
