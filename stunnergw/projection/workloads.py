"""The workload of a Gateway in managed mode: a Deployment or DaemonSet of stunnerd, as its Dataplane says.

What must not roll the pods is not in the template: the Gateway's own labels and annotations and the name of its class
go to the workload alone, and the discovery address is a Service's name, never a pod's. Everything is said in the same
words at each start, so that a restart of the operator changes no byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stunnergw.projection.annotations import NO_WORKLOAD, is_true, own_annotations
from stunnergw.projection.bodies import OwnedObject, owned
from stunnergw.projection.classes import ruling
from stunnergw.projection.environment import environment
from stunnergw.projection.exposing import RELATED_NAME, RELATED_NAMESPACE, label_value, owner_reference
from stunnergw.projection.gateways import must_have_something_to_serve
from stunnergw.projection.infrastructure import (
    CLASS_NAME_LABEL,
    GATEWAY_NAME_LABEL,
    infrastructure_annotations,
    infrastructure_labels,
)
from stunnergw.projection.outputs import ABSENT, Output, Want
from stunnergw.projection.queries import Context, query
from stunnergw.resources.kinds import DAEMON_SET, DEPLOYMENT, GATEWAY
from stunnergw.resources.metadata import OWNED_BY, OWNER, Key
from stunnergw.resources.owned import CONTAINER
from stunnergw.store.indexes import RELATED_GATEWAY

if TYPE_CHECKING:
    from stunnergw.resources.gateways import Gateway
    from stunnergw.resources.modelling import Json
    from stunnergw.resources.stunner import Dataplane, DataplaneSpec

DEFAULT_IMAGE = "l7mp/stunnerd:latest"
DEFAULT_ARGS = ("-w", "--udp-thread-num=16")
DEFAULT_GRACE = 3600
"""Seconds: stunnerd itself waits for its calls to end, however long they are."""

UNPRIVILEGED_USER = 65532
MOVING_TAGS = ("latest", "dev", "")


class Workloads(NamedTuple):
    """A Gateway's workload of each kind: one is wanted, the other absent."""

    deployment: Output[OwnedObject] = ABSENT
    daemon_set: Output[OwnedObject] = ABSENT


@query("workload")
def workloads(db: Context, gateway: Key) -> Workloads:
    """Work out a Gateway's workload.

    Raises:
        Unknown: the class cannot be told, or nothing can be served.
    """
    found, ruled = db.get(GATEWAY, gateway), ruling(db, gateway)
    dataplane = ruled.parameters.dataplane if ruled else None
    if found is None or dataplane is None or is_true(own_annotations(db, gateway), NO_WORKLOAD):
        return Workloads()
    must_have_something_to_serve(db, gateway)
    kind = wanted_kind(dataplane)
    made = Want(owned(_body(db, found, dataplane, kind)))
    return Workloads(daemon_set=made) if kind == DAEMON_SET.kind else Workloads(deployment=made)


def wanted_kind(dataplane: Dataplane) -> str:
    """Return the kind of workload that a Dataplane asks for."""
    return DAEMON_SET.kind if dataplane.spec.dataplane_resource == DAEMON_SET.kind else DEPLOYMENT.kind


def _body(db: Context, gateway: Gateway, dataplane: Dataplane, kind: str) -> dict[str, Any]:
    key, spec = gateway.metadata.key, dataplane.spec
    filtered = frozenset(db.settings.filtered_labels)
    labels = {name: value for name, value in gateway.metadata.labels.items() if name not in filtered}
    workload_spec: dict[str, Any] = {
        "selector": {"matchExpressions": [_is(name, value) for name, value in _identity(key).items()]},
        "template": {"metadata": _pod_metadata(gateway, spec), "spec": _pod(db, key, spec)},
    }
    # One replica is not applied, so that an autoscaler may own the number.
    if kind == DEPLOYMENT.kind and spec.replicas not in (None, 1):
        workload_spec = {"replicas": spec.replicas, **workload_spec}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": {
                **labels,
                **infrastructure_labels(gateway),
                OWNED_BY: OWNER,
                RELATED_NAMESPACE: label_value(key.namespace),
                RELATED_NAME: label_value(key.name),
                GATEWAY_NAME_LABEL: label_value(key.name),
                CLASS_NAME_LABEL: label_value(gateway.spec.gateway_class_name),
            },
            "annotations": {
                **gateway.metadata.annotations,
                **infrastructure_annotations(gateway),
                RELATED_GATEWAY: str(key),
            },
            "ownerReferences": [owner_reference(db, GATEWAY, gateway.metadata)],
        },
        "spec": workload_spec,
    }


