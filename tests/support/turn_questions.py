"""A TURN client that asks one thing at a time and sees a refusal as it comes.

Its answers are parsed without the key: a server that refuses does not sign, so clients that check signatures wait for
their own timeout instead. Which error code a refusal bears is the server's affair (stunnerd's have none, or an odd
one), so that is not told.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from aioice import stun

from tests.support.turn_clients import LENGTH, STATIC

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.turn_clients import Address, Credentials, Way

_UDP = 0x11000000
_CHANNEL = 0x4001
_HEADER = 20
_PATIENCE = 5.0


class Asked(NamedTuple):
    """What a server granted: an allocation, a permission, a channel; and whether a packet then came back."""

    allocated: bool = False
    permitted: bool = False
    bound: bool = False
    echoed: bool = False


REFUSED = Asked()
"""No allocation: wrong credentials, or nobody there."""

STRANGER = Asked(allocated=True)
"""An allocation, and no way to the peer."""

WELCOME = Asked(allocated=True, permitted=True, bound=True, echoed=True)
"""The peer was reached, and answered."""

UNHEARD = Asked(allocated=True, permitted=True, bound=True)
"""The peer's address is admitted and this port of it is not: stunnerd tells nobody."""


async def ask(way: Way, peer: Address, *, who: Credentials = STATIC) -> Asked:
    """Ask a TURN server for all that it takes to reach a peer, and try.

    The packet goes out whatever was granted before: as a Send indication, which a server must not relay without a
    permission.
    """
    try:
        async with _opened(way) as client:
            if not await client.allocate(who):
                return REFUSED
            permitted = await client.request(stun.Method.CREATE_PERMISSION, {"XOR-PEER-ADDRESS": peer})
            echoed = await client.echo(peer, within=_PATIENCE if permitted else 0.3)
            channel = {"CHANNEL-NUMBER": _CHANNEL, "XOR-PEER-ADDRESS": peer}
            bound = await client.request(stun.Method.CHANNEL_BIND, channel)
            return Asked(True, permitted, bound, echoed)
    except OSError:
        return REFUSED


class _Client(asyncio.DatagramProtocol, asyncio.Protocol):
    """Requests over a transport; what comes in is cut into messages, whether it came as datagrams or as a stream."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[stun.Message | OSError] = asyncio.Queue()
        self._buffer = b""
        self._signing: dict[str, Any] = {}
        self._key = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _HEADER:
            length = _HEADER + int.from_bytes(self._buffer[2:4])
            if len(self._buffer) < length:
                return
            self.datagram_received(self._buffer[:length], ("", 0))
            self._buffer = self._buffer[length:]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.messages.put_nowait(stun.parse_message(data))

    def error_received(self, error: Exception) -> None:
        self.messages.put_nowait(OSError(str(error)))

    def connection_lost(self, error: Exception | None) -> None:
        self.messages.put_nowait(OSError(f"the connection ended: {error}"))

    async def allocate(self, who: Credentials) -> bool:
        """Ask without credentials, which tells realm and nonce, and then with them."""
        wanted = {"REQUESTED-TRANSPORT": _UDP}
        challenge = await self._exchange(_message(stun.Method.ALLOCATE, stun.Class.REQUEST, wanted))
        realm = challenge.attributes["REALM"]
        self._signing = {"USERNAME": who.user, "REALM": realm, "NONCE": challenge.attributes["NONCE"]}
        named = f"{who.user}:{realm}:{who.password}".encode()
        self._key = hashlib.md5(named, usedforsecurity=False).digest()
        return await self.request(stun.Method.ALLOCATE, wanted)

    async def request(self, method: stun.Method, attributes: dict[str, Any]) -> bool:
        """Make a signed request and say whether it was granted."""
        message = _message(method, stun.Class.REQUEST, attributes | self._signing)
        message.add_message_integrity(self._key)
        return (await self._exchange(message)).message_class is stun.Class.RESPONSE

    async def echo(self, peer: Address, *, within: float) -> bool:
        """Send packets in indications until one comes back."""
        packet = b"asked".ljust(LENGTH)
        for _ in range(3):
            self._send(_message(stun.Method.SEND, stun.Class.INDICATION, {"XOR-PEER-ADDRESS": peer, "DATA": packet}))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(within, 1.0) / 3):
                    while True:
                        message = await self._next()
                        if message.attributes.get("DATA") == packet:
                            return True
        return False

    async def _exchange(self, message: stun.Message) -> stun.Message:
        self._send(message)
        async with asyncio.timeout(_PATIENCE):
            while True:
                answer = await self._next()
                if answer.transaction_id == message.transaction_id:
                    return answer

    async def _next(self) -> stun.Message:
        message = await self.messages.get()
        if isinstance(message, OSError):
            raise message
        return message

    def _send(self, message: stun.Message) -> None:
        # asyncio's datagram transports are no DatagramTransport before Python 3.12, so what they can do decides.
        send = self.transport.sendto if hasattr(self.transport, "sendto") else self.transport.write
        send(bytes(message))


def _message(method: stun.Method, kind: stun.Class, attributes: dict[str, Any]) -> stun.Message:
    message = stun.Message(message_method=method, message_class=kind)
    message.attributes.update(attributes)
    return message


@contextlib.asynccontextmanager
async def _opened(way: Way) -> AsyncIterator[_Client]:
    loop = asyncio.get_running_loop()
    transport: asyncio.BaseTransport
    if way.transport == "tcp":
        transport, client = await loop.create_connection(_Client, *way.server, ssl=way.tls)
    else:
        transport, client = await loop.create_datagram_endpoint(_Client, remote_addr=way.server)
    with contextlib.closing(transport):
        yield client
