"""Secrets: metadata of all, data of those that are wanted, and a reason where it cannot be had."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from structlog.testing import capture_logs

from stunnergw.errors import Unreachable
from stunnergw.events.types import Applied
from stunnergw.kube.paths import object_path
from stunnergw.resources.kinds import SECRET
from stunnergw.resources.metadata import Key
from stunnergw.resources.secrets import Secret
from stunnergw.sources.reading_secrets import AT_A_TIME, NOT_READ
from tests.unit.sources.watching.server import CUT, HANG, refusal
from tests.unit.sources.watching.test_reflecting import gaps

if TYPE_CHECKING:
    from tests.unit.sources.watching.conftest import Stage

pytestmark = pytest.mark.looptime

EDGE = Key("media", "edge")


def path(name: str) -> str:
    return object_path(SECRET, "v1", Key("media", name))


def put_secret(stage: Stage, name: str, password: str = "pa55word", **meta: Any) -> None:
    stage.server.put(SECRET, name, meta=meta, data={"password": b64encode(password.encode()).decode()})


def secrets(stage: Stage, name: str = "edge") -> list[Secret]:
    """Return the states of a Secret that were told since the record began."""
    found = [fact.object for batch in stage.batches for fact in batch if isinstance(fact, Applied)]
    return [thing for thing in found if isinstance(thing, Secret) and thing.metadata.name == name]


def passwords(stage: Stage, name: str = "edge") -> list[str]:
    """Return what was told of a Secret: its password, or why it is not there."""
    told = []
    for secret in secrets(stage, name):
        value = secret.data.get("password")
        told.append(value.reveal().decode() if value else secret.unread)
    return told


async def test_of_secrets_that_nobody_wants_the_name_alone_is_read(stage: Stage) -> None:
    put_secret(stage, "edge", labels={"app": "turn"}, annotations={"long": "x" * 1000})
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        (secret,) = secrets(stage)
        assert secret.unread == NOT_READ
        assert secret.metadata.key == EDGE
        assert secret.metadata.resource_version == "101"
        assert not secret.metadata.annotations
        await stage.settle(1)
        (listed,) = stage.server.asked("list", SECRET)
        assert listed.accept == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        stage.batches.clear()
        put_secret(stage, "edge", "another", labels={"app": "other"})
        await stage.settle()
        assert secrets(stage) == []
        assert source.secrets.unsettled == frozenset()
        assert not stage.server.reads(EDGE)


async def test_a_wanted_secret_is_read_and_again_whenever_it_changes(stage: Stage) -> None:
    put_secret(stage, "edge", "first")
    put_secret(stage, "other", "never")
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE}))
        assert source.secrets.unsettled == {EDGE}
        await source.secrets.settled()
        assert passwords(stage) == ["first"]
        put_secret(stage, "edge", "second")
        await stage.settle()
        assert passwords(stage) == ["first", "second"]
        assert source.secrets.unsettled == frozenset()
        # Nothing stands between the two: no moment without data.
        assert len(stage.batches) == 2
        assert len(stage.server.reads(EDGE)) == 2
        assert passwords(stage, "other") == []
        # It changes, and yet not for us.
        put_secret(stage, "edge", "second")
        await stage.settle()
        assert len(stage.server.reads(EDGE)) == 3
        assert len(stage.batches) == 2


async def test_a_secret_that_is_not_there_is_settled_and_read_when_it_appears(stage: Stage) -> None:
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE}))
        assert source.secrets.unsettled == frozenset()
        await source.secrets.settled()
        assert not stage.server.reads(EDGE)
        put_secret(stage, "edge")
        await stage.settle()
        assert passwords(stage) == ["pa55word"]


async def test_a_secret_that_goes_is_gone_also_if_the_read_finds_out_first(stage: Stage) -> None:
    put_secret(stage, "edge")
    put_secret(stage, "core")
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE, Key("media", "core")}))
        await source.secrets.settled()
        stage.server.delete(SECRET, "core")
        await stage.settle()
        assert stage.told(SECRET)[-1] == "-core"
        # The watch tells of a change, the read finds nothing.
        put_secret(stage, "edge")
        stage.server.delete(SECRET, "edge", silently=True)
        await stage.settle()
        assert stage.told(SECRET)[-1] == "-edge"
        assert source.secrets.unsettled == frozenset()
        put_secret(stage, "edge", "new")
        await stage.settle()
        assert passwords(stage)[-1] == "new"


async def test_a_secret_that_is_deleted_during_its_read_stays_gone(stage: Stage) -> None:
    put_secret(stage, "edge")
    async with stage.running() as source:
        stage.server.slow = 1.0
        source.secrets.want(frozenset({EDGE}))
        await stage.settle(0.5)
        stage.server.delete(SECRET, "edge")
        await stage.settle(3)
        assert stage.told(SECRET) == ["-edge"]
        assert source.secrets.unsettled == frozenset()


async def test_a_secret_that_is_replaced_keeps_the_data_of_the_new_one(stage: Stage) -> None:
    put_secret(stage, "edge", "old")
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE}))
        await source.secrets.settled()
        # The read sees the new one before the watch tells that the old one is gone.
        old = stage.server.collection(SECRET).objects[EDGE]
        stage.server.delete(SECRET, "edge", silently=True)
        collection = stage.server.collection(SECRET)
        put_secret(stage, "edge", "new")
        added = collection.events.pop()
        stage.server.tell(SECRET, b'{"type":"MODIFIED","object":' + _json(old, version="102") + b"}")
        await stage.settle()
        assert passwords(stage)[-1] == "new"
        stage.server.tell(SECRET, b'{"type":"DELETED","object":' + _json(old, version="102") + b"}")
        await stage.settle()
        stage.server.tell(SECRET, added.line)
        await stage.settle()
        assert stage.told(SECRET) == ["+edge@101", "+edge@103"]


def _json(thing: dict[str, Any], *, version: str) -> bytes:
    return orjson.dumps({"metadata": {**thing["metadata"], "resourceVersion": version}})


async def test_a_secret_that_changes_during_its_read_is_read_again(stage: Stage) -> None:
    put_secret(stage, "edge", "first")
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE}))

        def meanwhile() -> None:
            asyncio.get_running_loop().call_soon(lambda: put_secret(stage, "edge", "second"))

        stage.server.plan_at("get", path("edge"), meanwhile)
        await stage.settle()
        assert passwords(stage)[-1] == "second"
        assert len(stage.server.reads(EDGE)) == 2


async def test_a_forbidden_secret_says_so_at_once_and_stops_nobody_else(stage: Stage) -> None:
    for name in ("edge", "core"):
        put_secret(stage, name)
    stage.server.always_at("get", path("edge"), refusal(403, message='User "stunner" cannot get secrets'))
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE, Key("media", "core")}))
        await asyncio.wait_for(source.secrets.settled(), 0.1)
        assert passwords(stage) == [
            "cannot get secrets: forbidden: grant get on secrets to the account that we use "
            '(403: User "stunner" cannot get secrets)'
        ]
        assert passwords(stage, "core") == ["pa55word"]
        await stage.settle(120)
        assert len(passwords(stage)) == 1
        requests = stage.server.reads(EDGE)
        assert len(requests) < 15
        assert max(gaps(requests)) <= 30
        # Granted: it is read within half a minute, or when it changes.
        stage.server.always_at("get", path("edge"), None)
        put_secret(stage, "edge", "again")
        await stage.settle()
        assert passwords(stage)[-1] == "again"


async def test_a_secret_that_cannot_be_read_is_logged_once_with_the_remedy(stage: Stage) -> None:
    put_secret(stage, "edge")
    stage.server.always_at("get", path("edge"), refusal(403, message='User "stunner" cannot get secrets'))
    with capture_logs() as logs:
        async with stage.running() as source:
            source.secrets.want(frozenset({EDGE}))
            await stage.settle(120)
    (line,) = (line for line in logs if line["event"].startswith("a Secret cannot be read"))
    assert line["secret"] == "media/edge"
    assert "grant get on secrets to the account that we use" in line["problem"]


FAILING: dict[str, tuple[Any, str]] = {
    "5xx": (refusal(503, message="etcd is away"), "cannot get secrets: the API server refused (503: etcd is away)"),
    "busy": (refusal(429, retry_after=1.0), "cannot get secrets: the API server asks us to wait (429: no: 429)"),
    "unreachable": (Unreachable("no answer"), "cannot get secrets: no answer"),
    "a page": (
        b"<html>",
        "cannot get secrets: the answer is no Secret: invalid JSON: expected value at line 1 column 1",
    ),
    "hanging": (
        HANG,
        "cannot get secrets: the API server did not answer /api/v1/namespaces/media/secrets/edge: TimeoutError",
    ),
}


@pytest.mark.parametrize(("fault", "reason"), FAILING.values(), ids=FAILING)
async def test_a_server_that_fails_for_ten_seconds_makes_a_secret_unreadable(
    stage: Stage, fault: Any, reason: str
) -> None:
    put_secret(stage, "edge")
    put_secret(stage, "core")
    stage.server.always_at("get", path("edge"), fault)
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE, Key("media", "core")}))
        await stage.settle(9.9)
        assert passwords(stage) == []
        assert passwords(stage, "core") == ["pa55word"]
        assert source.secrets.unsettled == {EDGE}
        await asyncio.wait_for(source.secrets.settled(), 6)
        assert passwords(stage) == [reason]
        stage.server.always_at("get", path("edge"), None)
        await stage.until(lambda: passwords(stage)[-1] == "pa55word", within=36)
        assert len(passwords(stage)) == 2


async def test_a_short_failure_is_not_told(stage: Stage) -> None:
    put_secret(stage, "edge", "first")
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE}))
        await source.secrets.settled()
        stage.server.plan_at("get", path("edge"), refusal(503), refusal(503), Unreachable("gone"))
        put_secret(stage, "edge", "second")
        await stage.settle(2)
        assert passwords(stage) == ["first", "second"]


async def test_a_secret_that_is_wanted_no_more_loses_its_data(stage: Stage) -> None:
    put_secret(stage, "edge", labels={"app": "turn"})
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE}))
        await source.secrets.settled()
        source.secrets.want(frozenset())
        assert passwords(stage) == ["pa55word", NOT_READ]
        put_secret(stage, "edge", "unseen")
        await stage.settle()
        assert len(stage.server.reads(EDGE)) == 1
        source.secrets.want(frozenset({EDGE}))
        await source.secrets.settled()
        assert passwords(stage) == ["pa55word", NOT_READ, "unseen"]


async def test_wanting_ends_a_read_that_hangs(stage: Stage) -> None:
    put_secret(stage, "edge")
    stage.server.always_at("get", path("edge"), HANG)
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE}))
        await stage.settle(1)
        source.secrets.want(frozenset())
        await asyncio.wait_for(source.secrets.settled(), 0.1)
        await stage.settle(100)
        assert len(stage.server.reads(EDGE)) == 1
        assert passwords(stage) == []


async def test_a_relist_reads_what_changed_and_tells_what_went(stage: Stage) -> None:
    for name in ("edge", "core", "gone"):
        put_secret(stage, name, "first")
    async with stage.running() as source:
        source.secrets.want(frozenset(Key("media", name) for name in ("edge", "core", "gone")))
        await source.secrets.settled()
        stage.batches.clear()
        stage.server.tell(SECRET, CUT)
        await stage.settle(0)
        stage.server.delete(SECRET, "gone", silently=True)
        put_secret(stage, "edge", "second")
        stage.server.compact(SECRET)
        await stage.until(lambda: len(stage.server.asked("list", SECRET)) == 2)
        await stage.settle()
        assert sorted(stage.told(SECRET)) == ["+edge@105", "-gone"]
        assert passwords(stage) == ["second"]
        assert len(stage.server.reads(Key("media", "core"))) == 1


async def test_few_reads_are_under_way_at_a_time(stage: Stage) -> None:
    names = [f"s{number:03}" for number in range(100)]
    for name in names:
        put_secret(stage, name)
    async with stage.running() as source:
        stage.server.slow = 0.1
        source.secrets.want(frozenset(Key("media", name) for name in names))
        await asyncio.wait_for(source.secrets.settled(), 2)
        assert stage.server.most_reads == AT_A_TIME
        assert all(passwords(stage, name) == ["pa55word"] for name in names)
        assert not source.secrets._readings


async def test_hanging_reads_leave_room_for_others_in_time(stage: Stage) -> None:
    names = [f"s{number:03}" for number in range(20)]
    for name in names:
        put_secret(stage, name)
        stage.server.always_at("get", path(name), HANG)
    put_secret(stage, "zz")
    async with stage.running() as source:
        source.secrets.want(frozenset(Key("media", name) for name in (*names, "zz")))
        await stage.until(lambda: passwords(stage, "zz") == ["pa55word"], within=16)


async def test_what_is_wanted_before_the_run_begins_is_read_then(stage: Stage) -> None:
    put_secret(stage, "edge")
    async with stage.running(synced=False) as source:
        source.secrets.want(frozenset({EDGE}))
        await stage.until(lambda: source.synced)
        await source.secrets.settled()
        assert passwords(stage) == ["pa55word"]


async def test_a_secret_that_does_not_fit_is_unreadable_and_its_data_not_shown(stage: Stage) -> None:
    stage.server.put(SECRET, "edge", data={"password": "pa55 is no base64!"})
    async with stage.running() as source:
        source.secrets.want(frozenset({EDGE}))
        await asyncio.wait_for(source.secrets.settled(), 11)
        (reason,) = passwords(stage)
        assert reason == (
            "cannot get secrets: the answer is no Secret: data: the value of key password is not base64: use "
            "stringData for plain text"
        )
