"""The body of an owned object as it is applied: secrets put back, and marked with a hash of itself.

The annotation ``stunner.l7mp.io/applied`` is how a later run, or another replica, sees without comparing fields that an
object is as we want it, and leaves it alone.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from stunnergw.projection.bodies import OwnedObject

APPLIED = "stunner.l7mp.io/applied"


def applied_body(wanted: OwnedObject) -> dict[str, Any]:
    """Return the whole object, secrets in clear, with the hash of the rest among its annotations."""
    body: dict[str, Any] = _revealed(orjson.loads(wanted.body), {str(secret): secret for secret in wanted.secrets})
    digest = sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    body["metadata"].setdefault("annotations", {})[APPLIED] = digest
    return body


def _revealed(value: Any, secrets: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _revealed(part, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [_revealed(part, secrets) for part in value]
    if isinstance(value, str) and value in secrets:
        return secrets[value].reveal().decode()
    return value
