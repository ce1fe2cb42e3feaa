"""The operator under the rights that deploy/ gives it: it needs no others, and it needs each of them.

It runs as the service account that the roles are bound to, with the arguments of the Deployment, against an API server
with RBAC. The audit log tells what it asked for: nothing was refused, and nothing is granted that was not used. What it
asks for only now and then is brought about here: Gateways that want less, kinds of workloads that change, objects that
are there before, and others who write at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.deploying import ACCOUNT, NAMESPACE, Deployer, kubeconfig_of_account
from tests.cluster.operating import MANAGED, OperatorProcess, arguments, settled
from tests.cluster.stage import INSTALLATION, install, named, prepare
from tests.house.permissions import Grant, grants
from tests.realparts.audit import described, status
from tests.realparts.manifests import Ref
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object

LEASES = f"--leader-election-namespace={NAMESPACE}"
"""A pod knows its namespace; a process outside has to be told."""

MORE = """
apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {type: static, username: alice, password: wonderland}
---
apiVersion: stunner.l7mp.io/v1
kind: GatewayConfig
metadata: {name: turn}
spec: {authRef: {name: credentials}}
---
apiVersion: stunner.l7mp.io/v1
kind: StaticService
metadata: {name: lab}
spec: {prefixes: [192.0.2.0/24]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: UDPRoute
metadata: {name: media}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: sfu, port: 10000}]}]
"""

BEFORE = """
apiVersion: v1
kind: Service
metadata: {name: lobby, labels: {stunner.l7mp.io/owned-by: stunner}}
spec: {ports: [{name: turn, protocol: UDP, port: 1}]}
"""

WORKLOAD = """
apiVersion: apps/v1
kind: KIND
metadata: {name: lobby, labels: {stunner.l7mp.io/owned-by: stunner}}
spec:
  selector:
    matchExpressions:
    - {key: app, operator: In, values: [stunner]}
    - {key: stunner.l7mp.io/related-gateway-name, operator: In, values: [lobby]}
    - {key: stunner.l7mp.io/related-gateway-namespace, operator: In, values: [NAMESPACE]}
  template:
    metadata:
      labels:
        app: stunner
        stunner.l7mp.io/related-gateway-name: lobby
        stunner.l7mp.io/related-gateway-namespace: NAMESPACE
    spec: {containers: [{name: stunner-daemon, image: example.org/stunnerd}]}
"""

THEIRS = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: stunnerd-config
  labels: {stunner.l7mp.io/owned-by: stunner}
  annotations: {stunner.l7mp.io/related-gateway-name: /turn}
"""

LOBBY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: lobby}
spec:
  gatewayClassName: turn
  listeners: [{name: udp, protocol: TURN-UDP, port: 3479}]
