"""The reference operator's part, played from its recordings: objects and statuses as it left them, under its name.

It is a Go program whose binary is called ``manager``: it creates objects and updates statuses, whole, as field manager
``manager``. So every field that stands in a recording, defaults included, is its own.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from tests.realparts.api import Api
    from tests.realparts.manifests import Object

MANAGER = "manager"
ITS_ADDRESS = "10.244.0.9:13478"
"""Where its data planes ask for their configuration: its pod's own address."""

LONG_AGO = "2026-01-01T00:00:00Z"
_VERSIONS = {"Service": "v1", "ConfigMap": "v1", "Deployment": "apps/v1", "DaemonSet": "apps/v1"}
_STATUS_VERSIONS = {"UDPRoute.stunner.l7mp.io": "stunner.l7mp.io/v1"}
_GATEWAY_ROUTE = {"UDPRoute.gateway.networking.k8s.io": "gateway.networking.k8s.io/v1alpha2"}


async def leave(api: Api, recording: dict[str, Any]) -> None:
    """Write what the reference operator left behind; its inputs have to be there, its objects must not."""
    documents = {config.get("configMap"): config for config in recording["configs"]}
    for name, thing in recording["objects"].items():
        made = await _body(api, name, thing, documents)
        resource = await api.resource(made["apiVersion"], made["kind"])
        path = resource.path(made["metadata"]["namespace"])
        await api.request("POST", path, body=made, query={"fieldManager": MANAGER})
    for name, status in recording["statuses"].items():
        await _put_status(api, name, status)


async def _body(api: Api, name: str, thing: dict[str, Any], documents: dict[Any, dict[str, Any]]) -> Object:
    kind, _, key = name.partition(" ")
    namespace, _, called = key.partition("/")
    metadata: dict[str, Any] = {field: thing[field] for field in ("annotations", "labels") if field in thing}
    metadata["ownerReferences"] = [await _with_uid(api, owner, namespace) for owner in thing.get("ownerReferences", ())]
    body: Object = {
        "apiVersion": _VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": called, "namespace": namespace, **metadata},
    }
    if "spec" in thing:
        text = orjson.dumps(thing["spec"]).replace(b"CDS-ADDRESS", ITS_ADDRESS.encode())
        body["spec"] = orjson.loads(text)
    if "data" in thing:
        document = {field: value for field, value in documents[key].items() if field != "configMap"}
        body["data"] = {"stunnerd.conf": orjson.dumps(document).decode()}
    return body


async def _with_uid(api: Api, owner: dict[str, Any], namespace: str) -> dict[str, Any]:
    resource = await api.resource(owner["apiVersion"], owner["kind"])
    _, found = await api.request("GET", resource.path(namespace, owner["name"]))
    return {**owner, "uid": found["metadata"]["uid"]}


async def _put_status(api: Api, name: str, status: dict[str, Any]) -> None:
    kind, _, key = name.partition(" ")
    *namespace, called = key.split("/")
    version = (_STATUS_VERSIONS | _GATEWAY_ROUTE).get(kind, "gateway.networking.k8s.io/v1")
    resource = await api.resource(version, kind.partition(".")[0])
    path = resource.path(*namespace, called) if namespace else resource.path(None, called)
    _, now = await api.request("GET", path)
    now["status"] = _dated(status)
    await api.request("PUT", f"{path}/status", body=now, query={"fieldManager": MANAGER})


def _dated(status: dict[str, Any]) -> dict[str, Any]:
    dated = copy.deepcopy(status)
    parts = [dated, *dated.get("listeners", ()), *dated.get("parents", ())]
    for part in parts:
        for condition in part.get("conditions", ()):
            condition["lastTransitionTime"] = LONG_AGO
    return dated
