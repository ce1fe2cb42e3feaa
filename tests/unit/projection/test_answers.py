"""A Gateway's status waits for what the API server says to its objects, and tells of a refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.events.types import Started, Wrote
from stunnergw.projection.answers import LONGEST_ANSWER
from stunnergw.projection.outputs import Undecided, Want
from stunnergw.projection.snapshots import OwnedSlot, StatusSlot
from stunnergw.resources import kinds
from tests.support.bench import LEGACY, MANAGED, Answer, Bench, undecided
from tests.support.objects import EDGE, applied, dataplane, deleted, exposing, gateway, gateway_class, healthy, listener

if TYPE_CHECKING:
    from stunnergw.settings import Decisions

SERVICE, DEPLOYMENT = OwnedSlot("Service", EDGE), OwnedSlot("Deployment", EDGE)
CLOUD = [{"ip": "198.51.100.1"}]
NO_RANGE = (
    'Service "edge" is invalid: spec.ports[0].nodePort: Invalid value: 1234: provided port is not in the valid range. '
    "The range of valid ports is 30000-32767"
)


def of(*facts: Any, settings: Decisions = MANAGED) -> Bench:
    """A Gateway whose objects are wanted and not answered."""
    found = Bench(settings, answering=False)
    found.run(*healthy(), gateway(), *facts)
    return found


def reason(found: Bench) -> str:
    return undecided(found.snapshot.statuses[StatusSlot(kinds.GATEWAY, EDGE)])


def conditions(found: Bench, name: str = "") -> dict[str, str]:
    return found.conditions(kinds.GATEWAY, EDGE, name)


def programmed(found: Bench, name: str = "") -> str:
    return found.message(kinds.GATEWAY, EDGE, "Programmed", name)


# Waiting ---------------------------------------------------------------------------------------------------------


def test_it_waits_for_each_object_and_says_for_which() -> None:
    found = of()
    assert reason(found) == "the status waits for Service media/edge and Deployment media/edge to be written"
    found.run(Answer(SERVICE))
    assert reason(found) == "the status waits for Deployment media/edge to be written"
    found.run(Answer(DEPLOYMENT))
    assert conditions(found)["Accepted"] == "True/Accepted"


@pytest.mark.parametrize("outcome", ["written", "refused", "failed", "timeout"])
def test_whatever_came_of_a_write_is_an_answer(outcome: str) -> None:
    found = of()
    found.run(Answer(SERVICE, outcome, "no"), Answer(DEPLOYMENT))
    assert conditions(found)["Accepted"] == "True/Accepted"


def test_an_object_that_bears_the_digest_is_an_answer() -> None:
    """So a restart, or another replica, has its statuses without writing anything."""
    found = of()
    found.run(Answer(SERVICE, "seen"), Answer(DEPLOYMENT, "seen"))
    assert programmed(found, "udp") == "no public address: Service media/edge of type LoadBalancer has no " + (
        "load-balancer address; Service media/edge has no node port for UDP 3478; "
        "no Node has an ExternalIP or ExternalDNS address; wait for one of these, or give spec.addresses"
    )


def test_an_answer_to_what_was_wanted_before_is_none() -> None:
    found = of()
    found.run(Answer(SERVICE), Answer(DEPLOYMENT))
    found.run(gateway("edge", listener(port=3479)))
    assert reason(found) == "the status waits for Service media/edge to be written"
    stale = Wrote(kind="Service", key=EDGE, digest="stale", snapshot=1, outcome="written")
    found.run(stale)
    assert reason(found) == "the status waits for Service media/edge to be written"
    found.run(Answer(SERVICE))
    assert conditions(found)["Accepted"] == "True/Accepted"


def test_a_secret_that_changed_is_no_other_object() -> None:
    found = of(dataplane(env=[{"name": "TOKEN", "value": "one"}]))
    found.run(Answer(SERVICE), Answer(DEPLOYMENT))
    found.run(dataplane(env=[{"name": "TOKEN", "value": "two"}]))
    assert found.snapshot.changed.objects == {DEPLOYMENT}
    assert conditions(found)["Accepted"] == "True/Accepted"


def test_legacy_mode_has_no_workload_to_wait_for() -> None:
    found = of(settings=LEGACY)
    assert reason(found) == "the status waits for Service media/edge to be written"
    found.run(Answer(SERVICE))
    assert conditions(found)["Accepted"] == "True/Accepted"


@pytest.mark.parametrize("settings", [replace(MANAGED, standalone=True), replace(MANAGED, dry_run=True)])
def test_where_nothing_is_written_all_counts_as_accepted(settings: Decisions) -> None:
    found = of(settings=settings)
    assert conditions(found)["Accepted"] == "True/Accepted"
    found.run(Answer(SERVICE, "refused", "no"))
    assert "no;" not in programmed(found)


@pytest.mark.parametrize(
    "annotations",
    [
        {"stunner.l7mp.io/service-type": "None", "stunner.l7mp.io/disable-managed-dataplane": "true"},
        {"stunner.l7mp.io/service-type": "ExternalName", "stunner.l7mp.io/disable-managed-dataplane": "true"},
    ],
    ids=["absent", "undecided"],
)
def test_what_is_not_wanted_is_not_waited_for(annotations: dict[str, str]) -> None:
    found = of(gateway(annotations=annotations))
    assert not isinstance(found.snapshot.objects.get(SERVICE), Want)
    assert conditions(found)["Accepted"] == "True/Accepted"


def test_a_gateway_with_nothing_to_serve_waits_for_nothing() -> None:
    found = of(gateway("edge", listener("web", 80, "HTTP")))
    assert conditions(found)["Programmed"] == "False/Invalid"


def test_a_new_run_knows_of_no_answer() -> None:
    found = of()
    found.run(Answer(SERVICE), Answer(DEPLOYMENT))
    found.run(Started(run="again", version="0"), *healthy(), gateway())
    assert reason(found) == "the status waits for Service media/edge and Deployment media/edge to be written"


def test_nothing_but_the_status_rests_on_answers() -> None:
    found = of()
    found.run(Answer(SERVICE), Answer(DEPLOYMENT))
    before = found.snapshot
    found.run(Answer(SERVICE, "refused", "no"), Answer(DEPLOYMENT, "timeout", "no"))
    changed = found.snapshot.since(before)
    assert (changed.configs, changed.objects) == (frozenset(), frozenset())
    assert changed.statuses == {StatusSlot(kinds.GATEWAY, EDGE)}


# Refusals --------------------------------------------------------------------------------------------------------


def test_a_service_that_is_refused() -> None:
    """As recording 41 has it: a node port outside the cluster's range."""
    found = of()
    found.run(Answer(SERVICE, "refused", NO_RANGE), Answer(DEPLOYMENT))
    assert conditions(found) == {
        "Accepted": "True/Accepted",
        "Programmed": "False/AddressNotAssigned",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    assert programmed(found) == (
        f"Service media/edge could not be written as wanted: {NO_RANGE}; mend what it names: the Gateway, its "
        "annotations or the GatewayConfig, else quotas and permissions"
    )
    assert conditions(found, "udp") == {
        "Accepted": "True/Accepted", "Programmed": "False/Pending", "ResolvedRefs": "True/ResolvedRefs"
    }  # fmt: skip
    assert programmed(found, "udp") == (
        "Service media/edge could not be written as wanted: the Gateway's Programmed condition says why"
    )


def test_an_update_that_is_refused_leaves_the_last_one_and_its_addresses() -> None:
    owner = gateway()
    found = of(exposing(owner, ingress=CLOUD))
    found.run(Answer(SERVICE, "refused", NO_RANGE), Answer(DEPLOYMENT))
    assert conditions(found)["Programmed"] == "False/Pending"
    assert programmed(found).endswith("; the last accepted one stays")
    assert found.status(kinds.GATEWAY, EDGE).as_json()["addresses"] == [{"type": "IPAddress", "value": "198.51.100.1"}]


def test_an_address_asked_for_needs_no_service() -> None:
    found = of(gateway(addresses=[{"type": "IPAddress", "value": "203.0.113.7"}]))
    found.run(Answer(SERVICE, "refused", NO_RANGE), Answer(DEPLOYMENT))
    assert conditions(found)["Programmed"] == "False/Pending"


@pytest.mark.parametrize(("outcome", "told"), [("failed", "busy"), ("timeout", "the API server did not answer")])
def test_a_service_that_could_not_be_written_is_tried_again(outcome: str, told: str) -> None:
    found = of()
    found.run(Answer(SERVICE, outcome, told), Answer(DEPLOYMENT))
    assert conditions(found)["Programmed"] == "False/AddressNotAssigned"
    assert programmed(found) == f"Service media/edge could not be written as wanted: {told}; it is tried again"


def standing_workload() -> Any:
    reference = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "name": "edge"}
    owners = [{**reference, "uid": gateway().object.metadata.uid}]
    return applied(kinds.DEPLOYMENT, "edge", meta={"ownerReferences": owners})


