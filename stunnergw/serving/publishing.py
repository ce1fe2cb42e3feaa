"""What is published: for each config the last document that was wanted.

Snapshots say want, absent or undecided. Wanted documents replace the one before, absent ends it, undecided leaves
it: what cannot be decided must not take away what runs. Until the first snapshot nothing is known, which is not the
same as nothing being there. Whoever pushes documents is told which configs changed; whoever polls can wait for it.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.dataplane.configs import NODE_ADDRESS_PLACEHOLDER
from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.resources.metadata import Key
from stunnergw.serving.framing import text_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stunnergw.dataplane.documents import Document
    from stunnergw.projection.snapshots import Snapshot, SnapshotSource
    from stunnergw.serving.nodes import NodeAddresses

Scope = tuple[str, ...]
"""What a client asks for: ``()`` all configs, ``(namespace,)`` those of a namespace, or one config's Key."""

# In compact JSON this is the listener's field and nothing else: a quote inside a password is escaped.
_ADDRESS = b'"address":"%s"'
_PLACEHOLDER = _ADDRESS % NODE_ADDRESS_PLACEHOLDER.encode()

VARIANTS_AT_MOST = 256
"""Messages of one document for so many nodes are kept ready; a frame is quickly built again."""


class Message(NamedTuple):
    """A document as a frame, for all those who get the same text."""

    stamp: str
    """The document's version; where texts differ by node, with the address: equal for equal texts alone."""
    frame: bytes


def version_of_stamp(stamp: str) -> str:
    """Return the version of the document that a message carried."""
    return stamp.partition(" ")[0]


class Publication:
    """A document that is served."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._variants: dict[str, Message] = {}

    @property
    def version(self) -> str:
        """Which document it is; says nothing about the secrets in it."""
        return self.document.version

    @cached_property
    def message(self) -> Message:
        """The message that carries the document as it is, built once for all who get it."""
        return Message(self.version, text_frame(self.document.body))

    @cached_property
    def differs_by_node(self) -> bool:
        """Whether clients on different nodes get different texts."""
        return _PLACEHOLDER in self.document.body

    def body_for(self, address: str) -> bytes:
        """Return the document with ``address`` (an IP address or ``$STUNNER_ADDR``) for the placeholder."""
        return self.document.body.replace(_PLACEHOLDER, _ADDRESS % address.encode())

    def message_for(self, address: str) -> Message:
        """Return the message that carries it so, built once for all who get it."""
        found = self._variants.get(address)
        if found is None:
            if len(self._variants) >= VARIANTS_AT_MOST:
                del self._variants[next(iter(self._variants))]
            found = Message(f"{self.version} {address}", text_frame(self.body_for(address)))
            self._variants[address] = found
        return found


class Publications:
    """All of them, kept up to date from ``source`` until :meth:`close`."""

    def __init__(self, source: SnapshotSource, *, nodes: NodeAddresses) -> None:
        self.nodes = nodes
        self._served: dict[Key, Publication] = {}
        self._snapshot: Snapshot | None = None
        self._listeners: list[Callable[[Iterable[Key]], None]] = []
        self._waiters: dict[Key | None, set[asyncio.Future[None]]] = {}
        self.closed = False
        nodes.on_change(self._wake_by_node)
        self._unsubscribe = source.subscribe(self._take)
        if source.latest is not None:
            self._take(source.latest)

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot that this rests on; None while nothing is known."""
        return self._snapshot

    def get(self, key: Key) -> Publication | None:
        """Return the document of one config, or None."""
        return self._served.get(key)

    def body(self, publication: Publication, *, node: str | None) -> bytes | None:
        """Return a document for a client on ``node`` that asks for this one alone; None: its address is not known."""
        if not publication.differs_by_node:
            return publication.document.body
        address = self.nodes.address(node)
        return None if address is None else publication.body_for(address)

    async def settled(self, key: Key, *, node: str | None) -> None:
        """Return once the node's address is known, if this config needs it; at the latest after a moment."""
        publication = self._served.get(key)
        if publication is not None and publication.differs_by_node:
            await self.nodes.settled(node)

    def __len__(self) -> int:
        return len(self._served)

    def in_scope(self, scope: Scope = ()) -> list[Key]:
        """Return the configs in scope that have a document, sorted."""
        if isinstance(scope, Key):
            # Thousands of data planes come at once, each for its own.
            return [scope] if scope in self._served else []
        return sorted(key for key in self._served if key[: len(scope)] == scope)

    def undecided(self, key: Key) -> str | None:
        """Return why nothing can be said of a config now, or None where something can."""
        if self._snapshot is None:
            return None
        output = self._snapshot.configs.get(key)
        return output.reason if isinstance(output, Undecided) else None

    def all_undecided(self) -> dict[Key, str]:
        """Return the configs of which nothing can be said now, sorted, each with its reason."""
        outputs = sorted(self._snapshot.configs.items()) if self._snapshot is not None else []
        return {key: output.reason for key, output in outputs if isinstance(output, Undecided)}

    def on_change(self, listener: Callable[[Iterable[Key]], None]) -> None:
        """Have ``listener`` called, at once, with the configs whose document is another or gone."""
        self._listeners.append(listener)

    async def change(self, key: Key | None) -> None:
        """Return when the document of a config (None: of any) has changed, or all is over."""
        if self.closed:
            return
        waiter = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(key, set())
        waiters.add(waiter)
        try:
            await waiter
        finally:
            waiters.discard(waiter)
            if not waiters and self._waiters.get(key) is waiters:
                del self._waiters[key]

    def close(self) -> None:
        """Follow the source no longer, and let nobody wait."""
        if self.closed:
            return
        self.closed = True
        self._unsubscribe()
        for key in tuple(self._waiters):
            self._wake(key)

    def _take(self, snapshot: Snapshot) -> None:
        difference = snapshot.since(self._snapshot)
        self._snapshot = snapshot
        changed = [key for key in difference.configs if self._publish(key, snapshot)]
        if changed:
            for listener in self._listeners:
                listener(changed)
            for key in (*changed, None):
                self._wake(key)
        if difference.nodes:
            self.nodes.take(snapshot.nodes, difference.nodes)

    def _publish(self, key: Key, snapshot: Snapshot) -> bool:
        """Take over what the snapshot says of one config; whether its document changed."""
        output = snapshot.configs.get(key, ABSENT)
        if output is ABSENT:
            return self._served.pop(key, None) is not None
        if not isinstance(output, Want):
            return False
        served = self._served.get(key)
        if served is not None and served.document == output.value:
            return False
        self._served[key] = Publication(output.value)
        return True

    def _wake_by_node(self, nodes: Iterable[str]) -> None:  # noqa: ARG002 - whoever waits looks for himself
        for key in tuple(self._waiters):
            served = self._served.get(key) if key is not None else None
            if key is None or (served is not None and served.differs_by_node):
                self._wake(key)

    def _wake(self, key: Key | None) -> None:
        for waiter in self._waiters.get(key, ()):
            if not waiter.done():
                waiter.set_result(None)
