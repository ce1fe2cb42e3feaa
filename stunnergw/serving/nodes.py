"""Addresses of nodes: what stands in for ``__node_address_placeholder`` in the documents of a node's clients.

A node's ExternalIP comes with the snapshot. Its ExternalDNS name is resolved here, when the first client asks, and
again every 30 s while somebody needs it; whoever watches is told by :meth:`NodeAddresses.on_change`. A data plane
restarts its listeners when its address changes, so an address stays for as long as its name has it, whatever else
the name has, and whatever goes wrong. Before anything is known of a name nothing is said: that differs from a node
without an address, whose clients find out their own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import structlog

from stunnergw.dataplane.configs import STUNNER_ADDR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.projection.addresses import ExternalNode

log = structlog.get_logger(__name__)

AGAIN_AFTER = 30.0
"""Seconds from one resolution of a name in use to the next."""
RETRY_AFTER = 5.0
"""Seconds after which a resolution that failed is tried again; also how often the names in use are gone through."""
WAIT_AT_MOST = 2.0
"""Seconds that a GET waits for the first resolution of a name."""
AT_ONCE = 2
"""Names resolved at once. The loop's resolver occupies threads, and others need some, too."""

Resolve = Callable[[str], Awaitable[Iterable[str]]]
"""Gives the IP addresses of a name; none where there is no such name. OSError: it cannot be told now."""

_NO_SUCH_NAME = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
)


async def resolve(name: str) -> list[str]:
    """Resolve a name with the loop's resolver."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        return []  # no name that could be asked for
    except socket.gaierror as error:
        if error.errno in _NO_SUCH_NAME:
            return []
        raise
    return [str(entry[4][0]) for entry in found]


class _Name:
    """A name that nodes have for their address."""

    __slots__ = ("address", "due", "failing", "host", "known", "nodes", "resolving")

    def __init__(self, host: str) -> None:
        self.host = host
        self.nodes: set[str] = set()
        self.address: str | None = None
        """What stands in for the placeholder; None while nothing is known."""
        self.known = asyncio.Event()
        self.due = 0.0
        """When it is to be resolved again, by the loop's clock, if somebody needs it then."""
        self.resolving = False
        self.failing = False


class NodeAddresses:
    """What stands in for the placeholder, node by node. Names are resolved while :meth:`run` runs."""

    def __init__(self, *, resolve: Resolve = resolve) -> None:
        self._resolve = resolve
        self._nodes: dict[str, str | _Name] = {}
        self._names: dict[str, _Name] = {}
        self._listeners: list[Callable[[Iterable[str]], None]] = []
        self._wanted: dict[_Name, None] = {}
        self._wake = asyncio.Event()

    @property
    def failing(self) -> int:
        """How many names could not be resolved when they were last tried."""
        return sum(name.failing for name in self._names.values())

    def on_change(self, listener: Callable[[Iterable[str]], None]) -> None:
        """Have ``listener`` called, at once, with the nodes whose address is another."""
        self._listeners.append(listener)

    def take(self, nodes: Mapping[str, ExternalNode], changed: Iterable[str]) -> None:
        """Take over the addresses of those nodes that ``changed``."""
        changed = sorted(changed)
        for node in changed:
            self._forget(node)
            if (found := nodes.get(node)) is not None:
                self._put(node, found)
        self._tell(changed)

    def address(self, node: str | None) -> str | None:
        """Return what stands in for the placeholder at a client's; None while that is not known."""
        found = self._nodes.get(node, STUNNER_ADDR) if node else STUNNER_ADDR
        if isinstance(found, str):
            return found
        self._need(found)
        return found.address

    def shown(self, node: str) -> str | None:
        """Return the same for a person: looking at it is no need for it."""
        found = self._nodes.get(node, STUNNER_ADDR)
        return found if isinstance(found, str) else found.address

    async def settled(self, node: str | None) -> str | None:
        """Return the same, after a moment's wait where it is not known."""
        address = self.address(node)
        name = self._nodes.get(node or "")
        if address is not None or not isinstance(name, _Name):
            return address
        try:
            async with asyncio.timeout(WAIT_AT_MOST):
                await name.known.wait()
        except TimeoutError:
            return None
        return name.address

    async def run(self, in_use: Callable[[], Iterable[str]]) -> None:
        """Resolve the names that clients ask for, and again those of the nodes ``in_use``, until cancelled."""
        limit = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                for node in in_use() if self._names else ():
                    self.address(node)
                for name in self._wanted:
                    name.resolving = True
                    group.create_task(self._refresh(name, limit))
                self._wanted.clear()
                self._wake.clear()
                await self._look_again()

    async def _look_again(self) -> None:
        try:
            async with asyncio.timeout(RETRY_AFTER if self._names else None):
                await self._wake.wait()
        except TimeoutError:
            return

    def _put(self, node: str, found: ExternalNode) -> None:
        if found.type == "Hostname":
            name = self._nodes[node] = self._names.setdefault(found.value, _Name(found.value))
            name.nodes.add(node)
            # From now on it goes through the names in use.
            self._wake.set()
        elif _is_ip_address(found.value):
            self._nodes[node] = found.value
        else:
            log.warning("the external address of a node is none: ignored", node=node, address=found.value)

    def _forget(self, node: str) -> None:
        old = self._nodes.pop(node, None)
        if isinstance(old, _Name):
            old.nodes.discard(node)
            if not old.nodes:
                del self._names[old.host]

    def _need(self, name: _Name) -> None:
        if not name.resolving and name.due <= asyncio.get_running_loop().time():
            self._wanted[name] = None
            self._wake.set()

    async def _refresh(self, name: _Name, limit: asyncio.Semaphore) -> None:
        async with limit:
            try:
                found: list[str] | None = sorted(await self._resolve(name.host), key=_preference)
            except OSError as error:
                found = None
                if not name.failing:
                    log.warning("a node's name cannot be resolved now", name=name.host, error=str(error))
        name.resolving = False
        name.failing = not found
        name.due = asyncio.get_running_loop().time() + (RETRY_AFTER if found is None else AGAIN_AFTER)
        if found is not None:
            self._settle(name, found)

    def _settle(self, name: _Name, found: list[str]) -> None:
        """Take the addresses of a name, best first: the one that is used stays if it is still among them."""
        before = name.address
        if found and before not in found:
            name.address = found[0]
        elif not found and before is None:
            log.warning("a node's name does not exist: its data planes find out their own", name=name.host)
            name.address = STUNNER_ADDR
        name.known.set()
        if name.address != before:
            self._tell(sorted(name.nodes))

    def _tell(self, nodes: Iterable[str]) -> None:
        for listener in self._listeners:
            listener(nodes)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    # A zone means nothing elsewhere, and may be any text.
    return "%" not in text


def _preference(address: str) -> tuple[int, int]:
    # The same on every replica, whatever the order in which a name server gives them. IPv4 first: all clients have it.
    parsed = ipaddress.ip_address(address)
    return parsed.version, int(parsed)
