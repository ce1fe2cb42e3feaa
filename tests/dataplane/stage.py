"""Peers, data planes and manifests for tests that send packets, everything on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a port that nobody has now."""
    with contextlib.closing(socket.socket(socket.AF_INET, kind)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Echo(asyncio.DatagramProtocol):
    """Sends every packet back."""

    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


@contextlib.asynccontextmanager
async def echoing(*addresses: str, port: int = 0) -> AsyncIterator[int]:
    """Run a peer at each of some loopback addresses, all on one port, which is given."""
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        for address in addresses:
            transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=(address, port))
            stack.enter_context(contextlib.closing(transport))
            port = transport.get_extra_info("sockname")[1]
        yield port


class Manifests:
    """A folder of manifests that a test changes: one file for each object, named for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "manifests"
        self.folder.mkdir()

    def put(self, *objects: dict[str, Any]) -> None:
        """Apply objects."""
        for body in objects:
            name = f"{body['kind']}-{body['metadata']['name']}.yaml".lower()
            # By rename, as an editor does: the operator must never see half a file.
            fresh = self.folder / f".{name}"
            fresh.write_text(yaml.safe_dump(body))
            fresh.rename(self.folder / name)

    def delete(self, kind: str, name: str) -> None:
        """Take an object away."""
        (self.folder / f"{kind}-{name}.yaml".lower()).unlink()


NAMESPACE = "media"


def thing(api_version: str, kind: str, name: str, /, namespace: str = NAMESPACE, **parts: Any) -> dict[str, Any]:
    """Make an object; cluster-scoped ones have the namespace ``""``."""
    metadata: dict[str, Any] = {"name": name, **parts.pop("meta", {})}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata | ({"namespace": namespace} if namespace else {}),
        **parts,
    }


def base(**config: Any) -> list[dict[str, Any]]:
    """A class, its GatewayConfig (static credentials unless given otherwise) and Dataplane."""
    ref = {"group": "stunner.l7mp.io", "kind": "GatewayConfig", "name": "config", "namespace": "system"}
    spec = {"controllerName": "stunner.l7mp.io/gateway-operator", "parametersRef": ref}
    credentials = config or {"userName": "user-1", "password": "pass-1"}
    return [
        thing("gateway.networking.k8s.io/v1", "GatewayClass", "turn", "", spec=spec),
        thing("stunner.l7mp.io/v1", "GatewayConfig", "config", "system", spec=credentials),
        thing("stunner.l7mp.io/v1", "Dataplane", "default", "", spec={}),
    ]


def gateway(*listeners: dict[str, Any]) -> dict[str, Any]:
    """The Gateway ``media/edge``, reachable on loopback."""
    spec = {"gatewayClassName": "turn", "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}]}
    return thing("gateway.networking.k8s.io/v1", "Gateway", "edge", spec={**spec, "listeners": list(listeners)})


def listener(port: int, *, name: str = "udp", protocol: str = "TURN-UDP", **parts: Any) -> dict[str, Any]:
    """A listener."""
    return {"name": name, "protocol": protocol, "port": port, **parts}


def route(name: str, *backends: dict[str, Any], section: str | None = None) -> dict[str, Any]:
    """A UDPRoute of stunner.l7mp.io to some backends."""
    parent = {"name": "edge"} | ({"sectionName": section} if section else {})
    spec = {"parentRefs": [parent], "rules": [{"backendRefs": list(backends)}]}
    return thing("stunner.l7mp.io/v1", "UDPRoute", name, spec=spec)


def service(name: str) -> dict[str, Any]:
    """A headless Service."""
    return thing("v1", "Service", name, spec={"clusterIP": "None", "ports": [{"port": 1, "protocol": "UDP"}]})


def slice_of(name: str, *addresses: str) -> dict[str, Any]:
    """The EndpointSlice of a Service."""
    return thing(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        name,
        meta={"labels": {"kubernetes.io/service-name": name}},
        addressType="IPv4",
        endpoints=[{"addresses": [address]} for address in addresses],
    )
