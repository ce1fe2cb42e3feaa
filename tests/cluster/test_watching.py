"""The cluster as a source of events, over a real API server: what the store holds is what the server has."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.events.log import EventLog
from stunnergw.events.types import Applied, Deleted, Listed
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import connect
from stunnergw.resources import kinds
from stunnergw.resources.crds import custom_resource_definitions
from stunnergw.resources.kinds import GATEWAY, GATEWAY_CLASS, GATEWAY_CONFIG, SECRET, SERVICE, UDP_ROUTE
from stunnergw.resources.metadata import Key
from stunnergw.sources.watching import ClusterSource
from stunnergw.store.store import Store
from tests.realparts.crds import install_crds, remove_gateway_api, use_gateway_api
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from stunnergw.resources.kinds import Kind
    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster

WITHIN = 30.0


class Observer:
    """A source, and a store that is kept up to date when it is looked at."""

    def __init__(self, source: ClusterSource, log: EventLog) -> None:
        self.source = source
        self.log = log
        self.store = Store(table=kinds.TABLE)

    def look(self) -> Store:
        self.store.fold(self.log.since(self.store.seq))
        return self.store

    async def until(self, holds: Callable[[Store], object], *, deadline: float = WITHIN) -> None:
        async def asked() -> bool:
            return bool(holds(self.look()))

        await wait_for(asked, deadline=deadline)

    def facts(self, kind: Kind[Any], since: int = 0) -> list[Any]:
        facts: list[Any] = [event.fact for event in self.log.since(since)]
        return [fact for fact in facts if fact.kind is kind]


@asynccontextmanager
async def observing(kubeconfig: Path) -> AsyncIterator[Observer]:
    async with KubeClient(await connect(str(kubeconfig))) as client:
        log = EventLog(clock=time.time_ns)
        source = ClusterSource(client, log=log)
        running = asyncio.create_task(source.run())
        try:
            yield Observer(source, log)
            if running.done():
                running.result()
        finally:
            running.cancel()
            await asyncio.wait([running])


@pytest.fixture
async def observer(cluster: Cluster, api: Api) -> AsyncIterator[Observer]:
    await use_gateway_api(api, "v1.6.3", "standard")
    await install_crds(api, custom_resource_definitions())
    async with observing(cluster.kubeconfig) as ours:
        await ours.until(lambda _: ours.source.synced)
        yield ours


def service(name: str, namespace: str, port: int = 3478) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"port": port, "protocol": "UDP"}]},
    }


def gateway(name: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"gatewayClassName": "turn", "listeners": [{"name": "udp", "port": 3478, "protocol": "TURN-UDP"}]},
    }


def secret(name: str, namespace: str, password: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": {"password": b64encode(password.encode()).decode()},
    }


async def test_objects_come_change_and_go(observer: Observer, api: Api, namespace: str) -> None:
    edge = Key(namespace, "edge")
    await api.apply([service("edge", namespace), gateway("edge", namespace)])
    await observer.until(lambda store: store.get(GATEWAY, edge) and store.get(SERVICE, edge))
    found = observer.look().get(SERVICE, edge)
    assert found is not None
    assert found.spec.cluster_ip
    assert found.metadata.manager == "tests"
    await api.apply(service("edge", namespace, 3479))
    await observer.until(lambda store: (now := store.get(SERVICE, edge)) and now.spec.ports[0].port == 3479)
    await api.patch_status(gateway("edge", namespace), {"addresses": [{"type": "IPAddress", "value": "192.0.2.1"}]})
    await observer.until(lambda store: b"192.0.2.1" in (((now := store.get(GATEWAY, edge)) and now.status) or b""))
    for thing in (service("edge", namespace), gateway("edge", namespace)):
        await api.delete(thing)
    await observer.until(lambda store: not store.get(GATEWAY, edge) and not store.get(SERVICE, edge))
    assert not [state for state in observer.source.states.values() if state.unavailable or state.left_out]


async def test_what_is_served_is_told_with_the_version_of_the_bundle(observer: Observer) -> None:
    store = observer.look()
    assert store.versions(GATEWAY) == ("v1", "v1beta1")
    assert store.versions(GATEWAY_CONFIG) == ("v1", "v1alpha1")
    definition = store.get(kinds.CUSTOM_RESOURCE_DEFINITION, Key("", "gateways.gateway.networking.k8s.io"))
    assert definition is not None
    assert definition.metadata.annotations["gateway.networking.k8s.io/bundle-version"] == "v1.6.3"
    assert (GATEWAY, "v1") in observer.source.served.with_status


async def test_a_long_list_comes_in_pages(observer: Observer, cluster: Cluster, api: Api, namespace: str) -> None:
    await api.apply([secret(f"s{number:04}", namespace, "x") for number in range(1100)], at_once=20)
    async with observing(cluster.kubeconfig) as another:
        await another.until(lambda _: another.source.synced)
        listed = [key for key in another.look().keys(SECRET) if key.namespace == namespace]
        assert len(listed) == 1100
    await observer.until(lambda store: len([k for k in store.keys(SECRET) if k.namespace == namespace]) == 1100)


async def test_secrets_that_are_wanted_are_read(observer: Observer, api: Api, namespace: str) -> None:
    turn, other = Key(namespace, "turn"), Key(namespace, "other")
    await api.apply([secret("turn", namespace, "first"), secret("other", namespace, "unseen")])
    await observer.until(lambda store: store.get(SECRET, turn) and store.get(SECRET, other))
    observer.source.secrets.want(frozenset({turn, Key(namespace, "missing")}))
    await asyncio.wait_for(observer.source.secrets.settled(), WITHIN)

    def password(store: Store) -> bytes | None:
        found = store.get(SECRET, turn)
        value = found and found.data.get("password")
        return value.reveal() if value else None

    assert password(observer.look()) == b"first"
    await api.apply(secret("turn", namespace, "second"))
    await observer.until(lambda store: password(store) == b"second")
    unread = observer.look().get(SECRET, other)
    assert unread is not None
    assert unread.unread
    await api.delete(secret("turn", namespace, ""))
    await observer.until(lambda store: store.get(SECRET, turn) is None)
    observer.source.secrets.want(frozenset())


async def test_an_api_server_that_was_away_is_taken_up_where_it_was(
    observer: Observer, cluster: Cluster, api: Api, namespace: str
) -> None:
    stays, goes, comes = (Key(namespace, name) for name in ("stays", "goes", "comes"))
    await api.apply([gateway("stays", namespace), gateway("goes", namespace)])
    await observer.until(lambda store: store.get(GATEWAY, stays) and store.get(GATEWAY, goes))
    await asyncio.to_thread(cluster.stop_apiserver)
    await observer.until(lambda store: store.unavailable())
    assert observer.look().get(GATEWAY, stays)
    assert observer.source.synced
    before = observer.log.last
    await asyncio.to_thread(cluster.start_apiserver)
    await api.delete(gateway("goes", namespace))
    await api.apply(gateway("comes", namespace))
    await observer.until(lambda store: store.get(GATEWAY, comes) and not store.unavailable(), deadline=60)
    assert observer.look().get(GATEWAY, stays)
    assert observer.look().get(GATEWAY, goes) is None
    # Nothing that is as it was is told again.
    changes = [fact for fact in observer.facts(GATEWAY, before) if isinstance(fact, Applied | Deleted)]
    assert {fact.key for fact in changes} == {goes, comes}
    assert [fact for fact in observer.facts(GATEWAY, before) if isinstance(fact, Listed)]


async def test_definitions_come_after_us_go_and_come_again(cluster: Cluster, api: Api, namespace: str) -> None:
    await remove_gateway_api(api)
    edge = Key(namespace, "edge")
    async with observing(cluster.kubeconfig) as observer:
        await observer.until(lambda _: observer.source.synced)
        assert observer.look().versions(GATEWAY) == ()
        await use_gateway_api(api, "v1.6.3", "standard")
        await api.apply(gateway("edge", namespace))
        await observer.until(lambda store: store.get(GATEWAY, edge))
        assert observer.look().versions(UDP_ROUTE) == ("v1",)
        await remove_gateway_api(api)
        await observer.until(lambda store: store.versions(GATEWAY) == ())
        # The server told of each object's end before it took the kind away.
        assert observer.look().get(GATEWAY, edge) is None
        await use_gateway_api(api, "v1.0.0", "experimental")
        await observer.until(lambda store: store.versions(UDP_ROUTE) == ("v1alpha2",))
        await api.apply(gateway("edge", namespace))
        await observer.until(lambda store: store.get(GATEWAY, edge))
        await observer.until(lambda store: not store.unavailable())


async def test_who_may_not_read_says_so_and_goes_on_when_granted(cluster: Cluster, api: Api, namespace: str) -> None:
    await use_gateway_api(api, "v1.6.3", "standard")
    await install_crds(api, custom_resource_definitions())
    user = f"reader-{namespace}"
    async with observing(cluster.kubeconfig_for(user)) as observer:
        await observer.until(lambda store: GATEWAY_CLASS.name in store.unavailable())
        reason = observer.look().unavailable()[GATEWAY_CLASS.name]
        assert "cannot list gatewayclasses.gateway.networking.k8s.io: forbidden: grant list and watch" in reason
        assert user in reason
        assert not observer.source.synced
        rbac = "rbac.authorization.k8s.io"
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["list", "watch"]}]
        role = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": rules}
        binding = {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": user},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": user},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": user}],
        }
        await api.apply([role, binding, secret("turn", namespace, "unseen")])
        await observer.until(lambda _: observer.source.synced, deadline=60)
        # To list is not to get: then one Secret says so.
        turn = Key(namespace, "turn")
        await observer.until(lambda store: store.get(SECRET, turn))
        observer.source.secrets.want(frozenset({turn}))
        await asyncio.wait_for(observer.source.secrets.settled(), WITHIN)
        found = observer.look().get(SECRET, turn)
        assert found is not None
        assert "cannot get secrets: forbidden: grant get on secrets" in found.unread
