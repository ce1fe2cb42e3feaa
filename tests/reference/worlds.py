"""One form for what the reference operator made and for what we make, so that the two can be compared.

A *world* has ``configs``, ``objects`` and ``statuses``. Lists of things with names become mappings, so that a patch can
reach into them; a condition becomes ``status/reason``, a parent its ref as text. Left out is what says nothing of the
operator: defaults that the API server filled in, uids, times, messages, and our own mark on objects that we applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.projection.bodies import APPLIED
from stunnergw.settings import CONTROLLER_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

World = dict[str, Any]

_CONTAINER = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_WORKLOAD = {
    "revisionHistoryLimit": 10,
    "template": {
        "spec": {
            "containers": {"stunner-daemon": _CONTAINER},
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
        }
    },
}
SERVER_DEFAULTS: dict[str, dict[str, Any]] = {
    "Service": {
        "allocateLoadBalancerNodePorts": True,
        "externalTrafficPolicy": "Cluster",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
    },
    "Deployment": _WORKLOAD
    | {
        "progressDeadlineSeconds": 600,
        "replicas": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    },
    "DaemonSet": _WORKLOAD
    | {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
}
"""What kube-apiserver 1.37 writes into a spec that leaves it open.

Taken out of what an API server gave, whoever wrote it, never out of what ``render`` gives.
"""

_UNTOUCHED = "Waiting for controller"
"""By this message one knows the conditions that the CRD gives an object that no controller has looked at."""


def recorded_world(recording: dict[str, Any]) -> World:
    """Bring a recording into the common form."""
    recorded = {name: _status(status) for name, status in recording["statuses"].items()}
    return {
        "configs": {_config_key(config): keyed(_unnamed(config)) for config in recording["configs"]},
        "objects": {name: _object(name, thing) for name, thing in recording["objects"].items()},
        "statuses": {name: status for name, status in recorded.items() if status},
    }


def our_world(objects: Iterable[dict[str, Any]], statuses: Iterable[dict[str, Any]], configs: Iterable[Any]) -> World:
    """Bring what ``render`` gives into the common form. Legacy documents are read out of their ConfigMaps."""
    world: World = {"configs": {}, "objects": {}, "statuses": {}}
    for config in configs:
        world["configs"][config["admin"]["name"]] = keyed(config)
    for body in objects:
        name = _name_of(body)
        if body["kind"] == "ConfigMap":
            document = orjson.loads(body["data"]["stunnerd.conf"])
            world["configs"][name.removeprefix("ConfigMap ")] = keyed(document)
        world["objects"][name] = _our_object(body)
    for thing in statuses:
        world["statuses"] |= _some(_name_of(thing), _status(thing["status"]))
    return world


def keyed(value: Any) -> Any:
    """Turn lists of named things into mappings by name; a name that comes again gets its count."""
    if isinstance(value, dict):
        return {name: keyed(part) for name, part in value.items()}
    if not isinstance(value, list):
        return value
    if not value or not all(isinstance(part, dict) and "name" in part for part in value):
        return [keyed(part) for part in value]
    found: dict[str, Any] = {}
    for part in value:
        name, count = part["name"], 1
        while name in found:
            count += 1
            name = f"{part['name']} ({count})"
        found[name] = {field: keyed(rest) for field, rest in part.items() if field != "name"}
    return found


def _config_key(config: dict[str, Any]) -> str:
    return str(config.get("configMap") or config["admin"]["name"])


def _unnamed(config: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in config.items() if field != "configMap"}


def _name_of(body: dict[str, Any]) -> str:
    group, _, _ = body["apiVersion"].rpartition("/")
    metadata = body["metadata"]
    kind = f"UDPRoute.{group}" if body["kind"] == "UDPRoute" else body["kind"]
    return f"{kind} " + "/".join(metadata[part] for part in ("namespace", "name") if part in metadata)


def _object(name: str, thing: dict[str, Any]) -> dict[str, Any]:
    kind = name.partition(" ")[0]
    found: dict[str, Any] = keyed(thing)
    if "data" in found:
        found["data"] = sorted(found["data"])
    if "spec" in found:
        found["spec"] = _without(found["spec"], SERVER_DEFAULTS.get(kind, {}))
    return found


def _our_object(body: dict[str, Any]) -> dict[str, Any]:
    metadata = body["metadata"]
    thing: dict[str, Any] = {
        "annotations": {name: text for name, text in metadata["annotations"].items() if name != APPLIED},
        "labels": metadata["labels"],
        "ownerReferences": [
            {field: text for field, text in owner.items() if field != "uid"} for owner in metadata["ownerReferences"]
        ],
    }
    thing |= {field: body[field] for field in ("spec", "data") if field in body}
    if "data" in thing:
        thing["data"] = sorted(thing["data"])
    found: dict[str, Any] = keyed(thing)
    return found


def _without(value: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, part in value.items():
        default = defaults.get(name, _without)
        if part == default:
            continue
        kept[name] = _without(part, default) if isinstance(part, dict) and isinstance(default, dict) else part
    return kept


def _status(status: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, value in status.items():
        match field:
            case "conditions":
                found |= _some(field, _conditions(value))
            case "listeners":
                found[field] = {listener["name"]: _listener(listener) for listener in value}
            case "parents":
                found |= _some(field, {_parent(entry): _conditions(entry["conditions"]) for entry in value})
            case "addresses":
                found |= _some(field, [f"{address.get('type')} {address['value']}" for address in value])
            case _:
                found[field] = value
    return found


def _listener(listener: dict[str, Any]) -> dict[str, Any]:
    return {
        "attachedRoutes": listener["attachedRoutes"],
        "conditions": _conditions(listener["conditions"]),
        "supportedKinds": sorted(f"{kind['kind']}.{kind['group']}" for kind in listener.get("supportedKinds") or []),
    }


def _conditions(conditions: list[dict[str, Any]]) -> dict[str, str]:
    return {
        condition["type"]: f"{condition['status']}/{condition['reason']}"
        for condition in conditions
        if condition["message"] != _UNTOUCHED
    }


def _some(field: str, value: Any) -> dict[str, Any]:
    """Nothing in a status says no more than a status that is not there."""
    return {field: value} if value else {}


def _parent(entry: dict[str, Any]) -> str:
    ref = entry["parentRef"]
    text = f"{ref['namespace']}/{ref['name']}" if ref.get("namespace") else ref["name"]
    text += f" section {ref['sectionName']}" if ref.get("sectionName") else ""
    text += f" port {ref['port']}" if ref.get("port") else ""
    return text if entry["controllerName"] == CONTROLLER_NAME else f"{text} by {entry['controllerName']}"
