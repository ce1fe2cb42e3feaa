"""A client that watches: what it watches, what it has, and how far it has read.

Frames are written straight to the transport. That is safe beside aiohttp's own frames (it writes each in one piece
too), and the only way to send without waiting for the client.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from stunnergw.resources.metadata import Key
from stunnergw.serving.framing import close_frame

if TYPE_CHECKING:
    from stunnergw.serving.authorizing import Peer
    from stunnergw.serving.publishing import Scope


class Client:
    """One open watch."""

    __slots__ = (
        "behind_since", "closing", "config", "has", "node", "owed_pong", "peer", "pending", "scope", "since",
        "transport",
    )  # fmt: skip

    def __init__(self, transport: asyncio.WriteTransport, *, scope: Scope, peer: Peer, node: str | None) -> None:
        self.transport = transport
        self.scope = scope
        self.config = scope if isinstance(scope, Key) else None
        """The config, where it watches one rather than a list of them."""
        self.peer = peer
        self.node = node
        self.since = asyncio.get_running_loop().time()
        """When it came, by the loop's clock."""
        self.has: dict[Key, str] = {}
        """The stamp of each message that it was last sent; documents that it never got or that are gone are not in."""
        self.pending: dict[Key, None] = {}
        """Configs that may have changed since."""
        self.owed_pong: bytes | None = None
        self.behind_since = self.since
        self.closing = False

    @property
    def watches(self) -> str:
        """What it watches, for a person: ``media/edge``, ``media/*`` or ``*``."""
        return "/".join(self.scope if self.config is not None else (*self.scope, "*"))

    @property
    def is_idle(self) -> bool:
        """Nothing waits to be written to it."""
        return self.transport.get_write_buffer_size() == 0

    @property
    def is_gone(self) -> bool:
        """Its connection is closed, or about to be."""
        return self.transport.is_closing()

    def say_goodbye(self, code: int, reason: str) -> None:
        """Send it a close frame, after which it gets nothing more; it answers, or is hung up on."""
        if not self.closing and not self.is_gone:
            self.transport.write(close_frame(code, reason))
        self.closing = True

    def hang_up(self) -> None:
        """Close the connection now: politely where all is written, else for good (it would linger for ever)."""
        if not self.is_idle:
            self.transport.abort()
        elif self.closing:
            self.transport.close()
