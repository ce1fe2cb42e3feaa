"""Packets through a TURN server that reads our documents: the listed peers answer, others do not, changes lose none.

The server is the tests' own (tests/realparts/relay), and the real stunnerd too where the machine has it. These tests
show that our documents say what we mean, travel whole, and take effect without ending calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
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
    route,
    service,
    slice_of,
    thing,
)
from tests.operator.stage import DEADLINE, running, settings
from tests.support.plain_http import fetch
from tests.support.stunnerd_documents import zero_document
from tests.support.turn_clients import STATIC, Credentials, Way, ephemeral, flowing, vouched
from tests.support.turn_questions import REFUSED, STRANGER, UNHEARD, WELCOME, Asked, ask
from tests.support.turn_servers import DataPlane, piped, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from stunnergw.operator import Operator

EDGE = f"{NAMESPACE}/edge"
ONE, TWO, OTHER = "127.0.0.2", "127.0.0.3", "127.0.0.4"
SECRET = "p$HOME${X}$$ ä"
"""Every byte of it has to arrive."""


def origin(discovery: int) -> str:
    return f"http://127.0.0.1:{discovery}"


class Scene:
    """Manifests, the operator over them, a data plane that follows it, and peers."""

    def __init__(self, plane: DataPlane, folder: Path) -> None:
        self.plane = plane
        self.folder = folder
        self.log = folder / "data-plane.log"
        self.manifests = Manifests(folder)
        self.put = self.manifests.put
        self.authority = trustme.CA()

    @contextlib.asynccontextmanager
    async def played(self, *peers: str) -> AsyncIterator[int]:
        """Run it all until the block ends, and give the peers' port."""
        async with (
            echoing(*peers) as peer,
            running(settings(self.manifests.folder)) as (_, ports),
            serving(self.plane, EDGE, origin=origin(ports.discovery), log=self.log),
        ):
            yield peer

    def certificate(self, name: str = "certificate") -> dict[str, Any]:
        """Make a Secret with a new certificate of today's authority."""
        made = self.authority.issue_cert("localhost", "127.0.0.1")
        chain = b"".join(part.bytes() for part in made.cert_chain_pems).decode()
        data = {"tls.crt": chain, "tls.key": made.private_key_pem.bytes().decode()}
        return thing("v1", "Secret", name, type="kubernetes.io/tls", stringData=data)

    def trusting(self) -> ssl.SSLContext:
        """Trust today's authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context

    @contextlib.asynccontextmanager
    async def way(self, protocol: str, port: int, relay: Path) -> AsyncIterator[Way]:
        """Give a client's way to a listener, over its protocol."""
        server = ("localhost" if protocol == "TURN-TLS" else "127.0.0.1", port)
        if protocol == "TURN-DTLS":
            trusted = self.folder / "authority.pem"
            self.authority.cert_pem.write_to_path(str(trusted))
            async with piped(relay, server, authority=trusted, log=self.folder / "pipe.log") as inlet:
                yield inlet
        elif protocol == "TURN-UDP":
            yield Way(server)
        else:
            yield Way(server, "tcp", self.trusting() if protocol == "TURN-TLS" else None)


@pytest.fixture
def scene(data_plane: DataPlane, tmp_path: Path) -> Scene:
    return Scene(data_plane, tmp_path)


def media(*addresses: str, name: str = "media") -> list[dict[str, Any]]:
    return [service(name), slice_of(name, *addresses), route(name, {"name": name})]


def secured(port: int, protocol: str, *, secret: str = "certificate") -> dict[str, Any]:
    tls = {"mode": "Terminate", "certificateRefs": [{"name": secret}]}
    return listener(port, name=protocol.lower(), protocol=protocol, tls=tls)


def a_port(protocol: str) -> int:
    return free_port(socket.SOCK_DGRAM if protocol in ("TURN-UDP", "TURN-DTLS") else socket.SOCK_STREAM)


async def until(way: Way, peer: tuple[str, int], wanted: Asked, *, who: Credentials = STATIC) -> None:
    """Ask until a change is in force: nothing tells when another program has taken it."""
    seen = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE):
            while (seen := await ask(way, peer, who=who)) != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert seen == wanted


