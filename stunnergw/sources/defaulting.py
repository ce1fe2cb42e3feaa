"""What a cluster would add to an object as it takes it in.

Fields that are null are as good as absent; uid, generation and the label of a Namespace are assigned. The
defaults of single fields stand in the models. A uid is made of what identifies the object, so that it is the
same at each start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from stunnergw.resources import kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key

DEFAULT_NAMESPACE = "default"
NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that each Namespace has, its own name."""

_UIDS = UUID("6f1d7a0e-6a57-4c3d-9d0b-3b1e0c8a2f54")
"""The UUID namespace of the uids that we give out. Changing it changes every uid."""


def uid_of(kind: Kind[Any], key: Key) -> str:
    """Return the uid of an object whose manifest names none."""
    return str(uuid5(_UIDS, f"{kind.name}/{key.namespace}/{key.name}"))


def completed(kind: Kind[Any], key: Key, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``body`` as a cluster would hold it after its creation.

    Its metadata is known to be a mapping. What is of the wrong type stays so, for the parser to refuse.
    """
    whole = {name: _without_nulls(value) for name, value in body.items() if value is not None}
    metadata = {name: value for name, value in body["metadata"].items() if value is not None}
    metadata["name"] = key.name
    metadata.pop("namespace", None)
    if kind.namespaced:
        metadata["namespace"] = key.namespace
    metadata.setdefault("uid", uid_of(kind, key))
    metadata.setdefault("generation", 1)
    if kind is kinds.NAMESPACE and isinstance(metadata.get("labels", {}), dict):
        metadata["labels"] = {**metadata.get("labels", {}), NAME_LABEL: key.name}
    return {**whole, "metadata": metadata}


def specification(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an object whose change makes a new generation."""
    return {name: value for name, value in body.items() if name not in ("apiVersion", "kind", "metadata", "status")}


def _without_nulls(value: Any) -> Any:
    """Drop null fields, as an API server does before it fills in defaults."""
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value
