"""deploy/ on the real API server: applied, applied again, over what was there before, and where little is allowed."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stunnergw.cli.commands import run_command
from stunnergw.resources.crds import custom_resource_definitions
from tests.cluster.deploying import DEPLOY, NAME, NAMESPACE, STAYS, Deployer, overlay, pod_of
from tests.realparts.api import ApiError
from tests.realparts.crds import remove_crds
from tests.realparts.manifests import Ref, objects_in
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.kubectl import Kubectl

EXAMPLES = DEPLOY.parent / "stunnergw" / "examples"
# As the seed's README has it, and as kubebuilder made its CRD.
OLD_CONFIG: dict[str, Any] = {
    "apiVersion": "stunner.l7mp.io/v1alpha1",
    "kind": "GatewayConfig",
    "metadata": {"name": "stunner-gatewayconfig"},
    "spec": {
        "stunnerConfig": "stunnerd-configmap",
        "realm": "stunner.l7mp.io",
        "authType": "plaintext",
        "userName": "user-1",
        "password": "pass-1",
    },
}
OLD_CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gatewayconfigs.stunner.l7mp.io"},
    "spec": {
        "group": "stunner.l7mp.io",
        "names": {"kind": "GatewayConfig", "listKind": "GatewayConfigList", "plural": "gatewayconfigs"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                },
            }
        ],
    },
}
OLD_RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: stunner-gateway-operator-manager-role}
rules: [{apiGroups: [""], resources: [secrets], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: stunner-gateway-operator-manager-rolebinding}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: stunner-gateway-operator-manager-role}
subjects:
- kind: ServiceAccount
  name: stunner-gateway-operator-controller-manager
  namespace: stunner-gateway-operator-system
"""
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


@pytest.fixture
async def stunner(api: Api) -> None:
    """The seed's namespace for data planes."""
    await restricted(api, "stunner")


async def restricted(api: Api, name: str) -> str:
    """Make a namespace in which pods have to be confined, and in which it is said when they are not."""
    await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    return name


async def admitted(api: Api, workload: dict[str, Any]) -> list[str]:
    """Apply a workload and a pod of it; return what the API server warned of."""
    before = len(api.warnings)
    await api.apply([workload, pod_of(workload)])
    return api.warnings[before:]


# Applied ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stunner")
@pytest.mark.parametrize("folder", ["crds", "managed", "default", "legacy"])
async def test_a_folder_is_applied_without_a_warning_and_again_without_a_change(
    deployer: Deployer, api: Api, folder: str
) -> None:
    # Others have applied them without kubectl, which it would warn of.
    await remove_crds(api, custom_resource_definitions())
    first = await deployer.apply(folder)
    assert first.err == ""
    before = await deployer.versions(folder)
    assert (await deployer.apply(folder)).err == ""
    assert await deployer.versions(folder) == before
    by_server = await deployer.apply(folder, "--server-side")
    assert by_server.err == ""


async def test_the_policy_of_data_planes_goes_into_the_namespace_that_is_named(
    deployer: Deployer, api: Api, namespace: str
) -> None:
    done = await deployer.apply("dataplane-policy", "--namespace", namespace)
    assert done.err == ""
    policy = await api.get(Ref("networking.k8s.io/v1", "NetworkPolicy", "stunnerd-without-health-port", namespace))
    opened = [
        (each["protocol"], each.get("port", 1), each.get("endPort", 65535))
        for each in policy["spec"]["ingress"][0]["ports"]
    ]
    assert opened == [("UDP", 1, 65535), ("TCP", 1, 8085), ("TCP", 8087, 65535)]
    assert "from" not in policy["spec"]["ingress"][0]


async def test_a_user_may_have_another_namespace_and_image(deployer: Deployer, api: Api, tmp_path: Path) -> None:
    name = f"elsewhere-{secrets.token_hex(3)}"
    images = "[{name: localhost/stunnergw, newName: example.org/ours, newTag: '1.2'}]"
    folder = overlay(tmp_path / "ours", "managed", namespace=name, images=images)
    assert (await deployer.apply(folder)).err == ""
    operator = await api.get(Ref("apps/v1", "Deployment", NAME, name))
    assert operator["spec"]["template"]["spec"]["containers"][0]["image"] == "example.org/ours:1.2"
    bound = [await api.get(thing) for thing in await deployer.objects(folder) if thing["kind"].endswith("RoleBinding")]
    assert len(bound) == 3
    assert {subject["namespace"] for binding in bound for subject in binding["subjects"]} == {name}
    assert await api.find(Ref("v1", "Namespace", NAMESPACE)) is None


