"""Bodies as they are applied, and the secrets in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.opaque import Opaque
from stunnergw.projection.bodies import APPLIED, OwnedObject, owned
from stunnergw.resources import kinds
from stunnergw.resources.parsing import parse
from stunnergw.sinks.applying import applied_body, has_secrets, without_secrets

if TYPE_CHECKING:
    from stunnergw.resources.metadata import KubernetesObject

METADATA = {"name": "conf", "namespace": "media"}


def config_map(secret: Opaque) -> OwnedObject:
    return owned({"apiVersion": "v1", "kind": "ConfigMap", "metadata": METADATA, "data": {"stunnerd.conf": secret}})


def deployment(*env: dict[str, Any]) -> OwnedObject:
    return owned({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": METADATA, "spec": pods(*env)})


def pods(*env: dict[str, Any]) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "stunner-daemon", "env": list(env)}]}}}


def test_secrets_are_put_back_and_the_digest_is_added() -> None:
    wanted = config_map(Opaque.of("wonder$land"))
    assert b"wonder" not in wanted.body
    assert "wonder" not in repr(wanted)
    body = applied_body(wanted)
    assert body["data"] == {"stunnerd.conf": "wonder$land"}
    assert body["metadata"]["annotations"] == {APPLIED: wanted.digest}


# What stands there -----------------------------------------------------------------------------------------------


def stored_config_map(**data: str) -> KubernetesObject:
    return parse(kinds.CONFIG_MAP, {"metadata": METADATA, "data": data})


def test_a_document_is_compared_by_its_bytes_and_not_by_its_version() -> None:
    document = Opaque(b"wonderland", digest="its version", facts=Opaque.of("wonderland").facts)
    there = {"stunnerd.conf": "wonderland"}
    assert has_secrets(stored_config_map(**there), config_map(document))
    assert not has_secrets(stored_config_map(**{"stunnerd.conf": "elsewhere"}), config_map(document))
    assert not has_secrets(stored_config_map(other="wonderland"), config_map(document))


@pytest.mark.parametrize(
    ("there", "met"),
    [
        ([{"name": "A", "value": "one"}, {"name": "B"}], True),
        ([{"name": "B", "value": ""}, {"name": "A", "value": "one"}, {"name": "MORE", "value": "theirs"}], True),
        ([{"name": "A", "value": "another"}], False),
        ([{"name": "B", "value": "one"}], False),
        ([{"name": "A", "value": "one"}, {"name": "B", "value": "more"}], False),
        ([], False),
    ],
    ids=["as the API server has it", "more beside", "another value", "elsewhere", "not empty", "none"],
)
def test_variables_are_compared_each_in_its_place(there: list[dict[str, Any]], met: bool) -> None:
    """A value that is empty comes back as none."""
    variables = [{"name": "A", "value": Opaque.of("one")}, {"name": "B", "value": Opaque.of("")}]
    wanted = deployment(*variables, {"name": "STUNNER_NAME", "value": "edge"})
    assert has_secrets(parse(kinds.DEPLOYMENT, {"metadata": METADATA, "spec": pods(*there)}), wanted) is met


def test_an_object_without_secrets_has_them_all() -> None:
    wanted = deployment({"name": "A", "value": "plain"})
    assert has_secrets(parse(kinds.DEPLOYMENT, {"metadata": METADATA}), wanted)


# What the API server says ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("pa55", "Invalid value: pa55"),
        ('p"5', r'Invalid value: "p\"5"'),
        ("a<b>&c", r'Invalid value: {"value":"a\u003cb\u003e\u0026c"}'),
        ('p"5', r'Invalid value: "{\"value\":\"p\\\"5\"}"'),
        ("a&b", r'Invalid value: "{\"value\":\"a\\u0026b\"}"'),
        ("one\ntwo", r'Invalid value: "one\ntwo"'),
    ],
    ids=["plain", "quoted", "as Go writes JSON", "JSON in a string", "Go's JSON in a string", "lines"],
)
def test_secrets_are_blanked_out_however_they_are_spelled(secret: str, said: str) -> None:
    told = without_secrets(said, deployment({"name": "A", "value": Opaque.of(secret)}))
    assert told.replace('{"value":"…"}', "…").replace(r"{\"value\":\"…\"}", "…").replace('"…"', "…") == (
        "Invalid value: …"
    )


@pytest.mark.parametrize("values", [("abc", "abcdef"), ("abcdef", "abc")])
def test_of_a_secret_that_holds_another_nothing_is_left(values: tuple[str, str]) -> None:
    env = [{"name": name, "value": Opaque.of(value)} for name, value in zip("AB", values, strict=True)]
    assert without_secrets("not abcdef", deployment(*env)) == "not …"