def test_a_workload_that_is_refused() -> None:
    owner = gateway()
    found = of(exposing(owner, ingress=CLOUD))
    found.run(Answer(SERVICE), Answer(DEPLOYMENT, "refused", "exceeded quota: pods"))
    assert conditions(found) == {
        "Accepted": "True/Accepted",
        "Programmed": "False/NoResources",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    assert programmed(found) == (
        "Deployment media/edge could not be written as wanted: exceeded quota: pods; mend what it names: the "
        "Dataplane or the Gateway, else quotas and permissions"
    )
    assert programmed(found, "udp").startswith("Deployment media/edge could not be written")
    found.run(standing_workload())
    assert conditions(found)["Programmed"] == "False/Pending"
    assert programmed(found).endswith("; the last accepted one stays")


def test_a_daemon_set_is_named_as_such() -> None:
    found = of(dataplane(dataplaneResource="DaemonSet"))
    found.run(Answer(SERVICE), Answer(OwnedSlot("DaemonSet", EDGE), "refused", "no"))
    assert programmed(found).startswith("DaemonSet media/edge could not be written as wanted: no; mend ")


def test_both_that_are_refused_are_said() -> None:
    found = of()
    found.run(Answer(SERVICE, "refused", "one"), Answer(DEPLOYMENT, "refused", "two"))
    assert ": one; mend" in programmed(found)
    assert ": two; mend" in programmed(found)
    assert programmed(found, "udp").startswith("Service media/edge and Deployment media/edge could not be written")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Service", "Service media/edge belongs to Gateway media/other and is left alone: rename one of the two"),
        ("Deployment", "Deployment media/edge is not ours and is left alone: delete it, or let us have it by a label"),
    ],
)
def test_what_is_not_ours_is_said_in_the_words_of_the_sink(kind: str, said: str) -> None:
    other = SERVICE if kind == "Deployment" else DEPLOYMENT
    found = of()
    found.run(Answer(OwnedSlot(kind, EDGE), "refused", said), Answer(other))
    assert programmed(found) == said


