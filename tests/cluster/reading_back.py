"""What stands in the cluster after an operator's work, in the form of tests/reference's recordings.

An object is the operator's if it ever applied a field of it, or if it is labelled so. Left out is what the cluster
assigns, and what marks an object as applied by us, or by the API server as it pleases.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.projection.bodies import APPLIED
from stunnergw.resources.metadata import FIELD_MANAGER, OWNED_BY, OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.realparts.api import Api
    from tests.realparts.manifests import Object

OWNED = (("v1", "Service"), ("v1", "ConfigMap"), ("apps/v1", "Deployment"), ("apps/v1", "DaemonSet"))
WITH_STATUS = (
    ("gateway.networking.k8s.io/v1", "GatewayClass"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1alpha2", "UDPRoute"),
    ("stunner.l7mp.io/v1", "UDPRoute"),
    ("stunner.l7mp.io/v1", "GatewayConfig"),
    ("stunner.l7mp.io/v1", "Dataplane"),
    ("stunner.l7mp.io/v1", "StaticService"),
)

_ASSIGNED = ("clusterIP", "clusterIPs", "healthCheckNodePort")
_MARKS = (APPLIED, "deprecated.daemonset.template.generation")


async def read_back(api: Api, *, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what an operator made, as a recording. ``documents``: those that it serves."""
    kinds = [*OWNED, *WITH_STATUS]
    lists = await asyncio.gather(*(api.all_of(*kind) for kind in kinds))
    found = dict(zip(kinds, lists, strict=True))
    made = [thing for kind in OWNED for thing in found[kind] if is_owned(thing)]
    return {
        "configs": [*documents, *_legacy_documents(made)],
        "objects": {_name(thing): _object(thing) for thing in made},
        "statuses": {
            _name(thing): _status(thing) for kind in WITH_STATUS for thing in found[kind] if thing.get("status")
        },
    }


def is_owned(thing: Object) -> bool:
    """Say whether an object is an operator's: we applied it, or it bears the label."""
    return bool(applied_fields(thing)) or thing["metadata"].get("labels", {}).get(OWNED_BY) == OWNER


def applied_fields(thing: Object) -> dict[str, Any]:
    """Return the fields of an object that we have applied, as a fieldsV1."""
    for entry in thing["metadata"].get("managedFields", ()):
        if (entry["manager"], entry["operation"]) == (FIELD_MANAGER, "Apply") and not entry.get("subresource"):
            fields: dict[str, Any] = entry["fieldsV1"]
            return fields
    return {}


def _legacy_documents(made: list[Object]) -> Iterator[dict[str, Any]]:
    for thing in made:
        if thing["kind"] == "ConfigMap":
            metadata = thing["metadata"]
            document = orjson.loads(thing["data"]["stunnerd.conf"])
            yield {**document, "configMap": f"{metadata['namespace']}/{metadata['name']}"}


def _name(thing: Object) -> str:
    group, _, _ = thing["apiVersion"].rpartition("/")
    kind = f"UDPRoute.{group}" if thing["kind"] == "UDPRoute" else thing["kind"]
    metadata = thing["metadata"]
    return f"{kind} " + "/".join(metadata[part] for part in ("namespace", "name") if part in metadata)


def _status(thing: Object) -> dict[str, Any]:
    """Leave out what a class says of the CRDs, which are no part of a scenario."""
    status: dict[str, Any] = thing["status"]
    if thing["kind"] != "GatewayClass":
        return status
    return {"conditions": [each for each in status.get("conditions", ()) if each["type"] != "SupportedVersion"]}


def _object(thing: Object) -> dict[str, Any]:
    metadata = thing["metadata"]
    found: dict[str, Any] = {
        "annotations": {name: text for name, text in metadata.get("annotations", {}).items() if name not in _MARKS},
        "labels": metadata.get("labels", {}),
        "ownerReferences": [
            {field: text for field, text in owner.items() if field != "uid"}
            for owner in metadata.get("ownerReferences", ())
        ],
    }
    found |= {field: thing[field] for field in ("data",) if field in thing}
    if "spec" in thing:
        found["spec"] = {field: value for field, value in thing["spec"].items() if field not in _ASSIGNED}
    if thing["kind"] == "Service":
        asked = applied_fields(thing).get("f:spec", {}).get("f:ports", {})
        found["spec"]["ports"] = [_port(port, asked) for port in thing["spec"].get("ports", ())]
    return found


def _port(port: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Leave out a node port that nobody asked for."""
    key = orjson.dumps({"port": port["port"], "protocol": port["protocol"]}).decode()
    if "f:nodePort" in asked.get(f"k:{key}", {}):
        return port
    return {field: value for field, value in port.items() if field != "nodePort"}
