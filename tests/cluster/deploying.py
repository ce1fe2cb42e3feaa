"""What stands in deploy/, applied to the real API server as a person would, and taken away again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import yaml

from tests.realparts.manifests import Object, objects_in

if TYPE_CHECKING:
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.kubectl import Kubectl, Output

DEPLOY = Path(__file__).parents[2] / "deploy"
NAMESPACE = "stunner-gateway-operator-system"
NAME = "stunner-gateway-operator-controller-manager"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{NAME}"
STAYS = "CustomResourceDefinition"
"""CRDs are for all tests."""


@final
class Deployer:
    """Applies folders of deploy/, and folders made of them."""

    def __init__(self, kubectl: Kubectl, api: Api) -> None:
        self._kubectl = kubectl
        self._api = api
        self._made: list[Object] = []

    async def objects(self, folder: str | Path) -> list[Object]:
        """Return the objects that a folder comes to."""
        return list(objects_in((await self._kubectl("kustomize", str(DEPLOY / folder))).out))

    async def apply(self, folder: str | Path, *options: str) -> Output:
        """Apply a folder with kubectl."""
        self._made += await self.objects(folder)
        return await self._kubectl("apply", "-k", str(DEPLOY / folder), *options)

    async def operator(self, folder: str | Path) -> Object:
        """Return the operator's Deployment in a folder."""
        (found,) = [
            thing
            for thing in await self.objects(folder)
            if thing["metadata"]["name"] == NAME and "replicas" in thing.get("spec", {})
        ]
        return found

    async def versions(self, folder: str | Path) -> dict[str, str]:
        """Return the generation of each object of a folder, or its version where there is none."""
        found = [await self._api.get(thing) for thing in await self.objects(folder)]
        metadata = [(f"{thing['kind']} {thing['metadata']['name']}", thing["metadata"]) for thing in found]
        return {name: str(each.get("generation") or each["resourceVersion"]) for name, each in metadata}

    async def tidy(self) -> None:
        """Take away what was applied, CRDs excepted."""
        for thing in reversed([thing for thing in self._made if thing["kind"] != STAYS]):
            if thing["kind"] == "Namespace":
                await self._api.delete_namespace(thing["metadata"]["name"])
            else:
                await self._api.delete(thing)


async def kubeconfig_of_account(cluster: Cluster, api: Api, folder: Path) -> Path:
    """Return a kubeconfig with a token of the operator's service account, which has to be there."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    _, answer = await api.request("POST", path, body=body)
    config = yaml.safe_load(cluster.kubeconfig.read_text("utf-8"))
    config["users"][0]["user"] = {"token": answer["status"]["token"]}
    kubeconfig = folder / "account.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config), "utf-8")
    return kubeconfig


def overlay(folder: Path, base: str, **fields: Any) -> Path:
    """Write a kustomization over a folder of deploy/, as a user would keep one, and return where it is."""
    folder.mkdir()
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization"]
    lines += [
        f"resources: [{os.path.relpath(DEPLOY / base, folder)}]",
        *(f"{key}: {value}" for key, value in fields.items()),
    ]
    (folder / "kustomization.yaml").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def pod_of(workload: Object) -> Object:
    """Return the pod that a Deployment or DaemonSet would make."""
    template, metadata = workload["spec"]["template"], workload["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": f"{metadata['name']}-pod", "namespace": metadata.get("namespace")},
        "spec": template["spec"],
    }
