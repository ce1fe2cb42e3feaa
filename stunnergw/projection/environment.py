"""The environment of the data plane's container: ours, then the Dataplane's.

Two of ours a Dataplane may replace, since some set the relay address so; the others are how stunnerd finds its
configuration, and stay. Of several variables of one name the last counts: an apply with doubles is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from stunnergw.resources.metadata import Key
    from stunnergw.resources.stunner import EnvVar

REPLACEABLE = ("STUNNER_ADDR", "STUNNER_NODENAME")
DISCOVERY_PORT = 13478


class Environment(NamedTuple):
    """Variables as a container lists them, and what was left out."""

    variables: list[dict[str, Any]]
    notes: tuple[str, ...]


def environment(service: str, gateway: Key, asked: tuple[EnvVar, ...]) -> Environment:
    """Return the container's environment; ``service`` is ``name.namespace[:port]`` of the discovery service."""
    ours = _ours(service, gateway)
    variables = dict(ours)
    seen: set[str] = set()
    notes = []
    for variable in asked:
        if variable.name in ours and variable.name not in REPLACEABLE:
            notes.append(f"env {variable.name} of the Dataplane is left out: stunnerd finds its configuration by it")
            continue
        if variable.name in seen:
            notes.append(f"env {variable.name} stands twice in the Dataplane: the last one counts")
        seen.add(variable.name)
        variables[variable.name] = _variable(variable)
    return Environment(list(variables.values()), tuple(dict.fromkeys(notes)))


def _ours(service: str, gateway: Key) -> dict[str, dict[str, Any]]:
    listed = [
        _field("STUNNER_ADDR", "status.podIP"),
        {"name": "STUNNER_NAME", "value": gateway.name},
        {"name": "STUNNER_NAMESPACE", "value": gateway.namespace},
        _field("STUNNER_NODENAME", "spec.nodeName"),
        {"name": "STUNNER_CONFIG_ORIGIN", "value": discovery_origin(service)},
    ]
    return {variable["name"]: variable for variable in listed}


def _field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def discovery_origin(service: str) -> str:
    """Return the URL of the discovery service: by its DNS name, never a pod's address."""
    host, _, port = service.partition(":")
    return f"http://{host}.svc:{port or DISCOVERY_PORT}"


def _variable(variable: EnvVar) -> dict[str, Any]:
    written: dict[str, Any] = {"name": variable.name}
    if variable.value is not None:
        written["value"] = variable.value
    if variable.value_from is not None:
        written["valueFrom"] = orjson.loads(variable.value_from)
    return written
