"""What a cluster would add to an object as it takes it in.

Fields that are null are as good as absent; uid, generation and the label of a Namespace are assigned. The
defaults of single fields stand in the models. A uid is made of what identifies the object, so that it is the
same at each start.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from stunnergw.resources import kinds
from stunnergw.resources.parsing import without_nulls

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
    whole = {name: without_nulls(value) for name, value in body.items() if value is not None}
    metadata = {name: value for name, value in body["metadata"].items() if value is not None}
    metadata["name"] = key.name
    metadata.pop("namespace", None)
    if kind.namespaced:
        metadata["namespace"] = key.namespace
    metadata.setdefault("uid", uid_of(kind, key))
    metadata.setdefault("generation", 1)
    if kind is kinds.NAMESPACE and isinstance(metadata.get("labels", {}), dict):
        metadata["labels"] = {**metadata.get("labels", {}), NAME_LABEL: key.name}
    if kind is kinds.SECRET:
        whole = _merged_data(whole)
    return {**whole, "metadata": metadata}


def _merged_data(secret: Mapping[str, Any]) -> dict[str, Any]:
    """Put ``stringData`` among the ``data`` of a Secret, over which it wins."""
    plain, data = secret.get("stringData"), secret.get("data", {})
    if not isinstance(plain, dict) or not isinstance(data, dict):
        return dict(secret)
    encoded = {
        name: b64encode(text.encode("utf-8", "surrogatepass")).decode() if isinstance(text, str) else text
        for name, text in plain.items()
    }
    return {**{name: value for name, value in secret.items() if name != "stringData"}, "data": {**data, **encoded}}


def specification(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an object whose change makes a new generation."""
    return {name: value for name, value in body.items() if name not in ("apiVersion", "kind", "metadata", "status")}
