"""Pushing documents to the data planes that watch.

A change enters as the key of a config, or as the name of a node whose address is another. One task goes through the
clients of each, in slices, and writes the frame of the *present* document, without awaiting, to every client whose
buffer is empty. The others are marked
with the key and visited by a second task, which runs only while somebody is marked: once its buffer is empty a
client gets the present state. So nobody gets a backlog, nobody waits for anybody, nothing is sent twice, and a
change that comes in the middle of a pass cannot be overtaken or missed. A client that stays behind is dropped.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import structlog

from stunnergw.dataplane.documents import zero_document
from stunnergw.serving.framing import pong_frame, text_frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stunnergw.resources.metadata import Key
    from stunnergw.serving.authorizing import MayRead
    from stunnergw.serving.clients import Client
    from stunnergw.serving.publishing import Publications, Scope

T = TypeVar("T")

log = structlog.get_logger(__name__)

SLICE = 256
"""Writes between two turns of the loop, about 3 ms; also what a client gets of a long list in one visit."""
VISIT_EVERY = 0.02
BEHIND_AT_MOST = 8.0
"""Seconds with an undrained buffer after which a client is dropped. stunnerd gives up after 8 s of silence too."""
STALLED_AFTER = 10.0
CLOSE_GRACE = 0.3
GOING_AWAY = 1001


class Fanout:
    """The clients that watch, and what each of them has."""

    def __init__(self, publications: Publications, *, may_read: MayRead) -> None:
        self._publications = publications
        self._may_read = may_read
        self._clients: dict[Scope, dict[Client, None]] = {}
        self._on_node: dict[str, dict[Client, None]] = {}
        """Those that watch one config for a data plane on a node."""
        self._changed: dict[Key | str, None] = {}
        self._changed_since: float | None = None
        self._wake = asyncio.Event()
        self._marked: dict[Client, None] = {}
        self._somebody_marked = asyncio.Event()
        self._nobody_left = asyncio.Event()
        self.sent = 0
        """Documents written to clients so far, deletions among them."""
        self.bytes_sent = 0
        self.admitted = 0
        """Watches begun so far."""
        self.dropped = 0
        """Clients dropped so far because they did not read."""
        self.closing = False
        publications.on_change(self._take)
        publications.nodes.on_change(self._take)

    def clients(self, scope: Scope | None = None) -> list[Client]:
        """Return the clients that asked for ``scope``, or all."""
        groups = self._clients.values() if scope is None else (self._clients.get(scope, {}),)
        return [client for group in groups for client in group]

    def clients_by_node(self) -> dict[str, int]:
        """Return how many clients watch one config from each node."""
        return {node: len(clients) for node, clients in self._on_node.items()}

    def nodes_in_use(self) -> list[str]:
        """Return the nodes whose address some client's document shows."""
        return [node for node, clients in self._on_node.items() if any(map(self._differs_by_node, clients))]

    def __len__(self) -> int:
        return sum(map(len, self._clients.values()))

    @property
    def behind(self) -> int:
        """How many clients have not read what they were sent."""
        return len(self._marked)

    def stalled(self) -> str | None:
        """Return what is wrong where changes have been waiting too long to be pushed: a check of liveness."""
        if self._changed_since is None:
            return None
        waited = asyncio.get_running_loop().time() - self._changed_since
        return f"changes have waited for {waited:.0f} s to be pushed" if waited > STALLED_AFTER else None

    # Clients come and go.

    def admit(self, client: Client) -> None:
        """Take a client in and send it what there is."""
        self.admitted += 1
        self._clients.setdefault(client.scope, {})[client] = None
        if client.node and client.config is not None:
            self._on_node.setdefault(client.node, {})[client] = None
        client.pending.update((key, None) for key in self._publications.in_scope(client.scope) if key.namespace)
        self._deliver(client)

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self._marked.pop(client, None)
        _discard(self._clients, client.scope, client)
        _discard(self._on_node, client.node, client)
        if not self._clients:
            self._nobody_left.set()

    def pong(self, client: Client, payload: bytes) -> None:
        """Answer a ping: now, or when the client reads again (only the newest, as RFC 6455 §5.5.3 allows)."""
        client.owed_pong = pong_frame(payload)
        self._deliver(client)

    # Changes.

    async def push(self) -> None:
        """Push changes as they come, until cancelled."""
        written = 0
        while True:
            await self._wake.wait()
            while self._changed:
                changed = next(iter(self._changed))
                del self._changed[changed]
                self._changed_since = asyncio.get_running_loop().time()
                # A copy: during a turn of the loop clients come (with the present state) and go.
                for client in self._watchers(changed):
                    key = client.config if isinstance(changed, str) else changed
                    if key is not None:
                        self._offer(client, key)
                    written += 1
                    if written % SLICE == 0:
                        await asyncio.sleep(0)
            self._wake.clear()
            self._changed_since = None

    async def visit_marked(self) -> None:
        """Visit the clients that fell behind until they have caught up, until cancelled."""
        while True:
            await self._somebody_marked.wait()
            while self._marked:
                await asyncio.sleep(VISIT_EVERY)
                await self._visit_all()
            self._somebody_marked.clear()

    async def close(self) -> None:
        """Say goodbye to all clients at once, and hang up on those that do not answer in time."""
        self.closing = True
        self._nobody_left.clear()
        for client in self.clients():
            client.say_goodbye(GOING_AWAY, "the server is stopping")
        if not self._clients:
            return
        try:
            async with asyncio.timeout(CLOSE_GRACE):
                await self._nobody_left.wait()
        except TimeoutError:
            for client in self.clients():
                client.transport.abort()

    def _take(self, changed: Iterable[Key | str]) -> None:
        self._changed.update(dict.fromkeys(changed))
        if self._changed_since is None:
            self._changed_since = asyncio.get_running_loop().time()
        self._wake.set()

    def _watchers(self, changed: Key | str) -> list[Client]:
        if isinstance(changed, str):
            return [client for client in self._on_node.get(changed, ()) if self._differs_by_node(client)]
        # A config without a namespace is a class's (legacy mode), which no watch shows.
        scopes: tuple[Scope, ...] = (changed, (changed.namespace,), ()) if changed.namespace else ()
        return [client for scope in scopes for client in self._clients.get(scope, ())]

    async def _visit_all(self) -> None:
        now = asyncio.get_running_loop().time()
        for count, client in enumerate(tuple(self._marked), 1):
            self._visit(client, now)
            if count % SLICE == 0:
                await asyncio.sleep(0)

    def _visit(self, client: Client, now: float) -> None:
        if client.is_gone:
            self._marked.pop(client, None)
        elif client.is_idle:
            client.behind_since = now
            self._deliver(client)
        elif now - client.behind_since > BEHIND_AT_MOST:
            self.dropped += 1
            log.warning("data plane does not read: dropped", peer=str(client.peer), config=client.watches)
            self._marked.pop(client, None)
            client.transport.abort()

    def _offer(self, client: Client, key: Key) -> None:
        """Write one document that changed, or note it for later: the hot path, once a client and change."""
        transport = client.transport
        if client.pending or client.closing or transport.is_closing() or transport.get_write_buffer_size():
            client.pending[key] = None
            self._deliver(client)
            return
        self._send(client, key)
        if transport.get_write_buffer_size():
            self._mark(client)

    def _deliver(self, client: Client) -> None:
        """Write what the client lacks while its buffer stays empty; mark it where something is left."""
        if client.is_gone or client.closing:
            return
        if client.owed_pong is not None and client.is_idle:
            client.transport.write(client.owed_pong)
            client.owed_pong = None
        for key in tuple(islice(client.pending, SLICE)):
            if not client.is_idle:
                break
            del client.pending[key]
            self._send(client, key)
        if client.is_idle and not client.pending:
            self._marked.pop(client, None)
        else:
            self._mark(client)

    def _mark(self, client: Client) -> None:
        if client not in self._marked:
            client.behind_since = asyncio.get_running_loop().time()
            self._marked[client] = None
            self._somebody_marked.set()

    def _send(self, client: Client, key: Key) -> None:
        """Write one document, or that it is gone, unless that is what the client has."""
        publication = self._publications.get(key)
        if publication is None:
            self._send_deletion(client, key)
            return
        message = publication.message
        if client.config is not None and publication.differs_by_node:
            address = self._publications.nodes.address(client.node)
            if address is None:
                return  # it is pushed once that is known
            message = publication.message_for(address)
        if client.has.get(key) != message.stamp and self._may_read(client.peer, key):
            client.has[key] = message.stamp
            self._write(client, message.frame)

    def _send_deletion(self, client: Client, key: Key) -> None:
        if key in client.has and self._may_read(client.peer, key):
            del client.has[key]
            # Built for each: few watch one Gateway, and it is gone only once.
            self._write(client, text_frame(zero_document(str(key))))

    def _write(self, client: Client, frame: bytes) -> None:
        client.transport.write(frame)
        self.sent += 1
        self.bytes_sent += len(frame)

    def _differs_by_node(self, client: Client) -> bool:
        publication = None if client.config is None else self._publications.get(client.config)
        return publication is not None and publication.differs_by_node


def _discard(groups: dict[T, dict[Client, None]], name: T | None, client: Client) -> None:
    """Take a client out of its group, and an empty group out of the groups."""
    if name is None or (group := groups.get(name)) is None:
        return
    group.pop(client, None)
    if not group:
        del groups[name]
