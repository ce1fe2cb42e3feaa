"""The Gateway API's CRDs, each version as it was released, out of the Go module that carries them.

Go fetches the module, its checksum is compared with the one pinned here, and the files go into the cache. They are
taken out of the module's archive: Go unpacks no module that asks for a newer Go, but it fetches and sums it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from types import MappingProxyType
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from tests.realparts.building import CACHE, locked, missing

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "sigs.k8s.io/gateway-api"
SUMS = MappingProxyType(
    {
        "v0.4.3": "h1:9kdHAcfkyP7jVMSFshc8EYEKNLlFM7hbZL8vCKcMwps=",
        "v1.0.0": "h1:iPTStSv41+d9p0xFydll6d7f7MOBGuqXM6p2/zVYMAs=",
        "v1.6.3": "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
        "v1.7.0": "h1:duVnm7nO6oXfMMUWfcDoBph47CYR/ME3NGxccOVglaY=",
    }
)


def gateway_crds(version: str, channel: str) -> Path:
    """Return the folder of the CRDs of a version, such as ``v1.6.3``, and a channel: ``standard``, ``experimental``.

    The channel is a folder of ``config/crd``; v0.4.3 has no channels and is ``v1alpha2``. Skips the test where there
    is no Go to fetch them with, and fails it where what comes is not what is pinned.
    """
    folder = CACHE / f"gateway-api-{version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / f"gateway-api-{version}.lock"):
        if not folder.exists():
            _unpack(_archive(version), version=version, folder=folder)
    crds = folder / channel
    if not crds.is_dir():
        raise ValueError(f"Gateway API {version} has no channel {channel}")
    return crds


def _archive(version: str) -> str:
    go = shutil.which("go")
    if go is None:
        missing("no Go to fetch the Gateway API's CRDs with")
        raise AssertionError("unreachable")
    done = subprocess.run(
        [go, "mod", "download", "-json", f"{MODULE}@{version}"],
        cwd=CACHE,  # outside any module: nobody's go.mod has a say
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""},
        capture_output=True,
        text=True,
    )
    # It fails for a module that asks for a newer Go, and has the archive all the same.
    fetched = json.loads(done.stdout or "{}")
    if "Zip" not in fetched:
        pytest.fail(f"{MODULE} {version} could not be fetched: {fetched.get('Error') or done.stderr}")
    if fetched.get("Sum") != SUMS[version]:
        pytest.fail(f"{MODULE} {version} has the checksum {fetched.get('Sum')}, not {SUMS[version]}")
    return str(fetched["Zip"])


def _unpack(archive: str, *, version: str, folder: Path) -> None:
    inside = f"{MODULE}@{version}/config/crd/"
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with ZipFile(archive) as files:
        for name in files.namelist():
            channel, _, file = name.removeprefix(inside).rpartition("/")
            # A kustomization is no manifest that an API server takes.
            if name.startswith(inside) and channel and file.startswith("gateway."):
                target = unfinished / channel / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(files.read(name))
    unfinished.rename(folder)
