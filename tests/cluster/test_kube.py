"""Talking to a real API server: what it serves, who holds the lease, and why it does not know us."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stunnergw.errors import ApiError, NotFoundOut, Unreachable
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import connect
from stunnergw.kube.discovery import discover
from stunnergw.kube.lease import DURATION, RETRY, Election, Terms, system_clocks
from stunnergw.kube.paths import group_path
from stunnergw.resources import kinds
from stunnergw.resources.kinds import GATEWAY, GATEWAY_CLASS, SERVICE, UDP_ROUTE
from tests.realparts.certificates import Authority
from tests.realparts.crds import remove_gateway_api, use_gateway_api
from tests.realparts.manifests import Ref
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

ROOT = Path(__file__).parents[2]
LEASE = "coordination.k8s.io/v1"
QUICK = Terms(duration=4, renew_within=2.5, retry=0.5)
"""Terms of elections that tests wait for."""
PAUSE = QUICK.retry * 1.2
SLACK = 2.0
"""Seconds that a busy machine may add."""


@contextlib.asynccontextmanager
async def client_by(kubeconfig: Path) -> AsyncIterator[KubeClient]:
    async with KubeClient(await connect(str(kubeconfig), environ={})) as client:
        yield client


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[KubeClient]:
    async with client_by(cluster.kubeconfig) as ours:
        yield ours


def election(client: KubeClient, name: str, namespace: str, terms: Terms = QUICK) -> Election:
    return Election(client, namespace=namespace, name="lease", identity=name, clocks=system_clocks(), terms=terms)


@contextlib.asynccontextmanager
async def campaigning(candidate: Election) -> AsyncIterator[Election]:
    running = asyncio.create_task(candidate.run())
    try:
        yield candidate
        if running.done():
            running.result()
    finally:
        running.cancel()
        await asyncio.wait([running])


async def until(candidate: Election, *, leading: bool, within: float = 10.0) -> float:
    """Wait as a writer does; return the seconds that it took."""
    began = time.monotonic()
    async with asyncio.timeout(within):
        while candidate.leading is not leading:
            await candidate.changed()
    return time.monotonic() - began


async def lease_spec(api: Api, namespace: str) -> dict[str, Any]:
    spec: dict[str, Any] = (await api.get(Ref(LEASE, "Lease", "lease", namespace)))["spec"]
    return spec


# What is served -----------------------------------------------------------------------------------------


async def test_what_is_served_follows_the_crds(api: Api, client: KubeClient) -> None:
    await use_gateway_api(api, "v1.6.3", "standard")
    served = await discover(client, kinds.TABLE)
    assert served.versions[GATEWAY] == ("v1", "v1beta1")
    assert {(GATEWAY, "v1"), (GATEWAY_CLASS, "v1"), (UDP_ROUTE, "v1")} <= served.with_status
    await remove_gateway_api(api)
    served = await discover(client, kinds.TABLE)
    assert (served.version(GATEWAY), served.version(UDP_ROUTE)) == (None, None)
    assert served.version(SERVICE) == "v1"
    await use_gateway_api(api, "v1.0.0", "experimental")
    served = await discover(client, kinds.TABLE)
    assert served.versions[UDP_ROUTE] == ("v1alpha2",)


async def test_a_group_that_is_not_there_is_told_by_the_api_server_itself(client: KubeClient) -> None:
    with pytest.raises(ApiError) as error:
        await client.request("GET", group_path("nobody.example.org", "v1"))
    assert (error.value.status, error.value.reason) == (404, "NotFound")


# The lease ----------------------------------------------------------------------------------------------


async def test_of_two_candidates_one_leads_and_the_other_follows_when_it_gives_up(
    api: Api, client: KubeClient, namespace: str
) -> None:
    one, two = election(client, "one", namespace), election(client, "two", namespace)
    async with campaigning(one):
        await until(one, leading=True)
        async with campaigning(two):
            await asyncio.sleep(QUICK.duration + 1)
            assert (one.leading, two.leading, two.holder) == (True, False, "one")
            assert one.may_write(within=QUICK.renew_within - PAUSE - 1)
            assert (await lease_spec(api, namespace))["leaseTransitions"] == 0
            await one.release()
            assert not one.may_write(within=0)
            assert await until(two, leading=True) <= PAUSE + SLACK < QUICK.duration
    spec = await lease_spec(api, namespace)
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("two", 4, 1)


async def test_a_holder_that_stops_is_followed_within_the_lease_and_one_retry(
    client: KubeClient, namespace: str
) -> None:
    """With the terms that are used in earnest."""
    one, two = (election(client, name, namespace, Terms()) for name in ("one", "two"))
    async with campaigning(one):
        await until(one, leading=True)
        await two.attempt()
    async with campaigning(two):
        took = await until(two, leading=True, within=DURATION + 10)
    assert DURATION - 1 <= took <= DURATION + RETRY * 1.2 + SLACK
    assert not one.leading


REPLICA = """
import asyncio, sys
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import connect
from stunnergw.kube.lease import Election, Terms, system_clocks

