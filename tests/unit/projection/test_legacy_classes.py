"""Classes of legacy mode: who writes which ConfigMap, what becomes of an old or too large one, what ``admin`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.projection.outputs import Want
from stunnergw.projection.services import MOST_OF_A_CONFIG_MAP
from stunnergw.projection.snapshots import OwnedSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import OWNED_BY, Key
from stunnergw.settings import ConfigVersion, DataplaneMode, Decisions
from stunnergw.store.indexes import RELATED_GATEWAY
from tests.support.bench import LEGACY, MANAGED, Bench, bench, undecided
from tests.support.objects import (
    EDGE,
    NAMESPACE,
    PASSWORD,
    USER,
    applied,
    dataplane,
    deleted,
    gateway,
    gateway_class,
    gateway_config,
    healthy,
    listed,
)

if TYPE_CHECKING:
    from stunnergw.events.types import Applied, Fact

TURN = Key("", "turn")
REFUSED, FINE = "False/InvalidParameters", "True/Accepted"


def legacy(version: ConfigVersion = ConfigVersion.AUTO) -> Decisions:
    return Decisions(dataplane_mode=DataplaneMode.LEGACY, config_version=version)


def accepted(found: Bench, name: str = "turn") -> str:
    return found.conditions(kinds.GATEWAY_CLASS, Key("", name))["Accepted"]


def message(found: Bench, name: str = "turn") -> str:
    return found.message(kinds.GATEWAY_CLASS, Key("", name), "Accepted")


def slot(name: str = "turn") -> OwnedSlot:
    return OwnedSlot("ConfigMap", Key("", name))


def written(found: Bench) -> dict[str, str]:
    """Return the ConfigMaps that are wanted, by class."""
    wants = {
        place.owner.name: output.value
        for place, output in found.snapshot.objects.items()
        if place.kind == "ConfigMap" and isinstance(output, Want)
    }
    return {name: f"{thing.namespace}/{thing.name}" for name, thing in wants.items()}


# Two classes and one ConfigMap --------------------------------------------------------------------------------


def of_day(name: str, day: int, config: str = "turn") -> Applied:
    return gateway_class(name, config=config, meta={"creationTimestamp": f"2026-01-0{day}T00:00:00Z" if day else ""})


BASE: list[Fact] = [*listed(), gateway_config()]


@pytest.mark.parametrize(
    ("days", "holder"),
    [
        ({"a": 1, "b": 2}, "a"),
        ({"a": 2, "b": 1}, "b"),
        ({"a": 1, "b": 1}, "a"),
        ({"b": 0, "a": 0}, "a"),
        ({"c": 3, "b": 2, "a": 3}, "b"),
    ],
    ids=["older", "older, later by name", "a tie", "no times", "three"],
)
def test_the_oldest_writes_and_the_others_are_refused(days: dict[str, int], holder: str) -> None:
    found = bench(*BASE, *(of_day(name, day) for name, day in days.items()), settings=LEGACY)
    assert {name: accepted(found, name) for name in days} == {
        name: FINE if name == holder else REFUSED for name in days
    }
    assert written(found) == {holder: "media/stunnerd-config"}
    for name in days.keys() - {holder}:
        said = message(found, name)
        assert f"GatewayClass {holder}, which is older, writes ConfigMap media/stunnerd-config too" in said
        assert "spec.stunnerConfig" in said


def config_in(namespace: str, name: str = "spare", **spec: Any) -> Applied:
    given = {"userName": USER, "password": PASSWORD, **spec}
    return applied(kinds.GATEWAY_CONFIG, name, namespace=namespace, spec=given)


def spare(namespace: str = NAMESPACE) -> Applied:
    return gateway_class("spare", config="spare", ref={"namespace": namespace})


@pytest.mark.parametrize(
    ("facts", "apart"),
    [
        ([spare(), config_in(NAMESPACE)], False),
        ([spare(), config_in(NAMESPACE, stunnerConfig="stunnerd-config")], False),
        ([spare(), config_in(NAMESPACE, stunnerConfig="other")], True),
        ([spare("guests"), config_in("guests")], True),
    ],
    ids=["both by default", "by name and by default", "another name", "another namespace"],
)
def test_one_config_map_is_one_name_in_one_namespace(facts: list[Fact], apart: bool) -> None:
    found = bench(*BASE, of_day("turn", 0), *facts, settings=LEGACY)
    # Without times it goes by name, and spare comes before turn.
    assert (accepted(found, "spare"), accepted(found)) == (FINE, FINE if apart else REFUSED)
    assert len(written(found)) == (2 if apart else 1)


def test_the_younger_moves_up_when_the_older_goes() -> None:
    found = bench(*BASE, of_day("a", 1), of_day("b", 2), settings=LEGACY)
    found.run(deleted(of_day("a", 1)))
    assert (accepted(found, "b"), written(found)) == (FINE, {"b": "media/stunnerd-config"})


@pytest.mark.parametrize(
    "other",
    [
        gateway_class("a", controller="example.org/other"),
        gateway_class("a", config=None),
        gateway_class("a", config="nowhere"),
    ],
    ids=["another controller's", "without parametersRef", "without GatewayConfig"],
)
def test_who_has_no_config_map_takes_none(other: Applied) -> None:
    found = bench(*BASE, of_day("b", 2), other, settings=LEGACY)
    assert (accepted(found, "b"), written(found)) == (FINE, {"b": "media/stunnerd-config"})


def test_managed_classes_may_share_a_config() -> None:
    found = bench(*BASE, dataplane(), of_day("a", 1), of_day("b", 2))
    assert (accepted(found, "a"), accepted(found, "b"), written(found)) == (FINE, FINE, {})


# ConfigMaps of earlier settings -------------------------------------------------------------------------------


def stored(name: str, *, namespace: str = NAMESPACE, of: str = "/turn") -> Applied:
    meta = {"labels": {OWNED_BY: "stunner"}, "annotations": {RELATED_GATEWAY: of}}
    return applied(kinds.CONFIG_MAP, name, namespace=namespace, meta=meta, data={"stunnerd.conf": "old"})


def test_an_old_config_map_is_named_and_left() -> None:
    """A pod that mounts it must still be able to start."""
    found = bench(*healthy(stunnerConfig="new"), stored("new"), settings=LEGACY)
    assert "of an earlier setting" not in message(found)
    found.run(stored("old"), stored("new", namespace="guests"), stored("theirs", of="/spare"), stored("g", of="a/turn"))
    assert "ConfigMap media/old of an earlier setting is left as it is" in message(found)
    assert "ConfigMap guests/new of an earlier setting" in message(found)
    assert "media/new of" not in message(found)
    assert "media/theirs" not in message(found)
    assert "media/g" not in message(found)
    assert written(found) == {"turn": "media/new"}
    found.run(deleted(stored("old")), deleted(stored("new", namespace="guests")))
    assert "of an earlier setting" not in message(found)


def test_another_name_leaves_the_old_one_named() -> None:
    found = bench(*healthy(stunnerConfig="one"), stored("one"), settings=LEGACY)
    found.run(gateway_config(stunnerConfig="two"))
    assert (written(found), accepted(found)) == ({"turn": "media/two"}, FINE)
    assert "ConfigMap media/one of an earlier setting" in message(found)


def test_managed_mode_does_not_look_for_them() -> None:
    assert "ConfigMap" not in message(bench(*healthy(), stored("old")))


# Too large ----------------------------------------------------------------------------------------------------


def sized(document: int) -> Bench:
    """Make a world whose document is of that many bytes."""
    small = len(bench(*healthy(password="x"), gateway(), settings=LEGACY).document_bytes(TURN))
    return bench(*healthy(password="x" * (document - small + 1)), gateway(), settings=LEGACY)


def test_a_document_that_just_fits() -> None:
    found = sized(MOST_OF_A_CONFIG_MAP)
    assert len(found.document_bytes(TURN)) == 1024 * 1024
    assert written(found) == {"turn": "media/stunnerd-config"}
    assert "too large" not in message(found)


def test_a_document_too_large_leaves_the_last_one_and_is_said() -> None:
    found = sized(MOST_OF_A_CONFIG_MAP + 1)
    assert f"{MOST_OF_A_CONFIG_MAP + 1} bytes is too large" in undecided(found.snapshot.objects[slot()])
    assert f"{MOST_OF_A_CONFIG_MAP + 1} bytes is too large" in message(found)
    assert "x" * 9 not in message(found)
    # A poller has no such limit.
    assert isinstance(found.snapshot.configs[TURN], Want)
    found.run(gateway_config())
    assert written(found) == {"turn": "media/stunnerd-config"}


# Which spelling, and what goes with it ------------------------------------------------------------------------

OLD = {"stunnerConfig": "stunnerd-config"}
V1, V1ALPHA1 = "v1", "v1alpha1"


@pytest.mark.parametrize(
    ("asked", "spec", "spelling"),
    [
        (ConfigVersion.AUTO, {}, V1),
        (ConfigVersion.AUTO, OLD, V1ALPHA1),
        (ConfigVersion.V1, OLD, V1),
        (ConfigVersion.V1ALPHA1, {}, V1ALPHA1),
    ],
)
def test_what_goes_with_a_spelling(asked: ConfigVersion, spec: dict[str, Any], spelling: str) -> None:
    found = bench(*healthy(**spec), gateway(), settings=legacy(asked))
    document, old = found.document(TURN), spelling == V1ALPHA1
    assert document["version"] == spelling
    assert document["auth"]["type"] == ("plaintext" if old else "static")
    assert document["listeners"][0]["name"] == ("udp" if old else "media/edge/udp")
    assert found.owned(EDGE)["metadata"]["name"] == ("stunner-gateway-edge-svc" if old else "edge")
    assert ("stunnerd 0.13" in message(found)) is old
    assert written(found) == {"turn": "media/stunnerd-config"}


def test_classes_side_by_side_in_their_own_spelling() -> None:
    found = bench(
        *healthy(), gateway(), spare(), config_in(NAMESPACE, stunnerConfig="old"),
        gateway("core", class_name="spare"), settings=LEGACY,
    )  # fmt: skip
    assert [found.document(Key("", name))["version"] for name in ("turn", "spare")] == [V1, V1ALPHA1]


def test_the_range_of_relay_ports_is_v1alpha1s() -> None:
    def ports(**spec: int) -> tuple[int, int]:
        (only,) = bench(*healthy(**spec, **OLD), gateway(), settings=LEGACY).document(TURN)["listeners"]
        return only["min_relay_port"], only["max_relay_port"]

    assert ports() == (32768, 65535)
    assert ports(minPort=10000) == (10000, 65535)
    assert ports(maxPort=40000) == (32768, 40000)
    newer = bench(*healthy(minPort=10000), gateway(), settings=legacy(ConfigVersion.V1)).document(TURN)
    assert "min_relay_port" not in newer["listeners"][0]


# admin, by mode and spelling ----------------------------------------------------------------------------------

HEALTH, METRICS = "http://:8086", "http://:8080/metrics"
FULL: dict[str, Any] = {"logLevel": "all:TRACE", "userQuota": 7, "metricsEndpoint": "http://:9090/m"}
PLANE = dataplane(enableMetricsEndpoint=True, disableHealthCheck=True, offloadEngine="TC", offloadInterfaces=["b", "a"])


@pytest.mark.parametrize(
    ("settings", "admin"),
    [
        (
            MANAGED,
            {
                "name": "media/edge", "loglevel": "all:TRACE", "metrics_endpoint": METRICS,
                "healthcheck_endpoint": "", "user_quota": 7, "offload_engine": "TC", "offload_interfaces": ["a", "b"],
            },
        ),
        (
            legacy(ConfigVersion.V1),
            {
                "name": "stunner-daemon", "loglevel": "all:TRACE", "healthcheck_endpoint": HEALTH, "user_quota": 7,
                "offload_engine": "None",
            },
        ),
        (
            legacy(ConfigVersion.V1ALPHA1),
            {"name": "stunner-daemon", "loglevel": "all:TRACE", "metrics_endpoint": "http://:9090/m"},
        ),
    ],
    ids=["managed", "legacy v1", "legacy v1alpha1"],
)  # fmt: skip
def test_admin_with_all_that_can_be_said(settings: Decisions, admin: dict[str, Any]) -> None:
    """In legacy mode nobody runs stunnerd for the user, and what a Dataplane says is not looked at."""
    key = EDGE if settings.dataplane_mode is DataplaneMode.MANAGED else TURN
    found = bench(*healthy(**FULL), PLANE, gateway(), settings=settings)
    assert found.document(key)["admin"] == admin
    assert list(found.document(key)["admin"]) == list(admin)


@pytest.mark.parametrize(
    ("settings", "admin"),
    [
        (legacy(ConfigVersion.V1), {
            "name": "stunner-daemon", "loglevel": "all:INFO", "healthcheck_endpoint": HEALTH, "offload_engine": "None",
        }),
        (legacy(ConfigVersion.V1ALPHA1), {"name": "stunner-daemon", "loglevel": "all:INFO"}),
    ],
    ids=["v1", "v1alpha1"],
)  # fmt: skip
def test_admin_with_nothing_said(settings: Decisions, admin: dict[str, Any]) -> None:
    assert bench(*healthy(), gateway(), settings=settings).document(TURN)["admin"] == admin


def test_a_health_check_endpoint_has_no_effect_and_is_said() -> None:
    found = bench(*healthy(healthCheckEndpoint="http://:1234"), gateway(), settings=LEGACY)
    assert "healthcheck_endpoint" not in found.document(TURN)["admin"]
    assert "spec.healthCheckEndpoint of the GatewayConfig has no effect" in message(found)


FIELDS: dict[str, Any] = {
    "stunnerConfig": "turn-config",
    "metricsEndpoint": "rubbish",
    "healthCheckEndpoint": "http://:1",
    "minPort": 20000,
    "maxPort": 30000,
}


@pytest.mark.parametrize(
    ("settings", "ignored", "why"),
    [
        (
            legacy(ConfigVersion.V1),
            ["healthCheckEndpoint", "maxPort", "metricsEndpoint", "minPort"],
            " in a v1 document",
        ),
        (legacy(ConfigVersion.AUTO), ["healthCheckEndpoint"], ""),
        (legacy(ConfigVersion.V1ALPHA1), ["healthCheckEndpoint"], ""),
        (MANAGED, sorted(FIELDS), ""),
    ],
    ids=["v1", "auto", "v1alpha1", "managed"],
)
def test_fields_without_effect_are_said(settings: Decisions, ignored: list[str], why: str) -> None:
    said = message(bench(*healthy(**FIELDS), gateway(), settings=settings))
    told = {field: f"spec.{field} of the GatewayConfig has no effect{why}" for field in FIELDS}
    assert sorted(field for field in FIELDS if told[field] in said.split("; ")) == ignored
    # What has no effect at all needs no correcting.
    assert ("is left out" in said) is ("metricsEndpoint" not in ignored)


@pytest.mark.parametrize("field", FIELDS)
def test_each_of_them_is_said_for_itself(field: str) -> None:
    said = message(bench(*healthy(**{field: FIELDS[field]}), gateway(), settings=legacy(ConfigVersion.V1)))
    assert (f"spec.{field} of the GatewayConfig has no effect" in said) is (field != "stunnerConfig")


@pytest.mark.parametrize(
    ("endpoint", "written_as"),
    [
        ("http://:8080/metrics", "http://:8080/metrics"),
        ("https://0.0.0.0:9/", "https://0.0.0.0:9/"),
        ("http://[::]:9090/metrics", "http://[::]:9090/metrics"),
        ("http://:0/metrics", None),
        ("http://:65536/metrics", None),
        ("http://localhost/metrics", None),
        ("ftp://:8080", None),
        (":8080", None),
    ],
)
def test_a_metrics_endpoint_needs_scheme_and_port(endpoint: str, written_as: str | None) -> None:
    found = bench(*healthy(metricsEndpoint=endpoint), gateway(), settings=LEGACY)
    assert found.document(TURN)["admin"].get("metrics_endpoint") == written_as
    assert ("is left out" in message(found)) is (written_as is None)
