"""Objects in whatever form a test has them: YAML text, a file, a folder of files, dicts, or several of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import yaml

Object: TypeAlias = dict[str, Any]
Manifests: TypeAlias = "str | Path | Mapping[str, Any] | Iterable[Manifests]"


class Ref(NamedTuple):
    """What identifies an object: ``Ref("gateway.networking.k8s.io/v1", "Gateway", "edge", "media")``."""

    api_version: str
    kind: str
    name: str
    namespace: str | None = None


def ref(about: Ref | Mapping[str, Any]) -> Ref:
    """Return what identifies an object."""
    if isinstance(about, Ref):
        return about
    metadata = about["metadata"]
    return Ref(about["apiVersion"], about["kind"], metadata["name"], metadata.get("namespace"))


def objects_in(manifests: Manifests) -> Iterator[Object]:
    """Yield every object in the order in which they stand there; a folder's files in the order of their names."""
    if isinstance(manifests, str):
        # The C parser: some CRDs have half a megabyte.
        for document in yaml.load_all(manifests, Loader=yaml.CSafeLoader):
            if document is not None:
                yield from objects_in(document)
    elif isinstance(manifests, Path):
        files = sorted(manifests.glob("*.yaml")) if manifests.is_dir() else [manifests]
        for file in files:
            yield from objects_in(file.read_text("utf-8"))
    elif isinstance(manifests, Mapping):
        if manifests["kind"] == "List":
            yield from objects_in(manifests["items"])
        else:
            yield dict(manifests)
    else:
        for part in manifests:
            yield from objects_in(part)