"""


class Scene:
    """A cluster in which the operator of a folder of deploy/ runs as itself."""

    def __init__(self, cluster: Cluster, api: Api, *, namespace: str, folder: Path) -> None:
        self.cluster = cluster
        self.api = api
        self.namespace = namespace
        self.folder = folder
        self.mark = cluster.audit_log.mark()

    @contextlib.asynccontextmanager
    async def operating(self, *more: str) -> AsyncIterator[OperatorProcess]:
        """Run it as its account, by a token as a pod has one."""
        kubeconfig = await kubeconfig_of_account(self.cluster, self.api, self.folder)
        number = len(list(self.folder.glob("*.log")))
        operator = OperatorProcess(arguments(kubeconfig, LEASES, *more), log=self.folder / f"{number}.log")
        try:
            await operator.start()
            yield operator
            assert await operator.stop() == 0
        finally:
            await operator.kill()

    async def settled(self, operator: OperatorProcess) -> None:
        await settled(self.cluster, operator, user=ACCOUNT)

    def asked(self) -> list[dict[str, Any]]:
        """Return what the operator has asked for until now."""
        return self.cluster.audit_log.since(self.mark, user=ACCOUNT)

    async def until(self, what: str, *, there: Iterable[Object] = (), gone: Iterable[Object] = ()) -> None:
        async def so() -> bool:
            found = [await self.api.find(thing) is not None for thing in there]
            return all(found) and not any([await self.api.find(thing) is not None for thing in gone])

        await wait_for(so, deadline=30, what=what)

    async def written_by_us(self, about: Object) -> None:
        async def so() -> bool:
            return "stunner.l7mp.io/applied" in (await self.api.get(about))["metadata"].get("annotations", {})

        await wait_for(so, deadline=30, what=f"{about['kind']} taken over")

    async def conflicts(self, about: Ref, *specs: dict[str, Any]) -> None:
        """Change an object, and what its status has to say, until the operator finds that somebody was quicker."""

        def looked_again() -> bool:
            return any(_is_get(event, about) for event in self.asked())

        async with asyncio.timeout(60):
            number = 0
            while not looked_again():
                number += 1
                changes = [{"metadata": {"labels": {"number": f"{number}-{each}"}}} for each in range(40)]
                await self.api.patch(about, {"spec": specs[number % len(specs)]})
                for change in changes:
                    await self.api.patch(about, change)


def _is_get(event: dict[str, Any], about: Ref) -> bool:
    asked = event.get("objectRef") or {}
    group = about.api_version.partition("/")[0]
    return event["verb"] == "get" and (asked.get("apiGroup"), asked.get("name")) == (group, about.name)


def used(events: Iterable[dict[str, Any]]) -> set[Grant]:
    """Return the rights that were made use of. An apply that creates needs `create` beside `patch`."""
    found = set()
    for event in events:
        about = event.get("objectRef")
        if about is None or status(event) == 403:
            continue
        resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
        group = about.get("apiGroup", "")
        found.add(Grant(event["verb"], resource, group))
        if event["verb"] == "patch" and status(event) == 201:
            found.add(Grant("create", resource, group))
    return found


async def granted(deployer: Deployer, folder: str) -> set[Grant]:
    rules = [rule for thing in await deployer.objects(folder) for rule in thing.get("rules", ())]
    return {grant._replace(names=()) for grant in grants(rules)}


async def judge(scene: Scene, deployer: Deployer, folder: str) -> None:
    events = scene.asked()
    assert [described(event) for event in events if status(event) in (401, 403)] == []
    allowed, made_use_of = await granted(deployer, folder), used(events)
    assert allowed - made_use_of == set()
    assert {grant for grant in made_use_of if grant not in allowed} == set()


async def flags_of(deployer: Deployer, folder: str) -> list[str]:
    """Return the arguments of the Deployment, without the command."""
    (container,) = (await deployer.operator(folder))["spec"]["template"]["spec"]["containers"]
    command, *flags = container["args"]
    assert command == "run"
    return list(flags)


@pytest.fixture
async def scene(cluster: Cluster, api: Api, namespace: str, tmp_path: Path) -> Scene:
    await prepare(api)
    return Scene(cluster, api, namespace=namespace, folder=tmp_path)


@pytest.mark.timeout(300)
async def test_managed_mode_has_the_rights_that_it_needs_and_no_others(scene: Scene, deployer: Deployer) -> None:
    await deployer.apply("managed")
    flags = [*await flags_of(deployer, "managed"), *MANAGED]
    workloads = [WORKLOAD.replace("KIND", kind) for kind in ("Deployment", "DaemonSet")]
    await install(scene.api, scene.namespace, text="---".join([INSTALLATION, MORE, BEFORE, *workloads]))
    await work_through(scene, flags, other_workloads, what_both_modes_do)
    await judge(scene, deployer, "managed")


@pytest.mark.timeout(300)
async def test_legacy_mode_has_the_rights_that_it_needs_and_no_others(scene: Scene, deployer: Deployer) -> None:
    await scene.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stunner"}})
    await deployer.apply("legacy")
    flags = await flags_of(deployer, "legacy")
    await install(scene.api, scene.namespace, text="---".join([INSTALLATION, MORE, BEFORE]))
    await work_through(scene, flags, a_config_map_that_is_there, what_both_modes_do)
    await judge(scene, deployer, "legacy")


async def work_through(scene: Scene, flags: Sequence[str], *acts: Callable[[Scene], Awaitable[None]]) -> None:
    """Run the operator while something happens, and again where it reads Endpoints instead of EndpointSlices."""
    async with scene.operating(*flags) as operator:
        await scene.settled(operator)
        for act in acts:
            await act(scene)
    async with scene.operating(*flags, "--disable-endpontslice-controller") as operator:
        await scene.settled(operator)


@pytest.mark.timeout(180)
async def test_a_config_map_of_others_is_ours_once_it_was_deleted(scene: Scene, deployer: Deployer) -> None:
    # The API server lets nobody give an object another owner who may not delete it.
    await scene.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stunner"}})
    await deployer.apply("legacy")
    await install(scene.api, scene.namespace, text="---".join([INSTALLATION, THEIRS]))
    theirs = named("ConfigMap", scene.namespace, "stunnerd-config")

    async def refused() -> bool:
        return any(status(event) == 403 and event["objectRef"]["resource"] == "configmaps" for event in scene.asked())

    async with scene.operating(*await flags_of(deployer, "legacy")):
        await wait_for(refused, deadline=30, what="the API server's refusal")
        assert "data" not in await scene.api.get(theirs)
        await scene.api.delete(theirs)
        await scene.until("our own", there=[theirs])
        await scene.written_by_us(theirs)


async def other_workloads(scene: Scene) -> None:
    """Take over what is there, change the kind of the workloads, and change it back."""
    api, namespace = scene.api, scene.namespace
    await install(api, namespace, text=LOBBY)
    deployments = [named("Deployment", namespace, name) for name in ("edge", "lobby")]
    daemon_sets = [named("DaemonSet", namespace, name) for name in ("edge", "lobby")]
    await scene.written_by_us(deployments[1])
    dataplane = Ref("stunner.l7mp.io/v1", "Dataplane", "default")
    await api.patch(dataplane, {"spec": {"dataplaneResource": "DaemonSet"}})
    await scene.until("DaemonSets in place of Deployments", there=daemon_sets, gone=deployments)
    await scene.written_by_us(daemon_sets[1])
    await api.patch(dataplane, {"spec": {"dataplaneResource": "Deployment"}})
    await scene.until("Deployments in place of DaemonSets", there=deployments, gone=daemon_sets)


async def a_config_map_that_is_there(scene: Scene) -> None:
    """Put another ConfigMap in the place of ours: one that is given to us."""
    about = named("ConfigMap", scene.namespace, "stunnerd-config")
    ours = await scene.api.get(about)
    kept = ("name", "namespace", "labels", "ownerReferences")
    metadata = {key: ours["metadata"][key] for key in kept}
    name = "stunner.l7mp.io/related-gateway-name"
    metadata["annotations"] = {name: ours["metadata"]["annotations"][name]}
    await scene.api.delete(about)
    await scene.api.request(
        "POST",
        f"/api/v1/namespaces/{scene.namespace}/configmaps",
        body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"other": "stays"}},
    )
    await scene.written_by_us(about)
    assert {"other", "stunnerd.conf"} <= (await scene.api.get(about))["data"].keys()


async def what_both_modes_do(scene: Scene) -> None:
    api, namespace = scene.api, scene.namespace
    await install(api, namespace, text=LOBBY)
    await scene.written_by_us(named("Service", namespace, "lobby"))
    edge = named("Gateway", namespace, "edge")
    await api.patch(edge, {"metadata": {"annotations": {"stunner.l7mp.io/service-type": "None"}}})
    await scene.until("no Service", gone=[named("Service", namespace, "edge")])
    backends = [{"rules": [{"backendRefs": [{"name": name, "port": 10000}]}]} for name in ("nobody", "sfu")]
    await scene.conflicts(Ref("gateway.networking.k8s.io/v1", "UDPRoute", "media", namespace), *backends)
    ours = "stunner.l7mp.io/v1"
    await scene.conflicts(Ref(ours, "UDPRoute", "sfu", namespace), *backends)
    levels = [{"logLevel": level} for level in ("all:DEBUG", "all:INFO")]
    await scene.conflicts(Ref(ours, "GatewayConfig", "turn", namespace), *levels)
    await scene.conflicts(Ref(ours, "Dataplane", "default"), *({"args": [arg]} for arg in ("-w", "-v")))
    prefixes = [{"prefixes": [prefix]} for prefix in ("nowhere", "192.0.2.0/24")]
    await scene.conflicts(Ref(ours, "StaticService", "lab", namespace), *prefixes)
