"""WebSocket frames (RFC 6455) by hand, as strict as the RFC lets a client be.

Written from scratch so that our server is not checked by the library that it is built on. What a server
must never do raises Violation: masked frames, reserved bits (which is how compression shows), unknown
opcodes, lengths that are not the shortest, control frames that are long or in pieces, close frames whose
code or reason is malformed.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NO_CODE = 1005
NO_CLOSE_FRAME = 1006
_CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


class Violation(AssertionError):
    """The server broke a rule of the protocol, or one of our promises."""


class Opcode(IntEnum):
    """The opcodes that the RFC defines."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA

    @property
    def is_control(self) -> bool:
        """Close, ping and pong: short, whole, and free to come between the pieces of a message."""
        return self >= Opcode.CLOSE


@dataclass(frozen=True)
class Frame:
    """One frame as it came."""

    opcode: Opcode
    payload: bytes
    final: bool = True


def new_key() -> str:
    """A fresh Sec-WebSocket-Key."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def accept_of(key: str) -> str:
    """The Sec-WebSocket-Accept that answers a key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def masked_frame(opcode: Opcode, payload: bytes = b"") -> bytes:
    """A short frame as a client sends it."""
    if len(payload) > 125:
        raise ValueError("a client like stunnerd sends nothing that long")
    mask = secrets.token_bytes(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Read one frame of a server; asyncio.IncompleteReadError where the connection ends before it does."""
    first, second = await reader.readexactly(2)
    opcode = _opcode(first)
    if second & 0x80:
        raise Violation(f"the server masked a {opcode.name} frame")
    final, length = bool(first & 0x80), second & 0x7F
    if opcode.is_control and (length > 125 or not final):
        raise Violation(f"a {opcode.name} frame is longer than 125 bytes or in pieces")
    if length > 125:
        length = await _long_length(reader, size=2 if length == 126 else 8)
    return Frame(opcode, await reader.readexactly(length), final)


def _opcode(first: int) -> Opcode:
    if first & 0x70:
        raise Violation("a frame has a reserved bit set (compressed?), and no extension was agreed on")
    try:
        return Opcode(first & 0x0F)
    except ValueError as error:
        raise Violation(f"a frame has the unknown opcode {first & 0x0F}") from error


async def _long_length(reader: asyncio.StreamReader, *, size: int) -> int:
    length = int.from_bytes(await reader.readexactly(size), "big")
    shortest = 126 if size == 2 else 1 << 16
    if not shortest <= length < 1 << 63:
        raise Violation(f"a length of {length} is not written the shortest way")
    return length


def close_code(payload: bytes) -> int:
    """The code of a close frame's payload; 1005 where there is none."""
    if not payload:
        return NO_CODE
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in _CLOSE_CODES:
        raise Violation(f"a close frame begins with {payload[:2]!r}, which is no code to send")
    text_of(payload[2:], what="the reason of a close frame")
    return code


def text_of(payload: bytes, *, what: str) -> str:
    """The text of a payload that must be UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise Violation(f"{what} is not UTF-8: {error}") from error