@pytest.mark.parametrize("protocol", ["TURN-UDP", "TURN-TCP", "TURN-TLS", "TURN-DTLS"])
async def test_listed_peers_answer_and_others_are_refused(scene: Scene, relay: Path, protocol: str) -> None:
    port = a_port(protocol)
    entry = secured(port, protocol) if protocol.endswith("TLS") else listener(port, protocol=protocol)
    scene.put(*base(), scene.certificate(), gateway(entry), *media(ONE))
    async with scene.played(ONE, OTHER) as peer, scene.way(protocol, port, relay) as way:
        async with flowing(way, (ONE, peer)) as flow:
            assert await flow.until_more()
            assert await flow.lost() == 0
        assert await ask(way, (ONE, peer)) == WELCOME
        assert await ask(way, (OTHER, peer)) == STRANGER
        assert await ask(way, (ONE, peer), who=Credentials("user-1", "wrong")) == REFUSED
        assert await ask(way, (ONE, peer), who=Credentials("user-2", "pass-1")) == REFUSED


@pytest.mark.parametrize(
    ("config", "secret", "right"),
    [
        ({"authType": "ephemeral", "sharedSecret": SECRET}, {}, ephemeral(SECRET)),
        ({}, {"type": "ephemeral", "secret": SECRET}, ephemeral(SECRET)),
        ({}, {"type": "static", "username": "ü", "password": SECRET}, Credentials("ü", SECRET)),
    ],
    ids=["ephemeral", "ephemeral-from-a-secret", "static-from-a-secret"],
)
async def test_credentials_are_those_of_the_class(
    scene: Scene, config: dict[str, str], secret: dict[str, str], right: Credentials
) -> None:
    port = free_port()
    way = Way(("127.0.0.1", port))
    given: dict[str, Any] = config or {"authRef": {"name": "shared"}}
    scene.put(*base(**given), gateway(listener(port)), *media(ONE))
    if secret:
        scene.put(thing("v1", "Secret", "shared", "system", stringData=secret))
    async with scene.played(ONE) as peer:
        assert await ask(way, (ONE, peer), who=right) == WELCOME
        for wrong in (STATIC, ephemeral("other"), ephemeral(SECRET, seconds=-60), vouched(SECRET, "alice")):
            assert await ask(way, (ONE, peer), who=wrong) == REFUSED


async def test_port_ranges_and_static_services(scene: Scene) -> None:
    """Two routes name one address with different ports: both are admitted, and no third."""
    port = free_port()
    way = Way(("127.0.0.1", port))
    async with echoing(ONE) as first, echoing(ONE) as second, echoing(ONE) as third:
        backend = {"group": "stunner.l7mp.io", "kind": "StaticService", "name": "lab"}
        scene.put(
            *base(),
            gateway(listener(port)),
            thing("stunner.l7mp.io/v1", "StaticService", "lab", spec={"prefixes": [f"{ONE}/32"]}),
            route("a", {**backend, "port": first, "endPort": first}),
            route("b", {**backend, "port": second}),
        )
        async with scene.played():
            for peer, wanted in ((first, WELCOME), (second, WELCOME), (third, UNHEARD)):
                assert await ask(way, (ONE, peer)) == wanted


async def test_each_listener_admits_what_its_own_routes_say(scene: Scene) -> None:
    """Also where two routes name one address with different ports, and one of them one listener only."""
    narrow, wide = free_port(), free_port()
    async with echoing(ONE, TWO) as first, echoing(ONE) as second:
        backend = {"group": "stunner.l7mp.io", "kind": "StaticService", "name": "lab"}
        scene.put(
            *base(),
            gateway(listener(narrow, name="narrow"), listener(wide, name="wide")),
            thing("stunner.l7mp.io/v1", "StaticService", "lab", spec={"prefixes": [ONE]}),
            route("a", {**backend, "port": first}),
            route("b", {**backend, "port": second}, section="wide"),
            service("more"),
            slice_of("more", TWO),
            route("c", {"name": "more"}, section="wide"),
        )
        async with scene.played():
            for port, asked in (narrow, (WELCOME, UNHEARD, STRANGER)), (wide, (WELCOME, WELCOME, WELCOME)):
                peers = (ONE, first), (ONE, second), (TWO, first)
                assert tuple([await ask(Way(("127.0.0.1", port)), peer) for peer in peers]) == asked


