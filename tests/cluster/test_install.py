"""docs/install.md, followed to the letter on a real API server.

The commands run as they stand there, in one shell, in a copy of the repository; only the Gateway API's CRDs come from
the cache and not from where they are released. Nobody runs pods here: we say that they are ready, as the kubelet would,
and the operator runs beside the cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cluster.deploying import DEPLOY, NAME, NAMESPACE
from tests.cluster.operating import operating
from tests.house.fences import blocks
from tests.realparts.api import ApiError
from tests.realparts.crds import remove_crds, remove_gateway_api
from tests.realparts.gateway_crds import gateway_crds
from tests.realparts.manifests import Ref, objects_in
from tests.realparts.programs import program
from tests.realparts.waiting import POLL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

ROOT = DEPLOY.parent
DOCUMENT = ROOT / "docs" / "install.md"
RELEASED = "https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.3/standard-install.yaml"
IMAGE = "registry.example.org/stunnergw:1"
WITHIN = 150.0


@pytest.fixture
async def kubelet(api: Api) -> AsyncIterator[None]:
    """Every pod is ready as soon as it is there."""
    task = asyncio.create_task(_make_pods_ready(api))
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _make_pods_ready(api: Api) -> None:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    while True:
        for pod in await api.all_of("v1", "Pod"):
            if pod["status"].get("phase") != "Running" and "deletionTimestamp" not in pod["metadata"]:
                with contextlib.suppress(ApiError):  # it may be gone
                    await api.patch_status(pod, status)
        await asyncio.sleep(POLL)


def commands() -> list[str]:
    """Return the document's blocks that need a cluster."""
    found = [block.text for block in blocks(DOCUMENT) if block.marker == ("runs", "cluster")]
    crds = gateway_crds("v1.6.3", "standard")
    return [text.replace(RELEASED, str(crds)) for text in found]


async def typed(script: str, *, folder: Path, kubeconfig: Path) -> str:
    """Run commands as a person would and return what they printed."""
    kubectl = await asyncio.to_thread(program, "kubectl", say=print)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euxo", "pipefail", "-c", script),
        cwd=folder,
        env={**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": f"{kubectl.parent}:{os.environ['PATH']}"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(WITHIN):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{script}\n{out.decode()}"
    return out.decode()


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("controller_manager", "kubelet", "kubectl")
async def test_the_document_installs_takes_out_and_moves_over(cluster: Cluster, api: Api, tmp_path: Path) -> None:
    checkout = tmp_path / "stunnergw"
    for part in ("deploy", "Makefile"):
        source, target = ROOT / part, checkout / part
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    await remove_gateway_api(api)
    await remove_crds(api, [crd for crd in objects_in(DEPLOY / "crds") if crd["kind"] == "CustomResourceDefinition"])
    deployment = Ref("apps/v1", "Deployment", NAME, NAMESPACE)
    everything = commands()
    assert len(everything) == 6
    try:
        # From before there is anything: kinds that appear later are picked up.
        async with operating(cluster, tmp_path):
            for text in everything[:4]:
                await typed(text, folder=checkout, kubeconfig=cluster.kubeconfig)
        (container,) = (await api.get(deployment))["spec"]["template"]["spec"]["containers"]
        assert container["image"] == IMAGE
        assert container["args"] == ["run", "--leader-elect"]
        await typed(everything[4], folder=checkout, kubeconfig=cluster.kubeconfig)
        assert await api.find(deployment) is None
        assert await api.find(Ref("v1", "Namespace", "stunner")) is not None
        await typed(everything[5], folder=checkout, kubeconfig=cluster.kubeconfig)
        (container,) = (await api.get(deployment))["spec"]["template"]["spec"]["containers"]
        assert "--dataplane-mode=legacy" in container["args"]
        await typed("make undeploy MODE=legacy/operator", folder=checkout, kubeconfig=cluster.kubeconfig)
        assert await api.find(deployment) is None
    finally:
        await api.delete(Ref("gateway.networking.k8s.io/v1", "GatewayClass", "stunner-gatewayclass"))
        await api.delete(Ref("stunner.l7mp.io/v1", "Dataplane", "default"))
        await api.delete_namespace("stunner")
