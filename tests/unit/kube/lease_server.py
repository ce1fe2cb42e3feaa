"""One lease in memory, with versions and conflicts, that goes wrong as it is told to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.errors import ApiError, NotFoundOut, Unreachable
from stunnergw.kube.lease import RENEW_WITHIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases"


class Server:
    """Holds one lease, as an API server does: with versions, and a conflict for a writer that read an older one."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.failure: NotFoundOut | None = None
        """What every request meets."""
        self.hangs: set[str] = set()
        """Methods that are never answered."""
        self.before: Callable[[], None] | None = None
        """Happens once, between a look and the write that follows it."""
        self.asked = 0
        self.written = asyncio.Event()
        self.writes = 0

    async def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None, within: float = 30.0
    ) -> bytes:
        assert query is None
        assert within <= RENEW_WITHIN / 2
        self.asked += 1
        if method in self.hangs:
            await asyncio.sleep(within)
            raise Unreachable("no answer")
        if self.failure is not None:
            raise self.failure
        if method == "GET":
            assert path == f"{PATH}/lease"
            if self.lease is None:
                raise ApiError(404, reason="NotFound", message="not found")
            return orjson.dumps(self.lease)
        if self.before is not None:
            before, self.before = self.before, None
            before()
        assert path == (PATH if method == "POST" else f"{PATH}/lease")
        return self.write(orjson.loads(orjson.dumps(body)))

    def write(self, body: dict[str, Any]) -> bytes:
        now = self.lease["metadata"]["resourceVersion"] if self.lease else None
        if body["metadata"].get("resourceVersion") != now:
            raise ApiError(409, reason="Conflict", message="somebody else wrote")
        self.version += 1
        self.writes += 1
        self.written.set()
        self.lease = {"kind": "Lease"} | body | {"metadata": body["metadata"] | {"resourceVersion": str(self.version)}}
        return orjson.dumps(self.lease)

    def steal(self, holder: str) -> None:
        """Write another holder into the lease, as the reference operator or a person would."""
        assert self.lease is not None
        self.write({**self.lease, "spec": {**self.lease["spec"], "holderIdentity": holder}})

    @property
    def holder(self) -> str:
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])
