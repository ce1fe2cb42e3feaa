from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from stunnergw.projection.outputs import ABSENT, Undecided
from stunnergw.resources.metadata import Key
from stunnergw.serving import subscribing
from tests.support.plain_http import fetch
from tests.support.websocket_frames import Opcode, close_code, masked_frame
from tests.unit.serving.stage import CORE, EDGE, OTHER, document, serving, watching

if TYPE_CHECKING:
    from stunnergw.serving.authorizing import Peer

ONE = "/api/v1/configs/media/edge"
BROKEN = Undecided("the GatewayConfig media/turn is missing")


async def test_lists_show_all_or_a_namespace_in_order_without_what_has_no_document() -> None:
    documents = {OTHER: document(OTHER), EDGE: document(EDGE), CORE: document(CORE)}
    async with serving({**documents, Key("media", "lost"): BROKEN}) as stage:
        everything = await fetch(stage.port(), "/api/v1/configs")
        media = await fetch(stage.port(), "/api/v1/configs/media")
        nothing = await fetch(stage.port(), "/api/v1/configs/elsewhere")
    bodies = [documents[key].body for key in (OTHER, CORE, EDGE)]
    assert everything.body == b'{"version":"v1","items":[' + b",".join(bodies) + b"]}"
    assert media.body == b'{"version":"v1","items":[' + b",".join(bodies[1:]) + b"]}"
    assert nothing.body == b'{"version":"v1","items":[]}'
    assert everything.headers["content-type"].startswith("application/json")
    assert everything.headers["cache-control"] == "no-store"


async def test_one_config_byte_for_byte() -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        response = await fetch(stage.port(), ONE)
        head = await fetch(stage.port(), ONE, method="HEAD")
    assert (response.status, response.body) == (200, document(EDGE).body)
    assert (head.status, head.body) == (200, b"")


async def test_a_config_that_is_absent_is_404() -> None:
    async with serving({}) as stage:
        response = await fetch(stage.port(), ONE)
    assert response.status == 404
    assert json.loads(response.body) == {"code": 404, "message": "Config not found for ID media/edge"}


@pytest.mark.parametrize("path", ["/api/v1/configs", "/api/v1/configs/media", ONE, "/config"])
async def test_nothing_is_denied_before_the_first_snapshot(path: str) -> None:
    async with serving() as stage:
        response = await fetch(stage.port(), path)
    assert response.status == 503
    assert response.headers["retry-after"] == "1"


async def test_undecided_is_503_until_something_was_served_and_then_that() -> None:
    async with serving({EDGE: BROKEN}) as stage:
        before = await fetch(stage.port(), ONE)
        stage.source.publish({EDGE: document(EDGE)})
        stage.source.publish({EDGE: BROKEN})
        after = await fetch(stage.port(), ONE)
    assert (before.status, before.headers["retry-after"]) == (503, "1")
    assert "the GatewayConfig media/turn is missing" in json.loads(before.body)["message"]
    assert (after.status, after.body) == (200, document(EDGE).body)


async def test_license() -> None:
    async with serving({}) as stage:
        response = await fetch(stage.port(), "/api/v1/license")
    assert response.body == (b'{"enabledFeatures":[],"subscriptionType":"free","lastUpdated":"N/A","lastError":""}')


async def test_names_are_path_escaped() -> None:
    odd = Key("n s", "g?w/%é")
    async with serving({odd: document(odd)}) as stage:
        response = await fetch(stage.port(), "/api/v1/configs/n%20s/g%3Fw%2F%25%C3%A9")
        assert response.body == document(odd).body
    plain = Key("n s", "g?w")
    async with serving({plain: document(plain)}) as stage, watching(stage.port(), "n s/g?w") as one:
        assert await one.message() == document(plain).body


async def test_only_single_documents_are_made_ready_for_their_client() -> None:
    placeholder = document(EDGE, address="__node_address_placeholder")
    async with serving({EDGE: placeholder}) as stage:
        for question in ("", "?node=node-1"):
            response = await fetch(stage.port(), ONE + question)
            assert response.body == document(EDGE).body
        listed = await fetch(stage.port(), "/api/v1/configs")
        polled = await fetch(stage.port(), "/config")
        assert polled.body == document(EDGE).body
        async with watching(stage.port(), "media/edge", node="node-1") as one:
            assert await one.message() == document(EDGE).body
        async with watching(stage.port(), "media") as several:
            assert await several.message() == placeholder.body
    assert placeholder.body in listed.body


