from __future__ import annotations

import asyncio

import pytest

from stunnergw.serving.framing import close_frame, pong_frame, text_frame
from tests.support.websocket_frames import Frame, Opcode, close_code, read_frame


async def parsed(data: bytes) -> Frame:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    frame = await read_frame(reader)
    assert await reader.read() == b""
    return frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 1 << 20])
async def test_a_text_of_any_length_is_one_frame(length: int) -> None:
    assert await parsed(text_frame(b"x" * length)) == Frame(Opcode.TEXT, b"x" * length)


async def test_control_frames() -> None:
    assert await parsed(pong_frame(b"keepalive")) == Frame(Opcode.PONG, b"keepalive")
    goodbye = await parsed(close_frame(1001, "stopping"))
    assert (goodbye.opcode, close_code(goodbye.payload), goodbye.payload[2:]) == (Opcode.CLOSE, 1001, b"stopping")
