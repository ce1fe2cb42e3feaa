"""Credentials out of a Secret: it decides alone, what is wrong with it is named, and what cannot be read waits."""

from __future__ import annotations

from base64 import b64encode
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.projection.snapshots import StatusSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from tests.support.bench import LEGACY, Bench, bench, undecided
from tests.support.objects import (
    CORE,
    EDGE,
    NAMESPACE,
    PASSWORD,
    USER,
    applied,
    deleted,
    gateway,
    gateway_class,
    gateway_config,
    healthy,
    parent,
    route,
    service,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.events.types import Applied, Fact

TURN = Key("", "turn")
REALM = "stunner.l7mp.io"
STATIC = {"username": b"5ecret-user", "password": b"5ecret-pa55"}
SHARED = {"type": b"ephemeral", "secret": b"5hared"}
UNREAD = "not read yet"
EMPTY: Mapping[str, bytes] = MappingProxyType({})


def secret(values: Mapping[str, bytes] = EMPTY, *, namespace: str = NAMESPACE, unread: str = "") -> Applied:
    data = {key: b64encode(value).decode() for key, value in values.items()}
    return applied(kinds.SECRET, "auth", namespace=namespace, data=data, unread=unread)


def of(*facts: Fact, ref: dict[str, Any] | None = None, **config: Any) -> Bench:
    """Make a world whose GatewayConfig names Secret ``auth`` and has inline credentials beside it."""
    return bench(*healthy(authRef={"name": "auth", **(ref or {})}, **config), gateway(), *facts)


def accepted(found: Bench, key: Key = TURN) -> str:
    return found.conditions(kinds.GATEWAY_CLASS, key)["Accepted"]


def message(found: Bench) -> str:
    return found.message(kinds.GATEWAY_CLASS, TURN, "Accepted")


def auth(found: Bench) -> tuple[str, dict[str, str]]:
    written = found.document(EDGE)["auth"]
    assert written["realm"] == REALM
    return written["type"], written["credentials"]


def clear(values: dict[str, bytes], *names: str) -> dict[str, str]:
    return {name: values[name].decode() for name in names}


# What is taken ------------------------------------------------------------------------------------------------

USERS = clear(STATIC, "password", "username")


@pytest.mark.parametrize(
    ("values", "kind", "credentials"),
    [
        (STATIC, "static", USERS),
        ({**STATIC, "type": b""}, "static", USERS),
        ({**STATIC, "type": b"static"}, "static", USERS),
        ({**STATIC, "type": b"plaintext"}, "static", USERS),
        ({**STATIC, "type": b"static\n"}, "static", USERS),
        ({**STATIC, **SHARED}, "ephemeral", {"secret": "5hared"}),
        ({**SHARED, "type": b"longterm"}, "ephemeral", {"secret": "5hared"}),
        ({**SHARED, "type": b"timewindowed"}, "ephemeral", {"secret": "5hared"}),
        ({"type": b"ephemeral", "sharedSecret": b"by another name"}, "ephemeral", {"secret": "by another name"}),
        ({**SHARED, "sharedSecret": b"not this"}, "ephemeral", {"secret": "5hared"}),
        ({**SHARED, "secret": b"", "sharedSecret": b"this"}, "ephemeral", {"secret": "this"}),
        ({**SHARED, "sharedSecret": b""}, "ephemeral", {"secret": "5hared"}),
    ],
    ids=[
        "no type", "empty type", "static", "plaintext", "a newline behind the type", "ephemeral", "longterm",
        "timewindowed", "sharedSecret", "secret before sharedSecret", "an empty secret",
        "an empty sharedSecret",
    ],
)  # fmt: skip
def test_types_and_keys(values: dict[str, bytes], kind: str, credentials: dict[str, str]) -> None:
    found = of(secret(values))
    assert accepted(found) == "True/Accepted"
    assert auth(found) == (kind, credentials)


def test_the_secret_decides_alone() -> None:
    """Neither the type nor the credentials beside it are looked at."""
    assert auth(of(secret(STATIC), authType="ephemeral", sharedSecret="x")) == ("static", USERS)
    broken = of(secret({"username": b"5ecret-user"}))
    assert accepted(broken) == "False/InvalidParameters"
    assert PASSWORD not in message(broken)


@pytest.mark.parametrize(
    ("ref", "namespace"),
    [
        ({}, NAMESPACE),
        ({"group": ""}, NAMESPACE),
        ({"group": "v1", "kind": "Secret"}, NAMESPACE),
        ({"kind": ""}, NAMESPACE),
        ({"namespace": NAMESPACE}, NAMESPACE),
        ({"namespace": "vault"}, "vault"),
    ],
)
def test_which_secret_is_meant(ref: dict[str, str], namespace: str) -> None:
    elsewhere = "media" if namespace == "vault" else "vault"
    other = secret({"username": b"no", "password": b"no"}, namespace=elsewhere)
    assert auth(of(secret(STATIC, namespace=namespace), other, ref=ref)) == ("static", USERS)


@pytest.mark.parametrize(
    ("ref", "named"),
    [
        ({"group": "apps"}, "apps/Secret"),
        ({"group": "core/v1"}, "core/v1/Secret"),
        ({"group": "core"}, 'core/Secret (the core group is written group: "")'),
        ({"kind": "ConfigMap"}, "core/ConfigMap"),
        ({"kind": "secret"}, "core/secret"),
    ],
)
def test_what_is_no_secret(ref: dict[str, str], named: str) -> None:
    found = of(secret(STATIC), ref=ref)
    assert accepted(found) == "False/InvalidParameters"
    assert f"spec.authRef of GatewayConfig media/turn names {named}" in message(found)


@pytest.mark.parametrize("value", [b"$HOME ${X}", b'"{\\', "pässwörd 🙂".encode(), b"two\nlines", b" spaces "])
def test_odd_values_arrive_byte_for_byte(value: bytes) -> None:
    assert auth(of(secret({"username": b"u", "password": value})))[1]["password"] == value.decode()


# What is wrong with it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"username": b"5ecret"}, "key password of Secret media/auth is missing or empty: auth type static needs it"),
        ({"password": b"5ecret"}, "key username of Secret media/auth is missing or empty"),
        ({**STATIC, "username": b""}, "key username of Secret media/auth is missing or empty"),
        ({}, "of Secret media/auth is missing or empty: auth type static needs it"),
        ({**STATIC, "password": b"\xff\xfe5ecret"}, "key password of Secret media/auth is not UTF-8"),
        ({**STATIC, "type": b"ephemeral"}, "key secret of Secret media/auth is missing or empty: auth type ephemeral"),
        ({"type": b"ephemeral", "sharedSecret": b""}, "key sharedSecret of Secret media/auth is missing or empty"),
        (
            {"type": b"longterm", "secret": b"", "sharedSecret": b""},
            "key secret of Secret media/auth is missing or empty",
        ),
        ({"type": b"longterm", "secret": b"\xff"}, "key secret of Secret media/auth is not UTF-8"),
    ],
)
def test_what_lacks_is_named_by_key_and_secret(values: dict[str, bytes], said: str) -> None:
    found = of(secret(values))
    assert accepted(found) == "False/InvalidParameters"
    assert said in message(found)
    assert "5ecret" not in message(found)
    found.run(secret(STATIC))
    assert accepted(found) == "True/Accepted"


