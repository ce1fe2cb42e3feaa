"""What a person gets wrong: it is said where it can be seen, and as soon as it is mended all goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from typing import TYPE_CHECKING

import pytest
import yaml

from stunnergw.resources import kinds
from tests.cluster.operating import MANAGED, OperatorProcess, arguments, operating, run_to_its_end, settled, writes
from tests.cluster.stage import appeared, conditions, install, named, prepare
from tests.realparts.audit import described
from tests.realparts.cluster import MASTERS
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object

RBAC = "rbac.authorization.k8s.io"
GROUP = "gateway.networking.k8s.io"


async def unready(operator: OperatorProcess, *words: str) -> str:
    """Wait until ``/readyz?verbose`` says all of this, and return what it says."""

    async def told() -> str:
        status, body = await operator.get("health", "/readyz?verbose")
        assert status == 503
        text = body.decode()
        assert not [word for word in words if word not in text], text
        return text

    return await wait_for(told)


async def unavailable(operator: OperatorProcess) -> set[str]:
    """Return the kinds that a metric says cannot be read."""
    figures = await operator.metric("stunnergw_kind_available")
    return {labels.removeprefix('{kind="').removesuffix('"}') for labels, figure in figures.items() if not figure}


@contextlib.asynccontextmanager
async def away(cluster: Cluster) -> AsyncIterator[None]:
    """Have the API server away until the block ends."""
    await asyncio.to_thread(cluster.stop_apiserver)
    try:
        yield
    finally:
        await asyncio.to_thread(cluster.start_apiserver)


async def test_an_api_server_that_comes_later(cluster: Cluster, api: Api, namespace: str, tmp_path: Path) -> None:
    await prepare(api)
    await install(api, namespace)
    async with contextlib.AsyncExitStack() as stack:
        async with away(cluster):
            operator = await stack.enter_async_context(operating(cluster, tmp_path, wait=False))
            await operator.listening()
            why = "the API server does not say what it serves"
            said = await unready(operator, "listed", "GatewayClass, ", why, cluster.url.removeprefix("https://"))
            assert "[+]serving ok" in said
            assert (await operator.get("health", "/healthz"))[0] == 200
            assert len(await unavailable(operator)) == len(kinds.TABLE)
            assert why in operator.said()
            # Nothing is known, so nothing is denied.
            assert (await operator.get("discovery", f"/api/v1/configs/{namespace}/edge"))[0] == 503
        await operator.ready(within=20)
        assert (await operator.get("health", "/readyz"))[0] == 200

        async def all_available() -> bool:
            return await unavailable(operator) == set()

        # A kind whose definition the server has only just read is refused by it for a moment (429).
        await wait_for(all_available, what="every kind to be read")
        told = operator.log.read_text("utf-8").splitlines()
        assert sum("the API server does not answer well" in line and why in line for line in told) == 1
        assert any("the API server answers well again" in line for line in told)
        await settled(cluster, operator)
        assert await operator.document(namespace, "edge") is not None
        assert await operator.stop() == 0


async def test_a_client_certificate_that_has_expired(cluster: Cluster, api: Api, tmp_path: Path) -> None:
    await prepare(api)
    kubeconfig = cluster.kubeconfig_for("late", (MASTERS,), lifetime=-datetime.timedelta(minutes=5))
    operator = OperatorProcess(arguments(kubeconfig, *MANAGED), log=tmp_path / "operator.log")
    await operator.start(wait=False)
    try:
        await operator.listening()
        await unready(operator, "401", "renew the token or client certificate that we use")
        assert len(await unavailable(operator)) == len(kinds.TABLE)
        assert "renew the token or client certificate that we use" in operator.said()
        mark = cluster.audit_log.mark()

        async def asks_again() -> bool:
            return any(event["responseStatus"]["code"] == 401 for event in cluster.audit_log.since(mark))

        await wait_for(asks_again, deadline=20)
        assert await operator.stop() == 0
    finally:
        await operator.kill()


def role(name: str, *rules: Mapping[str, list[str]]) -> list[Object]:
    """A role of somebody's own in the cluster."""
    return [
        {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules)},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": name}],
        },
    ]


