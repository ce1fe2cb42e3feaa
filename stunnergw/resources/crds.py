"""Our CustomResourceDefinitions: the kinds of stunner.l7mp.io that stand in the table of kinds.

Names, versions and scope come from :mod:`~stunnergw.resources.kinds`, fields from the models, words and
limits from :mod:`~stunnergw.resources.crd_fields`; what is left (short names, columns) is in the table here.
All versions of a kind have one schema, so that what is written in one is not lost when read in another. The
files in ``deploy/crds`` are these, and a test says when they are not: :func:`write_files` makes them anew.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import yaml

from stunnergw.resources import crd_fields, kinds
from stunnergw.resources.metadata import STUNNER_GROUP, Condition
from stunnergw.resources.modelling import Many, model
from stunnergw.resources.routes import ParentReference
from stunnergw.resources.schemas import Rule, structural

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stunnergw.resources.kinds import Kind

_HEADER = "# Made by stunnergw.resources.crds: change it there.\n"


@model
class ConditionedStatus:
    """A status that consists of conditions."""

    conditions: Many[Condition] = ()


@model
class ParameterStatus:
    """``status`` of a GatewayConfig or Dataplane."""

    conditions: Many[Condition] = ()
    classes: Many[str] = ()


@model
class RouteParentStatus:
    """What one controller says of a route and one of its parents."""

    parent_ref: ParentReference
    controller_name: str
    conditions: Many[Condition] = ()


@model
class RouteStatus:
    """``status`` of a UDPRoute."""

    parents: Many[RouteParentStatus]


class Column(NamedTuple):
    """A column that ``kubectl get`` prints."""

    name: str
    path: str
    says: str
    type: str = "string"


_ACCEPTED = Column(
    "Accepted", '.status.conditions[?(@.type=="Accepted")].status', "Whether the object is in order; its status says."
)
_CLASSES = Column("Classes", ".status.classes", "The GatewayClasses that use it.")
_AGE = Column("Age", ".metadata.creationTimestamp", "Time since the object was made.", "date")


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What a CRD has beyond the table of kinds and the model."""

    says: str
    fields: Mapping[str, Rule]
    status: type = ConditionedStatus
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = (_AGE,)
    omitted: Mapping[str, str] = field(default_factory=dict)
    """Fields of the model that the CRD has not, each with the reason."""


EXTRAS: Mapping[Kind[Any], Extras] = MappingProxyType(
    {
        kinds.GATEWAY_CONFIG: Extras(
            says="The parameters of a GatewayClass: credentials, realm and logging of its TURN servers.",
            fields=crd_fields.GATEWAY_CONFIG,
            status=ParameterStatus,
            short_names=("gwconf",),
            columns=(
                Column("Realm", ".spec.realm", "The TURN realm."),
                Column("Dataplane", ".spec.dataplane", "The Dataplane that runs the TURN servers."),
                _CLASSES,
                _ACCEPTED,
                _AGE,
            ),
        ),
        kinds.DATAPLANE: Extras(
            says="How the TURN servers of a class are run.",
            fields=crd_fields.DATAPLANE,
            status=ParameterStatus,
            short_names=("dps",),
            columns=(
                Column("Resource", ".spec.dataplaneResource", "The kind of the workload."),
                Column("Image", ".spec.image", "The image of stunnerd."),
                _CLASSES,
                _ACCEPTED,
                _AGE,
            ),
        ),
        kinds.STATIC_SERVICE: Extras(
            says="A backend that is a list of IP addresses and prefixes rather than a Service.",
            fields=crd_fields.STATIC_SERVICE,
            short_names=("ssvc",),
            columns=(Column("Prefixes", ".spec.prefixes", "The addresses and prefixes."), _ACCEPTED, _AGE),
        ),
        kinds.STUNNER_UDP_ROUTE: Extras(
            says="Which peers the clients of which Gateways may reach, on any range of ports.",
            fields=crd_fields.UDP_ROUTE,
            status=RouteStatus,
            columns=(Column("Parent", ".spec.parentRefs[0].name", "The first parent."), _AGE),
            omitted={"spec.rules[].backendRefs[].weight": "of gateway.networking.k8s.io routes alone"},
        ),
    }
)
"""By kind; each kind of our group has its entry."""


def custom_resource_definitions() -> list[dict[str, Any]]:
    """Return our CRDs as ``kubectl apply`` takes them, in the order of the table of kinds."""
    return [_definition(kind, EXTRAS[kind]) for kind in kinds.TABLE if kind.group == STUNNER_GROUP]


def render_yaml() -> str:
    """Return our CRDs as one YAML stream; equal for equal code, byte for byte."""
    return _yaml(*custom_resource_definitions())


def files() -> dict[str, str]:
    """Return the files of ``deploy/crds``: name and content of one for each CRD, and a kustomization."""
    texts = {
        f"{STUNNER_GROUP}_{crd['spec']['names']['plural']}.yaml": _HEADER + _yaml(crd)
        for crd in custom_resource_definitions()
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(texts),
    }
    return {**texts, "kustomization.yaml": _HEADER + _yaml(kustomization)}


def write_files(folder: Path) -> None:
    """Write :func:`files` into ``folder``."""
    for name, text in files().items():
        (folder / name).write_text(text, "utf-8")


def _definition(kind: Kind[Any], extras: Extras) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "names": _names(kind, extras),
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [_version(kind, extras, version) for version in kind.versions],
        },
    }


def _names(kind: Kind[Any], extras: Extras) -> dict[str, Any]:
    return {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        **({"shortNames": list(extras.short_names)} if extras.short_names else {}),
        "categories": ["stunner"],
    }


def _version(kind: Kind[Any], extras: Extras, version: str) -> dict[str, Any]:
    return {
        "name": version,
        "served": True,
        "storage": version == kind.versions[0],
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": column.name, "type": column.type, "jsonPath": column.path, "description": column.says}
            for column in extras.columns
        ],
        "schema": {"openAPIV3Schema": _schema(kind, extras)},
    }


def _schema(kind: Kind[Any], extras: Extras) -> dict[str, Any]:
    spec = get_type_hints(kind.model)["spec"]
    needed = [part.name for part in fields(kind.model) if part.name == "spec" and part.default is MISSING]
    return {
        "description": extras.says,
        "type": "object",
        **({"required": needed} if needed else {}),
        "properties": {
            "apiVersion": {"type": "string", "description": "The group and version of this object."},
            "kind": {"type": "string", "description": f"The kind of this object: {kind.kind}."},
            "metadata": {"type": "object"},
            "spec": structural(spec, at="spec", rules=extras.fields, omitted=extras.omitted),
            "status": structural(extras.status, at="status", rules=extras.fields),
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes what people read: no anchors, long text folded."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (PyYAML's signature)
        """Write equal parts out each time."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = ">" if len(text) > 80 and " " in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _yaml(*documents: dict[str, Any]) -> str:
    return yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        width=100,
        allow_unicode=True,
        explicit_start=len(documents) > 1,
    )
