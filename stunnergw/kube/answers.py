"""What comes back from where the API server should be, and whether it is from an API server at all.

A load balancer or proxy in between may answer 200 with a page of its own, or JSON of something else. Nothing may be
concluded from that: not that a kind is gone, not that nobody holds a lease. Such an answer is an
:class:`~stunnergw.errors.Unreachable` that says what came, in kind: bodies may hold a Secret and are never quoted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.errors import ApiError, NotFoundOut, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING_HERE = b"404 page not found"
"""What a kube-apiserver says, in plain text, of a path that it does not know."""

_LONGEST_KIND = 63


def json_object(answer: bytes, *, path: str, kind: str = "") -> dict[str, Any]:
    """Return the JSON object of an answer, of some kind or any.

    Raises:
        Unreachable: it is none.
    """
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raise not_from_an_api_server(answer, path=path, wanted=kind) from None
    if not isinstance(found, dict) or (kind and found.get("kind") != kind):
        raise not_from_an_api_server(answer, path=path, wanted=kind)
    return found


def not_from_an_api_server(answer: bytes, *, path: str, wanted: str) -> Unreachable:
    """Return the error of an answer that cannot be what was asked for."""
    came = _described(answer, wanted=wanted)
    return Unreachable(f"the answer to {path} is no {wanted or 'object'} but {came}: is there a proxy in between?")


def refusal(status: int, answer: bytes, *, path: str, headers: Mapping[str, str]) -> NotFoundOut:
    """Make the error of an answer that is no success: a Status object, or whatever a proxy says.

    That something is not there only the API server itself can say; a proxy's 404 is an ``Unreachable``.
    """
    try:
        said = orjson.loads(answer)
        message, reason = str(said["message"]), str(said.get("reason") or "")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        said, message = {}, f"the answer was {status} and no Status of an API server but {_described(answer)}"
        reason = ""
    if status == 404 and answer.strip() == _NOTHING_HERE:
        message, reason = f"the API server does not know {path}", "NotFound"
    elif status == 404 and not reason:
        return not_from_an_api_server(answer, path=path, wanted="Status, though 404,")
    return ApiError(status, reason=reason, message=message, retry_after=_retry_after(headers, said))


def _retry_after(headers: Mapping[str, str], said: dict[str, Any]) -> float | None:
    """Return the seconds that a server asks to wait, RFC 9110 section 10.2.3: a number, or a date by its own clock."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    until = _date(text)
    if until is not None:
        now = _date(headers.get("Date", "")) or datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    details = said.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return float(seconds) if isinstance(seconds, int) and seconds > 0 else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _described(answer: bytes, *, wanted: str = "") -> str:
    """Say what kind of thing an answer is, without quoting it."""
    start = answer.lstrip()[:1]
    if not start:
        return "nothing"
    if start == b"<":
        return f"a web page of {len(answer)} bytes"
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return f"{len(answer)} bytes that are no JSON"
    if not isinstance(found, dict):
        return "JSON that is no object"
    kind = found.get("kind")
    if kind and kind == wanted:
        return "one that is not whole"
    if isinstance(kind, str) and kind.isascii() and kind.isalnum() and len(kind) <= _LONGEST_KIND:
        return f"an object of kind {kind}"
    return "an object without a kind"
