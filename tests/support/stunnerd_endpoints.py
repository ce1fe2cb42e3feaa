"""The endpoint grammar of a cluster, as stunnerd reads it.

A STATIC endpoint is `IP` or `IP/len`, with an optional port range `:<low-high>` whose angle brackets are
literal. What stunnerd takes is wider than what makes sense: a range that runs backwards admits nothing, and
an IPv4-mapped address loses its IPv4 meaning. Both are told apart here, so that the judge can let them pass
and `check_ours` cannot.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_RANGE = re.compile(r"(?P<network>.*):<(?P<low>[0-9]+)-(?P<high>[0-9]+)>", re.DOTALL)
_PLACE = re.compile(r"(?P<address>[0-9A-Fa-f:.]+)(?:/(?P<length>[0-9]{1,3}))?")

ALL_PORTS = (1, 65535)


@dataclass(frozen=True)
class Endpoint:
    """One STATIC endpoint: the peers it means, its port range, and how stunnerd writes it back."""

    network: Network
    low: int
    high: int
    ranged: bool
    normal: str

    @property
    def is_mapped(self) -> bool:
        """An IPv4 address dressed as IPv6 (`::ffff:10.0.0.1`)."""
        address = self.network.network_address
        return isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None


def parse_endpoint(text: str) -> Endpoint:
    """Read one STATIC endpoint; ValueError where stunnerd refuses it."""
    ranged = _RANGE.fullmatch(text)
    place = ranged["network"] if ranged else text
    network = _parse_network(place)
    low, high = (int(ranged["low"]), int(ranged["high"])) if ranged else ALL_PORTS
    tail = f":<{low}-{high}>" if ranged else ""
    return Endpoint(network, low, high, ranged is not None, _written_back(place, network) + tail)


def _parse_network(place: str) -> Network:
    # Python's own parser also takes zones (fe80::1%eth0) and netmasks (/255.0.0.0); stunnerd takes neither.
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ValueError(f"{place!r} is neither an IP address nor a prefix")
    return ipaddress.ip_network(place, strict=False)


def _written_back(place: str, network: Network) -> str:
    if "/" in place:
        return str(network)
    address = network.network_address
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        # It counts the 32 bits of an IPv4 host mask from the left of 16 bytes, where they are all zero.
        return "::"
    return str(address)
