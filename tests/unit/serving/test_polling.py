from __future__ import annotations

import asyncio
import json

import pytest
import yaml

from stunnergw.projection.outputs import Undecided
from stunnergw.resources.metadata import Key
from stunnergw.serving import questions
from tests.support.plain_http import Response, fetch
from tests.unit.serving.stage import CORE, EDGE, Stage, document, serving, until

CLASS = Key("", "stunner")


async def ask(stage: Stage, query: str = "", *, etag: str = "") -> Response:
    return await fetch(stage.port(), f"/config{query}", headers={"If-None-Match": etag} if etag else {})


def waiting(stage: Stage) -> bool:
    return bool(stage.servers.publications._waiters)


async def test_the_only_config_there_is() -> None:
    async with serving({EDGE: document(EDGE), CORE: Undecided("no Service yet")}) as stage:
        response = await ask(stage)
        chosen = await ask(stage, "?gateway=media/edge")
    assert response.body == chosen.body == document(EDGE).body
    assert response.headers["etag"] == chosen.headers["etag"]
    assert response.headers["cache-control"] == "no-store"


async def test_a_known_etag_is_304() -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        etag = (await ask(stage)).headers["etag"]
        assert etag.startswith('"')
        for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            again = await ask(stage, etag=known)
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
        stage.source.publish({EDGE: document(EDGE, "2")})
        changed = await ask(stage, etag=etag)
    assert (changed.status, changed.body) == (200, document(EDGE, "2").body)
    assert changed.headers["etag"] != etag


async def test_a_long_poll_is_answered_with_the_change() -> None:
    async with serving({EDGE: document(EDGE), CORE: document(CORE)}) as stage:
        etag = (await ask(stage, "?gateway=media/edge")).headers["etag"]
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(ask(stage, "?gateway=media/edge&wait=60s", etag=etag))
            await until(lambda: waiting(stage))
            stage.source.publish({EDGE: document(EDGE), CORE: document(CORE, "2")})
            await asyncio.sleep(0)
            assert not polling.done()
            stage.source.publish({EDGE: document(EDGE, "2")})
        assert polling.result().body == document(EDGE, "2").body


async def test_a_long_poll_without_a_change_ends_in_304() -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        etag = (await ask(stage)).headers["etag"]
        assert (await ask(stage, "?wait=20ms", etag=etag)).status == 304
        assert (await ask(stage, "?wait=60s")).status == 200
        assert not waiting(stage)


async def test_a_long_poll_may_begin_before_there_is_anything() -> None:
    async with serving() as stage, asyncio.TaskGroup() as group:
        polling = group.create_task(ask(stage, "?wait=60s"))
        await until(lambda: waiting(stage))
        stage.source.publish({EDGE: Undecided("not yet")})
        stage.source.publish({EDGE: document(EDGE)})
        async with asyncio.timeout(5):
            assert (await polling).body == document(EDGE).body


async def test_a_long_poll_for_a_config_that_goes_is_404_at_the_end() -> None:
    async with serving({EDGE: document(EDGE)}) as stage, asyncio.TaskGroup() as group:
        etag = (await ask(stage)).headers["etag"]
        polling = group.create_task(ask(stage, "?gateway=media/edge&wait=200ms", etag=etag))
        await until(lambda: waiting(stage))
        stage.source.publish({})
        assert (await polling).status == 404


async def test_a_long_poll_ends_when_the_server_stops() -> None:
    async with serving({EDGE: document(EDGE)}) as stage, asyncio.TaskGroup() as group:
        etag = (await ask(stage)).headers["etag"]
        polling = group.create_task(ask(stage, "?wait=60s", etag=etag))
        await until(lambda: waiting(stage))
        await stage.servers.stop()
        assert (await polling).status == 304


async def test_a_poller_that_leaves_is_forgotten() -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        etag = (await ask(stage)).headers["etag"]
        with pytest.raises(TimeoutError):
            await fetch(stage.port(), "/config?wait=60s", headers={"If-None-Match": etag}, timeout=0.1)
        await until(lambda: not waiting(stage))


