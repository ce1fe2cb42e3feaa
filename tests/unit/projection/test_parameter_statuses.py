"""Statuses of STUNner's own kinds: who uses them, what is wrong, and who writes it where several might."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.projection.snapshots import StatusSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from tests.support.bench import LEGACY, Bench, bench, undecided
from tests.support.objects import (
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
    from stunnergw.events.types import Applied, Deleted, Fact
    from stunnergw.resources.kinds import Kind

CONFIG = Key("media", "turn")
DEFAULT = Key("", "default")
LAB = Key("media", "lab")
OTHER = "example.org/other"


def accepted(of: Bench, kind: Kind[Any], key: Key) -> str:
    return of.conditions(kind, key)["Accepted"]


def message(of: Bench, kind: Kind[Any], key: Key) -> str:
    return of.message(kind, key, "Accepted")


def classes(of: Bench, kind: Kind[Any], key: Key) -> Any:
    return of.status(kind, key).as_json()["classes"]


def born(name: str, year: int, **more: Any) -> Applied:
    return gateway_class(name, meta={"creationTimestamp": f"{year}-01-01T00:00:00Z"}, **more)


def test_a_config_and_a_dataplane_in_order_name_their_classes() -> None:
    found = bench(*healthy(), gateway_class("second"), gateway_config(meta={"generation": 7}))
    for kind, key, generation in ((kinds.GATEWAY_CONFIG, CONFIG, 7), (kinds.DATAPLANE, DEFAULT, 1)):
        assert accepted(found, kind, key) == "True/Accepted"
        assert message(found, kind, key) == "used by GatewayClasses second and turn"
        assert classes(found, kind, key) == ["second", "turn"]
        assert {each.observed_generation for each in found.status(kind, key).conditions} == {generation}


def test_many_classes_are_counted_in_the_message_and_listed_whole() -> None:
    found = bench(*healthy(), *(gateway_class(f"class-{number}") for number in range(5)))
    assert message(found, kinds.GATEWAY_CONFIG, CONFIG) == "used by 6 GatewayClasses"
    assert len(classes(found, kinds.GATEWAY_CONFIG, CONFIG)) == 6


def test_gateways_do_not_show() -> None:
    found = bench(*healthy())
    before = found.snapshot
    found.run(gateway("one"), gateway("two"))
    told = found.snapshot.since(before).statuses
    assert {slot.kind for slot in told} == {kinds.GATEWAY}


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (gateway_config(dataplane="nowhere"), "Dataplane nowhere not found"),
        (deleted(dataplane()), "Dataplane default not found"),
        (gateway_config(password=None), "spec.password of GatewayConfig media/turn is missing"),
        (gateway_config(authRef={"name": "nowhere"}), "Secret media/nowhere not found"),
    ],
)
def test_what_is_wrong_with_a_config_is_named_and_heals(fault: Applied | Deleted, named: str) -> None:
    broken = bench(*healthy(), fault)
    assert accepted(broken, kinds.GATEWAY_CONFIG, CONFIG) == "False/InvalidParameters"
    said = message(broken, kinds.GATEWAY_CONFIG, CONFIG)
    assert named in said
    assert said.endswith("not accepted for that: GatewayClass turn")
    assert PASSWORD not in said
    assert USER not in said
    broken.run(gateway_config(), dataplane())
    assert accepted(broken, kinds.GATEWAY_CONFIG, CONFIG) == "True/Accepted"


def test_a_config_is_in_order_where_one_of_its_classes_is_accepted() -> None:
    # In legacy mode two classes would write one ConfigMap.
    found = bench(*healthy(), born("older", 2024), born("turn", 2025), settings=LEGACY)
    assert accepted(found, kinds.GATEWAY_CONFIG, CONFIG) == "True/Accepted"
    assert "GatewayClass turn is not accepted: GatewayClass older" in message(found, kinds.GATEWAY_CONFIG, CONFIG)


def test_warnings_of_the_config_and_of_the_dataplane_are_told() -> None:
    env = [{"name": "STUNNER_NAME", "value": PASSWORD}]
    found = bench(*healthy(), gateway_config(minPort=10000), dataplane(env=env))
    assert "spec.minPort of the GatewayConfig has no effect" in message(found, kinds.GATEWAY_CONFIG, CONFIG)
    said = message(found, kinds.DATAPLANE, DEFAULT)
    assert "env STUNNER_NAME of the Dataplane is left out" in said
    assert PASSWORD not in said


@pytest.mark.parametrize(
    ("config", "verdict"),
    [
        (gateway_config("spare"), "True/Accepted"),
        (gateway_config("spare", userName=None), "False/InvalidParameters"),
        # Whether a Dataplane is needed is for the operator of a class to say.
        (gateway_config("spare", dataplane="nowhere"), "True/Accepted"),
    ],
)
def test_a_config_that_no_class_uses_is_judged_alone(config: Applied, verdict: str) -> None:
    found, spare = bench(*healthy(), config), Key("media", "spare")
    assert accepted(found, kinds.GATEWAY_CONFIG, spare) == verdict
    assert classes(found, kinds.GATEWAY_CONFIG, spare) == []
    if verdict.startswith("True"):
        assert message(found, kinds.GATEWAY_CONFIG, spare).startswith("used by no GatewayClass: ")


def test_a_dataplane_that_no_class_uses_says_the_same_in_either_mode() -> None:
    said = [
        found.status(kinds.DATAPLANE, Key("", "spare"))
        for found in (bench(*healthy(), dataplane("spare")), bench(*healthy(), dataplane("spare"), settings=LEGACY))
    ]
    assert said[0] == said[1]
    assert said[0].conditions[0].message.startswith("used by no GatewayClass: ")


def test_a_dataplane_has_no_effect_in_legacy_mode() -> None:
    found = bench(*healthy(), settings=LEGACY)
    assert "without effect: in legacy mode" in message(found, kinds.DATAPLANE, DEFAULT)


def test_what_a_class_of_another_controller_used_first_is_written_by_that_one() -> None:
    theirs, ours = born("theirs", 2024, controller=OTHER), born("turn", 2025)
    found = bench(*healthy(), ours, theirs)
    assert StatusSlot(kinds.GATEWAY_CONFIG, CONFIG) not in found.snapshot.statuses
    assert StatusSlot(kinds.DATAPLANE, DEFAULT) not in found.snapshot.statuses
    found.run(born("theirs", 2026, controller=OTHER))
    assert classes(found, kinds.GATEWAY_CONFIG, CONFIG) == ["theirs", "turn"]
    assert accepted(found, kinds.GATEWAY_CONFIG, CONFIG) == "True/Accepted"


def test_of_another_controllers_class_nothing_is_judged() -> None:
    found = bench(*healthy(), born("turn", 2025), born("theirs", 2026, controller=OTHER), gateway_config(password=None))
    assert classes(found, kinds.GATEWAY_CONFIG, CONFIG) == ["theirs", "turn"]
    assert message(found, kinds.GATEWAY_CONFIG, CONFIG).endswith("not accepted for that: GatewayClass turn")


def test_a_config_whose_secret_is_not_read_is_undecided() -> None:
    secret = applied(kinds.SECRET, "login", unread="is still to be read")
    found = bench(*healthy(), gateway_config(authRef={"name": "login"}), secret)
    assert "login" in undecided(found.snapshot.statuses[StatusSlot(kinds.GATEWAY_CONFIG, CONFIG)])


def test_a_status_goes_with_its_object() -> None:
    found = bench(*healthy(), applied(kinds.STATIC_SERVICE, "lab", spec={"prefixes": ["10.0.0.1"]}))
    found.run(deleted(gateway_config()), deleted(dataplane()), deleted(applied(kinds.STATIC_SERVICE, "lab")))
    assert {slot.kind for slot in found.snapshot.statuses} == {kinds.GATEWAY_CLASS}


def static_service(*prefixes: str) -> Bench:
    facts: list[Fact] = [*listed(), applied(kinds.STATIC_SERVICE, "lab", spec={"prefixes": list(prefixes)})]
    return bench(*facts)


def test_prefixes_that_parse() -> None:
    found = static_service("10.0.0.1", "2001:db8::/64")
    assert accepted(found, kinds.STATIC_SERVICE, LAB) == "True/Accepted"
    assert "spec.prefixes is empty" in message(static_service(), kinds.STATIC_SERVICE, LAB)


def test_prefixes_that_do_not_are_named_by_their_place() -> None:
    found = static_service("10.0.0.1", "10.0.0.300", "lab")
    assert accepted(found, kinds.STATIC_SERVICE, LAB) == "False/UnsupportedValue"
    assert message(found, kinds.STATIC_SERVICE, LAB).startswith(
        "spec.prefixes[1] '10.0.0.300', spec.prefixes[2] 'lab':"
    )


def test_thousands_of_them_are_counted() -> None:
    said = message(static_service(*("x" * 1000 for _ in range(1000))), kinds.STATIC_SERVICE, LAB)
    assert "and 990 more" in said
    assert len(said) < 2000
