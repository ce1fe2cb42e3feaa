"""One installation in managed mode on the API servers of several years: which versions are served decides nothing.

A route is the same route whoever defined it, in whichever version; what is served and written is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from stunnergw.resources.crds import custom_resource_definitions
from tests.cluster.operating import operating, settled, writes
from tests.cluster.stage import INSTALLATION, appeared, conditions, install, named
from tests.realparts.audit import described
from tests.realparts.crds import install_crds, remove_crds, use_gateway_api
from tests.realparts.gateway_crds import gateway_crds
from tests.realparts.manifests import Ref, objects_in
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

OURS = "stunner.l7mp.io/v1"
GATEWAYS = "gateway.networking.k8s.io"
ROUTES = f"udproutes.{GATEWAYS}"


class Bundle(NamedTuple):
    """What is installed of the Gateway API, and the version of the route."""

    version: str
    channel: str
    route: str
    without: str = ""
    """A CRD that is taken away."""

    def __str__(self) -> str:
        words = [self.version, self.channel, *(["only"] if self.without else []), self.route.replace("/", "-")]
        return "-".join(words)


BUNDLES = [
    Bundle("v1.6.3", "standard", OURS),
    Bundle("v1.6.3", "standard", f"{GATEWAYS}/v1"),
    # Until v1.5 UDPRoutes were experimental, and the standard channel had none.
    Bundle("v1.6.3", "standard", OURS, without=ROUTES),
    Bundle("v1.6.3", "experimental", f"{GATEWAYS}/v1alpha2"),
    Bundle("v1.0.0", "experimental", f"{GATEWAYS}/v1alpha2"),
    Bundle("v1.7.0", "standard", OURS),
]


@pytest.fixture(params=BUNDLES, ids=str)
async def bundle(request: pytest.FixtureRequest, api: Api) -> AsyncIterator[Bundle]:
    wanted: Bundle = request.param
    await use_gateway_api(api, wanted.version, wanted.channel)
    await install_crds(api, custom_resource_definitions())
    missing = [crd for crd in objects_in(gateway_crds(*wanted[:2])) if crd["metadata"]["name"] == wanted.without]
    await remove_crds(api, missing)
    yield wanted
    await install_crds(api, missing)


def installation(bundle: Bundle) -> str:
    text = INSTALLATION.replace(f"apiVersion: {OURS}\nkind: UDPRoute", f"apiVersion: {bundle.route}\nkind: UDPRoute")
    # Whoever names a Service in a route of the Gateway API's has to name a port of it, which then means nothing.
    return text if bundle.route == OURS else text.replace("[{name: sfu}]", "[{name: sfu, port: 10000}]")


async def test_the_same_comes_of_it(bundle: Bundle, cluster: Cluster, api: Api, namespace: str, tmp_path: Path) -> None:
    mark = cluster.audit_log.mark()
    async with operating(cluster, tmp_path) as operator:
        await install(api, namespace, text=installation(bundle))
        service = await appeared(api, named("Service", namespace, "edge"))
        await api.patch_status(service, {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}})

        async def programmed() -> bool:
            return conditions(await api.get(named("Gateway", namespace, "edge")))["Programmed"].startswith("True")

        await wait_for(programmed)
        await settled(cluster, operator)
        document = await operator.document(namespace, "edge")
        assert document is not None
        sfu = await api.get(named("Service", namespace, "sfu"))
        (listener,) = document["listeners"]
        assert listener["routes"] == [f"{namespace}/sfu"]
        assert (listener["public_address"], listener["public_port"]) == ("198.51.100.7", 3478)
        (rendered,) = document["clusters"]
        assert sorted(rendered["endpoints"]) == sorted(["10.244.1.10", sfu["spec"]["clusterIP"]])
        await everything_is_well(api, namespace, bundle)
        assert [described(event) for event in writes(cluster, mark, succeeded=False)] == []
        assert (await operator.get("health", "/readyz"))[0] == 200
        assert await operator.stop() == 0
    mark = cluster.audit_log.mark()
    async with operating(cluster, tmp_path) as operator:
        await settled(cluster, operator)
        assert await operator.document(namespace, "edge") == document
        assert [described(event) for event in writes(cluster, mark)] == []
        assert await operator.stop() == 0


async def everything_is_well(api: Api, namespace: str, bundle: Bundle) -> None:
    """See that every condition of ours is true, and of the generation that is there."""
    gateway = await api.get(named("Gateway", namespace, "edge"))
    turn = await api.get(Ref(f"{GATEWAYS}/v1", "GatewayClass", "turn"))
    route = await api.get(Ref(bundle.route, "UDPRoute", "sfu", namespace))
    (parent,) = route["status"]["parents"]
    (listener,) = gateway["status"]["listeners"]
    assert parent["parentRef"]["name"] == "edge"
    assert listener["attachedRoutes"] == 1
    # v1.0 has another field of that name, which would refuse the whole status.
    assert ("supportedFeatures" in turn["status"]) is (bundle.version != "v1.0.0")
    assert "SupportedVersion" in conditions(turn)
    for about, said in (
        (turn, turn["status"]),
        (gateway, gateway["status"]),
        (gateway, listener),
        (route, parent),
    ):
        assert said["conditions"]
        for each in said["conditions"]:
            assert (each["status"], each["observedGeneration"]) == ("True", about["metadata"]["generation"]), each
