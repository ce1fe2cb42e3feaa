"""Finding the API server: what can be used, and one line for what cannot, without a word of the file's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from stunnergw.errors import UsageError
from stunnergw.kube.connecting import connect
from tests.unit.kube.kubeconfig_folder import HOST, SECRET, Folder, header_of, text_of

if TYPE_CHECKING:
    from pathlib import Path


async def complaint(path: Path | str, **environ: str) -> str:
    with pytest.raises(UsageError) as error:
        await connect(str(path) if path else None, environ=environ)
    said = str(error.value)
    assert SECRET not in said
    assert "\n" not in said
    assert said.startswith("--kubeconfig")
    return said


# What can be used ---------------------------------------------------------------------------------------


async def test_a_client_certificate_in_files_beside_the_kubeconfig(folder: Folder) -> None:
    config = folder.write(
        user={"client-certificate": "client.crt", "client-key": "client.key"},
        cluster={"certificate-authority": "ca.crt"},
        context={"namespace": "turn"},
    )
    connection = await connect(str(config), environ={})
    configuration = connection.configuration
    assert (configuration.host, connection.namespace, connection.token) == (HOST, "turn", None)
    assert not connection.in_cluster
    assert configuration.cert_file == str(folder.path / "client.crt")
    assert configuration.ssl_ca_cert == str(folder.path / "ca.crt")
    await connection.renew()  # nothing to renew: it ends


async def test_a_client_certificate_in_the_kubeconfig(folder: Folder) -> None:
    data = {"client-certificate-data": folder.data("client.crt"), "client-key-data": folder.data("client.key")}
    config = folder.write(user=data, cluster={"certificate-authority-data": folder.data("ca.crt")})
    configuration = (await connect(str(config), environ={})).configuration
    assert configuration.cert_file
    assert text_of(configuration.cert_file) == text_of(folder.path / "client.crt")


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "abc"}, "Bearer abc"),
        ({"username": "me", "password": "you"}, "Basic bWU6eW91"),
        ({"tokenFile": "token"}, "Bearer first"),
        ({"tokenFile": "token", "token": "abc"}, "Bearer first"),
        ({}, ""),
    ],
)
async def test_who_we_say_that_we_are(folder: Folder, user: dict[str, str], header: str) -> None:
    connection = await connect(str(folder.write(user=user)), environ={})
    assert await header_of(connection) == header


async def test_a_context_needs_no_user(folder: Folder) -> None:
    config = folder.write(context={"user": ""}, users=None)
    assert await header_of(await connect(str(config), environ={})) == ""


async def test_several_files_are_merged_as_kubectl_does(folder: Folder) -> None:
    folder.write("clusters", contexts=None, users=None, **{"current-context": ""})
    (folder.path / "sub").mkdir()
    (folder.path / "sub" / "token").write_text("beside")
    folder.write("sub/users", user={"tokenFile": "token"}, contexts=None, clusters=None)
    folder.write("last", clusters=[{"name": "it", "cluster": {"server": "https://wrong"}}], users=None)
    folder.write("unused", **{"current-context": "nobody"})
    listed = ["clusters", "not-there", "sub/users", "last", "unused"]
    environ = {"KUBECONFIG": os.pathsep.join(str(folder.path / name) for name in listed)}
    connection = await connect(None, environ=environ)
    # The first file that says something counts, and paths are those of the file that has them.
    assert connection.configuration.host == HOST
    assert await header_of(connection) == "Bearer beside"


async def test_the_flag_comes_before_the_variable_and_that_before_the_pod(folder: Folder) -> None:
    flag, variable = folder.write("flag", context={"namespace": "flag"}), folder.write("variable")
    pod = {"KUBERNETES_SERVICE_HOST": "192.0.2.9", "KUBECONFIG": str(variable)}
    assert (await connect(str(flag), environ=pod)).namespace == "flag"
    assert (await connect(None, environ=pod)).configuration.host == HOST


# What cannot --------------------------------------------------------------------------------------------


async def test_a_file_that_is_not_there(folder: Folder) -> None:
    path = folder.path / "nowhere"
    assert await complaint(path) == f"--kubeconfig: {path}: there is no such file: name a kubeconfig"
    said = await complaint("", KUBECONFIG=str(path))
    assert said == f"--kubeconfig (as KUBECONFIG says): {path}: there is no such file: name a kubeconfig"


async def test_a_folder_is_no_file(folder: Folder) -> None:
    assert "it cannot be read: Is a directory" in await complaint(folder.path)


async def test_outside_a_cluster_without_a_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "name a kubeconfig, or use --manifests" in await complaint("")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"a: [{SECRET}", ":1: it is no YAML: is it a kubeconfig?"),
        (f"a: b\n  {SECRET}: c: d", ":2: it is no YAML"),
        ("[" * 5000 + SECRET, "it is no YAML"),
        (SECRET, ": it is no kubeconfig"),
        (f"- {SECRET}", ": it is no kubeconfig"),
        (f"clusters: {SECRET}", ": clusters is no list of mappings"),
        (f"users: [{SECRET}]", ": users is no list of mappings"),
        ("", "current-context is not set: `kubectl config use-context NAME` sets it"),
        ("apiVersion: v1\nkind: ConfigMap", "current-context is not set"),
    ],
)
async def test_what_is_no_kubeconfig(folder: Folder, text: str, what: str) -> None:
    path = folder.path / "config"
    path.write_text(text)
    said = await complaint(path)
    assert said.startswith(f"--kubeconfig: {path}")
    assert what in said


async def test_bytes_that_are_no_text(folder: Folder) -> None:
    (folder.path / "config").write_bytes(b"\xff\xfe\x00")
    assert "it is no YAML" in await complaint(folder.path / "config")


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"current-context": SECRET}, "current-context names no context of it: `kubectl config get-contexts` lists"),
        ({"context": {"cluster": SECRET}}, "the current context's cluster is not in it"),
        ({"context": {"user": SECRET}}, "the current context's user is not in it"),
        ({"users": [{"name": "me", "user": SECRET}]}, "the current context's user is no mapping"),
        ({"cluster": {"server": SECRET}}, "server is no URL that begins with https://"),
        ({"cluster": {"certificate-authority": SECRET}}, "certificate-authority cannot be read: No such file"),
        ({"cluster": {"certificate-authority-data": SECRET + "!"}}, "certificate-authority-data is no base64"),
        (
            {"cluster": {"certificate-authority": "garbage.pem"}},
            "the authority that the API server is trusted by is no",
        ),
        ({"user": {"tokenFile": SECRET}}, "the current user's tokenFile cannot be read: No such file or directory"),
        ({"user": {"client-certificate": SECRET, "client-key": "client.key"}}, "client-certificate cannot be read"),
        ({"user": {"client-certificate": "client.crt", "client-key": SECRET}}, "client-key cannot be read"),
        (
            {"user": {"client-certificate": "client.crt", "client-key": "another.key"}},
            "the client certificate and its key are no pair of unencrypted PEM: KEY_VALUES_MISMATCH",
        ),
        ({"user": {"client-certificate": "garbage.pem", "client-key": "client.key"}}, "are no pair of unencrypted PEM"),
        ({"user": {"exec": SECRET}}, "exec: it needs command and apiVersion"),
        ({"user": {"exec": {"command": f"/{SECRET}", "apiVersion": "v1"}}}, "exec: its command is not there"),
        ({"user": {"exec": {"command": SECRET, "apiVersion": "v1"}}}, "exec: its command is not there"),
        ({"user": {"auth-provider": {"name": "oidc", "config": {"id-token": SECRET}}}}, "auth-provider is not as it"),
    ],
)
async def test_what_is_wrong_in_a_kubeconfig(folder: Folder, parts: dict[str, Any], what: str) -> None:
    path = folder.write(**parts)
    said = await complaint(path)
    assert str(path) in said
    assert what in said


async def test_an_encrypted_key_is_not_asked_for_on_the_terminal(folder: Folder) -> None:
    key = load_pem_private_key((folder.path / "client.key").read_bytes(), password=None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET.encode()))
    (folder.path / "locked.key").write_bytes(locked)
    path = folder.write(user={"client-certificate": "client.crt", "client-key": "locked.key"})
    assert "no pair of unencrypted PEM" in await complaint(path)


# In a cluster -------------------------------------------------------------------------------------------

POD = {"KUBERNETES_SERVICE_HOST": "192.0.2.9", "KUBERNETES_SERVICE_PORT": "443"}


async def test_a_pod_has_its_service_account(folder: Folder) -> None:
    (folder.path / "namespace").write_text("turn\n")
    connection = await connect(None, environ=POD, service_account=folder.path)
    assert (connection.configuration.host, connection.namespace) == ("https://192.0.2.9:443", "turn")
    assert connection.in_cluster
    assert await header_of(connection) == "Bearer first"


async def test_an_address_of_version_6(folder: Folder) -> None:
    environ = {**POD, "KUBERNETES_SERVICE_HOST": "2001:db8::1"}
    connection = await connect(None, environ=environ, service_account=folder.path)
    assert connection.configuration.host == "https://[2001:db8::1]:443"


@pytest.mark.parametrize(
    ("missing", "what"), [("token", "automountServiceAccountToken"), ("ca.crt", "automountServiceAccountToken")]
)
async def test_a_pod_without_its_service_account(folder: Folder, missing: str, what: str) -> None:
    (folder.path / missing).unlink()
    with pytest.raises(UsageError) as error:
        await connect(None, environ=POD, service_account=folder.path)
    assert str(error.value).startswith(f"the pod's service account cannot be used: there is no {folder.path / missing}")
    assert what in str(error.value)


async def test_a_pods_authority_that_is_none(folder: Folder) -> None:
    (folder.path / "ca.crt").write_text(SECRET)
    with pytest.raises(UsageError, match=r"ca\.crt: the authority") as error:
        await connect(None, environ=POD, service_account=folder.path)
    assert SECRET not in str(error.value)
