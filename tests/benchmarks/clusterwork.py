"""The same work on a real API server: N Gateways in N namespaces, applied as manifests, and the clients that watch."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from stunnergw.resources.crds import custom_resource_definitions
from stunnergw.settings import CONTROLLER_NAME
from tests.realparts.crds import install_crds, use_gateway_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.realparts.api import Api

Object = dict[str, Any]

AT_ONCE = 16
"""Requests under way while the work is made."""

PING_EVERY = 5.0

GATEWAY_API = "gateway.networking.k8s.io/v1"
STUNNER = "stunner.l7mp.io/v1"


def space(number: int) -> str:
    """Return the namespace of a Gateway."""
    return f"ns{number}"


def shared() -> Iterator[Object]:
    """What all Gateways rest on."""
    ref = {"group": "stunner.l7mp.io", "kind": "GatewayConfig", "name": "config", "namespace": "default"}
    yield {
        "apiVersion": GATEWAY_API,
        "kind": "GatewayClass",
        "metadata": {"name": "turn"},
        "spec": {"controllerName": CONTROLLER_NAME, "parametersRef": ref},
    }
    yield {
        "apiVersion": STUNNER,
        "kind": "GatewayConfig",
        "metadata": {"name": "config", "namespace": "default"},
        "spec": {"userName": "user", "password": "wonderland"},
    }
    yield {
        "apiVersion": STUNNER,
        "kind": "Dataplane",
        "metadata": {"name": "default"},
        "spec": {"image": "example.org/stunnerd:1.2.0"},
    }


def addresses(number: int, first: int = 1) -> list[str]:
    """Return the three addresses behind a Gateway's Service, counted from ``first``."""
    return [f"10.{100 + number // 250}.{number % 250}.{first + offset}" for offset in range(3)]


def slice_of(number: int, first: int = 1) -> Object:
    """The EndpointSlice of a Gateway's Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "sfu-1",
            "namespace": space(number),
            "labels": {"kubernetes.io/service-name": "sfu"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "rtp", "protocol": "UDP", "port": 10000}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses(number, first)],
    }


def gateway_and_more(number: int) -> Iterator[Object]:
    """A Gateway with its route, and the Service that this leads to."""
    inside = {"namespace": space(number)}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "sfu", **inside},
        "spec": {"selector": {"app": "sfu"}, "ports": [{"name": "rtp", "protocol": "UDP", "port": 10000}]},
    }
    yield slice_of(number)
    yield {
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": {"name": "edge", **inside},
        "spec": {
            "gatewayClassName": "turn",
            "listeners": [{"name": "udp", "protocol": "TURN-UDP", "port": 3478}],
        },
    }
    yield {
        "apiVersion": STUNNER,
        "kind": "UDPRoute",
        "metadata": {"name": "sfu", **inside},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{"name": "sfu"}]}]},
    }


async def make(api: Api, gateways: int) -> None:
    """Make all of it."""
    await use_gateway_api(api, "v1.6.3", "standard")
    await install_crds(api, custom_resource_definitions())
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space(n)}} for n in range(gateways)]
    await api.apply([*shared(), *spaces], at_once=AT_ONCE)
    everything = [thing for number in range(gateways) for thing in gateway_and_more(number)]
    await api.apply(everything, at_once=AT_ONCE)


class Watchers:
    """Clients of the first Gateways, as stunnerd is one: a WebSocket each, a ping every five seconds.

    What each last got, and when the newest message of each came, is kept.
    """

    def __init__(self, url: str, count: int) -> None:
        self._url = url
        self._count = count
        self.last: dict[int, bytes] = {}
        self.came: dict[int, float] = {}
        self.bad: list[str] = []
        """Messages that took away what a client had."""
        self._news = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> Any:
        """Watch within a block, and come again whenever the server goes."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._watch(session, number)) for number in range(self._count)]
            yield self
            for task in tasks:
                task.cancel()

    async def all_have_one(self, *, since: float) -> float:
        """Return the monotonic time at which the last of them had a message that came after ``since``."""
        while True:
            times = [self.came.get(number, 0.0) for number in range(self._count)]
            if min(times, default=1.0) >= since:
                return max(times)
            self._news.clear()
            await self._news.wait()

    async def sees(self, number: int, address: str) -> float:
        """Return the monotonic time at which a client had a document with an address in it."""
        while address.encode() not in self.last.get(number, b""):
            self._news.clear()
            await self._news.wait()
        return self.came[number]

    def move(self, url: str) -> None:
        """Look for the server elsewhere from now on."""
        self._url = url

    async def _watch(self, session: aiohttp.ClientSession, number: int) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                url = f"{self._url}/api/v1/configs/{space(number)}/edge?watch=true"
                async with session.ws_connect(url, heartbeat=PING_EVERY) as socket:
                    async for message in socket:
                        self._take(number, message.data.encode() if isinstance(message.data, str) else message.data)
            await asyncio.sleep(0.02)

    def _take(self, number: int, text: bytes) -> None:
        self.came[number] = time.monotonic()
        before = self.last.get(number)
        if before is not None and (not _endpoints(text)):
            self.bad.append(f"{space(number)}: {text[:200]!r}")
        self.last[number] = text
        self._news.set()


def _endpoints(text: bytes) -> list[str]:
    return [endpoint for cluster in orjson.loads(text).get("clusters") or () for endpoint in cluster["endpoints"]]