def test_a_missing_secret_is_named_with_what_names_it() -> None:
    found = of()
    assert accepted(found) == "False/InvalidParameters"
    assert "Secret media/auth not found" in message(found)
    assert "spec.authRef of GatewayConfig media/turn" in message(found)
    found.run(secret(STATIC))
    assert accepted(found) == "True/Accepted"


WORDS = [b"5tatic", b"Static", b"NONE", b"static plaintext"]
ODD_WORDS = [
    pytest.param("5täti¢".encode(), id="not ASCII"),
    pytest.param(b"5" * 65, id="long"),
    pytest.param(b"\xff5", id="no text"),
]


@pytest.mark.parametrize("word", [*WORDS, *ODD_WORDS])
def test_a_type_that_is_none_is_refused_and_never_repeated(word: bytes) -> None:
    """Somebody may have put a password there."""
    found = of(secret({**STATIC, "secret": b"x", "type": word}))
    assert accepted(found) == "False/InvalidParameters"
    told = message(found)
    assert "key type of Secret media/auth" in told
    assert "static, plaintext, ephemeral, longterm, timewindowed" in told
    assert word.decode("utf-8", "replace") not in told


@pytest.mark.parametrize("name", ["username", "password"])
def test_a_newline_at_the_end_is_passed_on_and_warned_of(name: str) -> None:
    found = of(secret({**STATIC, name: b"5ecret\n"}))
    assert accepted(found) == "True/Accepted"
    assert auth(found)[1][name] == "5ecret\n"
    assert f"key {name} of Secret media/auth ends in a newline" in message(found)
    assert "5ecret" not in message(found)


