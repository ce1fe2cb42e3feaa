"""The programs a cluster consists of: a developer's own where there are some, else built from the modules here.

``KUBEBUILDER_ASSETS`` names a folder of binaries, as other operators' tests have it. What is not in there is built.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tests.realparts.building import built

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = Path(__file__).parent


class _Source(NamedTuple):
    module: Path
    package: str


_SOURCES = MappingProxyType(
    {
        "etcd": _Source(_HERE / "etcd", "go.etcd.io/etcd/server/v3"),
        **{
            name: _Source(_HERE / "kubernetes", f"k8s.io/kubernetes/cmd/{name}")
            for name in ("kube-apiserver", "kube-controller-manager", "kubectl")
        },
    }
)


def program(name: str, *, say: Callable[[str], None]) -> Path:
    """Return ``etcd``, ``kube-apiserver``, ``kube-controller-manager`` or ``kubectl``; ``say`` is told of a build.

    Fails the test where the build does, and skips it where there is neither the program nor Go.
    """
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        given = Path(assets) / name
        if given.exists():
            return given
    return built(name, module=_SOURCES[name].module, package=_SOURCES[name].package, say=say)
