"""What all objects have: names, labels, owners, and the conditions of a status."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple, Protocol, runtime_checkable

import orjson
from pydantic import BeforeValidator, Field

from stunnergw.resources.modelling import EMPTY_MAP, Many, StringMap, model, stored

GATEWAY_GROUP = "gateway.networking.k8s.io"
STUNNER_GROUP = "stunner.l7mp.io"

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""kubectl's copy of the whole object, secrets in clear: dropped when an object is read."""


OWNED_BY = "stunner.l7mp.io/owned-by"
"""The label of all that is made for a Gateway or class."""

OWNER = "stunner"


def is_ours(metadata: Mapping[str, Any]) -> bool:
    """Say whether the metadata of a plain object bears our label."""
    labels = metadata.get("labels")
    return isinstance(labels, Mapping) and labels.get(OWNED_BY) == OWNER


class Key(NamedTuple):
    """An object of one kind. Cluster-scoped objects have the namespace ``""``."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read ``namespace/name``, or ``name`` of a cluster-scoped object."""
        namespace, _, name = text.rpartition("/")
        return cls(namespace, name)


def _drop_last_applied(value: Any) -> Any:
    if isinstance(value, dict) and LAST_APPLIED in value:
        return {name: text for name, text in value.items() if name != LAST_APPLIED}
    return value


FIELD_MANAGER = "stunner-gateway-operator"
"""The name under which we apply objects."""

_OWNER_UID = re.compile(r'k:\{\\"uid\\":\\"[^"\\]*\\"\}')


def _fields_applied(entries: Iterable[Any]) -> str:
    """Return the fields that our entry in managedFields covers, as JSON without owners' uids."""
    for entry in entries:
        if isinstance(entry, dict) and _is_ours(entry):
            text = orjson.dumps(entry.get("fieldsV1") or {}, option=orjson.OPT_SORT_KEYS).decode()
            return _OWNER_UID.sub(r'k:{\\"uid\\":\\"\\"}', text)
    return ""


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply") and not entry.get("subresource")


def _managers(entries: Any) -> str:
    """Shorten managedFields: the manager of the newest entry, a program's name; then the fields of our own."""
    if isinstance(entries, str):
        return entries
    if entries is not None and not isinstance(entries, list):
        raise ValueError("should be a list")
    newest = max(
        (entry for entry in entries or () if isinstance(entry, dict)),
        key=lambda entry: str(entry.get("time", "")),
        default={},
    )
    name, fields = str(newest.get("manager", "")), _fields_applied(entries or ())
    # One text for all objects of a shape: thousands of Gateways' Services differ in values, not in fields.
    return sys.intern(f"{name}\n{fields}") if fields else name


@model
class OwnerReference:
    """An entry of metadata.ownerReferences."""

    api_version: str = ""
    kind: str
    name: str
    uid: str


@model
class ObjectMeta:
    """The part of metadata that decisions or writers read.

    ``resource_version`` and ``managers`` belong to the event that brought the object rather than to the
    object: they take no part in comparisons.
    """

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    labels: StringMap = EMPTY_MAP
    annotations: Annotated[StringMap, BeforeValidator(_drop_last_applied)] = EMPTY_MAP
    owner_references: Many[OwnerReference] = ()
    resource_version: str = stored("")
    managers: Annotated[str, BeforeValidator(_managers), Field(alias="managedFields", exclude=True)] = stored("")
    """The manager of the newest change and, on a line of its own, the fields that we applied.

    In one field, because pydantic would turn the list into Python objects once for each.
    """

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return Key(self.namespace, self.name)

    @property
    def manager(self) -> str:
        """The field manager of the newest change."""
        return self.managers.partition("\n")[0]

    @property
    def applied_fields(self) -> str:
        """The fields that our entry in managedFields covers, as JSON; empty where we have none."""
        return self.managers.partition("\n")[2]


@runtime_checkable
class KubernetesObject(Protocol):
    """Any of our models of a whole object."""

    @property
    def metadata(self) -> ObjectMeta:
        """The object's metadata."""


@model
class Condition:
    """A condition of a status, in Kubernetes' form."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""
