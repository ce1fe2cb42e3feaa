"""What ``poll`` takes for an address to ask, and for a document of a stunnerd's.

A document is looked at just far enough to tell it from anything else that may be answered in its place, and from a part
of one: what is in it is its server's business.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import orjson

from stunnergw.dataplane.documents import is_zero
from stunnergw.errors import UsageError

VERSIONS = ("v1", "v1alpha1")


def check_url(url: str) -> str:
    """Return ``url`` if a document can be asked for there.

    Raises:
        UsageError: it cannot; the message says what is wrong with it.
    """
    form = "write such as http://HOST:13478/config?gateway=NAMESPACE/NAME"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"URL: its host or port is malformed: {form}") from None
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"URL: it has a user name, which everybody could read in the list of processes: {form}")
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"URL: {url!r} is no http:// or https:// address: {form}")
    if not parts.path.endswith("/config"):
        raise UsageError(f"URL: {url!r} does not end in /config, where documents are polled: {form}")
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "wait":
            raise UsageError("URL: take wait out of it, and give the time with --wait")
        if name == "format" and value != "json":
            raise UsageError(f"URL: format={value}: only JSON can be checked before it is kept: take it out")
    if parts.fragment:
        raise UsageError(f"URL: it has a #fragment: {form}")
    return url


def document_problem(body: bytes) -> str | None:
    """Say why ``body`` is no document of a stunnerd's; None if it is one."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "it is no JSON, or not all of it came"
    if not isinstance(document, dict) or document.get("version") not in VERSIONS:
        return f"its version is none of {', '.join(VERSIONS)}"
    admin, auth = document.get("admin"), document.get("auth")
    if not isinstance(admin, dict) or not isinstance(admin.get("name"), str):
        return "it has no admin.name"
    if not (isinstance(auth, dict) and isinstance(auth.get("type"), str) and isinstance(auth.get("credentials"), dict)):
        return "it has no auth with type and credentials"
    for name in ("listeners", "clusters"):
        entries = document.get(name, [])
        named = isinstance(entries, list) and all(
            isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in entries
        )
        if not named:
            return f"its {name} are no list of things with names"
    if is_zero(document):
        # A stunnerd that watches ignores it; out of a file that was replaced it may take it, and end every call.
        return "it is the zero document, which says that its Gateway is gone"
    return None


def serves_nobody(body: bytes) -> bool:
    """Say whether a document has no listener: whoever reads it ends every call that it has."""
    return not orjson.loads(body).get("listeners")
