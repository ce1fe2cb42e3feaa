"""Secrets as decisions see them: there, not there, or not read yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.errors import Unknown
from stunnergw.resources.kinds import SECRET

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context
    from stunnergw.resources.metadata import Key
    from stunnergw.resources.secrets import Secret


def secret(db: Context, key: Key) -> Secret | None:
    """Return a Secret with its data, or None where there is none.

    Raises:
        Unknown: it is there, and its data is not (yet) here: nothing may be taken away for that.
    """
    found = db.get(SECRET, key)
    if found is not None and found.unread:
        raise Unknown(f"Secret {key}: {found.unread}")
    return found
