"""WebSocket frames as bytes, built once and written to many.

aiohttp builds a frame for each client anew. A server's frames are not masked and ours are not compressed, so one
text frame fits all clients. Its pongs and close frames may come in between: each of them, too, is one write.
"""

from __future__ import annotations

import struct

_FINAL_TEXT = 0x81
_FINAL_CLOSE = 0x88
_FINAL_PONG = 0x8A


def text_frame(payload: bytes) -> bytes:
    """Return one whole text message; ``payload`` is UTF-8."""
    length = len(payload)
    if length < 126:
        return struct.pack("!BB", _FINAL_TEXT, length) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", _FINAL_TEXT, 126, length) + payload
    return struct.pack("!BBQ", _FINAL_TEXT, 127, length) + payload


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a ping, whose payload (at most 125 bytes) it repeats."""
    return struct.pack("!BB", _FINAL_PONG, len(payload)) + payload


def close_frame(code: int, reason: str) -> bytes:
    """Return a close frame; ``reason`` is short, for a person who reads the client's log."""
    payload = struct.pack("!H", code) + reason.encode()
    return struct.pack("!BB", _FINAL_CLOSE, len(payload)) + payload
