from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.resources import kinds
from stunnergw.resources.metadata import GATEWAY_GROUP, STUNNER_GROUP, Key, KubernetesObject
from stunnergw.resources.parsing import parse

if TYPE_CHECKING:
    from stunnergw.resources.kinds import Kind

of_each_kind = pytest.mark.parametrize("kind", kinds.TABLE, ids=repr)

SMALLEST: dict[str, dict[str, Any]] = {
    "GatewayClass": {"spec": {"controllerName": "example.com/controller"}},
    "Gateway": {"spec": {"gatewayClassName": "turn"}},
    "UDPRoute": {"spec": {}},
    "UDPRoute.stunner.l7mp.io": {"spec": {}},
    "EndpointSlice": {"addressType": "IPv4"},
}


@of_each_kind
def test_each_kind_reads_its_smallest_object(kind: Kind[Any]) -> None:
    body = {"metadata": {"name": "it", "namespace": "here"}, **SMALLEST.get(kind.name, {})}
    parsed = parse(kind, body)
    assert isinstance(parsed, kind.model)
    assert isinstance(parsed, KubernetesObject)
    assert parsed.metadata.key == Key("here", "it")


@of_each_kind
def test_each_kind_is_found_in_every_version(kind: Kind[Any]) -> None:
    assert kind.versions
    for version in kind.versions:
        assert kinds.find(kind.api_version(version), kind.kind) is kind


def test_names_are_unique_and_so_are_urls() -> None:
    assert len({kind.name for kind in kinds.TABLE}) == len(kinds.TABLE)
    assert len({(kind.group, kind.plural) for kind in kinds.TABLE}) == len(kinds.TABLE)


def test_versions_of_a_kind_that_is_found_are_for_the_caller() -> None:
    assert kinds.find("gateway.networking.k8s.io/v99", "Gateway") is kinds.GATEWAY


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("v1", "Gateway"), ("apps/v1", "Service"), ("v1", "service"), ("", ""), ("networking.k8s.io/v1", "Gateway")],
)
def test_what_is_none_of_ours_is_not_found(api_version: str, kind: str) -> None:
    assert kinds.find(api_version, kind) is None


def test_only_the_table_that_is_given_is_searched() -> None:
    assert kinds.find("v1", "Node", table=[kinds.SERVICE]) is None


def test_the_two_udp_routes_are_told_apart_by_group() -> None:
    assert kinds.find(f"{GATEWAY_GROUP}/v1alpha2", "UDPRoute") is kinds.UDP_ROUTE
    assert kinds.find(f"{STUNNER_GROUP}/v1", "UDPRoute") is kinds.STUNNER_UDP_ROUTE
    assert set(kinds.ROUTE_KINDS) == {kinds.UDP_ROUTE, kinds.STUNNER_UDP_ROUTE}


def test_api_versions() -> None:
    assert kinds.SERVICE.api_version() == "v1"
    assert kinds.GATEWAY.api_version() == "gateway.networking.k8s.io/v1"
    assert kinds.GATEWAY.api_version("v1beta1") == "gateway.networking.k8s.io/v1beta1"


def test_objects_are_named_for_people() -> None:
    assert kinds.STUNNER_UDP_ROUTE.describe(Key("media", "calls")) == "UDPRoute media/calls"
    assert kinds.GATEWAY_CLASS.describe(Key("", "turn")) == "GatewayClass turn"
    assert repr(kinds.STUNNER_UDP_ROUTE) == "<UDPRoute.stunner.l7mp.io>"


@pytest.mark.parametrize("key", [Key("media", "calls"), Key("", "turn")])
def test_keys_are_read_back(key: Key) -> None:
    assert Key.parse(str(key)) == key


def test_kinds_whose_models_hold_secrets_say_so() -> None:
    bearing = {kind for kind in kinds.TABLE if kind.secret_bearing}
    owned = {kinds.CONFIG_MAP, kinds.DEPLOYMENT, kinds.DAEMON_SET}
    assert bearing == {kinds.GATEWAY_CONFIG, kinds.DATAPLANE, kinds.SECRET, *owned}
