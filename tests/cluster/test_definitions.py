"""CRDs that come after the operator, in any order, go with all their objects, and come again: it keeps up, unrestarted.

What goes with a CRD is gone because the API server said so of each object; what was made for it is the garbage
collector's. Nobody else deletes anything: not the Services and data planes of Gateways whose parameters went.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stunnergw.resources.crds import custom_resource_definitions
from tests.cluster.operating import USER, operating, settled, writes
from tests.cluster.stage import INSTALLATION, appeared, conditions, install, named, prepare
from tests.realparts.audit import described
from tests.realparts.crds import install_crds, remove_crds, remove_gateway_api, use_gateway_api
from tests.realparts.gateway_crds import gateway_crds
from tests.realparts.manifests import Object, Ref, objects_in
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.operating import OperatorProcess
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

SECONDS = 10.0
"""Within which it has to have seen what the API server serves; on an idle machine it takes one or two."""

OWNED = ("Service", "Deployment")
V1_ROUTES = ("gateway.networking.k8s.io", "v1")


async def until_served(operator: OperatorProcess, namespace: str) -> None:
    async def served() -> bool:
        return await operator.document(namespace, "edge") is not None

    await wait_for(served, deadline=SECONDS, what="a document")


async def deployed(api: Api, namespace: str) -> dict[str, str]:
    """Return the uids of what the operator made for the Gateway ``edge``; fails where any of it is missing."""
    return {kind: (await api.get(named(kind, namespace, "edge")))["metadata"]["uid"] for kind in OWNED}


def deletions(cluster: Cluster, mark: int) -> list[str]:
    return [described(event) for event in writes(cluster, mark) if event["verb"].startswith("delete")]


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours-first", "ours-last"])
async def test_they_come_after_the_operator(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, ours_first: bool
) -> None:
    await remove_gateway_api(api)
    await remove_crds(api, custom_resource_definitions())
    async with operating(cluster, tmp_path) as operator:
        # Without any of them there is nothing to do, and nothing to wait for.
        assert (await operator.get("health", "/readyz"))[0] == 200
        for step in (ours_first, not ours_first):
            if step:
                await install_crds(api, custom_resource_definitions())
            else:
                await use_gateway_api(api, "v1.6.3", "standard")
        await install(api, namespace)
        await until_served(operator, namespace)
        await appeared(api, named("Deployment", namespace, "edge"))
        await settled(cluster, operator)
        gateway = await api.get(named("Gateway", namespace, "edge"))
        assert conditions(gateway)["Accepted"].startswith("True")
        assert set((await operator.metric("stunnergw_kind_available")).values()) == {1.0}
        assert await operator.stop() == 0


async def test_those_of_the_gateway_api_go_and_come_again(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    """There are Gateways when their CRD goes: they are gone with it, and what was made for them stays as it is."""
    await prepare(api)
    await install(api, namespace)
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        before, made = await operator.document(namespace, "edge"), await deployed(api, namespace)
        assert before is not None
        mark = cluster.audit_log.mark()
        await remove_gateway_api(api)
        await wait_for(lambda: gone(operator, namespace), deadline=SECONDS, what="the Gateway gone")
        await settled(cluster, operator)
        # A route says no more of a Gateway that is gone, and parameters that no class uses them. That is all.
        assert sorted(described(event) for event in writes(cluster, mark)) == [
            "patch dataplanes/status default: 200",
            f"patch gatewayconfigs/status {namespace}/turn: 200",
            f"patch udproutes/status {namespace}/sfu: 200",
        ]
        assert await deployed(api, namespace) == made
        assert (await operator.get("health", "/readyz"))[0] == 200
        await use_gateway_api(api, "v1.6.3", "standard")
        await install(api, namespace)
        await until_served(operator, namespace)
        await settled(cluster, operator)
        assert await operator.document(namespace, "edge") == before
        # Its Gateway is another one, and the old one's garbage was not collected: they are taken over where they are.
        assert deletions(cluster, mark) == []
        assert await operator.stop() == 0


async def gone(operator: OperatorProcess, namespace: str) -> bool:
    return (await operator.get("discovery", f"/api/v1/configs/{namespace}/edge"))[0] == 404


@pytest.mark.parametrize("plural", ["gatewayconfigs", "dataplanes", "udproutes", "gatewayclasses"])
async def test_one_goes_and_comes_again(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, plural: str
) -> None:
    await prepare(api)
    await install(api, namespace)
    going = one(plural)
    async with operating(cluster, tmp_path) as operator, operator.watched(namespace, "edge") as told:
        await settled(cluster, operator)
        before, made = await operator.document(namespace, "edge"), await deployed(api, namespace)
        assert before is not None
        mark = cluster.audit_log.mark()
        await remove_crds(api, going)
        await settled(cluster, operator)
        # Parameters are held, a class is missed. A route allows something only as long as it is there.
        listener, *_ = told[-1]["listeners"]
        assert bool(listener.get("routes")) is (plural != "udproutes")
        if plural != "gatewayclasses":
            broken = plural in ("gatewayconfigs", "dataplanes")
            assert (await of_class(api)).startswith("False InvalidParameters" if broken else "True")
        await install_crds(api, going)
        await install(api, namespace)

        async def as_before() -> bool:
            accepted = (await of_class(api)).startswith("True")
            return accepted and await operator.document(namespace, "edge") == before

        await wait_for(as_before, deadline=SECONDS, what="all as it was")
        await settled(cluster, operator)
        assert await deployed(api, namespace) == made
        # The document with the route, without it, and with it; of anything else a data plane hears nothing.
        assert len(told) == (3 if plural == "udproutes" else 1)
        assert told[0] == told[-1] == before
        written = {described(event).split(" ")[1] for event in writes(cluster, mark)}
        # No object but Events of what the statuses turned.
        assert {resource for resource in written if not resource.endswith("/status")} <= {"events"}
        assert await operator.stop() == 0


def one(plural: str) -> list[Object]:
    """Return a CRD, ours rather than one of the Gateway API."""
    known = [*objects_in(gateway_crds("v1.6.3", "standard")), *custom_resource_definitions()]
    return [crd for crd in known if crd["spec"].get("names", {}).get("plural") == plural][-1:]


async def of_class(api: Api) -> str:
    """Return what the class says of itself."""
    return conditions(await api.get(Ref("gateway.networking.k8s.io/v1", "GatewayClass", "turn")))["Accepted"]


async def test_a_newer_bundle_is_put_over_an_older_one(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    """Routes were v1alpha2 and are v1 from then on: they are read anew, and nobody notices."""
    await prepare(api, "v1.0.0", "experimental")
    # Those that are read: others cannot be put over theirs without more ado.
    newer = [
        crd
        for crd in objects_in(gateway_crds("v1.6.3", "experimental"))
        if crd["spec"].get("names", {}).get("plural") in ("gatewayclasses", "gateways", "udproutes", "referencegrants")
    ]
    assert len(newer) == 4
    route = "apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: UDPRoute"
    text = INSTALLATION.replace("apiVersion: stunner.l7mp.io/v1\nkind: UDPRoute", route)
    await install(api, namespace, text=text.replace("[{name: sfu}]", "[{name: sfu, port: 10000}]"))
    async with operating(cluster, tmp_path) as operator, operator.watched(namespace, "edge") as told:
        await settled(cluster, operator)
        before, made = await operator.document(namespace, "edge"), await deployed(api, namespace)
        assert before is not None
        assert before["clusters"]
        mark = cluster.audit_log.mark()
        await install_crds(api, newer)

        async def read_anew() -> bool:
            return any(
                about.get("resource") == "udproutes" and (about.get("apiGroup"), about.get("apiVersion")) == V1_ROUTES
                for event in cluster.audit_log.since(mark, user=USER)
                if event["verb"] == "watch" and (about := event.get("objectRef") or {})
            )

        await wait_for(read_anew, deadline=SECONDS, what="the routes read as v1")
        await settled(cluster, operator)
        assert told == [before]
        assert await deployed(api, namespace) == made
        # The class tells which Gateway API there is, and nothing else has changed.
        assert {described(event) for event in writes(cluster, mark)} == {"patch gatewayclasses/status turn: 200"}
        turn = await api.get(Ref("gateway.networking.k8s.io/v1", "GatewayClass", "turn"))
        assert "v1.6.3" in conditions(turn)["SupportedVersion"]
        assert {"name": "UDPRoute"} in turn["status"]["supportedFeatures"]
        assert await operator.stop() == 0
