"""Statuses of GatewayClasses: the installed Gateway API, what of it is supported, what changing parameters costs."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.resources import kinds
from stunnergw.resources.metadata import GATEWAY_GROUP, Key
from stunnergw.settings import Decisions, ReferenceGrants
from tests.support.bench import MANAGED, Bench, bench
from tests.support.objects import applied, deleted, gateway_class, healthy

TURN = Key("", "turn")
FEATURES = ("Gateway", "GatewayInfrastructurePropagation", "GatewayStaticAddresses", "ReferenceGrant", "UDPRoute")


def definition(plural: str = "gatewayclasses", bundle: str = "v1.6.3", channel: str = "standard") -> Any:
    """A definition of the Gateway API as it says of itself; an empty bundle says nothing, as v0.4.3 did."""
    annotations = {f"{GATEWAY_GROUP}/bundle-version": bundle, f"{GATEWAY_GROUP}/channel": channel} if bundle else {}
    name = f"{plural}.{GATEWAY_GROUP}"
    return applied(kinds.CUSTOM_RESOURCE_DEFINITION, name, meta={"annotations": annotations})


def of(*definitions: Any, settings: Decisions = MANAGED) -> Bench:
    return bench(*healthy(), *definitions, settings=settings)


def condition(found: Bench, kind: str = "SupportedVersion") -> str:
    return found.conditions(kinds.GATEWAY_CLASS, TURN)[kind]


def message(found: Bench, kind: str = "SupportedVersion") -> str:
    return found.message(kinds.GATEWAY_CLASS, TURN, kind)


@pytest.mark.parametrize("bundle", ["v1.0.0", "v1.6.0-rc.1", "v1.7.0", "v1.7.12+build"])
def test_r3_6_a_bundle_that_is_known(bundle: str) -> None:
    found = of(definition(bundle=bundle), definition("gateways", bundle=bundle))
    assert found.conditions(kinds.GATEWAY_CLASS, TURN) == {
        "Accepted": "True/Accepted",
        "SupportedVersion": "True/SupportedVersion",
    }
    assert bundle in message(found)
    assert "v1.0 to v1.7" in message(found)


@pytest.mark.parametrize(
    "bundle",
    ["", "v0.8.1", "v1.8.0", "v2.0.0", "monthly-2026-07", "v1.6", "1.6.3", "v1.6.3.1", "v99999999.0.0", "ä"],
)
def test_r3_6_one_that_is_not_known_is_told_and_served_all_the_same(bundle: str) -> None:
    found = of(definition("gateways", bundle="v1.6.3"), definition("udproutes", bundle=bundle))
    assert found.conditions(kinds.GATEWAY_CLASS, TURN) == {
        "Accepted": "True/Accepted",
        "SupportedVersion": "False/UnsupportedVersion",
    }
    for word in (f"udproutes.{GATEWAY_GROUP} is of {bundle or 'no bundle'}", "v1.6.3", "v1.0 to v1.7"):
        assert word in message(found)
    found.run(definition("udproutes", bundle="v1.6.3"))
    assert condition(found) == "True/SupportedVersion"


def test_r3_6_definitions_that_cannot_be_read_leave_it_open() -> None:
    found = of()
    assert condition(found) == "Unknown/Pending"
    assert "grant list and watch" in message(found)
    found.run(definition())
    assert condition(found) == "True/SupportedVersion"
    found.run(deleted(definition()))
    assert condition(found) == "Unknown/Pending"


def test_r3_6_manifests_without_definitions_are_not_blamed() -> None:
    found = of(settings=Decisions(standalone=True))
    assert "SupportedVersion" not in found.conditions(kinds.GATEWAY_CLASS, TURN)
    found.run(definition(bundle="v0.8.0"))
    assert condition(found) == "False/UnsupportedVersion"


def test_r3_6_a_class_that_is_not_accepted_has_it_too_at_its_generation() -> None:
    found = of(definition())
    found.run(gateway_class(config=None, meta={"generation": 4}))
    status = found.status(kinds.GATEWAY_CLASS, TURN)
    assert [(each.type, each.observed_generation) for each in status.conditions] == [
        ("Accepted", 4),
        ("SupportedVersion", 4),
    ]
    assert status.features == FEATURES


def test_definitions_of_others_say_nothing() -> None:
    found = of(definition(), applied(kinds.CUSTOM_RESOURCE_DEFINITION, "gateways.example.org"))
    assert condition(found) == "True/SupportedVersion"


@pytest.mark.parametrize(
    ("bundle", "channel", "told"),
    [
        ("", "", False),
        ("v0.8.0", "standard", False),
        ("v1.0.0", "experimental", False),
        ("v1.1.0", "experimental", False),
        ("v1.2.0", "experimental", True),
        ("v1.3.0", "standard", False),
        ("v1.4.0", "standard", True),
        ("v1.3.0", "", False),
        ("v2.0.0", "standard", True),
        ("monthly-2026-07", "experimental", True),
    ],
)
def test_r3_8_features_where_the_status_has_a_place_for_them(bundle: str, channel: str, told: bool) -> None:
    found = of(definition(bundle=bundle, channel=channel))
    status = found.status(kinds.GATEWAY_CLASS, TURN)
    assert status.features == (FEATURES if told else None)
    assert ("supportedFeatures" in status.as_json()) is told


def test_r3_8_the_class_alone_decides_where_features_can_be_told() -> None:
    found = of(definition("gatewayclasses", bundle="v1.3.0"), definition("gateways"))
    assert found.status(kinds.GATEWAY_CLASS, TURN).features is None
    assert of(definition("gateways")).status(kinds.GATEWAY_CLASS, TURN).features is None


def test_r3_8_features_are_sorted_and_grants_not_claimed_where_they_are_ignored() -> None:
    body = of(definition()).status(kinds.GATEWAY_CLASS, TURN).as_json()
    names = [entry["name"] for entry in body["supportedFeatures"]]
    assert names == sorted(names) == list(FEATURES)
    ignoring = of(definition(), settings=Decisions(reference_grants=ReferenceGrants.IGNORE))
    assert "ReferenceGrant" not in ignoring.status(kinds.GATEWAY_CLASS, TURN).features


def test_what_a_change_costs_is_said_before_it_is_made() -> None:
    said = message(of(), "Accepted")
    assert "GatewayConfig media/turn" in said
    assert "a new realm ends all calls, new credentials end each at its next refresh" in said
