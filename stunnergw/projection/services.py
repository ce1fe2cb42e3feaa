"""The Service that exposes a Gateway, and in legacy mode the ConfigMap that carries a class's document.

Only what the Gateway and its annotations decide is in it: what the cluster assigns (node ports, families, class) stays
the cluster's, and server-side apply takes away what its source no longer says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stunnergw.errors import Unknown
from stunnergw.projection import annotations as steer
from stunnergw.projection.annotations import is_true, service_annotations
from stunnergw.projection.bodies import OwnedObject, owned
from stunnergw.projection.classes import Accepted, class_today, ruling
from stunnergw.projection.configs import class_config, class_parameters
from stunnergw.projection.exposing import (
    RELATED_NAME,
    RELATED_NAMESPACE,
    fitting_name,
    in_the_way,
    label_value,
    owner_reference,
    service_name,
    service_type,
    wanted_selector,
)
from stunnergw.projection.gateways import must_have_something_to_serve
from stunnergw.projection.infrastructure import (
    CLASS_NAME_LABEL,
    GATEWAY_NAME_LABEL,
    infrastructure_annotations,
    infrastructure_labels,
)
from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.projection.parameters import config_maps
from stunnergw.projection.queries import query
from stunnergw.projection.refusals import address_type
from stunnergw.projection.serviceports import service_ports
from stunnergw.resources.kinds import GATEWAY, GATEWAY_CLASS
from stunnergw.resources.metadata import OWNED_BY, OWNER, Key
from stunnergw.store.indexes import ALL_CLASSES, RELATED_GATEWAY

if TYPE_CHECKING:
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.queries import Context
    from stunnergw.projection.serviceports import WantedPort
    from stunnergw.resources.gateways import Gateway
    from stunnergw.resources.modelling import FrozenMap

MOST_OF_A_CONFIG_MAP = 1_048_576
"""Bytes of data that the API server takes in a ConfigMap."""

HEALTH_CHECK_PORT_NAME = "gateway-health-check"
_HEALTH_PORT = re.compile(r"service\.beta\.kubernetes\.io/.*health.*port")
_HEALTH_PROTOCOL = re.compile(r"service\.beta\.kubernetes\.io/.*health.*protocol")


@query("Service")
def service(db: Context, gateway: Key) -> Output[OwnedObject]:
    """Work out the Service of a Gateway.

    Raises:
        Unknown: the class cannot be told, or no listener can be served.
    """
    found, ruled = db.get(GATEWAY, gateway), ruling(db, gateway)
    if found is None or ruled is None:
        return ABSENT
    kind = service_type(db, gateway, held=True).type
    if not kind:
        return ABSENT
    must_have_something_to_serve(db, gateway)
    taken = in_the_way(db, gateway, held=True)
    if taken:
        raise Unknown(taken)
    if kind == "ExternalName" and not external_name(found):
        raise Unknown(missing_external_name(gateway))
    if not service_ports(db, gateway, True).ports:
        raise Unknown(
            f"no listener of Gateway {gateway} that can be served is of the transport of its first listener: annotate "
            f'it {steer.MIXED_PROTOCOLS}: "true", or mend the first; the Service stays as it is'
        )
    return Want(owned(_service_body(db, gateway, found, kind)))


def external_name(gateway: Gateway) -> str:
    """Return the host name that an ExternalName Service is to have."""
    first = gateway.spec.addresses[0] if gateway.spec.addresses else None
    return first.value if first and first.type == "Hostname" else ""


def missing_external_name(gateway: Key) -> str:
    """Say what a Service of type ExternalName lacks."""
    return f"Gateway {gateway} asks for a Service of type ExternalName: give spec.addresses an entry of type Hostname"


def _service_body(db: Context, key: Key, gateway: Gateway, kind: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(db, key, held=True),
            "namespace": key.namespace,
            "labels": _labels(gateway),
            "annotations": _annotations(db, key, gateway),
            "ownerReferences": [owner_reference(db, GATEWAY, gateway.metadata)],
        },
        "spec": _service_spec(db, key, gateway, kind),
    }


def _labels(gateway: Gateway) -> dict[str, str]:
    key = gateway.metadata.key
    return {
        **infrastructure_labels(gateway),
        OWNED_BY: OWNER,
        RELATED_NAMESPACE: label_value(key.namespace),
        RELATED_NAME: label_value(key.name),
        GATEWAY_NAME_LABEL: label_value(key.name),
        CLASS_NAME_LABEL: label_value(gateway.spec.gateway_class_name),
    }


def _annotations(db: Context, key: Key, gateway: Gateway) -> dict[str, str]:
    return {
        **service_annotations(db, key, True),
        **infrastructure_annotations(gateway),
        RELATED_GATEWAY: str(key),
    }


def _service_spec(db: Context, key: Key, gateway: Gateway, kind: str) -> dict[str, Any]:
    merged = service_annotations(db, key, True)
    spec: dict[str, Any] = {
        "type": kind,
        "selector": wanted_selector(db, key),
        "ports": _all_ports(service_ports(db, key, True).ports, _health_port(merged, kind)),
        "sessionAffinity": "None" if is_true(merged, steer.NO_SESSION_AFFINITY) else "ClientIP",
    }
    local = merged.get(steer.TRAFFIC_POLICY, "").strip().lower() == "local"
    if local and kind in ("NodePort", "LoadBalancer"):
        spec["externalTrafficPolicy"] = "Local"
    if kind == "ExternalName":
        spec["externalName"] = external_name(gateway)
    return spec | _load_balancer(gateway, merged, kind)


def _port(port: WantedPort) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": fitting_name(port.listener),
        "protocol": port.transport,
        "port": port.port,
        # Always said: a target port left to its default stays at the old number when the listener moves.
        "targetPort": port.target,
    }
    return body | ({"nodePort": port.node_port} if port.node_port else {})


def _all_ports(ports: tuple[WantedPort, ...], health: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ports of listeners and of the health check, unless a listener's answers it already."""
    taken = {(port.transport, port.port) for port in ports}
    return [_port(port) for port in ports] + [one for one in health if (one["protocol"], one["port"]) not in taken]


