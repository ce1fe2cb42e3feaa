"""What the API server serves: the versions of each kind, and which have a status to write.

Asked at the start and again whenever a watch finds its kind gone or a group changes, so that CRDs may be installed in
any order, and removed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter

from stunnergw.errors import ApiError
from stunnergw.kube.paths import group_path
from stunnergw.resources.modelling import Many, model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stunnergw.kube.client import KubeClient
    from stunnergw.resources.kinds import Kind


@model
class _Resource:
    name: str
    kind: str = ""


@model
class _ResourceList:
    resources: Many[_Resource] = ()


_RESOURCES: TypeAdapter[_ResourceList] = TypeAdapter(_ResourceList)


class Served(NamedTuple):
    """What is served of our kinds."""

    versions: Mapping[Kind[Any], tuple[str, ...]]
    """Most preferred first; empty for a kind that is not served."""
    with_status: frozenset[tuple[Kind[Any], str]]
    """Kinds and versions that have a status subresource."""

    def version(self, kind: Kind[Any]) -> str | None:
        """Return the version to speak, or None where the kind is not served."""
        return next(iter(self.versions.get(kind, ())), None)


async def discover(client: KubeClient, kinds: Iterable[Kind[Any]]) -> Served:
    """Ask what is served of ``kinds``.

    Raises:
        ApiError: the server refused to say.
        Unreachable: it did not answer.
    """
    table = tuple(kinds)
    asked = sorted({(kind.group, version) for kind in table for version in kind.versions})
    answers = await asyncio.gather(*(_resources(client, group, version) for group, version in asked))
    found = dict(zip(asked, answers, strict=True))
    versions = {
        kind: tuple(version for version in kind.versions if kind.plural in found[kind.group, version]) for kind in table
    }
    with_status = frozenset(
        (kind, version)
        for kind in table
        for version in kind.versions
        if f"{kind.plural}/status" in found[kind.group, version]
    )
    return Served(versions, with_status)


async def _resources(client: KubeClient, group: str, version: str) -> frozenset[str]:
    """Return the plurals (and subresources) that a group serves in a version; none where it does not serve it."""
    try:
        answer = await client.request("GET", group_path(group, version))
    except ApiError as error:
        if error.status == 404:
            return frozenset()
        raise
    return frozenset(resource.name for resource in _RESOURCES.validate_json(answer).resources)