async def test_a_watch_gets_the_document_each_change_and_the_deletion_once() -> None:
    async with serving({EDGE: document(EDGE, "1")}) as stage, watching(stage.port(), "media/edge") as one:
        assert await one.message() == document(EDGE, "1").body
        stage.source.publish({EDGE: document(EDGE, "2"), CORE: document(CORE)})
        assert await one.message() == document(EDGE, "2").body
        stage.source.publish({EDGE: ABSENT})
        gone = await one.message()
        assert json.loads(gone)["admin"] == {"name": "media/edge"}
        assert json.loads(gone)["auth"]["credentials"]["username"] == "dummy-username"
        stage.source.publish({CORE: document(CORE, "3")})
        stage.source.publish({EDGE: document(EDGE, "4")})
        assert await one.message() == document(EDGE, "4").body


async def test_a_watch_may_come_before_its_config_and_before_the_first_snapshot() -> None:
    async with serving() as stage, watching(stage.port(), "media/edge") as one:
        assert await one.is_silent()
        stage.source.publish({EDGE: BROKEN})
        assert await one.is_silent()
        stage.source.publish({})
        assert await one.is_silent()
        stage.source.publish({EDGE: document(EDGE)})
        assert await one.message() == document(EDGE).body


async def test_nothing_is_sent_for_bytes_that_the_client_has() -> None:
    async with serving({EDGE: document(EDGE)}) as stage, watching(stage.port(), "media/edge") as one:
        assert await one.message() == document(EDGE).body
        stage.source.publish({EDGE: BROKEN})
        stage.source.publish({EDGE: document(EDGE)})
        stage.source.publish({EDGE: document(EDGE), CORE: document(CORE)})
        stage.source.publish({EDGE: document(EDGE, "new")})
        assert await one.message() == document(EDGE, "new").body


async def test_a_document_that_comes_back_is_sent_again() -> None:
    # stunnerd may hang half-way in the one between: only what it is sent heals it.
    async with serving({EDGE: document(EDGE, "good")}) as stage, watching(stage.port(), "media/edge") as one:
        assert await one.message() == document(EDGE, "good").body
        stage.source.publish({EDGE: document(EDGE, "bad")})
        assert await one.message() == document(EDGE, "bad").body
        stage.source.publish({EDGE: document(EDGE, "good")})
        assert await one.message() == document(EDGE, "good").body


@pytest.mark.parametrize("scope", ["", "media"])
async def test_list_watches_get_each_document_of_their_scope_and_deletions(scope: str) -> None:
    async with (
        serving({EDGE: document(EDGE), CORE: document(CORE)}) as stage,
        watching(stage.port(), scope) as several,
    ):
        assert {await several.message(), await several.message()} == {
            document(EDGE).body, document(CORE).body,
        }  # fmt: skip
        stage.source.publish({EDGE: document(EDGE, "2")})
        changes = [json.loads(await several.message()), json.loads(await several.message())]
        assert {(change["admin"]["name"], "listeners" in change) for change in changes} == {
            ("media/edge", True), ("media/core", False),
        }  # fmt: skip
        stage.source.publish({EDGE: document(EDGE, "2"), OTHER: document(OTHER)})
        if scope == "":
            assert await several.message() == document(OTHER).body
        else:
            assert await several.is_silent()


async def test_a_long_list_comes_whole() -> None:
    keys = [Key("media", f"edge-{number:04}") for number in range(1000)]
    async with serving({key: document(key) for key in keys}) as stage, watching(stage.port(), "") as several:
        messages = [await several.message() for _ in keys]
    assert messages == [document(key).body for key in keys]


async def test_pings_are_answered_with_their_own_payload() -> None:
    async with serving({}) as stage, watching(stage.port(), "media/edge") as one:
        for number in range(3):
            one.writer.write(masked_frame(Opcode.PING, b"keepalive" * number))
            pong = await one.frame()
            assert (pong.opcode, pong.payload) == (Opcode.PONG, b"keepalive" * number)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1?watch=true", "::::", "http://[::1", "\x80\xff", ""])