async def test_a_grant_that_goes_takes_the_peers_away(scene: Scene) -> None:
    port = free_port()
    way = Way(("127.0.0.1", port))
    backends = [{"name": "far", "namespace": "away", "port": 1}]
    spec = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": backends}]}
    grant = {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "UDPRoute", "namespace": NAMESPACE}],
        "to": [{"group": "", "kind": "Service"}],
    }
    far, its_slice = service("far"), slice_of("far", ONE)
    far["metadata"]["namespace"] = its_slice["metadata"]["namespace"] = "away"
    scene.put(
        *base(),
        gateway(listener(port)),
        far,
        its_slice,
        thing("gateway.networking.k8s.io/v1", "UDPRoute", "far", spec=spec),
        thing("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "grant", "away", spec=grant),
    )
    async with scene.played(ONE) as peer, flowing(way, (ONE, peer)) as flow:
        assert await flow.until_more()
        scene.manifests.delete("ReferenceGrant", "grant")
        assert await flow.until_silent()
        assert await ask(way, (ONE, peer)) == STRANGER


async def test_live_changes_lose_no_packet(scene: Scene) -> None:
    """Endpoints, routes and listeners come and go, credentials change: a running flow does not notice."""
    port, second = free_port(), free_port()
    way, other_way = Way(("127.0.0.1", port)), Way(("127.0.0.1", second))
    scene.put(*base(), gateway(listener(port)), *media(ONE))
    async with scene.played(ONE, TWO, OTHER) as peer, flowing(way, (ONE, peer)) as flow:
        assert await flow.until_more()
        scene.put(slice_of("media", ONE, TWO))
        await until(way, (TWO, peer), WELCOME)
        scene.put(*media(OTHER, name="more"))
        await until(way, (OTHER, peer), WELCOME)
        scene.put(gateway(listener(port), listener(second, name="second")))
        await until(other_way, (ONE, peer), WELCOME)
        scene.put(gateway(listener(port)))
        await until(other_way, (ONE, peer), REFUSED)
        changed = Credentials("user-2", "pass-2")
        scene.put(*base(userName=changed.user, password=changed.password))
        await until(way, (ONE, peer), WELCOME, who=changed)
        assert await ask(way, (ONE, peer)) == REFUSED
        assert await flow.until_more()
        assert await flow.lost() == 0


async def test_an_endpoint_that_goes_is_cut_off_and_flows_again_when_it_is_back(scene: Scene) -> None:
    port = free_port()
    way = Way(("127.0.0.1", port))
    scene.put(*base(), gateway(listener(port)), *media(ONE, TWO))
    async with (
        scene.played(ONE, TWO) as peer,
        flowing(way, (ONE, peer)) as going,
        flowing(way, (TWO, peer)) as staying,
    ):
        assert await going.until_more()
        assert await staying.until_more()
        scene.put(slice_of("media", TWO))
        assert await going.until_silent()
        scene.put(slice_of("media", ONE, TWO))
        assert await going.until_more()
        assert await staying.lost() == 0


@pytest.mark.parametrize("protocol", ["TURN-TLS", "TURN-DTLS"])
async def test_a_new_certificate_restarts_its_own_listener(scene: Scene, relay: Path, protocol: str) -> None:
    if (scene.plane.name, protocol) == ("stunnerd", "TURN-DTLS"):
        pytest.skip("stunnerd cannot bind a DTLS port again while a client of it lives; the listener then stays down")
    tcp, port = free_port(socket.SOCK_STREAM), a_port(protocol)
    plain = Way(("127.0.0.1", tcp), "tcp")
    entries = [listener(tcp, name="tcp", protocol="TURN-TCP"), secured(port, protocol)]
    scene.put(*base(), scene.certificate(), gateway(*entries), *media(ONE))
    async with scene.played(ONE) as peer, flowing(plain, (ONE, peer)) as flow:
        assert await flow.until_more()
        async with scene.way(protocol, port, relay) as way, flowing(way, (ONE, peer)) as ended:
            assert await ended.until_more()
            scene.authority = trustme.CA()
            scene.put(scene.certificate())
            assert await ended.until_silent()
        async with scene.way(protocol, port, relay) as way:
            # Only a listener with the new certificate is trusted now.
            await until(way, (ONE, peer), WELCOME)
        assert await flow.lost() == 0


async def test_a_file_will_do_and_rubbish_in_it_harms_nobody(scene: Scene) -> None:
    """For data planes that poll `/config` instead of watching: the last good document stays in force."""
    port = free_port()
    way = Way(("127.0.0.1", port))
    scene.put(*base(), gateway(listener(port)), *media(ONE))
    async with running(settings(scene.manifests.folder)) as (_, ports):
        good = (await fetch(ports.discovery, f"/config?gateway={EDGE}")).body
    file = scene.folder / "stunnerd.conf"
    file.write_bytes(good)
    served = serving(scene.plane, EDGE, origin=f"file://{file}", log=scene.log)
    async with echoing(ONE, TWO) as peer, served, flowing(way, (ONE, peer)) as flow:
        broken = good.replace(ONE.encode(), b"nobody")
        for rubbish in (zero_document(EDGE), good[:-20], broken):
            file.write_bytes(rubbish)
            # They look once a second.
            assert await flow.until_more(120)
        file.write_bytes(good.replace(ONE.encode(), f'{ONE}","{TWO}'.encode()))
        await until(way, (TWO, peer), WELCOME)
        assert await flow.lost() == 0


async def reached(operator: Operator) -> None:
    """Wait for a data plane to be back: it dials each second, and nothing tells us but the list of clients."""
    async with asyncio.timeout(DEADLINE):
        while not list(operator.servers.fanout.clients()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_restart_of_the_control_plane_is_not_noticed(scene: Scene) -> None:
    """It gets the identical document, and has nothing to do."""
    port = free_port()
    way = Way(("127.0.0.1", port))
    scene.put(*base(), gateway(listener(port)), *media(ONE))
    wanted = settings(scene.manifests.folder)
    async with echoing(ONE) as peer, contextlib.AsyncExitStack() as stack:
        async with running(wanted) as (_, ports):
            served = serving(scene.plane, EDGE, origin=origin(ports.discovery), log=scene.log)
            await stack.enter_async_context(served)
            flow = await stack.enter_async_context(flowing(way, (ONE, peer)))
            assert await flow.until_more()
        assert await flow.until_more()
        again = replace(wanted, config_discovery_address=Address("127.0.0.1", ports.discovery))
        async with running(again) as (operator, _):
            await reached(operator)
            assert await flow.until_more()
        assert await flow.lost() == 0
        if scene.plane.name == "relay":
            told = await asyncio.to_thread(scene.log.read_text)
            assert [told.count(what) for what in (" starts", "applied: ", "the same document again")] == [1, 1, 1]


@contextlib.asynccontextmanager
async def control_plane(folder: Path, discovery: int, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The operator as a program of its own, killed in the end as a machine that fails would."""
    elsewhere = [f"--{name}-address=127.0.0.1:0" for name in ("inspection", "metrics-bind", "health-probe-bind")]
    command = ["-m", "stunnergw", "run", f"--manifests={folder}", *elsewhere]
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, f"--config-discovery-address=127.0.0.1:{discovery}", stdout=sink, stderr=sink
        )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def test_a_control_plane_that_is_killed_is_not_missed(scene: Scene) -> None:
    """Packets flow while it is away; what changed meanwhile is in force when it is back."""
    port, discovery = free_port(), free_port(socket.SOCK_STREAM)
    way = Way(("127.0.0.1", port))
    folder, log = scene.manifests.folder, scene.folder / "operator.log"
    scene.put(*base(), gateway(listener(port)), *media(ONE))
    async with echoing(ONE, TWO) as peer, contextlib.AsyncExitStack() as stack:
        async with control_plane(folder, discovery, log):
            await stack.enter_async_context(serving(scene.plane, EDGE, origin=origin(discovery), log=scene.log))
            flow = await stack.enter_async_context(flowing(way, (ONE, peer)))
            assert await flow.until_more()
        scene.put(slice_of("media", ONE, TWO))
        assert await flow.until_more()
        assert await ask(way, (TWO, peer)) == STRANGER
        async with control_plane(folder, discovery, log):
            await until(way, (TWO, peer), WELCOME)
            assert await flow.until_more()
        assert await flow.lost() == 0
