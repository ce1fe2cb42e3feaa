"""Differences that hold for every Service, workload or ConfigMap of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.settings import Decisions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.reference.scenarios import Scenario
    from tests.reference.worlds import World

_NAME = "gateway.networking.k8s.io/gateway-name"
_CLASS = "gateway.networking.k8s.io/gateway-class-name"
_OUR_NAME = "stunner.l7mp.io/related-gateway-name"
_OUR_NAMESPACE = "stunner.l7mp.io/related-gateway-namespace"
_FLOATING = ("latest", "dev")
"""Tags that name another image tomorrow."""


def daemonset(world: World, scenario: Scenario) -> None:
    """Run a DaemonSet where the Dataplane asks for one."""
    asked = [thing for thing in scenario.objects if thing["kind"] == "Dataplane"]
    if all(thing["spec"].get("dataplaneResource") == "DaemonSet" for thing in asked):
        for name in [name for name in world["objects"] if name.startswith("Deployment ")]:
            world["objects"][name.replace("Deployment", "DaemonSet", 1)] = world["objects"].pop(name)


def gateway_labels(world: World, scenario: Scenario) -> None:
    """Label what belongs to a Gateway as the Gateway API asks."""
    for name, thing in world["objects"].items():
        labels = thing["labels"]
        gateway = scenario.gateways.get(f"{labels.get(_OUR_NAMESPACE)}/{labels.get(_OUR_NAME)}")
        if gateway is None:
            continue
        labels[_NAME] = gateway["metadata"]["name"]
        labels[_CLASS] = gateway["spec"]["gatewayClassName"]
        if not name.startswith("Service "):
            thing["spec"]["template"]["metadata"]["labels"][_NAME] = gateway["metadata"]["name"]


def discovery_by_name(world: World, _scenario: Scenario) -> None:
    """Tell data planes the name of a Service instead of the address of a pod."""
    service = Decisions().config_discovery_service
    host, _, port = service.partition(":")
    for pod in _pods(world):
        pod["containers"]["stunner-daemon"]["env"]["STUNNER_CONFIG_ORIGIN"]["value"] = f"http://{host}.svc:{port}"


def no_memory_limit(world: World, _scenario: Scenario) -> None:
    """Drop the reference's limit of 20M; one that the Dataplane asks for stays."""
    for pod in _pods(world):
        resources = pod["containers"]["stunner-daemon"].get("resources") or {}
        if resources.get("limits") == {"memory": "20M"}:
            del resources["limits"]


def image_pull_policy(world: World, _scenario: Scenario) -> None:
    """Pull again only what may have changed."""
    for pod in _pods(world):
        container = pod["containers"]["stunner-daemon"]
        tag = container["image"].rpartition("/")[2].partition(":")[2]
        if container["imagePullPolicy"] == "Always" and tag and tag not in _FLOATING:
            container["imagePullPolicy"] = "IfNotPresent"


def no_token(world: World, _scenario: Scenario) -> None:
    """Give stunnerd no token for the API server."""
    for pod in _pods(world):
        pod["automountServiceAccountToken"] = False


def restricted_pods(world: World, _scenario: Scenario) -> None:
    """Take away what stunnerd does not need, where the Dataplane says nothing of it and asks for no host network."""
    for pod in _pods(world):
        container = pod["containers"]["stunner-daemon"]
        if pod.get("securityContext") or container.get("securityContext") or pod.get("hostNetwork"):
            continue
        pod["securityContext"] = {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
            "sysctls": {"net.ipv4.ip_unprivileged_port_start": {"value": "0"}},
        }
        container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def host_network_dns(world: World, _scenario: Scenario) -> None:
    """Let a pod on the host's network resolve the names of Services."""
    for pod in _pods(world):
        if pod.get("hostNetwork"):
            pod["dnsPolicy"] = "ClusterFirstWithHostNet"


def class_owns_configmap(world: World, scenario: Scenario) -> None:
    """Hang the legacy document on its GatewayClass instead of its GatewayConfig."""
    classes = {f"/{thing['metadata']['name']}" for thing in scenario.objects if thing["kind"] == "GatewayClass"}
    for name, thing in world["objects"].items():
        owner = thing["annotations"].get("stunner.l7mp.io/related-gateway-name")
        if name.startswith("ConfigMap ") and owner in classes:
            class_owner = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass"}
            thing["ownerReferences"] = {owner.removeprefix("/"): class_owner}


def _pods(world: World) -> Iterator[dict[str, Any]]:
    for name, thing in world["objects"].items():
        if name.startswith(("Deployment ", "DaemonSet ")):
            yield thing["spec"]["template"]["spec"]


OBJECT_RULES: dict[str, Callable[[World, Scenario], None]] = {
    "daemonset": daemonset,
    "gateway-labels": gateway_labels,
    "discovery-by-name": discovery_by_name,
    "no-memory-limit": no_memory_limit,
    "image-pull-policy": image_pull_policy,
    "no-token": no_token,
    "host-network-dns": host_network_dns,
    "restricted-pods": restricted_pods,
    "class-owns-configmap": class_owns_configmap,
}
