"""The request that opens a watch, as stunnerd sends it, and the answer that it must get.

Nothing more is sent than what stunnerd was seen to send, in its order: no subprotocol, no extension, no
credentials, and an Origin that is not a valid one. So a server that expects more, or offers more, fails
here first.
"""

from __future__ import annotations

from urllib.parse import quote, quote_plus

from tests.support.plain_http import Head, request_head
from tests.support.websocket_frames import Violation, accept_of

_CONFIGS = "/api/v1/configs"


def watch_target(config: str, *, node: str | None = None) -> tuple[str, str]:
    """The path and the query of a watch, escaped as stunnerd escapes them."""
    segments = [quote(segment, safe="$&+:=@") for segment in config.split("/") if segment]
    query = "watch=true" if node is None else f"node={quote_plus(node)}&watch=true"
    return "/".join([_CONFIGS, *segments]), query


def upgrade_request(config: str, *, key: str, host: str, port: int, node: str | None = None) -> bytes:
    """The bytes that ask for a watch of a config, of a namespace's or of all."""
    path, query = watch_target(config, node=node)
    server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = {
        "Host": server,
        "User-Agent": "Go-http-client/1.1",
        "Connection": "Upgrade",
        "Origin": f"http://{server}?{query}",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        "Upgrade": "websocket",
    }
    return request_head(f"{path}?{query}", headers=headers)


def check_upgrade(head: Head, *, key: str) -> None:
    """Raise Violation unless the answer agrees to a plain WebSocket, and to nothing that was not asked."""
    headers = head.headers
    if headers.get("upgrade", "").lower() != "websocket":
        raise Violation(f"Upgrade is {headers.get('upgrade')!r}")
    if "upgrade" not in headers.get("connection", "").lower().split(", "):
        raise Violation(f"Connection is {headers.get('connection')!r}")
    if headers.get("sec-websocket-accept") != accept_of(key):
        raise Violation(f"Sec-WebSocket-Accept is {headers.get('sec-websocket-accept')!r}")
    for unasked in ("sec-websocket-extensions", "sec-websocket-protocol"):
        if unasked in headers:
            raise Violation(f"the server chose {unasked} {headers[unasked]!r}, and none was offered")