async def test_a_right_that_is_missing(cluster: Cluster, api: Api, namespace: str, tmp_path: Path) -> None:
    """Without a kind that is needed nothing is decided, and the right is named; so are writes that are refused."""
    await prepare(api)
    await install(api, namespace)
    everything_else = {
        "apiGroups": ["", "discovery.k8s.io", "apps", "apiextensions.k8s.io", "stunner.l7mp.io"],
        "resources": ["*"],
        "verbs": ["*"],
    }
    most = {
        "apiGroups": [GROUP],
        "resources": ["gateways", "gateways/status", "udproutes", "udproutes/status", "referencegrants"],
        "verbs": ["*"],
    }
    user = f"operator-{namespace}"
    await api.apply(role(user, everything_else, most))
    mark = cluster.audit_log.mark()
    async with operating(cluster, tmp_path, user=user, groups=(), wait=False) as operator:
        await operator.listening()
        wanted = "grant list and watch on gatewayclasses.gateway.networking.k8s.io to the account that we use"
        said = await unready(operator, f"not listed yet: GatewayClass (cannot list gatewayclasses.{GROUP}", wanted)
        assert user in said
        assert wanted in operator.said()
        assert await unavailable(operator) == {f"gatewayclasses.{GROUP}"}
        assert writes(cluster, mark, user=user) == []
        reading = {"apiGroups": [GROUP], "resources": ["gatewayclasses"], "verbs": ["get", "list", "watch"]}
        await api.apply(role(user, everything_else, most, reading))
        await operator.ready()
        assert await unavailable(operator) == set()
        # The status of a class may not be written: one object of many, which is told and holds up no other.
        await appeared(api, named("Deployment", namespace, "edge"))

        async def accepted() -> bool:
            return conditions(await api.get(named("Gateway", namespace, "edge")))["Accepted"].startswith("True")

        await wait_for(accepted)

        async def told() -> bool:
            return "GatewayClass turn" in operator.said() and "forbidden" in operator.said()

        await wait_for(told)
        refusals = {described(event) for event in writes(cluster, mark, user=user, succeeded=False)}
        assert refusals == {"patch gatewayclasses/status turn: 403"}
        assert await operator.stop() == 0


SOMEWHERE = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "there", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "me", "user": {"token": "a-token-nobody-may-see"}}],
    "contexts": [{"name": "there", "context": {"cluster": "there", "user": "me"}}],
    "current-context": "there",
}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        ("{", "is it a kubeconfig?"),
        (yaml.safe_dump({**SOMEWHERE, "current-context": "elsewhere"}), "current-context"),
        (
            yaml.safe_dump({**SOMEWHERE, "users": [{"name": "me", "user": {"client-certificate": "/no/such"}}]}),
            "client-certificate",
        ),
    ],
    ids=["missing", "no-yaml", "no-such-context", "no-such-certificate"],
)
async def test_a_kubeconfig_that_cannot_be_used(tmp_path: Path, content: str | None, words: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    if content is not None:
        kubeconfig.write_text(content, "utf-8")
    code, out, err = await run_to_its_end("run", f"--kubeconfig={kubeconfig}", *MANAGED)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"stunnergw: --kubeconfig: {kubeconfig}")
    assert words in line
    assert "a-token-nobody-may-see" not in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "--config-discovery-service: outside a cluster, say where data planes reach us"),
        (["--config-discovery-service=http://there"], "--config-discovery-service: 'http://there' names no Service"),
        (["--dataplane-mode=both"], "--dataplane-mode"),
        (["--no-such-flag"], "--no-such-flag"),
        ([*MANAGED, "--throttle-timeout=soon"], "--throttle-timeout: 'soon' is no duration"),
        ([*MANAGED, "--public-address=192.0.2.1"], "--public-address: in a cluster addresses come from Services"),
        ([*MANAGED, "--health-probe-bind-address=here"], "--health-probe-bind-address"),
    ],
    ids=lambda value: value[-1].lstrip("-") if isinstance(value, list) and value else "none" if value == [] else "",
)
async def test_flags_that_cannot_be(tmp_path: Path, flags: list[str], words: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(SOMEWHERE), "utf-8")
    code, out, err = await run_to_its_end("run", f"--kubeconfig={kubeconfig}", *flags)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("stunnergw: ")
    assert words in line
