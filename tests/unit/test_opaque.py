from __future__ import annotations

import ast
import base64
import copy
import dataclasses
import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import stunnergw
from stunnergw.opaque import CONTEXT_KEY, PLAIN, Opaque, SecretFacts, facts_of

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "hunter2-hunter2"
FORMS = (SECRET, base64.b64encode(SECRET.encode()).decode(), SECRET.encode().hex(), SECRET[::-1])
KEY = b"k" * 32

# Who may open a secret, by module, and why.
MAY_REVEAL = {
    "dataplane/documents.py": "stunnerd is served its credentials in clear",
    "sinks/applying.py": "a ConfigMap carries its document in clear",
}


@dataclasses.dataclass
class Holder:
    secret: Opaque


SHOWN: dict[str, Callable[[Opaque], str]] = {
    "str": str,
    "repr": repr,
    "format": lambda opaque: f"{opaque}",
    "percent": lambda opaque: "%s %r" % (opaque, opaque),  # noqa: UP031
    "in a list": lambda opaque: str([opaque]),
    "in a dataclass": lambda opaque: repr(Holder(opaque)),
    "as a dict": lambda opaque: repr(dataclasses.asdict(Holder(opaque))),
    "pickle": lambda opaque: repr(pickle.dumps(opaque)),
    "old pickle": lambda opaque: repr(pickle.dumps(opaque, 0)),
    "copy": lambda opaque: repr(copy.copy(opaque)),
    "deepcopy": lambda opaque: repr(copy.deepcopy({"a": opaque})),
    "pydantic JSON": lambda opaque: TypeAdapter(Opaque).dump_json(opaque).decode(),
    "pydantic Python": lambda opaque: repr(TypeAdapter(Opaque).dump_python(opaque)),
    "json with str": lambda opaque: json.dumps(opaque, default=str),
    "orjson with repr": lambda opaque: orjson.dumps(opaque, default=repr).decode(),
    "redacted": lambda opaque: repr(opaque.redacted) + repr(opaque.redacted.reveal()),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_nothing_shows_the_value(show: Callable[[Opaque], str]) -> None:
    opaque = Opaque.of(SECRET)
    shown = show(opaque)
    assert opaque.digest in shown
    assert not [form for form in FORMS if form in shown]


@pytest.mark.parametrize("dumps", [json.dumps, orjson.dumps], ids=["json", "orjson"])
def test_json_needs_somebody_who_says_how(dumps: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError) as caught:
        dumps({"password": Opaque.of(SECRET)})
    assert SECRET not in str(caught.value)


@given(st.binary())
def test_reveal_gives_back_every_byte(value: bytes) -> None:
    assert Opaque.of(value).reveal() == value


def test_a_redacted_one_reveals_what_stands_for_it() -> None:
    opaque = Opaque.of(SECRET)
    assert opaque.redacted.reveal() == str(opaque).encode()
    assert opaque.redacted == opaque
    assert opaque.redacted.facts == opaque.facts


def test_pickle_gives_a_redacted_one() -> None:
    opaque = Opaque.of(SECRET)
    loaded = pickle.loads(pickle.dumps(opaque))
    assert loaded == opaque
    assert loaded.facts == opaque.facts
    assert loaded.reveal() == str(opaque).encode()


def test_copies_are_the_thing_itself() -> None:
    opaque = Opaque.of(SECRET)
    assert copy.copy(opaque) is opaque
    assert copy.deepcopy([opaque])[0] is opaque


def test_equal_values_are_equal_under_one_key() -> None:
    assert Opaque.of(SECRET) == Opaque.of(SECRET.encode())
    assert hash(Opaque.of(SECRET)) == hash(Opaque.of(SECRET))
    assert Opaque.of(SECRET) != Opaque.of(SECRET + "\n")
    assert Opaque.of(SECRET) != Opaque.of(SECRET, key=KEY)
    assert Opaque.of(SECRET) != SECRET
    assert Opaque.of(SECRET) != Opaque.of(SECRET).digest


def test_values_are_compared_whatever_made_their_digests() -> None:
    one = Opaque.of(SECRET)
    given = Opaque(SECRET.encode(), digest="a digest of something else", facts=one.facts)
    assert one.same_value(given)
    assert given.same_value(Opaque.of(SECRET, key=KEY))
    assert not one.same_value(Opaque.of(SECRET + "\n"))
    assert one.redacted.same_value(one)
    assert one.same_value(one.redacted)
    assert not one.redacted.same_value(Opaque.of(SECRET, key=KEY))


def test_digests_are_keyed() -> None:
    assert Opaque.of(SECRET, key=KEY).digest == Opaque.of(SECRET, key=KEY).digest
    assert len({Opaque.of(SECRET, key=bytes([number]) * 32).digest for number in range(10)}) == 10


def test_it_is_immutable() -> None:
    opaque = Opaque.of(SECRET)
    with pytest.raises(AttributeError, match="immutable"):
        opaque.digest = "x"
    assert not hasattr(opaque, "__dict__")


def test_it_cannot_be_taken_apart() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        del Opaque.of(SECRET).digest


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        (b"", SecretFacts(text=True, empty=True, plain=True, newline=False)),
        (b"user-1", SecretFacts(text=True, empty=False, plain=True, newline=False)),
        (b"user 1", SecretFacts(text=True, empty=False, plain=False, newline=False)),
        (b"user-1\n", SecretFacts(text=True, empty=False, plain=False, newline=True)),
        ("ü".encode(), SecretFacts(text=True, empty=False, plain=False, newline=False)),
        (b"\xff", SecretFacts(text=False, empty=False, plain=False, newline=False)),
        (b"\xff\n", SecretFacts(text=False, empty=False, plain=False, newline=True)),
    ],
)
def test_facts(value: bytes, facts: SecretFacts) -> None:
    assert facts_of(value) == Opaque.of(value).facts == facts


def test_plain_characters_are_those_of_the_schema() -> None:
    punctuation = "".join(sorted(character for character in PLAIN if not character.isalnum()))
    assert punctuation == "".join(sorted("!#$%&'*+-.^_`|~"))
    assert len(PLAIN) == 62 + 15


def test_pydantic_makes_one_with_the_key_of_its_context() -> None:
    adapter = TypeAdapter(Opaque)
    assert adapter.validate_python(SECRET, context={CONTEXT_KEY: KEY}) == Opaque.of(SECRET, key=KEY)
    assert adapter.validate_json(json.dumps(SECRET)) == Opaque.of(SECRET)
    opaque = Opaque.of(SECRET)
    assert adapter.validate_python(opaque) is opaque
    assert adapter.json_schema() == {"type": "string"}


@pytest.mark.parametrize("value", [[SECRET], {SECRET: SECRET}, SECRET.encode()])
def test_errors_of_pydantic_do_not_quote(value: Any) -> None:
    adapter = TypeAdapter(Opaque, config={"hide_input_in_errors": True})
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    assert SECRET not in str(caught.value)
    (error,) = caught.value.errors(include_input=False)
    assert SECRET not in repr(error)
    assert error["msg"] == "should be a string"


def test_secrets_are_opened_in_these_modules_alone() -> None:
    package = Path(stunnergw.__file__).parent
    # Any mention counts, a call or not: `map(Opaque.reveal, …)` opens too.
    opening = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"reveal", "_value"}
    }
    assert opening - {"opaque.py"} == set(MAY_REVEAL)
