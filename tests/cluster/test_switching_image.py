"""The reference operator's Deployment with another image: its command, arguments and environment start us.

The command is ``/manager``, which the image has as a link to ours. A pod finds the API server by its service account,
whose folder is the same everywhere; here KUBECONFIG stands in, and so the Service that data planes ask has to be said.
That a pod asks for none, and takes the one of its own namespace, is looked at with a service account in a folder.
"""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml

from stunnergw.cli.runflags import RunFlags, settings_of
from stunnergw.cli.running import with_own_service
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import connect
from tests.cluster.operating import LEASE, MANAGED, OperatorProcess, run_to_its_end
from tests.cluster.stage import conditions, install, named, prepare
from tests.realparts.cluster import MASTERS
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

ITS_ARGUMENTS = (
    "--health-probe-bind-address=:8081",
    "--metrics-bind-address=127.0.0.1:8080",
    "--leader-elect",
    "--zap-encoder=console",
    "--zap-log-level=info",
    "--dataplane-mode=managed",
)
"""What its chart passes to ``/manager``."""

ITS_PORTS = (13478, 8080, 8081, 8082)
"""Where it then listens, and where we do besides."""

LICENCE = "0123-a-licence-that-somebody-paid-for"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def manager(tmp_path: Path) -> Path:
    """The link that the image has: ``/manager``, to the console script."""
    assert "RUN ln -s /venv/bin/stunnergw /manager\n" in (ROOT / "Dockerfile").read_text("utf-8")
    link = tmp_path / "manager"
    link.symlink_to(Path(sys.executable).parent / "stunnergw")
    return link


def its_environment(cluster: Cluster, folder: Path, namespace: str) -> dict[str, str]:
    """Return what its chart sets, and a KUBECONFIG whose context names a namespace."""
    config = yaml.safe_load(cluster.kubeconfig_for("operator", [MASTERS]).read_text("utf-8"))
    config["contexts"][0]["context"]["namespace"] = namespace
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config), "utf-8")
    return {
        "STUNNER_GATEWAY_OPERATOR_ADDRESS": "127.0.0.1",  # in the chart: the pod's own
        "CUSTOMER_KEY": LICENCE,
        "KUBECONFIG": str(kubeconfig),
    }


async def ports_are_free() -> bool:
    for port in ITS_PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


async def test_its_command_line_starts_us(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, manager: Path
) -> None:
    await prepare(api)
    await install(api, namespace)
    # They are the chart's own, so somebody on this machine may have them.
    await wait_for(ports_are_free, deadline=60.0, what="the ports that the chart names")
    operator = OperatorProcess(
        [*ITS_ARGUMENTS, *MANAGED],
        log=tmp_path / "log",
        environment=its_environment(cluster, tmp_path, namespace),
        command=[str(manager)],
    )
    try:
        await operator.start()
        assert sorted(operator.ports.values()) == sorted(ITS_PORTS)

        async def accepted() -> bool:
            return conditions(await api.get(named("Gateway", namespace, "edge")))["Accepted"].startswith("True")

        await wait_for(accepted)
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        found = await api.get({**lease, "metadata": {"name": LEASE, "namespace": namespace}})
        assert found["spec"]["holderIdentity"]
        assert (await operator.get("health", "/readyz"))[0] == 200
        assert await operator.stop() == 0
        said = operator.said()
    finally:
        await operator.kill()
    assert len(re.findall(r"^stunnergw: CUSTOMER_KEY means nothing here", said, re.MULTILINE)) == 1
    assert said.count("CUSTOMER_KEY") == 1
    assert LICENCE not in said
    for flag in ("--zap-encoder=console", "--zap-log-level=info"):
        assert f"stunnergw: {flag} means nothing here and is ignored\n" in said


async def test_outside_a_cluster_it_asks_for_the_service(cluster: Cluster, tmp_path: Path, manager: Path) -> None:
    told = await run_to_its_end(
        *ITS_ARGUMENTS, environment=its_environment(cluster, tmp_path, "elsewhere"), command=[str(manager)]
    )
    assert told.code == 2
    assert told.err.splitlines()[-1].startswith("stunnergw: --config-discovery-service: outside a cluster")


async def test_a_pod_is_asked_at_the_service_of_its_own_namespace(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator", "namespace": namespace}}
    await api.apply(account)
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    _, made = await api.request("POST", await api.path(account, "token"), body=token)
    (tmp_path / "token").write_text(made["status"]["token"])
    (tmp_path / "namespace").write_text(namespace)
    (tmp_path / "ca.crt").write_bytes(cluster.ca.read_bytes())
    server = urlsplit(cluster.url)
    environ = {"KUBERNETES_SERVICE_HOST": str(server.hostname), "KUBERNETES_SERVICE_PORT": str(server.port)}
    connection = await connect(None, environ=environ, service_account=tmp_path)
    async with KubeClient(connection) as client:
        assert b"gitVersion" in await client.request("GET", "/version")
    decisions = with_own_service(settings_of(RunFlags()), connection).decisions
    assert decisions.config_discovery_service == f"stunner-config-discovery.{namespace}:13478"
