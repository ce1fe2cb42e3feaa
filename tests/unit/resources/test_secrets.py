"""Secrets as they come in: facts worked out once, values shown to nobody, errors that quote nothing."""

from __future__ import annotations

import copy
import json
import pickle
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from stunnergw.errors import InvalidObject
from stunnergw.opaque import Opaque, SecretFacts
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.resources.parsing import parse
from stunnergw.resources.secrets import EMPTY_SECRET, LONGEST_TYPE, UNUSABLE_TYPE, Secret, SecretData
from stunnergw.sources.defaulting import completed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TURN = Key("media", "turn")
VALUE = b"5ecret-0f-turn"
FORMS = (VALUE.decode(), b64encode(VALUE).decode(), VALUE.hex())
"""Every form in which the value could be shown by mistake."""


def encoded(values: Mapping[str, bytes]) -> dict[str, str]:
    return {name: b64encode(value).decode() for name, value in values.items()}


def secret(**parts: Any) -> Secret:
    return parse(kinds.SECRET, {"metadata": {"name": "cert", "namespace": "media"}, **parts})


def refusal(**parts: Any) -> str:
    with pytest.raises(InvalidObject) as caught:
        secret(**parts)
    return str(caught.value)


@pytest.fixture(scope="session")
def pair() -> tuple[bytes, bytes]:
    """A certificate and its key."""
    made = trustme.CA().issue_cert("turn.example.org")
    return made.cert_chain_pems[0].bytes(), made.private_key_pem.bytes()


# Facts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        (b"pa55", SecretFacts(text=True, empty=False, plain=True, newline=False)),
        (b"pa55\n", SecretFacts(text=True, empty=False, plain=False, newline=True)),
        (b"", SecretFacts(text=True, empty=True, plain=True, newline=False)),
        ("pä55".encode(), SecretFacts(text=True, empty=False, plain=False, newline=False)),
        (b"\xff\xfe", SecretFacts(text=False, empty=False, plain=False, newline=False)),
        (b"\xff\n", SecretFacts(text=False, empty=False, plain=False, newline=True)),
    ],
    ids=["plain", "newline", "empty", "beyond ASCII", "no text", "no text, newline"],
)
def test_facts_of_a_value(value: bytes, facts: SecretFacts) -> None:
    found = secret(data=encoded({"password": value})).data.get("password")
    assert found is not None
    assert (found.facts, found.reveal()) == (facts, value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"ephemeral", "ephemeral"),
        (b" static\n", "static"),
        (b"", ""),
        (b"x" * LONGEST_TYPE, "x" * LONGEST_TYPE),
        (b"x" * (LONGEST_TYPE + 1), UNUSABLE_TYPE),
        ("éphémère".encode(), UNUSABLE_TYPE),
        (b"\xff", UNUSABLE_TYPE),
    ],
)
def test_the_word_of_key_type(value: bytes, told: str) -> None:
    assert secret(data=encoded({"type": value})).data.auth_type == told


def test_without_data() -> None:
    for found in (secret(), secret(data=None), secret(data={})):
        assert (found.data.names(), found.data.auth_type, found.data.pair, found.unread) == ((), "", None, "")
        assert found.data == EMPTY_SECRET


def test_names_are_sorted_and_a_missing_key_is_none() -> None:
    data = secret(data=encoded({"b": b"2", "a": b"1"})).data
    assert data.names() == ("a", "b")
    assert data.get("c") is None


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (("tls.crt", "tls.key"), True),
        (("crt", "key"), True),
        (("cert", "key"), True),
        (("tls.crt", "key"), True),
        (("cert", "tls.key"), True),
        (("tls.crt", "tls.crt.key"), False),
        (("certificate", "tls.key"), False),
        (("TLS.CRT", "TLS.KEY"), False),
    ],
)
def test_where_a_pair_stands(pair: tuple[bytes, bytes], names: tuple[str, str], taken: bool) -> None:
    found = secret(data=encoded(dict(zip(names, pair, strict=True)))).data.pair
    assert (found is not None) is taken
    if found is not None:
        assert (found.certificate.reveal(), found.key.reveal()) == tuple(map(b64encode, pair))
        assert (found.problem, found.not_after[-1]) == ("", "Z")


def test_the_first_name_of_each_counts(pair: tuple[bytes, bytes]) -> None:
    certificate, key = pair
    both = {"tls.crt": certificate, "tls.key": key, "crt": b"no", "cert": b"no", "key": b"no"}
    found = secret(data=encoded(both)).data.pair
    assert found is not None
    assert found.problem == ""
    shadowed = secret(data=encoded({**both, "tls.key": b"no"})).data.pair
    assert shadowed is not None
    assert "private key" in shadowed.problem


