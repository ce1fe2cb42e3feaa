"""Classes and credentials: what makes a class ours, what breaks it, and what its author is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.projection.outputs import Want
from stunnergw.projection.snapshots import StatusSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.settings import ConfigVersion, DataplaneMode, Decisions
from tests.support.bench import LEGACY, MANAGED, Bench, bench, undecided
from tests.support.objects import (
    EDGE,
    PASSWORD,
    USER,
    dataplane,
    deleted,
    gateway,
    gateway_class,
    gateway_config,
    healthy,
    listed,
)

if TYPE_CHECKING:
    from stunnergw.events.types import Applied, Deleted

TURN = Key("", "turn")


def accepted(of: Bench, key: Key = TURN) -> str:
    return of.conditions(kinds.GATEWAY_CLASS, key)["Accepted"]


def message(of: Bench, key: Key = TURN) -> str:
    return of.message(kinds.GATEWAY_CLASS, key, "Accepted")


def test_a_class_in_order() -> None:
    healed = bench(*healthy(), gateway_class(meta={"generation": 7}))
    assert accepted(healed) == "True/Accepted"
    assert "GatewayConfig media/turn" in message(healed)
    assert {each.observed_generation for each in healed.status(kinds.GATEWAY_CLASS, TURN).conditions} == {7}


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (gateway_class(config=None), ["spec.parametersRef"]),
        (gateway_class(ref={"namespace": None}), ["spec.parametersRef", "namespace"]),
        (gateway_class(ref={"kind": "ConfigMap"}), ["spec.parametersRef", "ConfigMap"]),
        (gateway_class(ref={"group": "example.org"}), ["spec.parametersRef", "example.org"]),
        (gateway_class(config="nowhere"), ["GatewayConfig media/nowhere not found"]),
        (deleted(gateway_config()), ["GatewayConfig media/turn not found"]),
        (gateway_config(dataplane="nowhere"), ["Dataplane nowhere not found"]),
        (deleted(dataplane()), ["Dataplane default not found"]),
        (gateway_config(password=None), ["spec.password", "media/turn"]),
        (gateway_config(userName=""), ["spec.userName"]),
        (gateway_config(authType="longterm"), ["spec.sharedSecret"]),
        (gateway_config(authType="very-static-indeed"), ["static, plaintext, ephemeral, longterm, timewindowed"]),
        (gateway_config(authRef={"name": "nowhere"}), ["Secret media/nowhere not found"]),
        (gateway_config(authRef={"name": "x", "kind": "ConfigMap"}), ["spec.authRef", "ConfigMap"]),
    ],
)
def test_what_breaks_a_class_is_named_and_heals(fault: Applied | Deleted, named: list[str]) -> None:
    broken = bench(*healthy(), fault)
    assert accepted(broken) == "False/InvalidParameters"
    assert [text for text in named if text not in message(broken)] == []
    assert PASSWORD not in message(broken)
    assert USER not in message(broken)
    broken.run(gateway_class(), gateway_config(), dataplane())
    assert accepted(broken) == "True/Accepted"


def test_legacy_mode_needs_no_dataplane() -> None:
    assert accepted(bench(*healthy(), deleted(dataplane()), settings=LEGACY)) == "True/Accepted"


def test_another_controllers_class_is_left_alone_with_all_below_it() -> None:
    foreign = bench(*healthy(), gateway_class(controller="example.org/other"), gateway())
    assert foreign.snapshot.statuses == {}
    assert foreign.snapshot.configs == {}
    assert foreign.snapshot.objects == {}


def test_a_class_that_becomes_another_controllers_is_left() -> None:
    left = bench(*healthy(), gateway())
    left.run(gateway_class(controller="example.org/other"))
    assert (left.snapshot.configs, left.snapshot.objects, left.snapshot.statuses) == ({}, {}, {})


def test_our_controller_name_is_a_setting() -> None:
    ours = bench(*healthy(), gateway(), settings=Decisions(controller_name="example.org/mine"))
    assert ours.snapshot.configs == {}
    ours.run(gateway_class(controller="example.org/mine"))
    assert isinstance(ours.snapshot.configs[EDGE], Want)


def test_a_missing_class_is_unknown() -> None:
    lost = bench(*healthy(), gateway(class_name="nowhere"))
    for output in (lost.snapshot.configs[EDGE], lost.snapshot.statuses[StatusSlot(kinds.GATEWAY, EDGE)]):
        assert "GatewayClass nowhere not found" in undecided(output)


def test_classes_do_not_harm_each_other() -> None:
    both = bench(*healthy(), gateway_class("spare", config="nowhere"), gateway(), gateway("core", class_name="spare"))
    assert accepted(both) == "True/Accepted"
    assert accepted(both, Key("", "spare")) == "False/InvalidParameters"
    assert isinstance(both.snapshot.configs[EDGE], Want)


def test_two_legacy_classes_of_one_config_map() -> None:
    older, younger = (f"2026-01-0{day}T00:00:00Z" for day in (1, 2))
    both = bench(
        *healthy(), gateway_class("a", meta={"creationTimestamp": younger}),
        gateway_class("b", meta={"creationTimestamp": older}), deleted(gateway_class()), settings=LEGACY,
    )  # fmt: skip
    assert accepted(both, Key("", "b")) == "True/Accepted"
    assert accepted(both, Key("", "a")) == "False/InvalidParameters"
    assert "GatewayClass b" in message(both, Key("", "a"))
    assert "media/stunnerd-config" in message(both, Key("", "a"))


# Credentials --------------------------------------------------------------------------------------------------


def auth_of(**spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = bench(*healthy(**spec), gateway()).document(EDGE)["auth"]
    return found


STATIC = {"password": PASSWORD, "username": USER}


@pytest.mark.parametrize(
    ("spec", "kind", "credentials"),
    [
        ({}, "static", STATIC),
        ({"authType": "static"}, "static", STATIC),
        ({"authType": "plaintext", "sharedSecret": "unused"}, "static", STATIC),
        ({"authType": "ephemeral", "sharedSecret": "s"}, "ephemeral", {"secret": "s"}),
        ({"authType": "longterm", "sharedSecret": "s"}, "ephemeral", {"secret": "s"}),
        ({"authType": "timewindowed", "sharedSecret": "s"}, "ephemeral", {"secret": "s"}),
        ({"stunMode": True, "authType": "longterm"}, "none", {}),
        ({"stunMode": True, "authRef": {"name": "nowhere"}}, "none", {}),
    ],
)
def test_auth_types(spec: dict[str, Any], kind: str, credentials: dict[str, str]) -> None:
    assert auth_of(**spec) == {"type": kind, "realm": "stunner.l7mp.io", "credentials": credentials}


@pytest.mark.parametrize("password", ["$HOME", "a$b{c}\\", 'qu"ote', "päss", "🙂", "new\nline"])
def test_odd_passwords_arrive_unchanged(password: str) -> None:
    assert auth_of(password=password)["credentials"]["password"] == password


def test_a_value_that_ends_in_a_newline_is_warned_of() -> None:
    odd = bench(*healthy(password="pass\n"), gateway())
    assert odd.document(EDGE)["auth"]["credentials"]["password"] == "pass\n"
    assert "spec.password of GatewayConfig media/turn ends in a newline" in message(odd)


# Which document -----------------------------------------------------------------------------------------------

ALPHA_FIELDS: list[dict[str, Any]] = [
    {"stunnerConfig": "x"}, {"metricsEndpoint": "http://:8080/metrics"}, {"healthCheckEndpoint": "http://:8086"},
    {"minPort": 1}, {"maxPort": 2},
]  # fmt: skip


def version(settings: Decisions, *facts: Applied | Deleted, **spec: Any) -> str:
    key = EDGE if settings.dataplane_mode is DataplaneMode.MANAGED else TURN
    return str(bench(*healthy(**spec), gateway(), *facts, settings=settings).document(key)["version"])


@pytest.mark.parametrize("spec", [{}, *ALPHA_FIELDS])
def test_the_document_version(spec: dict[str, Any]) -> None:
    legacy = {way: Decisions(dataplane_mode=DataplaneMode.LEGACY, config_version=way) for way in ConfigVersion}
    assert version(MANAGED, **spec) == "v1"
    assert version(legacy[ConfigVersion.V1], **spec) == "v1"
    assert version(legacy[ConfigVersion.V1ALPHA1], **spec) == "v1alpha1"
    assert version(legacy[ConfigVersion.AUTO], **spec) == ("v1alpha1" if spec else "v1")


def test_a_server_that_serves_only_v1alpha1() -> None:
    old = bench(*healthy(), gateway(), *listed({kinds.GATEWAY_CONFIG: ("v1alpha1",)}), settings=LEGACY)
    assert old.document(TURN)["version"] == "v1alpha1"
    old.run(*listed({kinds.GATEWAY_CONFIG: ("v1", "v1alpha1")}))
    assert old.document(TURN)["version"] == "v1"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("http://:8080/metrics", "http://:8080/metrics"),
        ("http://0.0.0.0:9090", "http://0.0.0.0:9090"),
        (":8080/metrics", None),
        ("http://localhost/metrics", None),
        ("8080", None),
    ],
)
def test_a_metrics_endpoint_that_stunnerd_would_panic_at_is_left_out(text: str, written: str | None) -> None:
    old = bench(*healthy(metricsEndpoint=text), gateway(), settings=LEGACY)
    assert old.document(TURN)["admin"].get("metrics_endpoint") == written
    assert ("spec.metricsEndpoint" in message(old)) is (written is None)


def test_fields_without_effect_are_said() -> None:
    told = message(bench(*healthy(stunnerConfig="x", minPort=1, healthCheckEndpoint="http://:1")))
    assert [name for name in ("stunnerConfig", "minPort", "healthCheckEndpoint") if name not in told] == []


def test_admin() -> None:
    spec: dict[str, Any] = {"enableMetricsEndpoint": True, "disableHealthCheck": True, "offloadEngine": "XDP"}
    full = bench(
        *healthy(logLevel="all:TRACE", userQuota=7), dataplane(**spec, offloadInterfaces=["b", "a"]), gateway()
    )
    assert full.document(EDGE)["admin"] == {
        "name": "media/edge", "loglevel": "all:TRACE", "metrics_endpoint": "http://:8080/metrics",
        "healthcheck_endpoint": "", "user_quota": 7, "offload_engine": "XDP", "offload_interfaces": ["a", "b"],
    }  # fmt: skip
    plain = bench(*healthy(), gateway())
    assert plain.document(EDGE)["admin"] == {
        "name": "media/edge", "loglevel": "all:INFO", "healthcheck_endpoint": "http://:8086", "offload_engine": "None",
    }  # fmt: skip


def test_stun_mode_has_no_v1alpha1_document() -> None:
    old = bench(*healthy(stunMode=True, stunnerConfig="x"), gateway(), settings=LEGACY)
    output = old.snapshot.configs[TURN]
    assert not isinstance(output, Want) or old.document(TURN)["auth"]["type"] in ("plaintext", "longterm")
