"""Plug-ins that give out credentials, and those that fail."""

from __future__ import annotations

import asyncio
import datetime
import os
import stat
from functools import partial

import orjson
import pytest
import yaml

from stunnergw.errors import Unreachable
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import connect
from stunnergw.kube.plugins import plugin_of
from tests.realparts.waiting import wait_for
from tests.unit.kube.kubeconfig_folder import SECRET, Folder, exec_user, header_of, text_of


def credential(**status: str) -> str:
    return f"cat <<'END'\n{yaml.safe_dump({'apiVersion': 'client/v1', 'kind': 'ExecCredential', 'status': status})}END"


def as_json(**status: str) -> str:
    text = orjson.dumps({"apiVersion": "client/v1", "kind": "ExecCredential", "status": status}).decode()
    return f"cat <<'END'\n{text}\nEND"


async def test_a_plugin_gives_the_token(folder: Folder) -> None:
    command = folder.plugin('echo "{\\"apiVersion\\":\\"client/v1\\",\\"status\\":{\\"token\\":\\"$1-$WHO\\"}}"')
    user = exec_user("./plugin", args=["abc"], env=[{"name": "WHO", "value": "me"}])
    assert command == str(folder.path / "plugin")
    connection = await connect(str(folder.write(user=user)), environ={})
    assert await header_of(connection) == "Bearer abc-me"


async def test_a_plugin_gives_a_client_certificate_and_another_when_it_is_refused(folder: Folder) -> None:
    pair = {
        "clientCertificateData": text_of(folder.path / "client.crt"),
        "clientKeyData": text_of(folder.path / "client.key"),
    }
    connection = await connect(str(folder.write(user=exec_user(folder.plugin(as_json(**pair))))), environ={})
    async with KubeClient(connection) as client:
        assert await client._authorize() == ""
        first = connection.configuration.cert_file or ""
        assert text_of(first) == pair["clientCertificateData"]
        assert stat.S_IMODE(os.stat(first).st_mode) == 0o600
        assert connection.token is not None
        connection.token.refuse("")
        connection.token._again_at = 0.0
        await client._authorize()
        second = connection.configuration.cert_file or ""
        assert client._shown == second != first
        assert text_of(second) == pair["clientCertificateData"]
        with pytest.raises(FileNotFoundError):
            text_of(first)


@pytest.mark.parametrize(
    ("script", "what"),
    [
        (f"echo {SECRET} >&2; exit 3", "ended with 3; start it by hand to see what it says"),
        (f"echo {SECRET}", "printed no ExecCredential"),
        (credential(token=SECRET), "printed no ExecCredential"),
        (as_json(), "gave neither a token nor a client certificate with its key"),
        (as_json(clientCertificateData=SECRET), "gave neither a token"),
        (as_json(token=SECRET).replace("client/v1", "client/v2"), "speaks another apiVersion"),
        (as_json(token=SECRET, expirationTimestamp="soon"), "printed no ExecCredential"),
        (as_json(token=SECRET, expirationTimestamp="2030-01-01T00:00:00"), "without a time zone"),
        ("kill -9 $$", "ended with -9"),
    ],
)
async def test_a_plugin_that_fails_is_an_error_of_the_requests(
    folder: Folder, script: str, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    connection = await connect(str(folder.write(user=exec_user(folder.plugin(script)))), environ={})
    async with KubeClient(connection) as client:
        with pytest.raises(Unreachable) as error:
            await client.request("GET", "/api")
    assert what in str(error.value)
    said = capfd.readouterr()
    assert SECRET not in f"{error.value}{said.out}{said.err}"


async def test_a_plugin_that_never_ends_is_killed_with_what_it_started(folder: Folder) -> None:
    command = folder.plugin('sleep 600 & echo $! > "$0.pids"; echo $$ >> "$0.pids"; wait')
    plugin = plugin_of(exec_user(command)["exec"], folder="")
    running = asyncio.create_task(plugin.run(within=1.0))
    with pytest.raises(Unreachable, match="was not done within 1 s"):
        await running
    for pid in text_of(f"{command}.pids").split():
        await wait_for(partial(_is_gone, pid))


async def _is_gone(pid: str) -> bool:
    try:
        return text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_a_token_of_a_plugin_is_renewed_before_it_ends(folder: Folder) -> None:
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=600)
    for text in (ends.isoformat(), ends.strftime("%Y-%m-%dT%H:%M:%SZ")):
        command = folder.plugin(as_json(token="abc", expirationTimestamp=text))
        fetched = (await plugin_of(exec_user(command)["exec"], folder="").run()).fetched()
        assert fetched.stale_in is not None
        assert fetched.ends_in is not None
        assert 530 < fetched.stale_in < 541 < 590 < fetched.ends_in <= 600