async def test_a_malformed_origin_does_no_harm(origin: str) -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        plain = await fetch(stage.port(), ONE, headers={"Origin": origin})
        assert plain.body == document(EDGE).body
        upgrade = {
            "Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }  # fmt: skip
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port())
        lines = [f"GET {ONE}?watch=true HTTP/1.1", "Host: x", *(f"{name}: {text}" for name, text in upgrade.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        writer.transport.abort()


async def test_watching_without_a_websocket_is_told_how() -> None:
    async with serving({}) as stage:
        response = await fetch(stage.port(), ONE + "?watch=true")
    assert response.status == 400
    assert "WebSocket" in json.loads(response.body)["message"]


async def test_a_silent_client_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribing, "SILENT_AT_MOST", 0.05)
    async with serving({}) as stage, watching(stage.port(), "media/edge") as one:
        goodbye = await one.frame()
        assert (goodbye.opcode, close_code(goodbye.payload)) == (Opcode.CLOSE, 1001)
        async with asyncio.timeout(5):
            assert await one.reader.read() == b""
        assert len(stage.servers.fanout) == 0


async def test_a_client_that_says_goodbye_is_answered() -> None:
    async with serving({}) as stage, watching(stage.port(), "media/edge") as one:
        one.writer.write(masked_frame(Opcode.CLOSE, b"\x03\xe8"))
        assert (await one.frame()).opcode is Opcode.CLOSE
        async with asyncio.timeout(5):
            assert await one.reader.read() == b""
        assert len(stage.servers.fanout) == 0


async def test_legacy_mode_shows_nothing_here_and_says_where() -> None:
    cls = Key("", "stunner")
    async with serving({cls: document(cls, "1")}, legacy=True) as stage:
        for path in ("/api/v1/configs", "/api/v1/configs/media"):
            assert (await fetch(stage.port(), path)).body == b'{"version":"v1","items":[]}'
        one = await fetch(stage.port(), ONE)
        assert one.status == 404
        assert "/config?class=" in json.loads(one.body)["message"]
        for scope in ("", "media", "media/edge"):
            async with watching(stage.port(), scope) as watcher:
                stage.source.publish({cls: document(cls, f"for {scope}")})
                assert await watcher.is_silent()


class Policy:
    """Lets nobody read the configs in it."""

    def __init__(self, *denied: Key) -> None:
        self.denied = set(denied)
        self.peers: set[str] = set()

    def __call__(self, peer: Peer, config: Key) -> bool:
        self.peers.add(peer.host)
        return config not in self.denied


async def test_what_may_not_be_read_is_refused_on_every_path() -> None:
    policy = Policy(EDGE)
    async with serving({EDGE: document(EDGE), CORE: document(CORE)}, may_read=policy) as stage:
        for path in (ONE, ONE + "?watch=true", "/config?gateway=media/edge", "/config?gateway=media/edge&wait=9s"):
            for method in ("GET", "HEAD"):
                assert (await fetch(stage.port(), path, method=method)).status == 403
        for path in ("/api/v1/configs", "/api/v1/configs/media"):
            listed = await fetch(stage.port(), path)
            assert listed.body == b'{"version":"v1","items":[' + document(CORE).body + b"]}"
        # The only one that there is for this peer.
        assert (await fetch(stage.port(), "/config")).body == document(CORE).body
    assert policy.peers == {"127.0.0.1"}


async def test_a_list_watch_gets_only_what_may_be_read_changes_and_deletions_included() -> None:
    policy = Policy(EDGE)
    async with (
        serving({EDGE: document(EDGE), CORE: document(CORE)}, may_read=policy) as stage,
        watching(stage.port(), "media") as several,
    ):
        assert await several.message() == document(CORE).body
        stage.source.publish({EDGE: document(EDGE, "2"), CORE: document(CORE)})
        policy.denied.clear()
        stage.source.publish({EDGE: document(EDGE, "3"), CORE: document(CORE)})
        assert await several.message() == document(EDGE, "3").body
        policy.denied.add(EDGE)
        stage.source.publish({CORE: document(CORE)})
        assert await several.is_silent()


async def test_undecided_reasons_are_not_told_to_those_who_may_not_read() -> None:
    async with serving({EDGE: BROKEN}, may_read=Policy(EDGE)) as stage:
        response = await fetch(stage.port(), "/config")
    assert response.status == 404
    assert b"media" not in response.body