async def main(kubeconfig, namespace):
    async with KubeClient(await connect(kubeconfig)) as client, asyncio.TaskGroup() as group:
        one = Election(client, namespace=namespace, name="lease", identity="one", clocks=system_clocks(),
                       terms=Terms(duration=4, renew_within=2.5, retry=0.5))
        running = group.create_task(one.run())
        loop = asyncio.get_running_loop()
        while (line := await loop.run_in_executor(None, sys.stdin.readline)):
            if line == "release\\n":
                running.cancel()
                await one.release()
            print("OUT", one.leading, one.may_write(within=0), flush=True)
        running.cancel()

asyncio.run(main(*sys.argv[1:]))
"""


class Replica:
    """A candidate in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def asked(self, word: str = "") -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n".encode())
        async with asyncio.timeout(10):
            while line := (await self.process.stdout.readline()).decode():
                if line.startswith("OUT "):
                    return line.removeprefix("OUT ").strip()
        raise AssertionError("the replica has ended")


@contextlib.asynccontextmanager
async def replica(kubeconfig: Path, namespace: str) -> AsyncIterator[Replica]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", REPLICA, str(kubeconfig), namespace),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Replica(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_holder_that_slept_past_its_lease_may_not_write_when_it_wakes(
    cluster: Cluster, client: KubeClient, namespace: str
) -> None:
    two = election(client, "two", namespace)
    async with replica(cluster.kubeconfig, namespace) as one:

        async def leads() -> bool:
            return await one.asked() == "True True"

        await wait_for(leads)
        async with campaigning(two):
            await asyncio.sleep(1)
            os.kill(one.process.pid, signal.SIGSTOP)
            await until(two, leading=True, within=QUICK.duration + 10)
            # What it was asked before it wakes is what it answers first.
            asking = asyncio.create_task(one.asked())
            await asyncio.sleep(0)
            os.kill(one.process.pid, signal.SIGCONT)
            assert await asking == "False False"
            await asyncio.sleep(2 * PAUSE)
            assert await one.asked() == "False False"
            assert two.leading


WELL_BELOW_A_REQUEST = 4.0
"""Seconds: giving up takes less than one, on a machine that has nothing else to do; a request alone has five."""


async def test_a_holder_gives_up_at_once_while_the_api_server_hangs(
    cluster: Cluster, client: KubeClient, namespace: str
) -> None:
    async with replica(cluster.kubeconfig, namespace) as one:

        async def leads() -> bool:
            return await one.asked() == "True True"

        await wait_for(leads)
        cluster.apiserver.send(signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert await one.asked("release") == "False False"
            assert time.monotonic() - began < WELL_BELOW_A_REQUEST
            # The end of its input is the end of it.
            assert one.process.stdin is not None
            one.process.stdin.close()
            began = time.monotonic()
            assert await one.process.wait() == 0
            assert time.monotonic() - began < WELL_BELOW_A_REQUEST
        finally:
            cluster.apiserver.send(signal.SIGCONT)
        await wait_for(lambda: _answers(client))


async def _answers(client: KubeClient) -> bool:
    try:
        return bool(await client.request("GET", "/api/v1/namespaces/default", within=2))
    except NotFoundOut:
        return False


async def test_a_leader_without_its_api_server_stops_and_comes_back(
    cluster: Cluster, client: KubeClient, namespace: str
) -> None:
    one = election(client, "one", namespace)
    async with campaigning(one):
        await until(one, leading=True)
        cluster.apiserver.send(signal.SIGSTOP)
        try:
            assert await until(one, leading=False) <= QUICK.renew_within + SLACK
            assert one.failure is not None or not one.may_write(within=0)
        finally:
            cluster.apiserver.send(signal.SIGCONT)
        await until(one, leading=True, within=30)
        assert one.failure is None


async def test_a_namespace_that_is_not_there_is_told_until_it_is(api: Api, client: KubeClient) -> None:
    one = election(client, "one", "not-there-yet")
    async with campaigning(one):

        async def told() -> bool:
            return one.failure is not None

        await wait_for(told)
        assert isinstance(one.failure, ApiError)
        assert one.failure.status == 404
        assert "create the namespace not-there-yet, or hold the lease in another" in str(one.failure)
        await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "not-there-yet"}})
        await until(one, leading=True)
        assert one.failure is None


