"""A folder with kubeconfigs and what they name: certificates, keys, tokens, plug-ins."""

from __future__ import annotations

import stat
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme
import yaml

from stunnergw.kube.client import KubeClient

if TYPE_CHECKING:
    from stunnergw.kube.connecting import Connection

SECRET = "pa55word"
"""Stands wherever a file may hold something that nobody may read."""

HOST = "https://192.0.2.1:6443"


class Folder:
    """A folder with an authority, a client's certificate, and kubeconfigs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        authority = trustme.CA()
        shown = authority.issue_cert("someone")
        authority.cert_pem.write_to_path(str(path / "ca.crt"))
        shown.private_key_pem.write_to_path(str(path / "client.key"))
        shown.cert_chain_pems[0].write_to_path(str(path / "client.crt"))
        trustme.CA().issue_cert("another").private_key_pem.write_to_path(str(path / "another.key"))
        (path / "garbage.pem").write_text(SECRET)
        (path / "token").write_text("first\n")

    def data(self, name: str) -> str:
        return b64encode((self.path / name).read_bytes()).decode()

    def write(self, name: str = "config", **parts: Any) -> Path:
        """Write a kubeconfig; ``user``, ``cluster`` and ``context`` add to what it says, anything else replaces."""
        user, cluster = parts.pop("user", {}), {"server": HOST, **parts.pop("cluster", {})}
        context = {"cluster": "it", "user": "me", **parts.pop("context", {})}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "me", "user": user}],
            "contexts": [{"name": "here", "context": context}],
            "current-context": "here",
            **parts,
        }
        path = self.path / name
        path.write_text(yaml.safe_dump(body), "utf-8")
        return path

    def plugin(self, script: str, name: str = "plugin") -> str:
        path = self.path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)


async def header_of(connection: Connection) -> str:
    async with KubeClient(connection) as client:
        return await client._authorize()


def text_of(path: Path | str) -> str:
    return Path(path).read_text("utf-8")


def exec_user(command: str, **more: Any) -> dict[str, Any]:
    return {"exec": {"command": command, "apiVersion": "client/v1", **more}}
