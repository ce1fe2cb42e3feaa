"""One question to a ``/config`` address, and what its answer is worth.

Whatever comes back is one of four things: a document that a stunnerd can read, the word that nothing changed, a
refusal that no patience will mend, or nothing of use, with the reason. Nothing else leaves this module: no exception
of the HTTP client's, no half document.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, final
from urllib.parse import urlsplit

import aiohttp
import orjson

from stunnergw.cli.recognizing import check_url, document_problem

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer that are read: no document is that long."""
LONGEST_PAUSE = 60.0
"""Seconds: a server that asks for more patience is asked again after these."""

_JSON = "application/json"
_LONGEST_MESSAGE = 300
MOST_CANDIDATES = 20
"""How many configs an error lists of those that there are to choose from."""


class Document(NamedTuple):
    """A whole document, and the tag by which to ask for the next one."""

    body: bytes
    etag: str


class Unchanged(NamedTuple):
    """The document that was named is still the current one."""


class Refused(NamedTuple):
    """The question is wrong; asking again does not help."""

    problem: str


class Nothing(NamedTuple):
    """No document, this time."""

    reason: str
    retry_after: float | None = None
    """Seconds, where the server said."""


Answer = Document | Unchanged | Refused | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long things may take, in seconds."""

    wait: float = 30.0
    """How long the server is asked to hold the answer back for a change; 0: not at all."""
    grace: float = 15.0
    """How much longer the whole answer may take."""
    connect: float = 5.0


@final
class Asker:
    """Asks one address over and over, on one connection if the server allows it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        deadlines: Deadlines,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._session = session
        self._url = check_url(url)
        self._wait = deadlines.wait
        self._now = now
        self._timeout = aiohttp.ClientTimeout(
            total=deadlines.wait + deadlines.grace, connect=deadlines.connect, sock_connect=deadlines.connect
        )

    async def ask(self, etag: str | None) -> Answer:
        """Ask for the document, or for the next one after ``etag``."""
        headers = {"Accept": _JSON, "Accept-Encoding": "identity"}
        if etag:
            headers["If-None-Match"] = etag
        url = self._url
        if self._wait:
            url += f"{'&' if urlsplit(url).query else '?'}wait={self._wait:g}s"
        try:
            async with self._session.get(
                url, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                return await self._weigh(response, asked=etag)
        except TimeoutError:
            return Nothing("no answer in time")
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            return Nothing(_in_words(error))

    async def _weigh(self, response: aiohttp.ClientResponse, *, asked: str | None) -> Answer:
        status = response.status
        if status == 304:
            return Unchanged() if asked else Nothing("304 though no document was named")
        body = await _read(response)
        if body is None:
            return Nothing(f"an answer of more than {LARGEST} bytes")
        if status == 200:
            if response.content_type != _JSON:
                return Nothing(f"an answer of type {response.content_type[:50]}, not {_JSON}")
            fault = document_problem(body)
            return Nothing(f"no document: {fault}") if fault else Document(body, response.headers.get("ETag", ""))
        problem = _problem(body)
        said = f"{status}: {problem['message'][:_LONGEST_MESSAGE]}" if problem else str(status)
        if status in (300, 400) and problem:
            return Refused(f"{said}{_candidates(problem)}")
        if 300 <= status < 400:
            return Nothing(f"{status}: redirects are not followed; give the address that it leads to")
        return Nothing(said, self._retry_after(response))

    def _retry_after(self, response: aiohttp.ClientResponse) -> float | None:
        text = response.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), LONGEST_PAUSE)
        try:
            left = parsedate_to_datetime(text) - self._now()
        except (ValueError, TypeError):
            return None  # no date, or one without a time zone
        return max(0.0, min(left.total_seconds(), LONGEST_PAUSE))


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST:
            return None
    return bytes(body)


def _problem(body: bytes) -> dict[str, Any]:
    """Return what our servers say of an error; empty where another one answered."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) and isinstance(said.get("message"), str) else {}


def _candidates(problem: dict[str, Any]) -> str:
    choices = problem.get("choices")
    names = [str(each.get("name")) for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []
    more = f" and {len(names) - MOST_CANDIDATES} more" if len(names) > MOST_CANDIDATES else ""
    return f": {', '.join(names[:MOST_CANDIDATES])}{more}" if names else ""


def _in_words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "its certificate or its TLS is not to be trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {_cause(error.os_error)}"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ConnectionError):
        return "the connection broke off"
    return "an answer that is no HTTP" if isinstance(error, aiohttp.ClientResponseError) else type(error).__name__


def _cause(error: OSError) -> str:
    # Several addresses were tried: the errors of all of them in one, with no errno.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else (error.strerror or "its host was not found")