# Who we are ---------------------------------------------------------------------------------------------


def changed(kubeconfig: Path, to: Path, *, user: dict[str, Any] | None = None, authority: Path | None = None) -> Path:
    """Write a kubeconfig that differs in its user or whom it trusts."""
    body = yaml.safe_load(kubeconfig.read_text("utf-8"))
    if authority is not None:
        body["clusters"][0]["cluster"]["certificate-authority"] = str(authority)
    if user is not None:
        body["users"][0]["user"] = user
    to.write_text(yaml.safe_dump(body), "utf-8")
    return to


async def token_of(api: Api, namespace: str, name: str) -> str:
    await api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    _, answer = await api.request("POST", path, body=body)
    return str(answer["status"]["token"])


async def test_a_client_certificate_that_has_expired_is_told_with_its_end(cluster: Cluster, namespace: str) -> None:
    expired = cluster.kubeconfig_for("late", lifetime=-datetime.timedelta(hours=1))
    async with client_by(expired) as client:
        with pytest.raises(ApiError) as error:
            await discover(client, [SERVICE])
        assert error.value.status == 401
        assert "the client certificate that we show ended on " in str(error.value)
        one = election(client, "one", namespace)
        await one.attempt()
        assert "renew the token or client certificate that we use (401: " in str(one.failure)


async def test_an_api_server_of_another_authority_is_told(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(Authority().certificate)
    wrong = changed(cluster.kubeconfig, tmp_path / "config", authority=tmp_path / "ca.crt")
    async with client_by(wrong) as client:
        with pytest.raises(Unreachable, match=r"its certificate is not one that we trust \(.+\): is the certificate-"):
            await discover(client, [SERVICE])


async def test_a_token_without_rights_is_told_and_led_by_when_they_are_granted(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    token = await token_of(api, namespace, "operator")
    config = changed(cluster.kubeconfig, tmp_path / "config", user={"token": token})
    async with client_by(config) as client:
        with pytest.raises(ApiError, match="cannot list resource") as error:
            await client.request("GET", "/api/v1/services")
        assert error.value.status == 403
        one = election(client, "one", namespace)
        async with campaigning(one):

            async def told() -> bool:
                return one.failure is not None

            await wait_for(told)
            assert isinstance(one.failure, ApiError)
            assert one.failure.status == 403
            assert f"grant get, create and update on leases.coordination.k8s.io in {namespace} (403: " in str(
                one.failure
            )
            assert token not in str(one.failure)
            await api.apply(rights(namespace, "operator"))
            await until(one, leading=True)
            assert one.failure is None


def rights(namespace: str, account: str) -> list[dict[str, Any]]:
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}]
    return [
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": {"name": "leases", "namespace": namespace},
            "rules": rules,
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "leases", "namespace": namespace},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "leases"},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    ]


async def test_a_pods_token_is_read_again_when_it_is_refused(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    host, _, port = cluster.url.removeprefix("https://").partition(":")
    (tmp_path / "ca.crt").write_bytes(cluster.ca.read_bytes())
    (tmp_path / "namespace").write_text(namespace)
    (tmp_path / "token").write_text("worn.out.token")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    connection = await connect(None, environ=environ, service_account=tmp_path)
    assert connection.namespace == namespace
    async with KubeClient(connection) as client:
        with pytest.raises(ApiError) as error:
            await client.request("GET", "/api/v1")
        assert error.value.status == 401
        (tmp_path / "token").write_text(await token_of(api, namespace, "operator"))

        async def known() -> bool:
            with contextlib.suppress(ApiError):
                return bool(await client.request("GET", "/api/v1"))
            return False

        # Long before the minute after which it is read anyway.
        await wait_for(known, deadline=15)
