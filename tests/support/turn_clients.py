"""TURN clients: flows that count what they lose, and a raw one that sees a refusal as it comes.

Flows are aioice's. It drops what it does not expect, so refusals are asked for with messages of our own over a socket,
whose answers are parsed without the key: a server that refuses does not sign.
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
from aioice import stun

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

Address = tuple[str, int]

EVERY = 0.01
"""Seconds between two packets of a flow."""


class Credentials(NamedTuple):
    """A user name and a password."""

    user: str
    password: str


STATIC = Credentials("user-1", "pass-1")


def ephemeral(secret: str, *, user: str = "alice", seconds: int = 600) -> Credentials:
    """Make credentials that a shared secret vouches for until a time."""
    name = f"{int(time.time()) + seconds}:{user}"
    digest = hmac.new(secret.encode(), name.encode(), hashlib.sha1).digest()
    return Credentials(name, base64.b64encode(digest).decode())


class Flow(asyncio.DatagramProtocol):
    """Packets to a peer that echoes them, one every 10 ms, numbered; what has not come back is lost."""

    def __init__(self) -> None:
        self.sent = 0
        self.echoed: set[int] = set()
        self._news = asyncio.Event()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.echoed.add(int(data.split(b"#")[1]))
        self._news.set()

    @property
    def lost(self) -> int:
        """How many of the packets sent so far, the last ones aside that may be under way, did not come back."""
        return sum(number not in self.echoed for number in range(self.sent - 5))

    async def run(self, relay: Any, peer: Address) -> None:
        """Send for ever."""
        while True:
            relay.sendto(b"a packet of some length #%d#" % self.sent, peer)
            self.sent += 1
            await asyncio.sleep(EVERY)

    async def until_more(self, number: int = 20, *, within: float = 5.0) -> bool:
        """Say whether so many more packets come back."""
        wanted = len(self.echoed) + number
        try:
            async with asyncio.timeout(within):
                while len(self.echoed) < wanted:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def until_silent(self, *, within: float = 5.0) -> bool:
        """Say whether packets stop coming back."""
        async with asyncio.timeout(within):
            while await self.until_more(1, within=0.3):
                pass
        return True


@contextlib.asynccontextmanager
async def flowing(
    server: Address,
    peer: Address,
    *,
    who: Credentials = STATIC,
    transport: str = "udp",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Flow]:
    """Allocate at a TURN server and let a flow run until the block ends."""
    relay, flow = await aioice.turn.create_turn_endpoint(
        Flow,
        server_addr=server,
        username=who.user,
        password=who.password,
        transport=transport,
        ssl=tls or False,
    )
    running = asyncio.create_task(flow.run(relay, peer))
    try:
        yield flow
    finally:
        running.cancel()
        await asyncio.wait([running])
        relay.close()


class _Asker(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: asyncio.Queue[stun.Message] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        with contextlib.suppress(ValueError):
            self.answers.put_nowait(stun.parse_message(data))


class Asked(NamedTuple):
    """What a server said to an allocation and to permission for a peer: success or not."""

    allocated: bool
    permitted: bool


async def ask(server: Address, peer: Address, *, who: Credentials = STATIC) -> Asked:
    """Ask a TURN server over UDP for an allocation, and for permission to reach a peer."""
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_datagram_endpoint(_Asker, remote_addr=server)
    with contextlib.closing(transport):
        first = _message(stun.Method.ALLOCATE, {"REQUESTED-TRANSPORT": 0x11000000})
        challenge = await _exchange(transport, asker, first)
        signing = {
            "USERNAME": who.user,
            "REALM": challenge.attributes["REALM"],
            "NONCE": challenge.attributes["NONCE"],
        }
        key = hashlib.md5(f"{who.user}:{signing['REALM']}:{who.password}".encode(), usedforsecurity=False).digest()
        second = _message(stun.Method.ALLOCATE, {"REQUESTED-TRANSPORT": 0x11000000, **signing})
        second.add_message_integrity(key)
        if (await _exchange(transport, asker, second)).message_class is not stun.Class.RESPONSE:
            return Asked(False, False)
        third = _message(stun.Method.CREATE_PERMISSION, {"XOR-PEER-ADDRESS": peer, **signing})
        third.add_message_integrity(key)
        permitted = (await _exchange(transport, asker, third)).message_class is stun.Class.RESPONSE
        return Asked(True, permitted)


def _message(method: stun.Method, attributes: dict[str, Any]) -> stun.Message:
    message = stun.Message(message_method=method, message_class=stun.Class.REQUEST)
    message.attributes.update(attributes)
    return message


async def _exchange(transport: asyncio.DatagramTransport, asker: _Asker, message: stun.Message) -> stun.Message:
    transport.sendto(bytes(message))
    async with asyncio.timeout(5):
        while True:
            answer = await asker.answers.get()
            if answer.transaction_id == message.transaction_id:
                return answer