async def test_several_configs_and_no_choice_is_300_with_the_list() -> None:
    async with serving({EDGE: document(EDGE), CORE: document(CORE)}) as stage:
        response = await ask(stage)
        told = json.loads(response.body)
        assert response.status == 300
        assert told["choices"] == [
            {"name": "media/core", "url": "/config?gateway=media/core"},
            {"name": "media/edge", "url": "/config?gateway=media/edge"},
        ]
        chosen = await fetch(stage.port(), told["choices"][1]["url"])
        assert chosen.body == document(EDGE).body
    assert b"s3cret" not in response.body


async def test_legacy_mode_goes_by_class() -> None:
    other = Key("", "other")
    async with serving({CLASS: document(CLASS), other: document(other)}, legacy=True) as stage:
        assert (await ask(stage, "?class=stunner")).body == document(CLASS).body
        choices = json.loads((await ask(stage)).body)["choices"]
        assert [choice["url"] for choice in choices] == ["/config?class=other", "/config?class=stunner"]
        stage.source.publish({CLASS: document(CLASS)})
        assert (await ask(stage)).body == document(CLASS).body


@pytest.mark.parametrize(
    ("query", "parameter", "remedy"),
    [
        ("?gatway=media/edge", "gatway", "gateway, class, node, wait, format"),
        ("?class=stunner", "class", "gateway=NAMESPACE/NAME"),
        ("?class=stunner&gateway=media/edge", "gateway and class", "give one"),
        ("?gateway=media/edge&gateway=media/core", "gateway", "once"),
        ("?gateway=edge", "gateway", "gateway=NAMESPACE/NAME"),
        ("?gateway=/edge", "gateway", "gateway=NAMESPACE/NAME"),
        ("?gateway=a/b/c", "gateway", "gateway=NAMESPACE/NAME"),
        ("?wait=soon", "wait", "30s"),
        ("?wait=-3s", "wait", "30s"),
        ("?format=toml", "format", "json or yaml"),
    ],
)
async def test_a_wrong_parameter_is_named_with_its_remedy(query: str, parameter: str, remedy: str) -> None:
    async with serving({EDGE: document(EDGE)}) as stage:
        response = await ask(stage, query)
    message = json.loads(response.body)["message"]
    assert response.status == 400
    assert message.startswith(f"{parameter}: ")
    assert remedy in message


@pytest.mark.parametrize("query", ["?gateway=media/edge", "?class=", "?class=a/b"])
async def test_wrong_parameters_of_legacy_mode(query: str) -> None:
    async with serving({CLASS: document(CLASS)}, legacy=True) as stage:
        response = await ask(stage, query)
    assert response.status == 400
    assert "class=NAME" in json.loads(response.body)["message"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("30", 30), ("1.5s", 1.5), ("250ms", 0.25), ("1m", 60), ("9000s", 120)]
)
def test_waits_are_read_and_bounded(text: str, seconds: float) -> None:
    assert questions._read_wait(text) == pytest.approx(seconds)


@pytest.mark.parametrize("query", ["", "?gateway=media/edge"])
async def test_undecided_is_503_with_the_reason_and_absent_404(query: str) -> None:
    async with serving({EDGE: Undecided("Secret media/turn is not read yet")}) as stage:
        undecided = await ask(stage, query)
        stage.source.publish({})
        absent = await ask(stage, query)
    assert (undecided.status, undecided.headers["retry-after"]) == (503, "1")
    assert "media/edge: Secret media/turn is not read yet" in json.loads(undecided.body)["message"].replace(
        "Gateway ", ""
    )
    assert absent.status == 404


async def test_many_reasons_are_cut() -> None:
    undecided = {Key("media", f"edge-{number}"): Undecided("no") for number in range(9)}
    async with serving({**undecided}) as stage:
        message = json.loads((await ask(stage)).body)["message"]
    assert "media/edge-4" in message
    assert message.endswith("and 4 more")


async def test_as_yaml_with_a_tag_of_its_own() -> None:
    async with serving({EDGE: document(EDGE, "1e3")}) as stage:
        spelled = await ask(stage, "?format=yaml")
        as_json = await ask(stage, "?format=json")
    assert yaml.safe_load(spelled.body) == json.loads(as_json.body)
    assert b'"loglevel": "1e3"' in spelled.body
    assert spelled.headers["content-type"].startswith("application/yaml")
    assert spelled.headers["etag"] != as_json.headers["etag"]
