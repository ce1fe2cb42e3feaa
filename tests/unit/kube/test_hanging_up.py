"""Whoever is done with a TLS connection hangs up at once, however it came to be done."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stunnergw.errors import Unreachable
from tests.unit.kube.tls_server import HEADERS, LINE, TlsServer, client_of, serving

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from stunnergw.kube.client import KubeClient

SOON = 1.0
"""Seconds; without hanging up it would be thirty."""

ROOT = Path(__file__).parents[3]


async def watch(client: KubeClient, opened: asyncio.Event) -> None:
    async with client.stream("/api/v1/services", query={}, silence=60) as lines:
        async for line in lines:
            assert line == b'{"a": 1}'
            opened.set()


async def hung_up(server: TlsServer) -> float:
    began = time.monotonic()
    assert await asyncio.to_thread(server.hung_up.wait, SOON), "the client waits for a goodbye"
    return time.monotonic() - began


async def ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])


def started(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.create_task(coroutine)


async def test_a_watch_that_is_cancelled_hangs_up(tmp_path: Path) -> None:
    with serving(tmp_path, answer=HEADERS + LINE) as (server, configuration):
        async with client_of(configuration) as client:
            opened = asyncio.Event()
            watching = started(watch(client, opened))
            await opened.wait()
            await ended(watching)
            assert await hung_up(server) < SOON


async def test_a_request_that_is_cancelled_before_its_answer_hangs_up(tmp_path: Path) -> None:
    with serving(tmp_path, answer=b"") as (server, configuration):
        async with client_of(configuration) as client:
            asking = started(client.request("GET", "/api/v1"))
            await asyncio.to_thread(server.asked.wait)
            await ended(asking)
            assert await hung_up(server) < SOON


@pytest.mark.parametrize("answer", [b"", HEADERS + LINE], ids=["no answer", "half an answer"])
async def test_a_request_that_takes_too_long_hangs_up(tmp_path: Path, answer: bytes) -> None:
    with serving(tmp_path, answer=answer) as (server, configuration):
        async with client_of(configuration) as client:
            with pytest.raises(Unreachable, match=r"did not answer /api/v1: nothing came within 0\.5 s"):
                await client.request("GET", "/api/v1", within=0.5)
            assert await hung_up(server) < SOON


async def test_closing_the_client_hangs_up_on_what_is_under_way(tmp_path: Path) -> None:
    with serving(tmp_path, answer=HEADERS + LINE) as (server, configuration):
        client = client_of(configuration)
        opened = asyncio.Event()
        watching = started(watch(client, opened))
        await opened.wait()
        began = time.monotonic()
        await client.close()
        assert time.monotonic() - began < SOON
        assert await hung_up(server) < SOON
        with pytest.raises(Unreachable, match="the client was closed"):
            await watching


PROGRAM = """
import asyncio, sys
from kubernetes_asyncio.client import Configuration
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import Connection

async def main(host, authority):
    configuration = Configuration()
    configuration.host, configuration.ssl_ca_cert = host, authority
    async with KubeClient(Connection(configuration, "default", None)) as client:
        async with asyncio.TaskGroup() as group:
            async def watch():
                async with client.stream("/api/v1/services", query={}, silence=60) as lines:
                    async for _ in lines:
                        print("open", flush=True)
            watching = group.create_task(watch())
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
            watching.cancel()
    print("closed", flush=True)

asyncio.run(main(*sys.argv[1:]), debug=True)
"""


def test_a_program_that_ends_with_a_watch_open_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, answer=HEADERS + LINE) as (server, configuration):
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM]
        program = subprocess.Popen(
            [*command, str(configuration.host), str(configuration.ssl_ca_cert)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with program:
            assert program.stdout is not None
            assert program.stdout.readline() == "open\n"
            began = time.monotonic()
            out, err = program.communicate("stop\n", timeout=30)
        took = time.monotonic() - began
        assert (program.returncode, out) == (0, "closed\n"), err
        assert "ResourceWarning" not in err
        assert took < 2 * SOON  # most of it is the interpreter's own
        assert server.hung_up.wait(SOON)


async def test_a_server_of_another_authority_is_told_plainly(tmp_path: Path) -> None:
    with serving(tmp_path, answer=b"", trusted=False) as (server, configuration):
        async with client_of(configuration) as client:
            with pytest.raises(Unreachable) as error:
                await client.request("GET", "/api/v1")
        assert "its certificate is not one that we trust (unable to get local issuer certificate)" in str(error.value)
        assert f"is the certificate-authority of the kubeconfig that of 127.0.0.1:{server.port}?" in str(error.value)


async def test_a_request_fails_that_is_under_way_when_the_client_is_closed_or_comes_later(tmp_path: Path) -> None:
    with serving(tmp_path, answer=b"") as (server, configuration):
        client = client_of(configuration)
        asking = started(client.request("GET", "/api/v1"))
        await asyncio.to_thread(server.asked.wait)
        await client.close()
        for request in (asking, client.request("GET", "/api/v1")):
            with pytest.raises(Unreachable, match="the client was closed"):
                await request