# Confined ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["managed", "legacy"])
async def test_the_operator_is_admitted_where_pods_have_to_be_confined(
    deployer: Deployer, api: Api, folder: str
) -> None:
    namespace = await restricted(api, f"confined-{secrets.token_hex(3)}")
    workloads = [thing for thing in await deployer.objects(folder) if thing["kind"] == "Deployment"]
    assert len(workloads) == {"managed": 1, "legacy": 2}[folder]
    for workload in workloads:
        workload["metadata"]["namespace"] = namespace
        assert await admitted(api, workload) == []


async def test_the_operators_own_namespace_confines_pods(deployer: Deployer, api: Api) -> None:
    await deployer.apply("managed")
    found = await api.get(Ref("v1", "Namespace", NAMESPACE))
    assert RESTRICTED.items() <= found["metadata"]["labels"].items()


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
async def test_data_planes_are_admitted_where_pods_have_to_be_confined(
    api: Api, example: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["render", "-f", str(EXAMPLES / example), "--output", "objects"]) == 0
    rendered = list(objects_in(capsys.readouterr().out))
    workloads = [thing for thing in rendered if thing["kind"] in ("Deployment", "DaemonSet")]
    assert workloads or example == "walkthrough"  # from before there were Dataplanes
    namespace = await restricted(api, f"planes-{secrets.token_hex(3)}")
    for workload in workloads:
        metadata = workload["metadata"]
        metadata["name"] = f"{metadata['name']}-{metadata['namespace']}"
        metadata["namespace"] = namespace
        assert await admitted(api, workload) == []


async def test_what_is_not_confined_is_warned_of_and_refused(deployer: Deployer, api: Api) -> None:
    # Else the tests above could not fail.
    namespace = await restricted(api, f"confined-{secrets.token_hex(3)}")
    workload = await deployer.operator("managed")
    workload["metadata"]["namespace"] = namespace
    del workload["spec"]["template"]["spec"]["securityContext"]["seccompProfile"]
    before = len(api.warnings)
    await api.apply(workload)
    assert ["would violate PodSecurity" in warning for warning in api.warnings[before:]] == [True]
    with pytest.raises(ApiError, match="violates PodSecurity"):
        await api.apply(pod_of(workload))


# Over what was there ----------------------------------------------------------------------------------


async def test_objects_of_the_seeds_crd_stay(api: Api, namespace: str, kubectl: Kubectl) -> None:
    await remove_crds(api, [crd for crd in objects_in(DEPLOY / "crds") if crd["kind"] == STAYS])
    await kubectl("apply", "-f", "-", stdin=yaml.safe_dump(OLD_CRD))

    async def applied() -> bool:
        with contextlib.suppress(ApiError, LookupError):  # its store takes a moment
            return bool(await api.apply(OLD_CONFIG, namespace=namespace))
        return False

    await wait_for(applied)
    assert (await kubectl("apply", "--server-side", "-k", str(DEPLOY / "crds"))).err == ""
    versions = [f"stunner.l7mp.io/{version}" for version in ("v1alpha1", "v1")]

    async def served() -> bool:
        return {(version, "GatewayConfig") for version in versions} <= (await api.served()).keys()

    await wait_for(served)
    for version in versions:
        found = await api.get(Ref(version, "GatewayConfig", "stunner-gatewayconfig", namespace))
        assert OLD_CONFIG["spec"].items() <= found["spec"].items()


async def test_the_roles_of_the_seed_are_replaced(deployer: Deployer, api: Api, kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=OLD_RIGHTS)
    assert (await deployer.apply("managed", "--server-side")).err == ""
    role = await api.get(Ref("rbac.authorization.k8s.io/v1", "ClusterRole", "stunner-gateway-operator-manager-role"))
    assert ["*"] not in [rule["verbs"] for rule in role["rules"]]