def _health_port(merged: FrozenMap, kind: str) -> list[dict[str, Any]]:
    """Return the port that a cloud's health check asks, where annotations name it and its protocol."""
    if kind != "LoadBalancer" or is_true(merged, steer.NO_HEALTH_CHECK_PORT):
        return []
    port = next((text for name, text in merged.items() if _HEALTH_PORT.fullmatch(name) and text.isdecimal()), "")
    speaks = any(text.upper() in ("TCP", "HTTP") for name, text in merged.items() if _HEALTH_PROTOCOL.fullmatch(name))
    if not port or not speaks or not 1 <= int(port) <= 65535:
        return []
    return [{"name": HEALTH_CHECK_PORT_NAME, "protocol": "TCP", "port": int(port), "targetPort": int(port)}]


def _load_balancer(gateway: Gateway, merged: FrozenMap, kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if merged.get(steer.IP_FAMILY_POLICY):
        spec["ipFamilyPolicy"] = merged[steer.IP_FAMILY_POLICY]
    if kind != "LoadBalancer":
        return spec
    first = gateway.spec.addresses[0].value if gateway.spec.addresses else ""
    if first and address_type(first) == "IPAddress":
        spec["loadBalancerIP"] = first
    if merged.get(steer.LOAD_BALANCER_CLASS):
        spec["loadBalancerClass"] = merged[steer.LOAD_BALANCER_CLASS]
    ranges = [part.strip() for part in merged.get(steer.SOURCE_RANGES, "").split(",") if part.strip()]
    return spec | ({"loadBalancerSourceRanges": ranges} if ranges else {})


def _other_writer(db: Context, class_name: str, target: Key) -> str:
    """Say which other class writes a ConfigMap; empty where none does.

    A broken class may hold parameters that name what another class writes now, or holds too. Which of two that are held
    wrote it last is nowhere to be read, and one must not undo what the other's pods live by: then neither writes.
    """
    writer = next((other for key, other in config_maps(db) if key == target), class_name)
    if writer != class_name:
        return f"ConfigMap {target} is GatewayClass {writer}'s: name another in spec.stunnerConfig of the GatewayConfig"
    if isinstance(class_today(db, class_name), Accepted):
        return ""
    for key in db.select(ALL_CLASSES, ""):
        if key.name != class_name and config_map_of(db, key.name) == target:
            return f"ConfigMap {target} is held for GatewayClass {key.name}, too: it stays as it is until one is mended"
    return ""


@query("ConfigMap's name")
def config_map_of(db: Context, class_name: str) -> Key | None:
    """Return the ConfigMap that a class writes, by the parameters of today or else held; None where it writes none."""
    parameters = class_parameters.attempt(db, class_name)
    if parameters is None or isinstance(parameters, Undecided):
        return None
    return Key(parameters.config.namespace, parameters.config_map)


@query("ConfigMap")
def config_map(db: Context, class_name: str) -> Output[OwnedObject]:
    """Work out the ConfigMap that carries a class's document (legacy mode).

    Raises:
        Unknown: the class is missing, or broken with nothing held.
    """
    parameters, found = class_parameters(db, class_name), class_config(db, class_name)
    gateway_class = db.get(GATEWAY_CLASS, Key("", class_name))
    if parameters is None or gateway_class is None or not isinstance(found, Want):
        return ABSENT
    target = Key(parameters.config.namespace, parameters.config_map)
    rival = _other_writer(db, class_name, target)
    if rival:
        raise Unknown(rival)
    if len(found.value.body) > MOST_OF_A_CONFIG_MAP:
        raise Unknown(
            f"the document of {len(found.value.body)} bytes is too large for a ConfigMap, which holds "
            f"{MOST_OF_A_CONFIG_MAP}: the last one stays; divide the class's Gateways among several classes"
        )
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": parameters.config_map,
            "namespace": parameters.config.namespace,
            "labels": {OWNED_BY: OWNER},
            "annotations": {RELATED_GATEWAY: f"/{class_name}"},
            # The class, not the GatewayConfig: with that deleted, what stunnerd lives by must not go too.
            "ownerReferences": [owner_reference(db, GATEWAY_CLASS, gateway_class.metadata)],
        },
        "data": {"stunnerd.conf": found.value.as_secret()},
    }
    return Want(owned(body))