def test_no_output_but_the_document_shows_a_value() -> None:
    found = of(secret({**STATIC, "password": b"5ecret-pa55\n"}))
    shown = repr(found.snapshot.statuses) + repr(found.snapshot.objects) + repr(found.snapshot.configs)
    assert [text for text in ("5ecret-user", "5ecret-pa55", USER, PASSWORD) if text in shown] == []


@pytest.mark.parametrize("given", [[], [secret()], [secret(unread=UNREAD)], [secret({"type": b"?"})]])
def test_stun_mode_looks_at_nothing(given: list[Fact]) -> None:
    for auth_type in ("static", "no such type"):
        found = of(*given, stunMode=True, userName=None, authType=auth_type)
        assert accepted(found) == "True/Accepted"
        assert auth(found) == ("none", {})


# Changes ------------------------------------------------------------------------------------------------------


def test_a_new_password_changes_the_document_and_nothing_else() -> None:
    found = of(secret(STATIC))
    found.run(secret({**STATIC, "password": b"another"}))
    changed = found.snapshot.changed
    assert changed.configs == {EDGE}
    assert not changed.objects | changed.statuses
    assert auth(found)[1]["password"] == "another"


def test_a_secret_that_breaks_leaves_what_runs_on_what_is_held() -> None:
    found = of(secret(STATIC))
    before = found.document_bytes(EDGE)
    for fault in (deleted(secret()), secret({"username": b"alone"}), secret({**STATIC, "type": b"?"})):
        found.run(fault)
        assert accepted(found) == "False/InvalidParameters"
        assert found.document_bytes(EDGE) == before
        assert list(found.snapshot.held) == ["turn"]


# What cannot be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [[], [secret(STATIC)]], ids=["from the start", "later"])
def test_an_unread_secret_leaves_everything_as_it_is(before: list[Fact]) -> None:
    found = of(*before)
    found.run(secret(unread=UNREAD))
    slots = [StatusSlot(kinds.GATEWAY_CLASS, TURN), StatusSlot(kinds.GATEWAY, EDGE)]
    outputs = [found.snapshot.configs[EDGE], *found.snapshot.objects.values()]
    for output in (*outputs, *(found.snapshot.statuses[slot] for slot in slots)):
        assert undecided(output) == f"Secret media/auth: {UNREAD}"
    found.run(secret(STATIC))
    assert accepted(found) == "True/Accepted"
    assert auth(found) == ("static", USERS)


def test_a_new_gateway_of_a_class_that_cannot_be_told_waits() -> None:
    found = of(secret(STATIC))
    found.run(secret(unread=UNREAD), gateway("core"))
    assert undecided(found.snapshot.configs[CORE]) == f"Secret media/auth: {UNREAD}"


def test_what_is_held_outlasts_an_unread_secret() -> None:
    """First it cannot be told, then it is known to be gone: the Gateway is served on as before."""
    found = of(secret(STATIC))
    before = found.document_bytes(EDGE)
    found.run(secret(unread=UNREAD))
    found.run(deleted(secret()))
    assert (found.document_bytes(EDGE), accepted(found)) == (before, "False/InvalidParameters")


def spare(*facts: Fact) -> list[Fact]:
    """Add class ``spare``, whose Secret is not read, with Gateway ``core``."""
    config = gateway_config("spare", authRef={"name": "auth"}, stunnerConfig="spare")
    return [gateway_class("spare", config="spare"), config, gateway("core", class_name="spare"), *facts]


def test_other_classes_are_served() -> None:
    found = bench(*healthy(), gateway(), *spare(secret(unread=UNREAD)))
    assert (accepted(found), auth(found)) == ("True/Accepted", ("static", {"password": PASSWORD, "username": USER}))
    undecided(found.snapshot.configs[CORE])
    legacy = bench(*healthy(), gateway(), *spare(secret(unread=UNREAD)), settings=LEGACY)
    assert len(legacy.document(TURN)["listeners"]) == 1
    undecided(legacy.snapshot.configs[Key("", "spare")])


def test_a_route_is_told_of_its_other_parents() -> None:
    calls = route(parents=[parent(), parent("core")])
    found = bench(*healthy(), gateway(), *spare(secret(unread=UNREAD)), calls, service())
    assert found.parents(calls) == [{"Accepted": "True/Accepted", "ResolvedRefs": "True/ResolvedRefs"}, "undecided"]
