"""Who may read a config document: one function, asked on every path, verb and kind of message alike.

Documents hold TURN credentials. Today's policy: **everybody who reaches the port may read every config.** stunnerd
sends no credentials, and breaks when its origin holds any, so that access is controlled on the network: by who can
reach the config discovery address at all. A stricter policy is another function of this signature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.resources.metadata import Key

if TYPE_CHECKING:
    from aiohttp import web

MAPPED_IPV4 = "::ffff:"


class Peer(NamedTuple):
    """Who is at the other end of a connection."""

    host: str
    """Its IP address; empty where the connection is gone already."""
    port: int = 0

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


MayRead = Callable[[Peer, Key], bool]
"""Says whether a peer may read the config of a Gateway (legacy mode: of a class, with an empty namespace)."""


def may_read(peer: Peer, config: Key) -> bool:  # noqa: ARG001 - the policy's signature
    """Let everybody who reaches the port read every config (see the module)."""
    return True


def peer_of(request: web.BaseRequest) -> Peer:
    """Return who sent a request."""
    name = request.transport.get_extra_info("peername") if request.transport is not None else None
    if not isinstance(name, tuple):
        return Peer("")
    # A socket that listens on all addresses, of IPv6 and IPv4 alike, shows the latter so.
    return Peer(str(name[0]).removeprefix(MAPPED_IPV4), int(name[1]))
