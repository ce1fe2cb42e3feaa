"""The fold of holding, one pure step at a time."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.dataplane.configs import Auth, RelayPorts
from stunnergw.opaque import Opaque
from stunnergw.projection.certificates import (
    Certificate,
    CertificateToday,
    GatewayCertificates,
    ListenerCertificate,
    hold_certificate,
)
from stunnergw.projection.classes import ClassHold
from stunnergw.projection.holding import HeldClass, step, step_certificates
from stunnergw.projection.parameters import Parameters
from stunnergw.resources.metadata import Key
from stunnergw.resources.modelling import EMPTY_MAP
from stunnergw.store.indexes import GatewayItem
from tests.support.objects import CORE, EDGE

AUTH, NEWER_AUTH = Auth("static", "realm", ()), Auth("ephemeral", "realm", ())
FIRST, SECOND = GatewayItem(EDGE, "1"), GatewayItem(CORE, "2")
AGAIN = GatewayItem(EDGE, "3")


def parameters(log_level: str = "all:INFO") -> Parameters:
    return Parameters(
        "turn", EDGE, log_level, 0, EMPTY_MAP, "v1", True, "stunnerd-config", RelayPorts(), "", None
    )  # fmt: skip


def accepted(*naming: GatewayItem, log_level: str = "all:INFO", auth: Auth = AUTH) -> ClassHold:
    return ClassHold(parameters(log_level), auth, "", naming)


def broken(*naming: GatewayItem) -> ClassHold:
    return ClassHold(None, None, "why", naming)


def held(*gateways: GatewayItem, log_level: str = "all:INFO", auth: Auth = AUTH) -> HeldClass:
    return HeldClass(parameters(log_level), auth, frozenset(gateways))


@pytest.mark.parametrize(
    ("old", "today", "new"),
    [
        (None, accepted(FIRST), held(FIRST)),
        (None, accepted(), held()),
        (None, broken(FIRST), None),
        (held(FIRST), broken(FIRST), held(FIRST)),
        (held(FIRST), broken(FIRST, SECOND), held(FIRST)),
        (held(FIRST, SECOND), broken(SECOND), held(SECOND)),
        (held(FIRST), broken(AGAIN), None),
        (held(FIRST), broken(), None),
        (held(), broken(FIRST), None),
        (held(FIRST), accepted(SECOND, log_level="all:TRACE"), held(SECOND, log_level="all:TRACE")),
        (held(FIRST), accepted(FIRST, auth=NEWER_AUTH), held(FIRST, auth=NEWER_AUTH)),
    ],
    ids=[
        "accepted for the first time", "accepted without Gateways", "never accepted", "breaks", "a newcomer",
        "one goes", "made anew", "nobody names it", "nobody ran", "changes hands", "another password",
    ],
)  # fmt: skip
def test_a_step(old: HeldClass | None, today: ClassHold, new: HeldClass | None) -> None:
    assert step(old, today) == new
    # The same again changes nothing: what is lent to a fresh projection stays as it is.
    assert step(new, today) == new


HERE, THERE = Key("media", "cert"), Key("vault", "cert")


def pair(secret: Key = HERE, text: str = "x") -> Certificate:
    return Certificate(Opaque.of(f"{text} certificate"), Opaque.of(f"{text} key"), secret)


def today(usable: Certificate | None = None, **more: Any) -> CertificateToday:
    return CertificateToday(usable, None, **more)


@pytest.mark.parametrize(
    ("old", "now", "new"),
    [
        (None, today(pair()), pair()),
        (pair(), today(pair(text="y")), pair(text="y")),
        (pair(), today(), pair()),
        (None, today(), None),
        (pair(THERE), today(named=frozenset({THERE})), pair(THERE)),
        (pair(THERE), today(named=frozenset({THERE}), denied=frozenset({THERE})), None),
        (pair(THERE), today(), None),
    ],
    ids=[
        "usable", "renewed", "gone", "never there", "gone, from elsewhere", "grant revoked", "from elsewhere, unnamed",
    ],
)  # fmt: skip
def test_a_certificate_is_held_unless_its_grant_goes(
    old: Certificate | None, now: CertificateToday, new: Certificate | None
) -> None:
    assert hold_certificate(old, now, EDGE) == new


def test_a_listener_that_cannot_be_told_stays_and_one_that_is_gone_does_not() -> None:
    old = {"untold": pair(), "gone": pair(), "told": pair()}
    told = ListenerCertificate("told", today(pair(text="y")))
    untold = ListenerCertificate("untold", today(unread="not read yet"))
    now = GatewayCertificates("uid", (told, untold))
    assert step_certificates(old, now, EDGE) == {"untold": pair(), "told": pair(text="y")}
