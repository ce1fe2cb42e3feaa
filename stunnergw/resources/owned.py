"""Kinds that stunnergw writes and of which it reads little: what is needed to know that an object is as we want it.

That is the metadata, and what may be a secret: the annotation that tells a wanted object from another says nothing of
secrets, so those that stand there are compared with those that are wanted.

And CustomResourceDefinitions, of which the metadata alone is read: the bundle version of the Gateway API. Events are
made and never read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, ValidationInfo

from stunnergw.opaque import CONTEXT_KEY, PROCESS_KEY, Opaque
from stunnergw.resources.metadata import ObjectMeta
from stunnergw.resources.modelling import model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@model
class ConfigMapData:
    """``data`` of a ConfigMap: a class's document, credentials and all."""

    stunnerd_conf: Opaque | None = Field(default=None, alias="stunnerd.conf")


@model
class ConfigMap:
    """A ConfigMap that carries a class's document in legacy mode."""

    metadata: ObjectMeta
    data: ConfigMapData = ConfigMapData()


CONTAINER = "stunner-daemon"
"""The container of a data plane's pods."""

OWN_VARIABLES = frozenset({"STUNNER_NAME", "STUNNER_NAMESPACE", "STUNNER_CONFIG_ORIGIN"})
"""Variables that nobody but us sets: no secrets, and not kept."""


@model
class Variable:
    """A variable of the data plane's container; its value may be a secret."""

    name: str
    value: Opaque


def _variables(spec: Any, info: ValidationInfo) -> tuple[Variable, ...]:
    """Read the variables out of a workload's spec; what does not fit is passed by, since others may own it."""
    key = (info.context or {}).get(CONTEXT_KEY, PROCESS_KEY)
    found = {name: Variable(name=name, value=Opaque.of(value, key=key)) for name, value in _values(spec)}
    return tuple(found.values())


def _values(spec: Any) -> Iterator[tuple[str, str]]:
    pod = _field(_field(spec, "template"), "spec")
    for container in _items(_field(pod, "containers")):
        if _field(container, "name") != CONTAINER:
            continue
        for variable in _items(_field(container, "env")):
            name, value = _field(variable, "name"), _field(variable, "value")
            if isinstance(name, str) and isinstance(value, str) and name not in OWN_VARIABLES:
                yield name, value


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _as_spec(variables: tuple[Variable, ...]) -> dict[str, Any]:
    if not variables:
        return {}
    env = [{"name": variable.name, "value": str(variable.value)} for variable in variables]
    return {"template": {"spec": {"containers": [{"name": CONTAINER, "env": env}]}}}


@model
class Workload:
    """A Deployment or DaemonSet."""

    metadata: ObjectMeta
    variables: Annotated[tuple[Variable, ...], PlainValidator(_variables), PlainSerializer(_as_spec)] = Field(
        default=(), alias="spec"
    )
    """Those variables of the data plane's container that have a value and are not :data:`OWN_VARIABLES`."""


@model
class CustomResourceDefinition:
    """A CustomResourceDefinition."""

    metadata: ObjectMeta


@model
class Event:
    """An Event as ``kubectl describe`` lists them, no event of ours."""

    metadata: ObjectMeta
