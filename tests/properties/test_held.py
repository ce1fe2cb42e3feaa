"""Holding: what runs keeps running while its class is broken, for those who ran, and no longer than somebody does.

A small story in managed mode and in legacy mode, and over all generated histories: only Gateways that named the class
while it was in order are held for, and a class that nobody names holds nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from stunnergw.projection.outputs import Want
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.store.indexes import GATEWAYS_BY_CLASS
from tests.support.bench import LEGACY, MANAGED, Bench, bench, undecided
from tests.support.objects import (
    CORE,
    EDGE,
    dataplane,
    deleted,
    endpoint_slice,
    gateway,
    gateway_class,
    gateway_config,
    healthy,
    listener,
    route,
    service,
)
from tests.support.worlds import SETTINGS, histories

if TYPE_CHECKING:
    from stunnergw.events.types import Applied, Deleted
    from stunnergw.settings import Decisions
    from tests.support.worlds import Run

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

TURN = Key("", "turn")
BROKEN = gateway_class(config=None)
YOUNGER = gateway("core", listener("more", 3479))

BREAKERS = pytest.mark.parametrize(
    "breaker",
    [BROKEN, deleted(gateway_config()), gateway_config(password=""), deleted(dataplane())],
    ids=["no parametersRef", "no GatewayConfig", "no password", "no Dataplane"],
)


def running(settings: Decisions = MANAGED) -> Bench:
    """A Gateway that serves a route to one pod."""
    return bench(*healthy(), gateway(), route(), service(), endpoint_slice("sfu-1", "10.244.0.1"), settings=settings)


def where(settings: Decisions) -> Key:
    return EDGE if settings is MANAGED else TURN


def endpoints(held: Bench, key: Key) -> list[str]:
    return [text for cluster in held.document(key).get("clusters", []) for text in cluster.get("endpoints", [])]


@BREAKERS
def test_what_ran_is_served_on_and_said(breaker: Applied | Deleted) -> None:
    held = running()
    before = held.document_bytes(EDGE), held.owned(EDGE)
    held.run(breaker)
    assert (held.document_bytes(EDGE), held.owned(EDGE)) == before
    assert list(held.snapshot.held) == ["turn"]
    assert held.conditions(kinds.GATEWAY_CLASS, TURN)["Accepted"] == "False/InvalidParameters"
    assert held.conditions(kinds.GATEWAY, EDGE) == {
        "Accepted": "False/InvalidParameters",
        "Programmed": "False/Invalid",
        "ResolvedRefs": "True/ResolvedRefs",
    }


@BREAKERS
def test_a_gateway_made_meanwhile_is_undecided(breaker: Applied | Deleted) -> None:
    held = running()
    held.run(breaker)
    held.run(YOUNGER)
    undecided(held.snapshot.configs[CORE])
    assert isinstance(held.snapshot.configs[EDGE], Want)
    held.run(gateway_class(), gateway_config(), dataplane())
    assert isinstance(held.snapshot.configs[CORE], Want)
    assert held.snapshot.held == {}


def test_a_gateway_made_anew_under_the_same_name_is_another() -> None:
    held = running()
    held.run(BROKEN)
    held.run(gateway(meta={"uid": "another"}))
    undecided(held.snapshot.configs[EDGE])
    assert held.snapshot.held == {}


@pytest.mark.parametrize("settings", [MANAGED, LEGACY], ids=["managed", "legacy"])
def test_pods_may_roll_and_routes_may_go(settings: Decisions) -> None:
    held, key = running(settings), where(settings)
    held.run(BROKEN)
    held.run(endpoint_slice("sfu-1", "10.244.0.2"))
    assert endpoints(held, key) == ["10.244.0.2"]
    held.run(deleted(route()))
    assert endpoints(held, key) == []
    assert held.document(key)["listeners"]


def test_a_legacy_document_leaves_newcomers_out() -> None:
    held = running(LEGACY)
    before = held.document_bytes(TURN)
    held.run(BROKEN, YOUNGER)
    assert held.document_bytes(TURN) == before


def test_a_password_changed_while_the_class_is_broken_is_not_served() -> None:
    held = running()
    before = held.document_bytes(EDGE)
    held.run(BROKEN, gateway_config(password="another"))
    assert held.document_bytes(EDGE) == before
    held.run(gateway_class())
    assert held.document(EDGE)["auth"]["credentials"]["password"] == "another"


@pytest.mark.parametrize("left", [deleted(gateway()), gateway(class_name="other")], ids=["deleted", "moved"])
def test_nobody_names_it_so_nothing_is_held(left: Applied | Deleted) -> None:
    held = running()
    held.run(BROKEN)
    held.run(left)
    assert held.projection.held.classes == {}
    assert held.projection.engine.held == {}
    held.run(gateway())
    undecided(held.snapshot.configs[EDGE])


@pytest.mark.parametrize("left", [deleted(gateway()), gateway(class_name="other")], ids=["deleted", "moved"])
def test_a_missing_class_that_nobody_names_holds_nothing(left: Applied | Deleted) -> None:
    held = running()
    held.run(deleted(gateway_class()))
    held.run(left)
    assert held.projection.held.classes == {}


def test_who_left_a_missing_class_and_comes_back_is_not_held_for() -> None:
    held = running()
    held.run(deleted(gateway_class()))
    held.run(gateway(class_name="other"))
    held.run(gateway())
    held.run(BROKEN)
    undecided(held.snapshot.configs[EDGE])


def test_another_controllers_class_holds_nothing() -> None:
    held = running()
    held.run(gateway_class(controller="example.org/other"))
    assert held.projection.held.classes == {}
    assert EDGE not in held.snapshot.configs


def test_a_restart_forgets() -> None:
    fresh = bench(*healthy(), BROKEN, gateway())
    undecided(fresh.snapshot.configs[EDGE])
    assert fresh.snapshot.held == {}


# Over all histories -------------------------------------------------------------------------------------------


def naming(held: Bench, name: str) -> set[object]:
    gateways = held.store.select(GATEWAYS_BY_CLASS, name)
    return set(gateways)


@given(histories(), SETTINGS)
def test_only_those_who_ran_are_held_for(runs: list[Run], settings: Decisions) -> None:
    held = Bench(settings, recheck=False)
    for run in runs:
        before = {name: set(entry.gateways) for name, entry in held.projection.held.classes.items()}
        held.run(*run)
        for name in held.snapshot.held:
            kept = set(held.projection.held.classes[name].gateways)
            assert kept <= before.get(name, set()) & naming(held, name)
            assert kept


def differing_statuses(held: Bench, fresh: Bench) -> list[object]:
    ours, others = held.snapshot.statuses, fresh.snapshot.statuses
    return [slot for slot in ours.keys() | others.keys() if ours.get(slot) != others.get(slot)]


@pytest.mark.parametrize(
    ("facts", "settings"),
    [
        ([gateway("edge"), gateway("core", listener("other"))], LEGACY),
        ([dataplane(disableHealthCheck=True), gateway("edge", listener("tcp", 8086, "TURN-TCP"))], MANAGED),
        ([gateway_config(loadBalancerServiceAnnotations={"stunner.l7mp.io/service-type": "odd"}), gateway()], MANAGED),
    ],
    ids=["legacy ports", "stunnerd's own ports", "annotations of the Service"],
)
def test_a_status_does_not_depend_on_what_is_held(facts: list[Applied], settings: Decisions) -> None:
    held = bench(*healthy(), *facts, settings=settings)
    held.run(BROKEN)
    fresh = bench(*healthy(), *facts, BROKEN, settings=settings)
    assert differing_statuses(held, fresh) == []