def _identity(key: Key) -> dict[str, str]:
    """Return the labels that tell a Gateway's pods from others."""
    return {
        "app": OWNER,
        RELATED_NAME: label_value(key.name),
        RELATED_NAMESPACE: label_value(key.namespace),
    }


def _is(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "operator": "In", "values": [value]}


def _pod_metadata(gateway: Gateway, spec: DataplaneSpec) -> dict[str, Any]:
    key = gateway.metadata.key
    return {
        "labels": {
            **spec.labels,
            **infrastructure_labels(gateway),
            **_identity(key),
            GATEWAY_NAME_LABEL: label_value(key.name),
        },
        "annotations": {**spec.annotations, **infrastructure_annotations(gateway), RELATED_GATEWAY: str(key)},
    }


def _pod(db: Context, key: Key, spec: DataplaneSpec) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "containers": [_container(db, key, spec)],
        "terminationGracePeriodSeconds": (
            DEFAULT_GRACE if spec.termination_grace_period_seconds is None else spec.termination_grace_period_seconds
        ),
        # stunnerd asks the API server nothing.
        "automountServiceAccountToken": False,
    }
    if spec.host_network:
        # Without this a Service's name does not resolve on the host's network.
        pod |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    security = _loaded(spec.security_context) or (_POD_SECURITY if _confined(spec) else None)
    return pod | _present(
        securityContext=security,
        affinity=_loaded(spec.affinity),
        tolerations=_loaded(spec.tolerations),
        topologySpreadConstraints=_loaded(spec.topology_spread_constraints),
        imagePullSecrets=_loaded(spec.image_pull_secrets),
    )


_POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": UNPRIVILEGED_USER,
    "runAsGroup": UNPRIVILEGED_USER,
    "seccompProfile": {"type": "RuntimeDefault"},
    # So that 443 can be bound without a capability; it is among the safe sysctls.
    "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
}
_CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _confined(spec: DataplaneSpec) -> bool:
    """Say whether the pod is to be confined: where its author says nothing of it, and nothing asks for more."""
    said = spec.security_context is not None or spec.container_security_context is not None
    return not said and not spec.host_network and spec.offload_engine == "None"


def _container(db: Context, key: Key, spec: DataplaneSpec) -> dict[str, Any]:
    image = spec.image or DEFAULT_IMAGE
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": spec.image_pull_policy or _pull_policy(image),
        "command": list(spec.command) or ["stunnerd"],
        "args": list(spec.args or DEFAULT_ARGS),
        "env": environment(db.settings.config_discovery_service, key, spec.env).variables,
        "ports": [{"name": "metrics-port", "containerPort": 8080, "protocol": "TCP"}],
        # Nothing said gets the default; an empty map says that nothing is to be asked for.
        "resources": {"requests": {"cpu": "250m"}} if spec.resources is None else _loaded(spec.resources),
    }
    if not spec.disable_health_check:
        container |= {"livenessProbe": _probe("/live"), "readinessProbe": _probe("/ready")}
    security = _loaded(spec.container_security_context) or (_CONTAINER_SECURITY if _confined(spec) else None)
    return container | _present(envFrom=_loaded(spec.env_from), securityContext=security)


def _pull_policy(image: str) -> str:
    """Return Always for a tag that moves: ``latest``, ``dev`` or none."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in MOVING_TAGS else "IfNotPresent"


def _probe(path: str) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": 8086, "scheme": "HTTP"},
        "periodSeconds": 15,
        "timeoutSeconds": 1,
        "failureThreshold": 3,
        "successThreshold": 1,
    }


def _loaded(part: Json | None) -> Any:
    return None if part is None else orjson.loads(part)


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
