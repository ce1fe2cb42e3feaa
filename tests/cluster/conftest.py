"""A real API server for the tests of this folder, one for the session, and what each test needs of it.

What has to be built first is built before the first test, which has a time limit that a build would exceed. Tests that
use the cluster bear the mark ``cluster``, without saying so themselves.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cluster.deploying import Deployer
from tests.cluster.replaying import RECORDED_CRDS
from tests.cluster.stage import prepare
from tests.realparts.cluster import running
from tests.realparts.programs import program
from tests.support.data_planes import build_relay, data_plane, relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.kubectl import Kubectl

__all__ = ["data_plane", "relay"]

NEEDED = {
    "cluster": ("etcd", "kube-apiserver"),
    "controller_manager": ("kube-controller-manager",),
    "kubectl": ("kubectl",),
}
"""The programs behind each fixture."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: needs a real API server (built with Go, or in KUBEBUILDER_ASSETS)")

    config.addinivalue_line("markers", "many: takes minutes; run in CI, or when asked for: -m many")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = "many" in config.option.markexpr or os.environ.get("CI") == "true"
    for item in items:
        if "cluster" in _fixtures(item):
            item.add_marker("cluster")
            if os.environ.get("CI") == "true":
                # Four API servers on two cores: a test of programs of others may have a second try, and says so.
                item.add_marker(pytest.mark.flaky(reruns=1))
        if item.get_closest_marker("many") and not asked:
            item.add_marker(pytest.mark.skip(reason="takes minutes: pytest -m many runs it"))


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    build_relay(session)
    say = _saying(session.config)
    used = {fixture for item in session.items for fixture in _fixtures(item)}
    if "cluster" not in used:
        return
    for name in (name for fixture in NEEDED if fixture in used for name in NEEDED[fixture]):
        try:
            program(name, say=say)
        except (pytest.skip.Exception, pytest.fail.Exception) as reason:
            # The first test says it again, in its own name.
            say(str(reason).partition("\n")[0])


def _fixtures(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", ()))


@pytest.fixture
def saying(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line now, as those of the real parts are."""
    return _saying(request.config)


def _saying(config: pytest.Config) -> Callable[[str], None]:
    capture = config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        # Of a worker (-n) nobody sees the standard output.
        with capture.global_and_fixture_disabled():
            print(f"\n[real parts] {line}", file=sys.stderr, flush=True)

    return say


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """etcd and kube-apiserver, one pair for the session."""
    with running(tmp_path_factory.mktemp("cluster"), say=_saying(request.config)) as running_cluster:
        yield running_cluster


@pytest.fixture(scope="module")
def recorded_crds(cluster: Cluster) -> None:
    """The CRDs that were there when tests/reference was recorded, for the tests of a module, and ours."""

    async def install() -> None:
        async with cluster.api() as api:
            await prepare(api, *RECORDED_CRDS)

    asyncio.run(install())


@pytest.fixture
def controller_manager(cluster: Cluster) -> Iterator[None]:
    """The controllers, for one test. The garbage collector learns of kinds that come later within 30 s."""
    cluster.start_controller_manager()
    yield
    cluster.stop_controller_manager()


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    """A client that may do everything; what it applied goes when the test ends, CRDs and their kinds excepted."""
    async with cluster.api() as client:
        yield client
        await client.tidy()


@pytest.fixture
async def namespace(api: Api, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own, which goes with all in it when the test ends."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    name = f"{words[:40].rstrip('-')}-{secrets.token_hex(3)}"
    await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: Path) -> Kubectl:
    """kubectl, as the admin."""
    return cluster.kubectl(tmp_path / "kubectl")


@pytest.fixture
async def deployer(kubectl: Kubectl, api: Api) -> AsyncIterator[Deployer]:
    """Applies folders of deploy/; what it applied goes when the test ends, CRDs excepted."""
    made = Deployer(kubectl, api)
    yield made
    await made.tidy()
