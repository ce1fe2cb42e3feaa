"""Somebody deletes or changes what is ours: it is made as it was, with one write each."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.cluster.operating import operating, settled, writes
from tests.cluster.stage import INSTALLATION, conditions, install, named, prepare
from tests.realparts.audit import described
from tests.realparts.manifests import Ref
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.operating import OperatorProcess
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object

LEGACY = "--dataplane-mode=legacy"

THEIRS = {
    "type": "example.org/Checked",
    "status": "True",
    "reason": "Fine",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
"""A condition of another controller."""

PORT = {"name": "udp", "protocol": "UDP", "port": 3478, "targetPort": 9999}


class Harm(NamedTuple):
    """What somebody does to an object, and the write that mends it."""

    kind: str
    name: str
    change: dict[str, Any] | None
    """What is merged into it; None: it is deleted."""
    mended_by: str
    """As the audit log has it, without the namespace."""
    status: bool = False
    """The change is of its status."""
    writes: int = 1

    def about(self, namespace: str) -> Ref:
        """Return which object it is."""
        version = "stunner.l7mp.io/v1" if self.kind == "UDPRoute" else named(self.kind, namespace, "")["apiVersion"]
        return Ref(version, self.kind, self.name, None if self.kind == "GatewayClass" else namespace)

    async def do(self, api: Api, namespace: str) -> None:
        """Do it."""
        about = self.about(namespace)
        if self.change is None:
            await api.delete(about)
        else:
            await api.patch(about, self.change, subresource="status" if self.status else None)


def to_service(name: str, change: dict[str, Any] | None, *, writes: int = 1) -> Harm:
    return Harm("Service", name, change, f"services {name}: {200 if change else 201}", writes=writes)


def to_deployment(name: str, change: dict[str, Any] | None) -> Harm:
    return Harm("Deployment", name, change, f"deployments {name}: {200 if change else 201}")


HARMS = (
    to_service("service-deleted", None),
    to_service("target-port-changed", {"spec": {"ports": [PORT]}}),
    # What is theirs now has to become ours before it can go: else two ports would have one name.
    to_service("port-moved", {"spec": {"ports": [PORT | {"port": 9999}]}}, writes=2),
    to_service("selector-changed", {"spec": {"selector": {"app": "other"}}}),
    to_service("service-annotations-removed", {"metadata": {"annotations": None}}),
    to_service("service-labels-removed", {"metadata": {"labels": None}}),
    to_service("service-disowned", {"metadata": {"ownerReferences": None}}),
    to_deployment("workload-deleted", None),
    to_deployment("grace-changed", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}}),
    to_deployment("workload-labels-removed", {"metadata": {"labels": {"stunner.l7mp.io/owned-by": None}}}),
    Harm(
        "Gateway",
        "status-emptied",
        {"status": {"conditions": [THEIRS], "listeners": []}},
        "gateways/status status-emptied: 200",
        status=True,
    ),
    Harm("UDPRoute", "sfu", {"status": {"parents": []}}, "udproutes/status sfu: 200", status=True),
    Harm("GatewayClass", "turn", {"status": {"conditions": []}}, "gatewayclasses/status turn: 200", status=True),
)
"""Each to an object of its own: what is harmed again and again is mended less and less often."""

GATEWAY = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: NAME}
spec:
  gatewayClassName: turn
  listeners: [{name: udp, protocol: TURN-UDP, port: 3478}]
"""


async def test_what_is_ours_is_mended_with_one_write(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    await prepare(api)
    gateways = [harm.name for harm in HARMS if harm.kind in ("Service", "Deployment", "Gateway")]
    await install(api, namespace, text=INSTALLATION + "".join(GATEWAY.replace("NAME", name) for name in gateways))
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        before = await all_of(api, namespace)
        said = Counter(await mended(cluster, operator, api, namespace, *HARMS))
        told = {f"gateways/status {harm.name}: 200" for harm in HARMS if harm.kind == "Service"}
        # Whose Service is gone or elsewhere has no address meanwhile, and says so.
        assert {write: count for write, count in said.items() if write not in told} == {
            harm.mended_by: harm.writes for harm in HARMS
        }
        assert await all_of(api, namespace) == before
        assert THEIRS["type"] in conditions(await api.get(named("Gateway", namespace, "status-emptied")))
        assert await operator.stop() == 0


async def test_a_config_map_is_mended_with_one_write(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    await prepare(api)
    await install(api, namespace)
    harms = (
        Harm("ConfigMap", "stunnerd-config", {"data": {"stunnerd.conf": "{}"}}, "configmaps stunnerd-config: 200"),
        Harm("ConfigMap", "stunnerd-config", None, "configmaps stunnerd-config: 201"),
    )
    async with operating(cluster, tmp_path, LEGACY) as operator:
        await settled(cluster, operator)
        before = await api.get(harms[0].about(namespace))
        for harm in harms:
            assert await mended(cluster, operator, api, namespace, harm) == [harm.mended_by]
            now = await api.get(harm.about(namespace))
            assert (now["data"], ours(now)) == (before["data"], ours(before))
        assert await operator.stop() == 0


async def mended(cluster: Cluster, operator: OperatorProcess, api: Api, namespace: str, *harms: Harm) -> list[str]:
    """Do harm, all at once, and return what the operator wrote until it had nothing more to write."""
    mark = cluster.audit_log.mark()
    await asyncio.gather(*(harm.do(api, namespace) for harm in harms))

    async def began() -> bool:
        return bool(writes(cluster, mark))

    await wait_for(began, what="anything to be mended")
    await settled(cluster, operator)
    # A workload without our label is gone for our watch, so that to make it is tried first, and refused.
    events = (described(event) for event in writes(cluster, mark, succeeded=True))
    # Events tell of what turned; what is mended is patched.
    patches = (said for said in events if said.startswith("patch "))
    return [said.removeprefix("patch ").replace(f"{namespace}/", "") for said in patches]


async def all_of(api: Api, namespace: str) -> list[dict[str, Any]]:
    """Return what we say of all objects that are harmed."""
    return [ours(await api.get(harm.about(namespace))) for harm in HARMS]


def ours(thing: Object) -> dict[str, Any]:
    """Return what we say of an object: what the API server and others put in left out."""
    metadata, kind = thing["metadata"], thing["kind"]
    annotations = {name: value for name, value in metadata.get("annotations", {}).items() if "stunner" in name}
    kept = {"labels": metadata.get("labels"), "annotations": annotations, "owners": metadata.get("ownerReferences")}
    if kind == "Service":
        ports = [{key: port[key] for key in port if key != "nodePort"} for port in thing["spec"]["ports"]]
        return kept | {"ports": ports, "selector": thing["spec"]["selector"]}
    if kind == "Deployment":
        return kept | {"spec": thing["spec"]}
    return kept if kind == "ConfigMap" else {"status": without_times(thing["status"])}


def without_times(value: Any) -> Any:
    """Return a status without the times of its conditions, and without what is another's."""
    if isinstance(value, dict):
        return {name: without_times(part) for name, part in value.items() if name != "lastTransitionTime"}
    if isinstance(value, list):
        return [without_times(part) for part in value if part != THEIRS]
    return value
