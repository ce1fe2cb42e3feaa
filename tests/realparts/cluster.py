"""A cluster without nodes: etcd, kube-apiserver and, where it matters, kube-controller-manager, on loopback.

Started within seconds, in a folder of its own, with RBAC and an audit log. Anyone can be had as a user
(:meth:`Cluster.kubeconfig_for`). Nobody runs pods, no cloud gives addresses: tests play the kubelet and the cloud by
writing statuses. The API server can be stopped, and started again with all that etcd holds.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import yaml

from tests.realparts import audit
from tests.realparts.api import Api
from tests.realparts.certificates import DAY, Authority, signing_key
from tests.realparts.kubectl import Kubectl
from tests.realparts.processes import Process, free_ports
from tests.realparts.programs import program

if TYPE_CHECKING:
    import datetime
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

ADMIN = "tests"
MASTERS = "system:masters"
NODE_PORTS = "30000-32767"
CLUSTER_IPS = "10.0.0.0/12"
"""With those that the manifests of tests/reference ask for."""
CONTROLLERS = (
    "daemonset-controller",
    "deployment-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "replicaset-controller",
    "serviceaccount-controller",
)
"""What the controller manager runs: not the EndpointSlices, which tests write themselves."""


class Credentials(NamedTuple):
    """What makes a client a user."""

    user: str
    kubeconfig: Path
    certificate: Path
    key: Path


class Cluster:
    """etcd and an API server that run; made by :func:`running`."""

    def __init__(self, folder: Path, *, say: Callable[[str], None], node_ports: str) -> None:
        self.folder = folder
        self.ca = folder / "ca.crt"
        self.audit_log = audit.AuditLog(folder / "audit.log")
        self._say = say
        self._node_ports = node_ports
        self._numbers = itertools.count(1)
        self._authority = Authority()
        self._etcd_port, peer_port, self._port, self._manager_port = free_ports(4)
        self.url = f"https://127.0.0.1:{self._port}"
        self._write_files()
        self.admin = self.credentials(ADMIN, [MASTERS])
        self.etcd = Process("etcd", self._etcd_command(peer_port), folder=folder)
        self.apiserver = Process("kube-apiserver", self._apiserver_command(), folder=folder)
        self._controller_manager: Process | None = None

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of one who may do everything."""
        return self.admin.kubeconfig

    def kubeconfig_for(self, user: str, groups: Sequence[str] = (), *, lifetime: datetime.timedelta = DAY) -> Path:
        """Return a kubeconfig for a user, who may do what RBAC lets him; with a negative lifetime it has expired.

        Everybody is in the group ``system:authenticated``.
        """
        return self.credentials(user, groups, lifetime=lifetime).kubeconfig

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig for ``system:serviceaccount:NAMESPACE:NAME``, which need not be there."""
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        return self.kubeconfig_for(f"system:serviceaccount:{namespace}:{name}", groups)

    def credentials(self, user: str, groups: Sequence[str] = (), *, lifetime: datetime.timedelta = DAY) -> Credentials:
        """Return the same with the certificate and key in files of their own."""
        pair = self._authority.user(user, groups, lifetime=lifetime)
        stem = self.folder / "users" / str(next(self._numbers))
        mine = Credentials(user, *(stem.with_suffix(suffix) for suffix in (".kubeconfig", ".crt", ".key")))
        mine.certificate.write_bytes(pair.certificate)
        mine.key.write_bytes(pair.key)
        mine.kubeconfig.write_text(self._kubeconfig(mine), "utf-8")
        return mine

    @contextlib.asynccontextmanager
    async def api(self, user: str = ADMIN, groups: Sequence[str] = (MASTERS,)) -> AsyncIterator[Api]:
        """Talk to the API server as a user, within a block."""
        context = self._context(self.credentials(user, groups))
        async with aiohttp.ClientSession(self.url, connector=aiohttp.TCPConnector(ssl=context)) as session:
            yield Api(session)

    def kubectl(self, cache: Path, *, kubeconfig: Path | None = None) -> Kubectl:
        """Return kubectl with a cache folder, for the admin or whose kubeconfig it is."""
        return Kubectl(program("kubectl", say=self._say), kubeconfig=kubeconfig or self.kubeconfig, cache=cache)

    def start(self) -> None:
        """Start etcd and the API server, and return when they can be used."""
        took = self.etcd.start(ready=self._etcd_is_ready) + self.apiserver.start(ready=self._apiserver_is_ready)
        self._say(f"etcd and kube-apiserver started in {took:.1f} s, in {self.folder}")

    def start_apiserver(self) -> None:
        """Start the API server again, where it was, and return when it is ready. In a coroutine: in a thread."""
        self.apiserver.start(ready=self._apiserver_is_ready)

    def stop_apiserver(self, *, kill: bool = True) -> None:
        """Stop the API server: by force, or politely, which takes seconds while watches are open. etcd goes on."""
        self.apiserver.stop(kill=kill)

    def start_controller_manager(self) -> None:
        """Start the controllers, which know the kinds that are served now and learn of new ones within 30 s."""
        if self._controller_manager is None:
            self._controller_manager = Process(
                "kube-controller-manager", self._controller_manager_command(), folder=self.folder
            )
        took = self._controller_manager.start(ready=self._controller_manager_is_ready)
        self._say(f"kube-controller-manager started in {took:.1f} s")

    def stop_controller_manager(self) -> None:
        """Stop the controllers, if they run."""
        if self._controller_manager is not None:
            self._controller_manager.stop(kill=True)

    def stop(self) -> None:
        """End everything. By force: nothing that is kept could come to harm."""
        self.stop_controller_manager()
        self.apiserver.stop(kill=True)
        self.etcd.stop(kill=True)

    def _write_files(self) -> None:
        (self.folder / "users").mkdir(parents=True)
        self.ca.write_bytes(self._authority.certificate)
        server = self._authority.server()
        (self.folder / "server.crt").write_bytes(server.certificate)
        (self.folder / "server.key").write_bytes(server.key)
        (self.folder / "service-accounts.key").write_bytes(signing_key())
        (self.folder / "audit-policy.yaml").write_text(audit.POLICY, "utf-8")

    def _kubeconfig(self, mine: Credentials) -> str:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}],
            "users": [
                {
                    "name": mine.user,
                    "user": {"client-certificate": str(mine.certificate), "client-key": str(mine.key)},
                }
            ],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": mine.user}}],
            "current-context": "tests",
        }
        return yaml.safe_dump(config)

    def _etcd_command(self, peer_port: int) -> list[str]:
        clients, peers = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{peer_port}"
        return [
            str(program("etcd", say=self._say)),
            "--name=tests",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=tests={peers}",
            "--unsafe-no-fsync",  # what is written need not survive the machine
            "--log-level=warn",
        ]

    def _apiserver_command(self) -> list[str]:
        return [
            str(program("kube-apiserver", say=self._say)),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # refuses loopback addresses
            f"--secure-port={self._port}",
            f"--tls-cert-file={self.folder / 'server.crt'}",
            f"--tls-private-key-file={self.folder / 'server.key'}",
            f"--client-ca-file={self.ca}",
            "--authorization-mode=RBAC",
            # OpenShift has it: who sets an owner needs rights to it.
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
            # It refuses pods until somebody made the accounts of their namespace; there may be nobody.
            "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'service-accounts.key'}",
            f"--service-account-signing-key-file={self.folder / 'service-accounts.key'}",
            f"--service-cluster-ip-range={CLUSTER_IPS}",
            f"--service-node-port-range={self._node_ports}",
            f"--audit-policy-file={self.folder / 'audit-policy.yaml'}",
            f"--audit-log-path={self.folder / 'audit.log'}",
            "--audit-log-mode=blocking",  # an answer that a test has got is in the log
            "--audit-log-maxsize=100000",  # one file: marks are places in it
            "--profiling=false",
        ]

    def _controller_manager_command(self) -> list[str]:
        kubeconfig = self.kubeconfig_for("system:kube-controller-manager")
        return [
            str(program("kube-controller-manager", say=self._say)),
            f"--kubeconfig={kubeconfig}",
            f"--controllers={','.join(CONTROLLERS)}",
            "--use-service-account-credentials=true",  # in the audit log each controller has its own name
            f"--service-account-private-key-file={self.folder / 'service-accounts.key'}",
            f"--root-ca-file={self.ca}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._manager_port}",
            f"--tls-cert-file={self.folder / 'server.crt'}",
            f"--tls-private-key-file={self.folder / 'server.key'}",
        ]

    def _etcd_is_ready(self) -> bool:
        answer = _fetched(f"http://127.0.0.1:{self._etcd_port}/health")
        return answer is not None and json.loads(answer)["health"] == "true"

    def _apiserver_is_ready(self) -> bool:
        context = self._context(self.admin)
        # Ready, and with what it makes for itself: tests' first objects go into the namespace `default`.
        paths = ("/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system")
        return all(_fetched(self.url + path, context) is not None for path in paths)

    def _controller_manager_is_ready(self) -> bool:
        url = f"https://127.0.0.1:{self._manager_port}/healthz"
        return _fetched(url, self._context(self.admin)) is not None

    def _context(self, mine: Credentials) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(mine.certificate, mine.key)
        return context


@contextlib.contextmanager
def running(folder: Path, *, say: Callable[[str], None], node_ports: str = NODE_PORTS) -> Iterator[Cluster]:
    """Run a cluster within a block; ``node_ports``: more than Kubernetes' own, for thousands of Services that want one.

    Skips the test where there are no programs, nor Go to build them with.
    """
    cluster = Cluster(folder, say=say, node_ports=node_ports)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _fetched(url: str, context: ssl.SSLContext | None = None) -> bytes | None:
    # Whatever proxy the environment names is not for loopback.
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=5) as answer:
            content = answer.read()
            assert isinstance(content, bytes)
            return content
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        pass
    return None
