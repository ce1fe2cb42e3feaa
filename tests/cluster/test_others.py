"""Others have a say in what is ours: what they set and we do not say is left alone, and nobody fights over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster.operating import operating, settled, writes
from tests.cluster.stage import INSTALLATION, install, named, prepare
from tests.realparts.audit import described

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.kubectl import Kubectl
    from tests.realparts.manifests import Object

LIVE = INSTALLATION.replace(
    "metadata: {name: edge}", "metadata: {name: edge, annotations: {stunner.l7mp.io/external-traffic-policy: local}}"
)

FINALIZER = "example.org/cleanup"
RESTARTED = "kubectl.kubernetes.io/restartedAt"

LONG = 10.0
"""Seconds in which a war would show."""


async def test_what_others_set_is_left_alone(
    cluster: Cluster, api: Api, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    await prepare(api)
    await install(api, namespace, text=LIVE)
    service, workload = named("Service", namespace, "edge"), named("Deployment", namespace, "edge")
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        before = await api.get(service)
        await api.patch_status(service, {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}})
        await settled(cluster, operator)
        mark = cluster.audit_log.mark()
        await meddle(api, kubectl, namespace)
        await settled(cluster, operator, quiet=LONG)
        assert [described(event) for event in writes(cluster, mark)] == []
        theirs = of_others(await api.get(service)), of_others(await api.get(workload))
        health = before["spec"]["healthCheckNodePort"]
        # Nor does a change of ours undo it.
        mark = cluster.audit_log.mark()
        await install(api, namespace, text=LIVE.replace("port: 3478", "port: 3479").replace("1.2.0", "1.2.1"))
        await settled(cluster, operator)
        assert sorted(described(event) for event in writes(cluster, mark)) == [
            "patch dataplanes/status default: 200",
            f"patch deployments {namespace}/edge: 200",
            f"patch gateways/status {namespace}/edge: 200",
            f"patch services {namespace}/edge: 200",
        ]
        now = await api.get(service)
        assert [(port["port"], port["name"]) for port in now["spec"]["ports"]] == [(3479, "udp")]
        assert now["spec"]["healthCheckNodePort"] == health
        assert (of_others(now), of_others(await api.get(workload))) == theirs
        assert await operator.stop() == 0
    for thing in (service, workload):
        await api.patch(thing, {"metadata": {"finalizers": None}})


async def meddle(api: Api, kubectl: Kubectl, namespace: str) -> None:
    """Do what autoscalers, clouds, other controllers and people do."""

    async def run(*words: str) -> None:
        await kubectl(*words, f"--namespace={namespace}")

    await run("scale", "deployment/edge", "--replicas=3")
    await run("rollout", "restart", "deployment/edge")
    for kind in ("service", "deployment"):
        await run("annotate", f"{kind}/edge", "example.org/note=theirs")
        await run("label", f"{kind}/edge", "example.org/team=theirs")
        await api.patch(named(kind.capitalize(), namespace, "edge"), {"metadata": {"finalizers": [FINALIZER]}})
    service = {"externalIPs": ["203.0.113.5"], "internalTrafficPolicy": "Local", "publishNotReadyAddresses": True}
    await api.patch(named("Service", namespace, "edge"), {"spec": service})
    await api.patch(named("Deployment", namespace, "edge"), {"spec": {"revisionHistoryLimit": 3, "paused": True}})


def of_others(thing: Object) -> dict[str, Any]:
    """Return what others have set; fails the test where it is not there."""
    metadata, spec = thing["metadata"], thing["spec"]
    assert metadata["annotations"]["example.org/note"] == "theirs"
    assert metadata["labels"]["example.org/team"] == "theirs"
    assert metadata["finalizers"] == [FINALIZER]
    if thing["kind"] == "Service":
        names = ("externalIPs", "internalTrafficPolicy", "publishNotReadyAddresses", "clusterIPs", "ipFamilies")
        return {name: spec[name] for name in names} | {"status": thing["status"]}
    assert spec["replicas"] == 3
    annotations = spec["template"]["metadata"]["annotations"]
    return {name: spec[name] for name in ("paused", "revisionHistoryLimit")} | {RESTARTED: annotations[RESTARTED]}
