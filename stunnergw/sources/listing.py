"""Lists in pages: each page is parsed before the next is asked for, so that no list holds up the loop or the memory.

How a kind is asked for stands here, too: a label for kinds of which only ours are read, and metadata alone for those
whose rest is none of our business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.kube.paths import JSON, PARTIAL_METADATA, PARTIAL_METADATA_LIST, collection_path
from stunnergw.resources.kinds import CUSTOM_RESOURCE_DEFINITION, SECRET
from stunnergw.resources.metadata import OWNED_BY, OWNER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stunnergw.kube.client import KubeClient
    from stunnergw.resources.kinds import Kind
    from stunnergw.sources.decoding import Decoder, Page

AT_A_TIME = 500
"""Objects in a page: 7 to 10 ms of parsing."""

METADATA_ALONE = frozenset({SECRET, CUSTOM_RESOURCE_DEFINITION})


def accept(kind: Kind[Any], *, many: bool) -> str:
    """Return what to accept in a list (``many``) or a watch of a kind."""
    if kind not in METADATA_ALONE:
        return JSON
    return PARTIAL_METADATA_LIST if many else PARTIAL_METADATA


def selection(kind: Kind[Any]) -> dict[str, str]:
    """Return the query that leaves out the objects of others."""
    return {"labelSelector": f"{OWNED_BY}={OWNER}"} if kind.labelled else {}


async def pages(client: KubeClient, kind: Kind[Any], version: str, *, decoder: Decoder) -> AsyncIterator[Page]:
    """Yield a list page by page, all of one moment.

    Raises:
        ApiError: the server refused; with status 410 the moment has passed, and the list must begin anew.
        Unreachable: it did not answer, or with something that is no list.
    """
    path, more = collection_path(kind, version), ""
    while True:
        query = {**selection(kind), "limit": str(AT_A_TIME), **({"continue": more} if more else {})}
        page = decoder.page(await client.request("GET", path, query=query, accept=accept(kind, many=True)))
        yield page
        more = page.more
        if not more:
            return
