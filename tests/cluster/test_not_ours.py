"""Objects that bear the name of ours and are not ours: left alone and said in the status, and ours once we may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.operating import MANAGED, operating, settled, writes
from tests.cluster.stage import conditions, install, named, prepare
from tests.realparts.audit import described
from tests.realparts.manifests import Ref
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object

LABEL = {"stunner.l7mp.io/owned-by": "stunner"}
POD = {"metadata": {"labels": {"app": "other"}}, "spec": {"containers": [{"name": "other", "image": "example.org/x"}]}}

STRANGERS: dict[str, Object] = {
    "Service": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "edge"},
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": "example.org/pinned",
            "loadBalancerIP": "198.51.100.9",
            "ports": [{"name": "web", "port": 80}],
        },
    },
    "Deployment": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "edge"},
        "spec": {"selector": {"matchLabels": {"app": "other"}}, "template": POD},
    },
    "ConfigMap": {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "stunnerd-config"},
        "data": {"mine": "precious"},
    },
}

FLAGS = {"Service": MANAGED, "Deployment": MANAGED, "ConfigMap": ("--dataplane-mode=legacy",)}
TELLING = {"Service": "Gateway", "Deployment": "Gateway", "ConfigMap": "GatewayClass"}
"""Whose status says it."""

UNTAKEN = {"Service": 0, "Deployment": 1, "ConfigMap": 1}
"""Of other kinds than Services only ours are watched: that there is one is seen when ours is to be made, and again."""


async def said(api: Api, namespace: str, kind: str) -> str:
    """Return what the status says of a stranger: all conditions in one."""
    if TELLING[kind] == "Gateway":
        return " ".join(conditions(await api.get(named("Gateway", namespace, "edge"))).values())
    found = await api.get(Ref("gateway.networking.k8s.io/v1", "GatewayClass", "turn"))
    return " ".join(conditions(found).values())


@pytest.mark.parametrize("kind", STRANGERS)
async def test_a_stranger_is_left_alone_until_it_goes(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, kind: str
) -> None:
    await prepare(api)
    (stranger,) = await api.apply(STRANGERS[kind], namespace=namespace)
    await install(api, namespace)
    mark = cluster.audit_log.mark()
    name = stranger["metadata"]["name"]
    async with operating(cluster, tmp_path, *FLAGS[kind]) as operator:
        await settled(cluster, operator, refused=UNTAKEN[kind])
        assert f"{kind} {namespace}/{name} is not ours and is left alone: delete it" in await said(api, namespace, kind)
        assert await api.get(stranger) == stranger
        written = [described(event) for event in writes(cluster, mark, succeeded=True)]
        assert not [write for write in written if f"{kind.lower()}s " in write]
        await api.delete(stranger)

        async def made() -> bool:
            found = await api.find(stranger)
            return found is not None and found["metadata"]["labels"].items() >= LABEL.items()

        await wait_for(made, deadline=20, what="ours in its place")
        await settled(cluster, operator)
        assert "not ours" not in await said(api, namespace, kind)
        assert await operator.stop() == 0


async def test_a_service_made_beforehand_is_taken_with_what_was_pinned(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    await prepare(api)
    await api.apply(STRANGERS["Service"], namespace=namespace)
    await install(api, namespace)
    service = named("Service", namespace, "edge")
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        await api.patch(service, {"metadata": {"labels": LABEL}})

        async def taken() -> bool:
            return "stunner.l7mp.io/applied" in (await api.get(service))["metadata"].get("annotations", {})

        await wait_for(taken, deadline=20, what="the Service to be taken")
        await settled(cluster, operator)
        found = await api.get(service)
        assert pinned(found) == pinned(STRANGERS["Service"])
        # A port that somebody made beforehand is his, as an address is.
        assert sorted(port["name"] for port in found["spec"]["ports"]) == ["udp", "web"]
        assert "not ours" not in await said(api, namespace, "Service")
        assert await operator.stop() == 0


def pinned(service: Object) -> dict[str, Any]:
    return {name: service["spec"][name] for name in ("loadBalancerClass", "loadBalancerIP")}
