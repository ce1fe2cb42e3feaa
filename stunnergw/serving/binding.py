"""Sockets to listen on, bound before anything is served, so that a port in use is said in one line.

One socket an address: an empty host takes IPv6 and IPv4 by the same socket, so that port 0 is one port.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING, Any

from stunnergw.errors import UsageError

if TYPE_CHECKING:
    from stunnergw.settings import Address

BACKLOG = 4096
"""After a restart thousands of data planes dial within a second."""
SEND_BUFFER = 64 * 1024
"""Bytes. What a client does not read is parked here first; the kernel's own choice would be megabytes."""

UNREAD_AT_MOST = 30_000
"""Milliseconds that something may lie unread, or unacknowledged, before the kernel ends the connection: also of those
that wait for nothing but the answer to their GET. Watches are given less, by the fan-out."""


async def bind(address: Address, *, flag: str) -> socket.socket:
    """Return a listening socket.

    Raises:
        UsageError: it cannot be had; the message names the flag and the address.
    """
    try:
        if not address.host:
            return _listen_everywhere(address.port)
        family, name = await _resolve(address)
        return _listen(family, name)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--{flag}: cannot listen on {address}: {_in_words(error)}") from error


def bound_address(listening: socket.socket, *, asked: Address) -> Address:
    """Return where a socket listens: the host as it was asked for, and the port that it got."""
    return asked._replace(port=listening.getsockname()[1])


async def _resolve(address: Address) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    found = await asyncio.get_running_loop().getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    # 127.0.0.1 before ::1, where a name is both: that is what people type then.
    family, _, _, _, name = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, name


def _listen_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return _listen(socket.AF_INET6, ("::", port), both=True)
        except OSError as error:
            # Compiled in, and switched off on this machine.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    # All addresses are what was asked for.
    return _listen(socket.AF_INET, ("", port))


def _listen(family: int, name: tuple[Any, ...], *, both: bool = False) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A restart need not wait for the connections of its predecessor to time out.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What is accepted inherits it.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_AT_MOST)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
        listening.bind(name)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _in_words(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "that is no name of a host"
    if error.errno == errno.EADDRINUSE:
        return "another program listens there; choose another port, 0 for any, or switch it off with the address 0"
    if error.errno == errno.EACCES:
        return "that needs more rights than this process has; choose a port above 1023"
    # getaddrinfo's errors have no errno, and their own words.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.args[-1])
