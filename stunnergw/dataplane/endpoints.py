"""Endpoints as stunnerd reads them: ``IP``, ``IP/len``, each with an optional ``:<low-high>``.

One endpoint that does not parse makes stunnerd refuse the whole document, so nothing becomes an endpoint
here that is not an address; and an IPv4-mapped IPv6 address would admit nothing, so it is none.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

ALL_PORTS = (1, 65535)


class Endpoint(NamedTuple):
    """Addresses that clients may send to. ``ports`` is None for all of them."""

    address: str
    ports: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The endpoint in stunnerd's words; the angle brackets are literal."""
        if self.ports is None:
            return self.address
        low, high = self.ports
        return f"{self.address}:<{low}-{high}>"


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_SHORTEST_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")


def normalise(address: str) -> str | None:
    """Return an IP address in its shortest form, or None where stunnerd would not take it."""
    if _SHORTEST_IPV4.fullmatch(address):
        # Nearly all are of this form already, and parsing costs ten times as much as seeing it.
        return address
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and (parsed.ipv4_mapped or parsed.scope_id):
        return None
    return str(parsed)


def normalise_prefix(text: str) -> str | None:
    """Return an IP address or prefix as stunnerd reads it, or None where it would not take it.

    stunnerd clears the bits of ``10.0.0.1/8`` that are beyond the prefix; so do we.
    """
    if "/" not in text:
        return normalise(text)
    address, _, length = text.partition("/")
    if normalise(address) is None or not length.isascii() or not length.isdecimal():
        return None
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return None
