"""ReferenceGrant (gateway.networking.k8s.io v1, v1beta1, v1alpha2): who may refer across namespaces (R7)."""

from __future__ import annotations

from pydantic import Field

from stunnergw.resources.metadata import ObjectMeta
from stunnergw.resources.modelling import Many, model


@model
class GrantFrom:
    """Objects that may refer."""

    group: str = ""
    kind: str
    namespace: str


@model
class GrantTo:
    """Objects that may be referred to: one, or without a name all of the kind."""

    group: str = ""
    kind: str
    name: str | None = None


@model
class ReferenceGrantSpec:
    """``spec`` of a ReferenceGrant."""

    from_: Many[GrantFrom] = Field(default=(), alias="from")
    to: Many[GrantTo] = ()


@model
class ReferenceGrant:
    """A permission, in the namespace of what may be referred to."""

    metadata: ObjectMeta
    spec: ReferenceGrantSpec = ReferenceGrantSpec()
