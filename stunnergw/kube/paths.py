"""Where objects are on the API server, and in which form they are asked for and sent.

The paths of collections, objects and status subresources, and the media types. Nothing here needs a client, whose
library costs 0.4 s to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key

JSON = "application/json"
PARTIAL_METADATA = f"{JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Of each object of a watch the metadata alone."""
PARTIAL_METADATA_LIST = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""The same for a list."""

APPLY = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"


def group_path(group: str, version: str) -> str:
    """Return the path of a group and version; the core group has its own."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def collection_path(kind: Kind[Any], version: str, *, namespace: str = "") -> str:
    """Return the path of all objects of a kind, in a namespace or everywhere."""
    within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"{group_path(kind.group, version)}{within}/{kind.plural}"


def object_path(kind: Kind[Any], version: str, key: Key, *, subresource: str = "") -> str:
    """Return the path of one object, or of a subresource of it such as ``status``."""
    path = f"{collection_path(kind, version, namespace=key.namespace)}/{quote(key.name, safe='')}"
    return f"{path}/{subresource}" if subresource else path
