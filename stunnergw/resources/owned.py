"""Kinds that stunnergw writes and of which it reads little: what is needed to know that an object is ours.

And CustomResourceDefinitions, of which the metadata alone is read: the bundle version of the Gateway API.
"""

from __future__ import annotations

from pydantic import Field

from stunnergw.opaque import Opaque
from stunnergw.resources.metadata import ObjectMeta
from stunnergw.resources.modelling import model


@model
class ConfigMapData:
    """``data`` of a ConfigMap: a class's document, credentials and all."""

    stunnerd_conf: Opaque | None = Field(default=None, alias="stunnerd.conf")


@model
class ConfigMap:
    """A ConfigMap that carries a class's document in legacy mode."""

    metadata: ObjectMeta
    data: ConfigMapData = ConfigMapData()


@model
class Workload:
    """A Deployment or DaemonSet."""

    metadata: ObjectMeta


@model
class CustomResourceDefinition:
    """A CustomResourceDefinition."""

    metadata: ObjectMeta