@pytest.mark.parametrize("outcome", ["written", "seen"])
def test_it_heals_when_the_object_is_taken(outcome: str) -> None:
    found = of(exposing(gateway(), ingress=CLOUD))
    found.run(Answer(SERVICE, "refused", "no"), Answer(DEPLOYMENT))
    found.run(Answer(SERVICE, outcome))
    assert "could not be written" not in programmed(found)


def test_another_try_at_something_else_waits_for_its_answer() -> None:
    found = of()
    found.run(Answer(SERVICE, "refused", "no"), Answer(DEPLOYMENT))
    found.run(gateway("edge", listener(port=3479)))
    assert reason(found) == "the status waits for Service media/edge to be written"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            'Post "https://hook.svc:443/": read tcp 10.0.0.1:54321->10.96.0.9:443: i/o timeout',
            'Post "https://hook.svc:443/": read tcp 10.0.0.2:61000->10.96.0.9:443: i/o timeout',
        ),
        (
            "dial tcp [fd00::1]:54321->[fd00::9]:443: refused",
            "dial tcp [fd00::1]:54322->[fd00::9]:443: refused",
        ),
        (
            "denied, request 6f1c1a5e-8f0e-4a54-9c0f-0a1b2c3d4e5f at 2026-01-01T00:00:00.123Z",
            "denied, request 7f1c1a5e-8f0e-4a54-9c0f-0a1b2c3d4e5f at 2026-01-02T10:00:00+01:00",
        ),
        ("one\n  two", "one two"),
    ],
    ids=["connection", "IPv6", "request", "lines"],
)
def test_the_same_refusal_rewrites_nothing(one: str, other: str) -> None:
    found = of()
    found.run(Answer(SERVICE, "failed", one), Answer(DEPLOYMENT))
    before = found.snapshot.statuses[StatusSlot(kinds.GATEWAY, EDGE)]
    found.run(Answer(SERVICE, "failed", other))
    assert found.snapshot.statuses[StatusSlot(kinds.GATEWAY, EDGE)] == before


def test_addresses_and_ports_in_a_refusal_stay() -> None:
    said = 'failed calling webhook "a": Post "https://a.svc:443/check": dial tcp 10.96.0.9:443: connect: refused'
    found = of()
    found.run(Answer(SERVICE, "failed", said), Answer(DEPLOYMENT))
    assert said in programmed(found)


def test_a_long_refusal_is_cut() -> None:
    found = of()
    found.run(Answer(SERVICE, "refused", "x" * 50_000), Answer(DEPLOYMENT))
    assert f"{'x' * (LONGEST_ANSWER - 1)}…; mend" in programmed(found)
    assert len(programmed(found)) < LONGEST_ANSWER + 300


def test_a_refusal_without_words_is_said_all_the_same() -> None:
    found = of()
    found.run(Answer(SERVICE, "refused"), Answer(DEPLOYMENT))
    assert ": no reason was given; mend" in programmed(found)


def test_a_broken_class_is_the_nearer_reason() -> None:
    found = of()
    found.run(Answer(SERVICE, "refused", "no"), Answer(DEPLOYMENT))
    found.run(gateway_class(config=None))
    assert conditions(found) == {
        "Accepted": "False/InvalidParameters",
        "Programmed": "False/Invalid",
        "ResolvedRefs": "True/ResolvedRefs",
    }


def test_a_gateway_that_is_gone_has_no_status_to_wait() -> None:
    found = of()
    found.run(deleted(gateway()))
    assert StatusSlot(kinds.GATEWAY, EDGE) not in found.snapshot.statuses
    assert not [output for output in found.snapshot.statuses.values() if isinstance(output, Undecided)]
