"""docs/upgrade.md, followed to the letter: over what the reference operator left, there and back and there again."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cluster.deploying import NAME, NAMESPACE
from tests.cluster.operating import run_to_its_end
from tests.cluster.test_install import IMAGE, ROOT, typed
from tests.cluster.test_taking_over import left_behind
from tests.house.fences import blocks
from tests.realparts.manifests import Ref
from tests.reference.scenarios import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object

DOCUMENT = ROOT / "docs" / "upgrade.md"
DEPLOYMENT = Ref("apps/v1", "Deployment", NAME, NAMESPACE)


DEFINITION = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "gatewayconfigs.stunner.l7mp.io")
DESCRIPTION = "As a chart says it."


def commands() -> list[str]:
    return [block.text for block in blocks(DOCUMENT) if block.marker == ("runs", "cluster")]


def shown() -> str:
    (block,) = (block for block in blocks(DOCUMENT) if block.language == "text")
    return block.text


@pytest.mark.usefixtures("recorded_crds")
async def test_what_the_dry_run_prints(cluster: Cluster, api: Api) -> None:
    await left_behind(api, scenario("01"), "managed")
    program, *arguments = shlex.split(commands()[0].replace("\\\n", " "))
    assert program == "stunnergw"
    told = await run_to_its_end(*arguments, environment={"KUBECONFIG": str(cluster.kubeconfig)})
    assert told.code == 0, told.err
    assert told.out == shown()


@pytest.mark.usefixtures("recorded_crds", "kubectl")
async def test_the_operator_takes_the_place_of_the_reference(cluster: Cluster, api: Api, tmp_path: Path) -> None:
    checkout = tmp_path / "stunnergw"
    shutil.copytree(ROOT / "deploy", checkout / "deploy")
    shutil.copy(ROOT / "Makefile", checkout)
    _, install, switch, back = commands()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await api.apply([namespace, reference_deployment(), discovery()], manager="helm")
    await have_another_definition(api)
    try:
        for text in (install, switch):
            await typed(text, folder=checkout, kubeconfig=cluster.kubeconfig)
        (container,) = (await api.get(DEPLOYMENT))["spec"]["template"]["spec"]["containers"]
        assert container["image"] == IMAGE
        assert container["args"] == ["run", "--leader-elect", "--reference-grants=ignore", "--config-version=v1"]
        assert DESCRIPTION not in str(await api.get(DEFINITION))
        service = await api.get(discovery())
        assert service["spec"]["selector"] == {"control-plane": NAME}
        await typed(back, folder=checkout, kubeconfig=cluster.kubeconfig)
        assert await api.find(DEPLOYMENT) is None
    finally:
        # Nobody ends namespaces here but the test itself.
        away = "kubectl delete --ignore-not-found --wait=false -k deploy/managed"
        await typed(away, folder=checkout, kubeconfig=cluster.kubeconfig)


async def have_another_definition(api: Api) -> None:
    """Have a CRD of ours be as somebody else's chart put it there."""
    crd = await api.get(DEFINITION)
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = DESCRIPTION
    _, now = await api.request("PUT", await api.path(DEFINITION), body=crd, query={"fieldManager": "helm"})
    assert DESCRIPTION in str(now)


def reference_deployment() -> Object:
    """Return the Deployment that was there, selected by a label of its own."""
    labels = {"control-plane": NAME, "app": "stunner-gateway-operator"}
    container = {"name": "operator", "image": "example.org/stunner-gateway-operator:1.2.1", "command": ["/manager"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def discovery() -> Object:
    """Return the Service that was there."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "stunner-config-discovery", "namespace": NAMESPACE},
        "spec": {
            "selector": {"control-plane": "something-else"},
            "ports": [{"name": "cds", "port": 13478, "protocol": "TCP"}],
        },
    }
