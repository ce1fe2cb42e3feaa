"""What the API server serves: the versions of each kind, and which have a status to write.

Asked at the start and again whenever a watch finds its kind gone or a group changes, so that CRDs may be installed in
any order, and removed. Only an API server's own word that it does not know a group counts as "not served": whatever
else comes is an error, since it would look as if all CRDs had gone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from stunnergw.errors import ApiError, NotFoundOut
from stunnergw.kube.answers import not_from_an_api_server
from stunnergw.kube.paths import group_path
from stunnergw.resources.modelling import Many, model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stunnergw.kube.client import KubeClient
    from stunnergw.resources.kinds import Kind

RESOURCE_LIST = "APIResourceList"


@model
class _Resource:
    name: str


@model
class _ResourceList:
    kind: str
    resources: Many[_Resource]


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
        Unreachable: it did not answer, or not as an API server does.
    """
    table = tuple(kinds)
    found = await _ask(client, {(kind.group, version) for kind in table for version in kind.versions})
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


async def _ask(client: KubeClient, asked: set[tuple[str, str]]) -> dict[tuple[str, str], frozenset[str]]:
    """Ask for all groups at once; the first that fails ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {pair: group.create_task(_resources(client, *pair)) for pair in sorted(asked)}
    except BaseExceptionGroup as failures:
        refusals, rest = failures.split(NotFoundOut)
        if refusals is None or rest is not None:
            raise
        # What failed at the same time is no news, and the first is told as callers know it.
        raise refusals.exceptions[0] from None
    return {pair: task.result() for pair, task in tasks.items()}


async def _resources(client: KubeClient, group: str, version: str) -> frozenset[str]:
    """Return the plurals (and subresources) that a group serves in a version; none where it does not serve it."""
    path = group_path(group, version)
    try:
        answer = await client.request("GET", path)
    except ApiError as error:
        if error.status == 404:
            return frozenset()
        raise
    try:
        found = _RESOURCES.validate_json(answer)
    except ValidationError:
        raise not_from_an_api_server(answer, path=path, wanted=RESOURCE_LIST) from None
    if found.kind != RESOURCE_LIST:
        raise not_from_an_api_server(answer, path=path, wanted=RESOURCE_LIST)
    return frozenset(resource.name for resource in found.resources)
