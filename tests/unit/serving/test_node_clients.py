"""The node placeholder as clients meet it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from stunnergw.projection.addresses import ExternalNode
from tests.support.plain_http import fetch
from tests.unit.serving.stage import CORE, EDGE, document, serving, until, watching

if TYPE_CHECKING:
    import pytest

    from stunnergw.dataplane.documents import Document
    from stunnergw.resources.metadata import Key
    from tests.unit.serving.stage import Stage

ONE = "/api/v1/configs/media/edge"
PLACEHOLDER = "__node_address_placeholder"


def nodes(**addresses: str) -> dict[str, ExternalNode]:
    """Nodes by IP address, or by name where that does not begin with a digit."""
    return {
        name: ExternalNode(name, "IPAddress" if value[0].isdigit() else "Hostname", value)
        for name, value in addresses.items()
    }


def marked(key: Key = EDGE, text: str = "") -> Document:
    return document(key, text, address=PLACEHOLDER)


def at(address: str, key: Key = EDGE, text: str = "") -> bytes:
    """The document that a client at an address gets."""
    return document(key, text, address=address).body


def publish(stage: Stage, text: str = "", **addresses: str) -> None:
    stage.source.publish({EDGE: marked(text=text), CORE: document(CORE)}, nodes=nodes(**addresses))


async def test_each_node_gets_its_address_and_others_their_own() -> None:
    async with serving() as stage:
        publish(stage, n1="198.51.100.7", n2="2001:db8::7")
        for query, address in {
            "?node=n1": "198.51.100.7",
            "?node=n2": "2001:db8::7",
            "?node=n3": "$STUNNER_ADDR",
            "?node=": "$STUNNER_ADDR",
            "": "$STUNNER_ADDR",
        }.items():
            assert (await fetch(stage.port(), ONE + query)).body == at(address)
            poll = f"/config?gateway=media/edge&{query[1:]}"
            assert (await fetch(stage.port(), poll)).body == at(address)
        for path in ("/api/v1/configs", "/api/v1/configs/media"):
            assert marked().body in (await fetch(stage.port(), path + "?node=n1")).body


async def test_an_etag_is_of_what_was_answered() -> None:
    async with serving() as stage:
        publish(stage, n1="198.51.100.7", n2="198.51.100.8")
        ask = "/config?gateway=media/edge&node="
        first, second = [(await fetch(stage.port(), ask + node)).headers["etag"] for node in ("n1", "n2")]
        assert first != second
        assert (await fetch(stage.port(), ask + "n1", headers={"If-None-Match": first})).status == 304


async def test_a_change_of_address_is_pushed_to_the_clients_of_that_node_alone() -> None:
    async with serving() as stage, contextlib.AsyncExitStack() as stack:

        async def watch(config: str, node: str | None) -> Any:
            return await stack.enter_async_context(watching(stage.port(), config, node=node))

        publish(stage, n1="198.51.100.7", n2="198.51.100.8")
        mine, same, others, none = [await watch("media/edge", node) for node in ("n1", "n1", "n2", None)]
        plain, several = await watch("media/core", "n1"), await watch("media", "n1")
        assert [await watcher.message() for watcher in (mine, others, none)] == [
            at("198.51.100.7"), at("198.51.100.8"), at("$STUNNER_ADDR"),
        ]  # fmt: skip
        await same.message()
        await plain.message()
        assert {await several.message() for _ in range(2)} == {marked().body, document(CORE).body}

        publish(stage, n1="203.0.113.1", n2="198.51.100.8")
        assert await mine.message() == await same.message() == at("203.0.113.1")
        for watcher in (others, none, plain, several):
            assert await watcher.is_silent()

        publish(stage, n2="198.51.100.8")
        assert await mine.message() == at("$STUNNER_ADDR")
        publish(stage, "2", n1="203.0.113.2", n2="198.51.100.8")
        assert await mine.message() == at("203.0.113.2", text="2")
        assert await others.message() == at("198.51.100.8", text="2")
        assert await mine.is_silent()


async def test_status_names_nodes_and_versions() -> None:
    async with serving() as stage:
        publish(stage, n1="198.51.100.7")
        async with watching(stage.port(), "media/edge", node="n1") as one:
            await one.message()
            told = json.loads((await fetch(stage.inspection, "/status")).body)
    assert told["nodes"] == [
        {
            "name": "n1", "clients": 1, "address": "198.51.100.7",
            "external": {"type": "IPAddress", "value": "198.51.100.7"},
        }
    ]  # fmt: skip
    [client] = told["clients"]
    assert client["version"] == marked().version


async def test_one_frame_is_built_for_each_address() -> None:
    async with serving() as stage, contextlib.AsyncExitStack() as stack:
        publish(stage, n1="198.51.100.7", n2="198.51.100.8")
        for number in range(8):
            watcher = await stack.enter_async_context(watching(stage.port(), "media/edge", node=f"n{number % 2 + 1}"))
            await watcher.message()
        publication = stage.servers.publications.get(EDGE)
        assert publication is not None
        assert len(publication._variants) == 2
        assert publication.message_for("198.51.100.7") is publication.message_for("198.51.100.7")


async def test_frames_of_addresses_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stunnergw.serving.publishing.VARIANTS_AT_MOST", 3)
    async with serving() as stage:
        publish(stage)
        publication = stage.servers.publications.get(EDGE)
        assert publication is not None
        for number in range(10):
            assert at(f"10.0.0.{number}") in publication.message_for(f"10.0.0.{number}").frame
        assert len(publication._variants) == 3


class Names:
    """A name server that answers when it is told to."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.asked = asyncio.Event()

    async def resolve(self, name: str) -> list[str]:
        self.asked.set()
        return await asyncio.shield(self.answer)


