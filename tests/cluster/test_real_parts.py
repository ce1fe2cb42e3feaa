"""The real parts are what the other tests of this folder take them for."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.resources import kinds
from stunnergw.resources.crds import custom_resource_definitions
from stunnergw.resources.metadata import STUNNER_GROUP
from tests.realparts import audit, building
from tests.realparts.api import ApiError
from tests.realparts.crds import install_crds, remove_crds, remove_gateway_api, use_gateway_api
from tests.realparts.gateway_crds import gateway_crds
from tests.realparts.manifests import Ref
from tests.realparts.programs import program
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.kubectl import Kubectl

ROOT = Path(__file__).parents[2]


def config_map(name: str, namespace: str | None = None, **data: str) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def gateway_config(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{STUNNER_GROUP}/v1",
        "kind": "GatewayConfig",
        "metadata": {"name": name},
        "spec": {"authType": "plaintext", "userName": "user", "password": "pass", **spec},
    }


@pytest.fixture
async def our_crds(api: Api) -> None:
    await install_crds(api, custom_resource_definitions())


# Programs ---------------------------------------------------------------------------------------------


def test_a_developers_own_programs_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "etcd").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert program("etcd", say=pytest.fail) == tmp_path / "etcd"


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)], ids=["skipped", "failed in CI"]
)
def test_without_go_tests_are_skipped_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(building, "CACHE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    with pytest.raises(outcome, match="no Go to build kube-apiserver with"):
        program("kube-apiserver", say=pytest.fail)


# Our CRDs ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("our_crds")
async def test_our_crds_become_established_and_served_in_each_version(api: Api) -> None:
    served = await api.served()
    for kind in (kind for kind in kinds.TABLE if kind.group == STUNNER_GROUP):
        crd = await api.get(
            Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{kind.plural}.{STUNNER_GROUP}")
        )
        conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
        assert conditions == {"Established": "True", "NamesAccepted": "True"}
        assert {(kind.api_version(version), kind.kind) for version in kind.versions} <= served.keys()


@pytest.mark.usefixtures("our_crds")
async def test_an_auth_type_that_nobody_knows_is_refused(api: Api, namespace: str) -> None:
    with pytest.raises(ApiError, match=r"spec\.authType") as refused:
        await api.apply(gateway_config("wrong", authType="fingerprint"), namespace=namespace)
    assert refused.value.status == 422
    await api.apply(gateway_config("right"), namespace=namespace)


@pytest.mark.usefixtures("our_crds")
async def test_short_names_and_columns_are_there_for_people(api: Api, namespace: str, kubectl: Kubectl) -> None:
    await api.apply(gateway_config("edge", realm="example.org", dataplane="fast"), namespace=namespace)
    printed = (await kubectl("get", "gwconf", "--namespace", namespace)).out.splitlines()
    assert printed[0].split() == ["NAME", "REALM", "DATAPLANE", "CLASSES", "ACCEPTED", "AGE"]
    assert printed[1].split()[:3] == ["edge", "example.org", "fast"]


# The Gateway API's ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "channel", "routes"),
    [
        ("v1.6.3", "standard", ["v1"]),
        # Each of these is forbidden by the policy that came with one before.
        ("v1.6.3", "experimental", ["v1", "v1alpha2"]),
        ("v1.7.0", "standard", ["v1"]),
        ("v1.0.0", "experimental", ["v1alpha2"]),
        ("v0.4.3", "v1alpha2", ["v1alpha2"]),
    ],
)
async def test_each_set_of_gateway_api_crds_takes_the_place_of_another(
    api: Api, version: str, channel: str, routes: list[str]
) -> None:
    await use_gateway_api(api, version, channel)
    served = (await api.served()).keys()
    group = "gateway.networking.k8s.io/"
    assert [api_version for api_version, kind in sorted(served) if kind == "UDPRoute" and group in api_version] == [
        group + route for route in routes
    ]


async def test_removing_crds_removes_the_kinds(api: Api) -> None:
    await use_gateway_api(api, "v1.6.3", "standard")
    await remove_gateway_api(api)
    assert not [kind for api_version, kind in await api.served() if "gateway.networking" in api_version]
    await remove_crds(api, gateway_crds("v1.6.3", "standard"))  # nothing there: nothing to do


def test_a_channel_that_is_not_there_is_said() -> None:
    with pytest.raises(ValueError, match="no channel experimental"):
        gateway_crds("v0.4.3", "experimental")


# Users ------------------------------------------------------------------------------------------------


async def test_rbac_refuses_and_the_audit_log_shows_it(cluster: Cluster, api: Api, namespace: str) -> None:
    mark = cluster.audit_log.mark()
    async with cluster.api("passer-by", ["public"]) as passer_by:
        with pytest.raises(ApiError, match='User "passer-by" cannot patch') as refused:
            await passer_by.apply(config_map("mine", namespace))
    assert refused.value.status == 403
    asked = cluster.audit_log.writes(mark, user="passer-by")
    assert [audit.described(event) for event in asked] == [f"patch configmaps {namespace}/mine: 403"]
    assert cluster.audit_log.writes(mark, user="passer-by", succeeded=True) == []


async def test_rbac_lets_a_group_do_what_it_is_granted(cluster: Cluster, api: Api, namespace: str) -> None:
    rbac = "rbac.authorization.k8s.io"
    await api.apply(
        [
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "Role",
                "metadata": {"name": "readers", "namespace": namespace},
                "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}],
            },
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "readers", "namespace": namespace},
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "readers"},
                "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "readers"}],
            },
            config_map("news", namespace),
        ]
    )

    async def may_list() -> bool:
        with contextlib.suppress(ApiError):
            return bool(await reader.all_of("v1", "ConfigMap", namespace=namespace))
        return False

    async with cluster.api("someone", ["public", "readers"]) as reader:
        await wait_for(may_list)
        with pytest.raises(ApiError, match="forbidden"):
            await reader.get(Ref("v1", "ConfigMap", "news", namespace))


async def test_a_kubeconfig_makes_a_user(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    someone = cluster.kubectl(tmp_path, kubeconfig=cluster.kubeconfig_for("someone", ["readers"]))
    assert "someone" in (await someone("auth", "whoami")).out
    account = cluster.kubectl(tmp_path, kubeconfig=cluster.kubeconfig_for_service_account("media", "operator"))
    assert "system:serviceaccount:media:operator" in (await account("auth", "whoami")).out
    assert (await someone("get", "secrets", "--all-namespaces", check=False)).code == 1
    assert (await kubectl("auth", "can-i", "*", "*", "--all-namespaces")).out == "yes\n"


async def test_a_certificate_may_have_expired(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    expired = cluster.kubeconfig_for("late", lifetime=-datetime.timedelta(hours=1))
    refused = await cluster.kubectl(tmp_path, kubeconfig=expired)("get", "--raw", "/api", check=False)
    assert refused.code == 1
    assert "must be logged in" in refused.err


# Objects ----------------------------------------------------------------------------------------------


async def test_a_cloud_is_played_by_writing_a_status(api: Api, namespace: str) -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7", "ipMode": "VIP"}]}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "turn", "namespace": namespace},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 3478, "protocol": "UDP"}]},
        "status": status,
    }
    (applied,) = await api.apply(service, status=True)
    assert applied["status"] == status
    assert applied["spec"]["clusterIP"]
    await api.patch(applied, {"metadata": {"labels": {"colour": "green"}}})
    (found,) = await api.all_of("v1", "Service", namespace=namespace, labels="colour=green")
    assert found["kind"] == "Service"
    await api.delete(found)
    await api.delete(found)
    assert await api.find(found) is None


async def test_many_objects_are_applied_at_once_and_in_order(api: Api, namespace: str) -> None:
    names = [f"number-{number}" for number in range(50)]
    applied = await api.apply([config_map(name) for name in names], namespace=namespace, at_once=20)
    assert [thing["metadata"]["name"] for thing in applied] == names


async def test_warnings_are_kept(api: Api) -> None:
    restricted = {"pod-security.kubernetes.io/warn": "restricted"}
    name = f"restricted-{os.getpid()}"
    await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": restricted}})
    assert api.warnings == []
    labels = {"app": "careless"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "careless", "namespace": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": "example.org/app"}]},
            },
        },
    }
    await api.apply(deployment)
    (warning,) = api.warnings
    assert "would violate PodSecurity" in warning


async def test_what_a_test_made_goes_with_it(cluster: Cluster, api: Api) -> None:
    name = f"passing-{os.getpid()}"
    async with cluster.api() as other:
        await other.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        await other.apply(config_map("inside", name))
        await other.tidy()
    assert await api.find(Ref("v1", "Namespace", name)) is None
    assert await api.find(Ref("v1", "ConfigMap", "inside", name)) is None


@pytest.mark.usefixtures("controller_manager")
async def test_the_garbage_collector_takes_what_lost_its_owner(api: Api, namespace: str) -> None:
    (owner,) = await api.apply(config_map("owner", namespace))
    owned = config_map("owned", namespace)
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    ]
    await api.apply([owned, config_map("free", namespace)])
    await api.delete(owner)

    async def gone() -> bool:
        return await api.find(owned) is None

    await wait_for(gone, deadline=60)
    assert await api.find(config_map("free", namespace)) is not None


@pytest.mark.usefixtures("controller_manager")
async def test_a_deployment_gets_its_pods(api: Api, namespace: str) -> None:
    labels = {"app": "turn"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "turn", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "turn", "image": "example.org/turn"}]},
            },
        },
    }
    await api.apply(deployment)

    async def has_pods() -> bool:
        return len(await api.all_of("v1", "Pod", namespace=namespace, labels="app=turn")) == 2

    await wait_for(has_pods, deadline=60)


# Stopping, starting, and ending -----------------------------------------------------------------------


async def test_the_api_server_comes_back_with_all_it_had(cluster: Cluster, api: Api, namespace: str) -> None:
    (before,) = await api.apply(config_map("kept", namespace, colour="green"))
    mark = cluster.audit_log.mark()
    await asyncio.to_thread(cluster.stop_apiserver)
    try:
        with pytest.raises(OSError, match="Cannot connect"):
            await api.get(before)
    finally:
        await asyncio.to_thread(cluster.start_apiserver)
    assert await api.get(before) == before
    about = {(event["verb"], event["objectRef"].get("name")) for event in _about(cluster, mark, "configmaps")}
    assert ("get", "kept") in about


def _about(cluster: Cluster, mark: int, resource: str) -> Iterable[dict[str, Any]]:
    return [event for event in cluster.audit_log.since(mark) if event.get("objectRef", {}).get("resource") == resource]


async def test_the_api_server_may_hang(cluster: Cluster, api: Api) -> None:
    cluster.apiserver.send(signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await api.get(Ref("v1", "Namespace", "default"))
    finally:
        cluster.apiserver.send(signal.SIGCONT)
    await api.get(Ref("v1", "Namespace", "default"))


ABANDONED = """
import os, signal, sys
from pathlib import Path
from tests.realparts.processes import Process
sleeper = Process("sleeper", ["sleep", "600"], folder=Path(sys.argv[1]))
sleeper.start(ready=lambda: True)
print(sleeper.pid, flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["raise SystemExit(3)", "os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
async def test_no_program_outlives_the_tests_however_they_end(tmp_path: Path, end: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", ABANDONED.format(end=end), str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (3, -signal.SIGKILL)
    pid = int(done.stdout)

    async def ended() -> bool:
        return _has_ended(pid)

    await wait_for(ended)


def _has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Where nobody reaps orphans, what was killed stays as a zombie.
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    return False
