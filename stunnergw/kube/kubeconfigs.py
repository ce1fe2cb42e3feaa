"""Kubeconfigs: one file or several, merged as kubectl merges them, down to the cluster and user of the current context.

The first file that names a thing counts. Paths in a file are relative to its folder. What is wrong is one line that
names the flag, the file and the field, and never a value: a token may stand anywhere.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from stunnergw.errors import UsageError

MENDED_BY = "`kubectl config get-contexts` lists what there is"


class Kubeconfig(NamedTuple):
    """What the current context comes to; its paths are whole ones."""

    cluster: dict[str, Any]
    user: dict[str, Any]
    """Empty where the context names none."""
    namespace: str
    user_folder: str
    """The folder of the file that has the user."""


class _Entry(NamedTuple):
    body: dict[str, Any]
    folder: str


def read_kubeconfig(paths: tuple[str, ...]) -> Kubeconfig:
    """Read and merge files. Of several those that are missing are passed over, but for the last.

    Raises:
        UsageError: there is none, one cannot be read, or the current context is not whole.
    """
    found = [path for path in map(os.path.expanduser, paths) if os.path.exists(path)]
    if not found:
        raise UsageError(f"{os.pathsep.join(paths)}: there is no such file: name a kubeconfig")
    files = [(path, _load(path)) for path in found]
    name = next((text for _, body in files if isinstance(text := body.get("current-context"), str) and text), "")
    said = os.pathsep.join(found)
    if not name:
        raise UsageError(f"{said}: current-context is not set: `kubectl config use-context NAME` sets it")
    context = _find(files, "contexts", "context", name)
    if context is None:
        raise UsageError(f"{said}: current-context names no context of it: {MENDED_BY}")
    cluster = _find(files, "clusters", "cluster", context.body.get("cluster"))
    if cluster is None:
        raise UsageError(f"{said}: the current context's cluster is not in it: {MENDED_BY}")
    wanted = context.body.get("user")
    user = _find(files, "users", "user", wanted) if wanted else _Entry({}, "")
    if user is None:
        raise UsageError(f"{said}: the current context's user is not in it: {MENDED_BY}")
    server = cluster.body.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise UsageError(f"{said}: the current cluster's server is no URL that begins with https://")
    return Kubeconfig(
        _with_files(cluster, "cluster", ("certificate-authority",), of=said),
        _with_files(user, "user", ("client-certificate", "client-key", "tokenFile"), of=said),
        str(context.body.get("namespace") or "default"),
        user.folder,
    )


def _load(path: str) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(Path(path).read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        # YAML's own words quote the file.
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise UsageError(f"{path}{line}: it is no YAML: is it a kubeconfig?") from None
    if loaded is None:
        return {}  # a kubeconfig may be empty
    if not isinstance(loaded, dict):
        raise UsageError(f"{path}: it is no kubeconfig, which is a mapping with clusters, users and contexts")
    for part in ("clusters", "users", "contexts"):
        entries = loaded.get(part) or ()
        if not isinstance(entries, list | tuple) or not all(isinstance(each, dict) for each in entries):
            raise UsageError(f"{path}: {part} is no list of mappings")
    return loaded


def _find(files: list[tuple[str, dict[str, Any]]], part: str, inside: str, name: Any) -> _Entry | None:
    for path, body in files:
        for each in body.get(part) or ():
            if each.get("name") == name:
                found = each.get(inside) or {}
                if not isinstance(found, dict):
                    raise UsageError(f"{path}: the current context's {inside} is no mapping")
                return _Entry(found, os.path.dirname(os.path.abspath(path)))
    return None


def _with_files(entry: _Entry, what: str, fields: tuple[str, ...], *, of: str) -> dict[str, Any]:
    """Return an entry with whole paths, all of which lead to a file that can be read."""
    body = dict(entry.body)
    for field in fields:
        data = body.get(f"{field}-data")
        if data:
            _check_base64(data, f"{of}: the current {what}'s {field}-data")
            body.pop(field, None)
        elif path := body.get(field):
            body[field] = os.path.join(entry.folder, str(path))
            _check_readable(body[field], f"{of}: the current {what}'s {field}")
    return body


def _check_base64(data: Any, field: str) -> None:
    try:
        base64.b64decode("".join(str(data).split()), validate=True)
    except ValueError:
        raise UsageError(f"{field} is no base64") from None


def _check_readable(path: str, field: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "it is no path"
        raise UsageError(f"{field} cannot be read: {said}") from None