async def test_a_watch_waits_for_the_first_resolution_of_its_nodes_name() -> None:
    names = Names()
    async with serving(resolve=names.resolve) as stage:
        publish(stage, n1="node-1.example")
        async with watching(stage.port(), "media/edge", node="n1") as one, asyncio.timeout(5):
            await names.asked.wait()
            assert await one.is_silent()
            names.answer.set_result(["198.51.100.7"])
            assert await one.message() == at("198.51.100.7")
            publish(stage, "2", n1="node-1.example")
            assert await one.message() == at("198.51.100.7", text="2")


async def test_a_name_is_not_resolved_for_documents_without_the_placeholder() -> None:
    names = Names()
    async with serving(resolve=names.resolve) as stage:
        publish(stage, n1="node-1.example")
        async with watching(stage.port(), "media/core", node="n1") as one:
            await one.message()
            for path in ("/api/v1/configs/media/core?node=n1", "/config?gateway=media/core&node=n1", "/api/v1/configs"):
                assert (await fetch(stage.port(), path)).status == 200
            await fetch(stage.inspection, "/status")
            assert stage.servers.fanout.nodes_in_use() == []
        assert not names.asked.is_set()


async def test_a_get_waits_a_moment_for_the_name_and_is_then_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names()
    async with serving(resolve=names.resolve) as stage:
        publish(stage, n1="node-1.example")
        waiting = asyncio.create_task(fetch(stage.port(), ONE + "?node=n1"))
        await names.asked.wait()
        monkeypatch.setattr("stunnergw.serving.nodes.WAIT_AT_MOST", 0.01)
        for path in (ONE + "?node=n1", "/config?gateway=media/edge&node=n1"):
            hasty = await fetch(stage.port(), path)
            assert (hasty.status, hasty.headers["retry-after"]) == (503, "1")
            assert "Node n1" in json.loads(hasty.body)["message"]
        names.answer.set_result(["198.51.100.7"])
        assert (await waiting).body == at("198.51.100.7")


async def test_a_poller_that_waits_hears_of_its_nodes_address() -> None:
    async with serving() as stage:
        publish(stage, n1="198.51.100.7")
        ask = "/config?gateway=media/edge&node=n1"
        tag = (await fetch(stage.port(), ask)).headers["etag"]
        waiting = asyncio.create_task(fetch(stage.port(), f"{ask}&wait=5s", headers={"If-None-Match": tag}))
        await until(lambda: bool(stage.servers.publications._waiters))
        publish(stage, n1="198.51.100.8")
        assert (await waiting).body == at("198.51.100.8")
