"""One HTTP/1.1 request on a plain socket, the way stunnerd and stunnerctl ask without watching.

No client library in between: what is sent and what came back are seen as they are. The connection is used
once.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.websocket_frames import Violation

if TYPE_CHECKING:
    from collections.abc import Mapping

# What Go's client sends of its own; the host comes first.
GO_HEADERS = {"User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"}


@dataclass(frozen=True)
class Head:
    """The status line and headers of an answer; header names in lower case, repeated ones joined by `, `."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Response:
    """An answer; the body as it was before it was compressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request_head(target: str, *, headers: Mapping[str, str], method: str = "GET") -> bytes:
    """The bytes of a request without a body, headers in the given order."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


async def read_head(reader: asyncio.StreamReader) -> Head:
    """Read up to the end of the headers."""
    raw = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = raw[:-4].split("\r\n")
    version, _, rest = first.partition(" ")
    if version != "HTTP/1.1" or not rest[:3].isdigit():
        raise Violation(f"the status line is {first!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise Violation(f"a header line is {line!r}")
        earlier = headers.get(name.lower())
        headers[name.lower()] = value.strip() if earlier is None else f"{earlier}, {value.strip()}"
    return Head(int(rest[:3]), headers)


async def read_body(reader: asyncio.StreamReader, *, head: Head, method: str = "GET") -> bytes:
    """Read the body that goes with a head, whichever way its length is told."""
    if method == "HEAD" or head.status in (http.client.NO_CONTENT, http.client.NOT_MODIFIED):
        return b""
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    elif "content-length" in head.headers:
        body = await reader.readexactly(int(head.headers["content-length"]))
    else:
        body = await reader.read()
    return gzip.decompress(body) if head.headers.get("content-encoding") == "gzip" else body


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while (await reader.readline()).strip():
        pass
    return body


async def fetch(
    port: int,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    host: str = "127.0.0.1",
    timeout: float = 5,  # noqa: ASYNC109 - a test's deadline, not its caller's to set up
) -> Response:
    """Ask once. `headers` are added to Go's own, or replace them (names as written there)."""
    asked = {"Host": f"{host}:{port}", **GO_HEADERS, **(headers or {})}
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(request_head(path, headers=asked, method=method))
            head = await read_head(reader)
            body = await read_body(reader, head=head, method=method)
        finally:
            writer.transport.abort()
    return Response(head.status, head.headers, body)
