"""Node addresses by themselves, on virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from stunnergw.projection.addresses import ExternalNode
from stunnergw.serving.nodes import AGAIN_AFTER, AT_ONCE, RETRY_AFTER, WAIT_AT_MOST, NodeAddresses, resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

OWN = "$STUNNER_ADDR"


def by_ip(name: str, address: str) -> ExternalNode:
    return ExternalNode(name, "IPAddress", address)


def by_name(name: str, host: str) -> ExternalNode:
    return ExternalNode(name, "Hostname", host)


class Names:
    """A name server by hand: addresses, or the error that asking for them raises."""

    def __init__(self, **answers: list[str] | OSError) -> None:
        self.answers: dict[str, list[str] | OSError] = dict(answers)
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0

    async def resolve(self, name: str) -> list[str]:
        self.asked.append(name)
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        answer = self.answers.get(name, [])
        if isinstance(answer, OSError):
            raise answer
        return answer


class Bench:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.addresses = NodeAddresses(resolve=names.resolve)
        self.known: dict[str, ExternalNode] = {}
        self.told: list[list[str]] = []
        self.in_use: list[str] = []
        self.addresses.on_change(lambda nodes: self.told.append(list(nodes)))

    def take(self, *nodes: ExternalNode, gone: Iterable[str] = ()) -> None:
        self.known |= {node.name: node for node in nodes}
        for name in gone:
            del self.known[name]
        self.addresses.take(self.known, [*(node.name for node in nodes), *gone])
        self.told.clear()

    async def settle(self, node: str = "n1") -> str | None:
        return await self.addresses.settled(node)


@contextlib.asynccontextmanager
async def running(**answers: list[str] | OSError) -> AsyncIterator[Bench]:
    bench = Bench(Names(**answers))
    task = asyncio.create_task(bench.addresses.run(lambda: bench.in_use))
    try:
        yield bench
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_addresses_come_with_the_nodes_and_go_with_them() -> None:
    bench = Bench(Names())
    assert (bench.addresses.address(None), bench.addresses.address("n1")) == (OWN, OWN)
    bench.take(by_ip("n1", "198.51.100.7"), by_ip("n2", "2001:db8::7"))
    assert bench.addresses.address("n1") == "198.51.100.7"
    assert bench.addresses.address("n2") == "2001:db8::7"
    bench.take(gone=["n1"])
    assert bench.addresses.address("n1") == OWN


@pytest.mark.parametrize("value", ["no address", '1.2.3.4","x":"', 'fe80::1%"', "1.2.3.4/8"])
async def test_an_external_address_that_is_none_counts_as_none(value: str) -> None:
    bench = Bench(Names())
    bench.take(by_ip("n1", value))
    assert bench.addresses.address("n1") == OWN


@pytest.mark.looptime
async def test_a_name_is_resolved_when_somebody_asks_and_then_told() -> None:
    async with running(host=["198.51.100.9", "198.51.100.7"]) as bench:
        bench.take(by_name("n1", "host"), by_name("n2", "host"))
        await asyncio.sleep(100)
        assert bench.names.asked == []
        assert bench.addresses.shown("n1") is None
        assert bench.addresses.address("n1") is None
        assert await bench.settle() == "198.51.100.7"
        assert bench.told == [["n1", "n2"]]
        assert bench.addresses.address("n2") == "198.51.100.7"
        assert bench.names.asked == ["host"]


@pytest.mark.looptime
async def test_a_name_in_use_is_resolved_again_and_one_that_is_not_is_not() -> None:
    async with running(host=["198.51.100.7"]) as bench:
        bench.take(by_name("n1", "host"))
        await bench.settle()
        await asyncio.sleep(10 * AGAIN_AFTER)
        assert len(bench.names.asked) == 1
        bench.in_use = ["n1"]
        bench.names.answers["host"] = ["198.51.100.8"]
        bench.told.clear()
        await asyncio.sleep(AGAIN_AFTER)
        assert bench.told == [["n1"]]
        assert bench.addresses.address("n1") == "198.51.100.8"
        before = len(bench.names.asked)
        await asyncio.sleep(10 * (AGAIN_AFTER + RETRY_AFTER))
        assert before + 9 <= len(bench.names.asked) <= before + 12


@pytest.mark.looptime
async def test_an_address_stays_while_its_name_has_it() -> None:
    async with running(host=["198.51.100.9"]) as bench:
        bench.in_use = ["n1"]
        bench.take(by_name("n1", "host"))
        assert await bench.settle() == "198.51.100.9"
        bench.told.clear()
        bench.names.answers["host"] = ["198.51.100.7", "198.51.100.9"]
        await asyncio.sleep(2 * AGAIN_AFTER)
        assert bench.addresses.address("n1") == "198.51.100.9"
        assert bench.told == []


@pytest.mark.looptime
@pytest.mark.parametrize("failure", [[], OSError("the name server is away")])
async def test_failures_keep_the_last_address(failure: list[str] | OSError) -> None:
    async with running(host=["198.51.100.7"]) as bench:
        bench.in_use = ["n1"]
        bench.take(by_name("n1", "host"))
        await bench.settle()
        bench.names.answers["host"] = failure
        await asyncio.sleep(3 * AGAIN_AFTER)
        assert bench.addresses.failing == 1
        assert bench.addresses.address("n1") == "198.51.100.7"
        bench.names.answers["host"] = ["198.51.100.8"]
        await asyncio.sleep(2 * AGAIN_AFTER)
        assert bench.addresses.address("n1") == "198.51.100.8"
        assert bench.addresses.failing == 0


@pytest.mark.looptime
async def test_a_name_that_does_not_exist_is_no_address_until_it_does() -> None:
    async with running() as bench:
        bench.in_use = ["n1"]
        bench.take(by_name("n1", "host"))
        assert await bench.settle() == OWN
        assert bench.told == [["n1"]]
        bench.names.answers["host"] = ["198.51.100.7"]
        await asyncio.sleep(2 * AGAIN_AFTER)
        assert bench.addresses.address("n1") == "198.51.100.7"


@pytest.mark.looptime
async def test_a_name_that_cannot_be_told_now_is_not_known_and_soon_tried_again() -> None:
    async with running(host=OSError("the name server is away")) as bench:
        bench.take(by_name("n1", "host"))
        began = asyncio.get_running_loop().time()
        assert await bench.settle() is None
        assert asyncio.get_running_loop().time() - began == pytest.approx(WAIT_AT_MOST)
        bench.in_use = ["n1"]
        bench.names.answers["host"] = ["198.51.100.7"]
        await asyncio.sleep(2 * RETRY_AFTER)
        assert bench.addresses.address("n1") == "198.51.100.7"


@pytest.mark.looptime
async def test_a_name_server_that_hangs_occupies_few_threads() -> None:
    async with running() as bench:
        bench.names.open.clear()
        bench.in_use = [f"n{number}" for number in range(20)]
        bench.take(*(by_name(node, f"host-{node}") for node in bench.in_use))
        await asyncio.sleep(RETRY_AFTER)
        assert bench.names.waiting == AT_ONCE


@pytest.mark.looptime
async def test_what_comes_of_a_name_that_is_gone_meanwhile_is_told_to_nobody() -> None:
    async with running(host=["198.51.100.7"]) as bench:
        bench.names.open.clear()
        bench.take(by_name("n1", "host"))
        assert bench.addresses.address("n1") is None
        await asyncio.sleep(1)
        bench.take(by_ip("n1", "203.0.113.1"))
        bench.names.open.set()
        await asyncio.sleep(1)
        assert bench.addresses.address("n1") == "203.0.113.1"
        assert bench.told == [[]]


async def test_the_resolver_of_the_loop() -> None:
    assert "127.0.0.1" in await resolve("127.0.0.1")
    assert await resolve("a..b") == []
    assert await resolve("x" * 70 + ".example") == []


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_AGAIN])
async def test_no_such_name_and_no_answer_are_told_apart(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "as asked for")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    if code == socket.EAI_NONAME:
        assert await resolve("host.example") == []
    else:
        with pytest.raises(OSError, match="as asked for"):
            await resolve("host.example")
