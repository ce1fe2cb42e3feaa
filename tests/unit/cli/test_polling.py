"""Polling a server that does everything wrong: the file is always the last good document."""

# ruff: noqa: ASYNC240 - a test's own small files hold up nobody

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.cli.asking import Deadlines
from stunnergw.cli.commands import run_command
from stunnergw.cli.recognizing import check_url, document_problem
from stunnergw.dataplane.documents import zero_document
from stunnergw.errors import NotFoundOut, UsageError
from tests.unit.cli.misbehaving import (
    Server,
    answers,
    document,
    half,
    half_without_length,
    misbehaving,
    never,
    no_answer,
    polling,
    problem,
    rig,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from aiohttp import web

GOOD = document("good")
LATER = document("later")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with misbehaving() as started:
        yield started


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "stunnerd.conf"


MISBEHAVIOURS: dict[str, tuple[Callable[[web.Request], Awaitable[web.StreamResponse]], str]] = {
    "503": (answers(problem(503, "nothing is known yet"), status=503), "503: nothing is known yet"),
    "404": (answers(problem(404, "Config not found"), status=404), "404: Config not found"),
    "403": (answers(b"<h1>Go away</h1>", status=403, content_type="text/html"), "403"),
    "500": (answers(b"oops", status=500, content_type="text/plain"), "500"),
    "redirect": (answers(b"", status=302, Location="/elsewhere"), "302: redirects are not followed"),
    "300 later": (answers(problem(300, "there are 2 configs"), status=300), "300: there are 2 configs"),
    "a page": (answers(b"<h1>Welcome</h1>", content_type="text/html"), "type text/html"),
    "rubbish": (answers(b"\xff\xfe"), "it is no JSON"),
    "nothing": (answers(b""), "it is no JSON"),
    "another JSON": (answers(b'{"items": []}'), "its version"),
    "a list": (answers(b"[]"), "its version"),
    "no credentials": (answers(b'{"version":"v1","admin":{"name":"x"},"auth":{"type":"static"}}'), "no auth"),
    "the zero document": (answers(zero_document("media/edge")), "it is the zero document"),
    "half": (half, "broke off"),
    "half without a length": (half_without_length, "not all of it came"),
    "hangs up": (no_answer, "broke off"),
    "says nothing": (never, "no answer in time"),
}


@pytest.mark.parametrize("which", MISBEHAVIOURS)
async def test_the_file_keeps_the_last_good_document(server: Server, file: Path, which: str) -> None:
    behaviour, reason = MISBEHAVIOURS[which]
    server.script = [answers(GOOD, etag='"1"'), behaviour, behaviour, behaviour, answers(LATER, etag='"2"')]
    async with polling(server, file, deadlines=Deadlines(wait=0, grace=0.2)) as rig:
        await rig.pauses.until(3)
        assert file.read_bytes() in (GOOD, LATER)
        await rig.pauses.until(4)
        assert file.read_bytes() == LATER
    (said,) = rig.log.reasons
    assert reason in said
    assert [event for event, _ in rig.log.said][-2:] == ["document written", "documents are to be had again"]
    assert "pass-1" not in str(rig.log.said)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_a_server_that_is_killed_and_comes_again(server: Server, file: Path) -> None:
    server.script = [answers(GOOD, etag='"1"')]
    async with polling(server, file) as rig:
        await rig.pauses.until(1)
        await server.kill()
        await rig.pauses.until(len(rig.pauses.taken) + 3)
        assert file.read_bytes() == GOOD
        assert any("no connection: Connection refused" in reason for reason in rig.log.reasons)
        server.script = [answers(LATER, etag='"2"')]
        await server.start()
        async with asyncio.timeout(10):
            while file.read_bytes() != LATER:
                await rig.pauses.until(len(rig.pauses.taken) + 1)


async def test_it_asks_with_its_etag_and_with_patience(server: Server, file: Path) -> None:
    server.script = [answers(GOOD, etag='"1"'), answers(b"", status=304)]
    async with polling(server, file, deadlines=Deadlines(wait=30)) as rig:
        await rig.pauses.until(2)
    first, second = server.asked[:2]
    assert first.query == {"gateway": "media/edge", "wait": "30s"}
    assert "If-None-Match" not in first.headers
    assert second.headers["If-None-Match"] == '"1"'
    # A server that does not wait is not asked without end.
    assert rig.pauses.taken[0] == pytest.approx(1, abs=0.5)


async def test_pauses_grow_and_begin_again_after_a_success(server: Server, file: Path) -> None:
    broken = answers(b"", status=500)
    server.script = [answers(GOOD), *[broken] * 7, answers(LATER), broken]
    async with polling(server, file) as rig:
        await rig.pauses.until(8)
    assert rig.pauses.taken[:8] == [0.5, 1, 2, 4, 8, 10, 10, 0.5]


async def test_retry_after_is_heeded(server: Server, file: Path) -> None:
    def busy(text: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        return answers(b"", status=503, Retry_After=text)

    server.script = [busy("4"), busy("0"), busy("soon"), busy("999999"), busy("Wed, 21 Oct 2015 07:28:00 GMT")]
    async with polling(server, file) as rig:
        await rig.pauses.until(5)
    assert rig.pauses.taken[:5] == [5, 1, 2, 75, 8]
    assert not file.exists()


async def test_a_class_that_serves_nobody_is_kept_and_warned_of(server: Server, file: Path) -> None:
    """In legacy mode a class without Gateways has such a document, with its own credentials."""
    nobody = document("nobody", listeners=[])
    server.script = [answers(GOOD), answers(nobody)]
    async with polling(server, file) as rig:
        await rig.pauses.until(2)
    assert file.read_bytes() == nobody
    warned = "the document has no listeners: a stunnerd that reads it serves nobody"
    assert [event for event, _ in rig.log.said] == ["document written", "document written", warned]


async def test_the_same_content_is_not_written_again(server: Server, file: Path) -> None:
    file.write_bytes(GOOD)
    before = file.stat()
    server.script = [answers(GOOD)]
    async with polling(server, file) as rig:
        await rig.pauses.until(3)
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_mode & 0o777 == 0o600
    assert [event for event, _ in rig.log.said] == ["document is current"]


async def test_a_file_that_was_taken_away_comes_again(server: Server, file: Path) -> None:
    server.script = [answers(GOOD, etag='"1"'), answers(b"", status=304)]
    async with polling(server, file) as rig:
        await rig.pauses.until(1)
        file.unlink()
        await rig.pauses.until(len(rig.pauses.taken) + 2)
        assert file.read_bytes() == GOOD


async def test_a_file_that_cannot_be_written_is_said_and_tried_again(server: Server, file: Path) -> None:
    server.script = [answers(GOOD, etag='"1"')]
    file.mkdir()
    async with polling(server, file) as rig:
        await rig.pauses.until(2)
        file.rmdir()
        await rig.pauses.until(len(rig.pauses.taken) + 2)
        assert file.read_bytes() == GOOD
    assert all("cannot be written" in reason for reason in rig.log.reasons)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_a_question_that_is_wrong_ends_it_and_names_the_choices(server: Server, file: Path) -> None:
    choices = [{"name": "media/edge", "url": "/config?gateway=media/edge"}, {"name": "media/core"}]
    server.script = [answers(problem(300, "there are 2 configs", choices=choices), status=300)]
    async with rig(server, file) as made:
        with pytest.raises(UsageError, match="there are 2 configs: media/edge, media/core"):
            await made.poller.run()


async def test_once(server: Server, file: Path) -> None:
    server.script = [answers(GOOD), half, answers(problem(400, "class: wrong"), status=400)]
    async with rig(server, file) as made:
        await made.poller.once()
        assert file.read_bytes() == GOOD
        with pytest.raises(NotFoundOut, match="stays as it is"):
            await made.poller.once()
        with pytest.raises(UsageError, match="class: wrong"):
            await made.poller.once()
    assert file.read_bytes() == GOOD


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "http"),
        ("localhost:13478/config", "http"),
        ("ftp://localhost/config", "http"),
        ("http:///config", "http"),
        ("http://localhost:13478", "/config"),
        ("http://localhost:13478/status", "/config"),
        ("http://localhost:port/config", "malformed"),
        ("http://[::1/config", "malformed"),
        ("http://user:pass@localhost/config", "user name"),
        ("http://localhost/config?wait=3s", "--wait"),
        ("http://localhost/config?format=yaml", "JSON"),
        ("http://localhost/config#here", "#fragment"),
    ],
)
def test_wrong_urls(url: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=said):
        check_url(url)
    assert run_command(["poll", url, "-o", str(tmp_path / "file")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "pass@" not in told


def test_wrong_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = "http://127.0.0.1:1/config"
    for output in (tmp_path, tmp_path / "missing" / "file"):
        assert run_command(["poll", url, "-o", str(output)]) == 2
        assert str(output.parent if output != tmp_path else output) in capsys.readouterr().err
    assert run_command(["poll", url, "-o", str(tmp_path / "file"), "--once"]) == 3


def test_what_a_killed_poller_left_is_taken_away(tmp_path: Path) -> None:
    for name in (".file.x1y2.new", "file.new", ".other.x1y2.new"):
        (tmp_path / name).touch()
    assert run_command(["poll", "http://127.0.0.1:1/config", "-o", str(tmp_path / "file"), "--once"]) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"file.new", ".other.x1y2.new"}


@pytest.mark.parametrize("body", [GOOD, document(listeners=[], clusters=[{"name": "a"}]), b" " + GOOD + b"\n"])
def test_good_documents(body: bytes) -> None:
    assert document_problem(body) is None


@pytest.mark.parametrize(
    "more", [{"listeners": {}}, {"clusters": [1]}, {"listeners": [{}]}, {"admin": {}}, {"auth": []}, {"version": "v0"}]
)
def test_bad_documents(more: dict[str, Any]) -> None:
    assert document_problem(document(**more)) is not None


ZERO: dict[str, Any] = {
    "auth": {"type": "static", "credentials": {"username": "dummy-username", "password": "dummy-password"}},
    "listeners": [],
}


@pytest.mark.parametrize("more", [{}, {"clusters": []}, {"version": "v1alpha1"}])
def test_the_zero_document_is_none_to_keep(more: dict[str, Any]) -> None:
    assert "zero document" in (document_problem(document(**{**ZERO, **more})) or "")


@pytest.mark.parametrize("more", [{"listeners": [{"name": "udp"}]}, {"clusters": [{"name": "a"}]}])
def test_its_credentials_alone_do_not_make_one(more: dict[str, Any]) -> None:
    assert document_problem(document(**{**ZERO, **more})) is None
