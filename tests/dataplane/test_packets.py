"""Packets through a TURN server that reads our documents: the listed peers answer, others do not, changes lose none.

The server is the tests' own (tests/realparts/relay). It does with a document what stunnerd does, so what these tests
show is that our documents say what we mean, travel whole, and take effect without ending calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from stunnergw.settings import Address
from tests.dataplane.stage import (
    NAMESPACE,
    Manifests,
    base,
    echoing,
    free_port,
    gateway,
    listener,
    relaying,
    route,
    service,
    slice_of,
    thing,
)
from tests.operator.stage import DEADLINE, running, settings
from tests.support.turn_clients import Asked, Credentials, ask, ephemeral, flowing

if TYPE_CHECKING:
    from pathlib import Path

EDGE = f"{NAMESPACE}/edge"
ONE, TWO, OTHER = "127.0.0.2", "127.0.0.3", "127.0.0.4"


def media(*addresses: str) -> list[dict[str, Any]]:
    return [service("media"), slice_of("media", *addresses), route("media", {"name": "media"})]


@pytest.fixture
def manifests(tmp_path: Path) -> Manifests:
    return Manifests(tmp_path)


async def test_listed_peers_answer_and_others_are_refused(relay: Path, manifests: Manifests, tmp_path: Path) -> None:
    port = free_port()
    manifests.put(*base(), gateway(listener(port)), *media(ONE))
    server = ("127.0.0.1", port)
    async with (
        echoing(ONE, OTHER) as peer,
        running(settings(manifests.folder)) as (_, ports),
        relaying(relay, ports, EDGE, log=tmp_path / "relay.log"),
    ):
        async with flowing(server, (ONE, peer)) as flow:
            assert await flow.until_more()
        assert await ask(server, (ONE, peer)) == Asked(allocated=True, permitted=True)
        assert await ask(server, (OTHER, peer)) == Asked(allocated=True, permitted=False)
        wrong = Credentials("user-1", "wrong")
        assert await ask(server, (ONE, peer), who=wrong) == Asked(allocated=False, permitted=False)


async def test_live_changes_lose_no_packet(relay: Path, manifests: Manifests, tmp_path: Path) -> None:
    """Endpoints, routes and listeners come and go, credentials change: a running flow does not notice."""
    port = free_port()
    manifests.put(*base(), gateway(listener(port)), *media(ONE))
    async with (
        echoing(ONE, TWO) as peer,
        running(settings(manifests.folder)) as (operator, ports),
        relaying(relay, ports, EDGE, log=tmp_path / "relay.log"),
        flowing(("127.0.0.1", port), (ONE, peer)) as flow,
    ):
        assert await flow.until_more()
        changes: list[list[dict[str, Any]]] = [
            [slice_of("media", ONE, TWO)],
            [service("more"), slice_of("more", TWO), route("more", {"name": "more"})],
            [gateway(listener(port), listener(free_port(), name="second"))],
            base(userName="user-2", password="pass-2"),
            [gateway(listener(port))],
        ]
        for change in changes:
            runs = operator.projector.runs
            manifests.put(*change)
            async with asyncio.timeout(DEADLINE):
                while operator.projector.runs == runs:
                    await operator.log.wait(after=operator.log.last)
            assert await flow.until_more()
        assert flow.lost == 0


async def test_an_endpoint_that_goes_is_cut_off_and_flows_again_when_it_is_back(
    relay: Path, manifests: Manifests, tmp_path: Path
) -> None:
    port = free_port()
    manifests.put(*base(), gateway(listener(port)), *media(ONE, TWO))
    async with (
        echoing(ONE, TWO) as peer,
        running(settings(manifests.folder)) as (_, ports),
        relaying(relay, ports, EDGE, log=tmp_path / "relay.log"),
        flowing(("127.0.0.1", port), (ONE, peer)) as going,
        flowing(("127.0.0.1", port), (TWO, peer)) as staying,
    ):
        assert await going.until_more()
        assert await staying.until_more()
        manifests.put(slice_of("media", TWO))
        assert await going.until_silent()
        manifests.put(slice_of("media", ONE, TWO))
        assert await going.until_more()
        assert await staying.until_more()
        assert staying.lost == 0


async def test_a_restart_of_the_control_plane_is_not_noticed(relay: Path, manifests: Manifests, tmp_path: Path) -> None:
    port = free_port()
    manifests.put(*base(), gateway(listener(port)), *media(ONE))
    log = tmp_path / "relay.log"
    wanted = settings(manifests.folder)
    async with echoing(ONE) as peer, contextlib.AsyncExitStack() as stack:
        async with running(wanted) as (_, ports):
            await stack.enter_async_context(relaying(relay, ports, EDGE, log=log))
            flow = await stack.enter_async_context(flowing(("127.0.0.1", port), (ONE, peer)))
            assert await flow.until_more()
        assert await flow.until_more()
        again = replace(wanted, config_discovery_address=Address("127.0.0.1", ports.discovery))
        async with running(again) as (operator, _):
            async with asyncio.timeout(DEADLINE):
                # The data plane dials again after a second; nothing tells us but the list of clients.
                while not list(operator.servers.fanout.clients()):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert await flow.until_more()
        assert flow.lost == 0
        told = await asyncio.to_thread(log.read_text)
        assert told.count(" starts") == 1
        assert told.count("applied: ") == 1


def certificate(name: str, authority: trustme.CA) -> dict[str, Any]:
    made = authority.issue_cert("localhost", "127.0.0.1")
    data = {
        "tls.crt": b"".join(part.bytes() for part in made.cert_chain_pems).decode(),
        "tls.key": made.private_key_pem.bytes().decode(),
    }
    return thing("v1", "Secret", name, type="kubernetes.io/tls", stringData=data)


def secured(port: int, protocol: str, secret: str = "certificate") -> dict[str, Any]:
    tls = {"mode": "Terminate", "certificateRefs": [{"name": secret}]}
    return listener(port, name=protocol.lower(), protocol=protocol, tls=tls)


async def test_tcp_and_tls_flows(relay: Path, manifests: Manifests, tmp_path: Path) -> None:
    tcp, tls = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.check_hostname = False
    manifests.put(
        *base(),
        certificate("certificate", authority),
        gateway(listener(tcp, name="tcp", protocol="TURN-TCP"), secured(tls, "TURN-TLS")),
        *media(ONE),
    )
    async with (
        echoing(ONE) as peer,
        running(settings(manifests.folder)) as (_, ports),
        relaying(relay, ports, EDGE, log=tmp_path / "relay.log"),
        flowing(("127.0.0.1", tcp), (ONE, peer), transport="tcp") as plain,
    ):
        assert await plain.until_more()
        async with flowing(("127.0.0.1", tls), (ONE, peer), transport="tcp", tls=context) as secure:
            assert await secure.until_more()
        # A new certificate restarts its own listener, and no other.
        manifests.put(certificate("certificate", trustme.CA()))
        assert await plain.until_more(50)
        assert plain.lost == 0


async def probe(relay: Path, *arguments: str) -> int:
    """Run the relay's own client and return how many packets came back."""
    process = await asyncio.create_subprocess_exec(
        str(relay), "probe", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return int(out)


async def test_dtls_with_ephemeral_credentials_from_a_secret(relay: Path, manifests: Manifests, tmp_path: Path) -> None:
    port = free_port()
    secret = thing("v1", "Secret", "shared", "system", stringData={"type": "ephemeral", "secret": "p$HOME${X}$$ ä"})
    manifests.put(
        *base(authRef={"name": "shared"}),
        secret,
        certificate("certificate", trustme.CA()),
        gateway(secured(port, "TURN-DTLS")),
        *media(ONE),
    )
    who = ephemeral("p$HOME${X}$$ ä")
    async with (
        echoing(ONE) as peer,
        running(settings(manifests.folder)) as (_, ports),
        relaying(relay, ports, EDGE, log=tmp_path / "relay.log"),
    ):
        named = ("-transport", "dtls", "-server", f"127.0.0.1:{port}", "-user", who.user, "-password", who.password)
        assert await probe(relay, *named, "-peer", f"{ONE}:{peer}") == 5


async def test_port_ranges_and_static_services(relay: Path, manifests: Manifests, tmp_path: Path) -> None:
    """Two routes name one address with different ports: both are admitted, and no third."""
    port = free_port()
    async with echoing(ONE) as first, echoing(ONE) as second, echoing(ONE) as third:
        backend = {"group": "stunner.l7mp.io", "kind": "StaticService", "name": "lab"}
        manifests.put(
            *base(),
            gateway(listener(port)),
            thing("stunner.l7mp.io/v1", "StaticService", "lab", spec={"prefixes": [f"{ONE}/32"]}),
            route("a", {**backend, "port": first, "endPort": first}),
            route("b", {**backend, "port": second}),
        )
        server = ("127.0.0.1", port)
        async with (
            running(settings(manifests.folder)) as (_, ports),
            relaying(relay, ports, EDGE, log=tmp_path / "relay.log"),
        ):
            for peer, admitted in ((first, True), (second, True), (third, False)):
                async with flowing(server, (ONE, peer)) as flow:
                    assert await flow.until_more(5, within=2 if admitted else 0.5) is admitted


async def test_a_grant_that_goes_takes_the_peers_away(relay: Path, manifests: Manifests, tmp_path: Path) -> None:
    port = free_port()
    parent = {
        "parentRefs": [{"name": "edge"}],
        "rules": [{"backendRefs": [{"name": "far", "namespace": "away", "port": 1}]}],
    }
    grant = {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "UDPRoute", "namespace": NAMESPACE}],
        "to": [{"group": "", "kind": "Service"}],
    }
    far, its_slice = service("far"), slice_of("far", ONE)
    far["metadata"]["namespace"] = its_slice["metadata"]["namespace"] = "away"
    manifests.put(
        *base(),
        gateway(listener(port)),
        far,
        its_slice,
        thing("gateway.networking.k8s.io/v1", "UDPRoute", "far", spec=parent),
        thing("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "grant", "away", spec=grant),
    )
    async with (
        echoing(ONE) as peer,
        running(settings(manifests.folder)) as (_, ports),
        relaying(relay, ports, EDGE, log=tmp_path / "relay.log"),
        flowing(("127.0.0.1", port), (ONE, peer)) as flow,
    ):
        assert await flow.until_more()
        manifests.delete("ReferenceGrant", "grant")
        assert await flow.until_silent()
