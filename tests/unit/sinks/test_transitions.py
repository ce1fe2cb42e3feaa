"""Transitions: which changes of a status are told to a person, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.sinks.transitions import Transition, transitions

US, OTHER = "stunner.l7mp.io/gateway-operator", "example.org/other"


def condition(kind: str, status: str, reason: str = "", message: str = "why") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason or kind, "message": message}


def whole(*conditions: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"conditions": list(conditions), **parts}


def found(before: dict[str, Any], after: dict[str, Any]) -> list[Transition]:
    return transitions(before, after, controller=US)


GOOD, BAD = condition("Accepted", "True"), condition("Accepted", "False", "InvalidParameters")


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (whole(GOOD), "no longer Accepted: why"),
        (whole(condition("Accepted", "Unknown", "Pending")), "not Accepted: why"),
        ({}, "not Accepted: why"),
    ],
)
def test_what_turns_false_is_a_warning(before: dict[str, Any], told: str) -> None:
    assert found(before, whole(BAD)) == [Transition(True, "InvalidParameters", told)]


def test_what_was_false_and_is_true_is_told() -> None:
    assert found(whole(BAD), whole(GOOD)) == [Transition(False, "Accepted", "Accepted now: why")]


def test_what_is_true_in_part_alone_is_a_warning() -> None:
    partly = condition("Accepted", "True", "ListenersNotValid", "accepted: a; not accepted: b")
    assert found(whole(BAD), whole(partly))[0].warning


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, whole(GOOD)),
        (whole(condition("Accepted", "Unknown")), whole(GOOD)),
        (whole(GOOD), whole(condition("Accepted", "Unknown", "Pending"))),
        (whole(BAD), whole(condition("Accepted", "False", "Invalid", "another"))),
        (whole(GOOD), whole({**GOOD, "message": "another"})),
        (whole(condition("Conflicted", "True")), whole()),
        # They repeat what others say, or are of no concern.
        ({}, whole(condition("Ready", "False"), condition("SupportedVersion", "False"))),
        (whole(condition("example.org/Fine", "True")), whole(condition("example.org/Fine", "False"))),
    ],
)
def test_all_else_is_no_news(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert found(before, after) == []


def listener(name: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "conditions": list(conditions)}


def test_a_gateway_that_is_lost_is_told_once() -> None:
    good = [condition(kind, "True") for kind in ("Accepted", "Programmed", "ResolvedRefs")]
    bad = [condition(kind, "False") for kind in ("Accepted", "Programmed", "ResolvedRefs")]
    before = whole(*good, listeners=[listener("udp", *good)])
    after = whole(*bad, listeners=[listener("udp", bad[0], bad[1], good[2])])
    assert found(before, after) == [Transition(True, "Accepted", "no longer Accepted: why")]


def test_an_unusable_certificate_is_told_of_its_listeners() -> None:
    names = [f"tls-{number}" for number in range(5)]
    good = condition("ResolvedRefs", "True")
    before = whole(good, listeners=[listener(name, good, condition("Programmed", "True")) for name in names])
    lost = {name: condition("ResolvedRefs", "False", "InvalidCertificateRef", f"Secret of {name}") for name in names}
    not_programmed = condition("Programmed", "False", "Invalid")
    after = whole(
        condition("ResolvedRefs", "False", "ListenersNotResolved"),
        listeners=[listener(name, lost[name], not_programmed) for name in names],
    )
    said = (
        "listener tls-0, listener tls-1, listener tls-2 and 2 more: no longer ResolvedRefs: Secret of tls-0; "
        "the status says of each why"
    )
    assert found(before, after) == [Transition(True, "InvalidCertificateRef", said)]


def parent(name: str, controller: str, *conditions: dict[str, Any], **ref: Any) -> dict[str, Any]:
    return {"parentRef": {"name": name, **ref}, "controllerName": controller, "conditions": list(conditions)}


def test_of_a_route_each_parent_of_ours_is_told_of() -> None:
    bad = condition("Accepted", "False", "NoMatchingParent")
    before = {"parents": [parent("edge", US, GOOD), parent("edge", OTHER, GOOD), parent("core", US, GOOD)]}
    after = {"parents": [parent("edge", US, bad), parent("edge", OTHER, bad), parent("core", US, GOOD)]}
    assert found(before, after) == [Transition(True, "NoMatchingParent", "parent edge: no longer Accepted: why")]


def test_parents_are_told_apart_by_all_that_they_name() -> None:
    bad = condition("Accepted", "False", "NoMatchingParent")
    one, two = {"sectionName": "udp"}, {"namespace": "media", "port": 3478}
    before = {"parents": [parent("edge", US, GOOD, **one), parent("edge", US, bad, **two)]}
    after = {"parents": [parent("edge", US, bad, **one), parent("edge", US, GOOD, **two)]}
    assert [each.message for each in found(before, after)] == [
        "parent edge section udp: no longer Accepted: why",
        "parent media/edge port 3478: Accepted now: why",
    ]