def test_line_breaks_in_base64_mean_nothing() -> None:
    text = b64encode(VALUE).decode()
    assert secret(data={"a": f"{text[:4]}\n {text[4:]}\n"}).data == secret(data={"a": text}).data


# Equality -----------------------------------------------------------------------------------------------------


def test_equal_by_values_and_facts(pair: tuple[bytes, bytes]) -> None:
    values = {"tls.crt": pair[0], "tls.key": pair[1], "type": b"static"}
    one, other = SecretData.of(values), SecretData.of(dict(reversed(values.items())))
    assert (one, hash(one), repr(one)) == (other, hash(other), repr(other))
    assert one != SecretData.of({**values, "type": b"ephemeral"})
    assert one != SecretData.of({**values, "more": b""})
    assert one != SecretData.of(values, key=b"another key")
    assert one != "a text"


def test_a_version_of_the_same_is_no_change_and_a_value_is() -> None:
    def of(version: str, value: bytes) -> Secret:
        return parse(
            kinds.SECRET,
            {"metadata": {"name": "cert", "resourceVersion": version}, "data": encoded({"a": value})},
        )

    assert of("1", VALUE) == of("2", VALUE)
    assert of("1", VALUE) != of("1", VALUE + b"!")


def test_unread_is_a_fact() -> None:
    assert secret(unread="not read yet").unread == "not read yet"
    assert secret(unread="not read yet") != secret()


# Nothing shows a value ----------------------------------------------------------------------------------------

SHOWN: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "repr of data": lambda found: repr(found.data),
    "JSON": lambda found: kinds.SECRET.adapter.dump_json(found).decode(),
    "Python": lambda found: repr(kinds.SECRET.adapter.dump_python(found)),
    "json with str": lambda found: json.dumps(found, default=str),
    "pair": lambda found: repr(found.data.pair),
    "pickled values": lambda found: repr(pickle.dumps([found.data.get(name) for name in found.data.names()])),
    "deepcopy": lambda found: repr(copy.deepcopy(found)),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_no_way_of_showing_it_shows_a_value(show: Callable[[Secret], str]) -> None:
    found = secret(data=encoded({"password": VALUE, "tls.crt": VALUE, "tls.key": VALUE}))
    assert not [form for form in FORMS if form in show(found)]


def test_json_holds_digests_by_key() -> None:
    found = secret(data=encoded({"password": VALUE}))
    written = json.loads(kinds.SECRET.adapter.dump_json(found))
    assert written["data"] == {"password": str(Opaque.of(VALUE))}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"password": VALUE.decode()}, "the value of key password is not base64: use stringData"),
        ({"password": b64encode(VALUE).decode()[:-3]}, "the value of key password is not base64"),
        ({"password": f"{VALUE.decode()}ü"}, "the value of key password is not base64"),
        ({"password": [VALUE.decode()]}, "the value of key password should be base64 text"),
        ({"password": 5}, "the value of key password should be base64 text"),
        (VALUE.decode(), "should be a map of base64 texts"),
        ([VALUE.decode()], "should be a map of base64 texts"),
    ],
    ids=["plain text", "cut off", "beyond ASCII", "a list", "a number", "no map", "a list of data"],
)
def test_what_is_no_base64_is_named_and_not_quoted(data: Any, words: str) -> None:
    said = refusal(data=data)
    assert said.startswith("Secret media/cert: data: ")
    assert words in said
    assert not [form for form in FORMS if form in said]


# Manifests ----------------------------------------------------------------------------------------------------


def test_string_data_of_a_manifest_stands_over_data() -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "turn", "namespace": "media"},
        "stringData": {"password": "new\n", "type": "ephemeral"},
        "data": encoded({"password": b"old", "username": b"user"}),
    }
    found = parse(kinds.SECRET, completed(kinds.SECRET, TURN, body)).data
    assert found == SecretData.of({"password": b"new\n", "type": b"ephemeral", "username": b"user"})
    assert found.auth_type == "ephemeral"


@pytest.mark.parametrize("plain", [{"password": 5}, {"password": [VALUE.decode()]}, VALUE.decode()])
def test_string_data_that_is_no_text_is_not_quoted(plain: Any) -> None:
    body = {"metadata": {"name": "turn", "namespace": "media"}, "stringData": plain}
    whole = completed(kinds.SECRET, TURN, body)
    try:
        said = repr(parse(kinds.SECRET, whole))
    except InvalidObject as error:
        said = str(error)
    assert not [form for form in FORMS if form in said]
