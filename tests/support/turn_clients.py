"""TURN flows that count what they lose, over whichever transport, and the credentials for them.

Flows are aioice's: it allocates, binds a channel for the peer and refreshes both. It drops what it does not expect, so
refusals are asked for with :mod:`tests.support.turn_questions`. It knows no DTLS; there a way leads through a pipe
(:func:`tests.support.turn_servers.piped`), and looks like UDP.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import aioice

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

Address = tuple[str, int]

EVERY = 0.01
"""Seconds between two packets of a flow."""

LENGTH = 32
"""Bytes in a packet. Over streams servers and clients wait for 20 bytes and cut at multiples of four, and a server
takes DTLS for a stream: a packet of another length would be stuck until more follows."""


class Way(NamedTuple):
    """How a client reaches a TURN server: UDP (DTLS too, through a pipe), TCP, or TLS where there is a context."""

    server: Address
    transport: str = "udp"
    tls: ssl.SSLContext | None = None


class Credentials(NamedTuple):
    """A user name and a password."""

    user: str
    password: str


STATIC = Credentials("user-1", "pass-1")


def ephemeral(secret: str, *, user: str = "alice", seconds: int = 600) -> Credentials:
    """Make credentials that a shared secret vouches for until a time."""
    return vouched(secret, f"{int(time.time()) + seconds}:{user}")


def vouched(secret: str, name: str) -> Credentials:
    """Make the password that goes with a name, whether or not that begins with a time."""
    digest = hmac.new(secret.encode(), name.encode(), hashlib.sha1).digest()
    return Credentials(name, base64.b64encode(digest).decode())


class Flow(asyncio.DatagramProtocol):
    """Packets to a peer that echoes them, one every 10 ms, numbered."""

    def __init__(self) -> None:
        self.sent = 0
        self.echoed: set[int] = set()
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.echoed.add(int(data.split(b"#")[1]))
        self._news.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._ended.set()

    async def run(self, relay: Any, peer: Address) -> None:
        """Send until told to stop."""
        while not self._stopping.is_set():
            relay.sendto((b"packet #%d#" % self.sent).ljust(LENGTH), peer)
            self.sent += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY)

    async def until_more(self, number: int = 20, *, within: float = 5.0) -> bool:
        """Say whether so many more packets come back."""
        return await self._come_back(len(self.echoed) + number, within)

    async def until_silent(self, *, within: float = 5.0) -> bool:
        """Say whether packets stop coming back, for the time of thirty."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while await self.until_more(1, within=30 * EVERY):
                    pass
                return True
        return False

    async def lost(self, *, within: float = 2.0) -> int:
        """Send no more, wait for what is under way, and say how many packets never came back."""
        self._stopping.set()
        await self._come_back(self.sent, within)
        return self.sent - len(self.echoed)

    async def end(self) -> None:
        """Wait for the allocation to be deleted; a server that is gone or refuses that does not hold us up."""
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), 0.5)

    async def _come_back(self, number: int, within: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while len(self.echoed) < number:
                    self._news.clear()
                    await self._news.wait()
        return len(self.echoed) >= number


@contextlib.asynccontextmanager
async def flowing(way: Way, peer: Address, *, who: Credentials = STATIC) -> AsyncIterator[Flow]:
    """Allocate at a TURN server and let a flow run until the block ends."""
    relay, flow = await aioice.turn.create_turn_endpoint(
        Flow,
        server_addr=way.server,
        username=who.user,
        password=who.password,
        transport=way.transport,
        ssl=way.tls or False,
    )
    running = asyncio.create_task(flow.run(relay, peer))
    try:
        yield flow
    finally:
        relay.close()
        await flow.end()
        await running
