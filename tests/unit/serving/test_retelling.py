from __future__ import annotations

from typing import Any

import orjson
import pytest

from stunnergw.events.types import Applied, Deleted, Event, Fact, Listed, Projected, Started, Unavailable, Wrote
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.serving.retelling import retell
from tests.support.objects import applied

SECRET = "5ecret-that-nobody-may-see"
BASE64 = "NWVjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU="

META = {"resourceVersion": "77", "managedFields": [{"manager": "kubectl-edit", "time": "2026-01-01T00:00:00Z"}]}


def told(fact: Fact) -> dict[str, Any]:
    event = Event(7, 1_767_225_600_123_456_789, "manifests", fact)
    parsed: dict[str, Any] = orjson.loads(retell(event))
    return parsed


def test_an_applied_object_with_all_that_is_known_of_it() -> None:
    event = told(applied(kinds.GATEWAY, "edge", meta=META, spec={"gatewayClassName": "turn", "listeners": []}))
    thing = event.pop("object")
    assert event == {
        "seq": 7,
        "at": "2026-01-01T00:00:00.123456Z",
        "source": "manifests",
        "type": "Applied",
        "kind": "Gateway",
        "key": "media/edge",
        "resourceVersion": "77",
        "by": "kubectl-edit",
    }
    assert thing["metadata"]["name"] == "edge"
    assert thing["spec"]["gatewayClassName"] == "turn"


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (
            Started(run="r", version="1", settings=b'{"a":1}'),
            {"kind": None, "key": None, "run": "r", "version": "1", "settings": {"a": 1}},
        ),
        (Deleted(kind=kinds.NODE, key=Key("", "n1")), {"kind": "Node", "key": "n1", "by": None}),
        (Listed(kind=kinds.GATEWAY, versions=("v1", "v1beta1")), {"kind": "Gateway", "versions": ["v1", "v1beta1"]}),
        (Unavailable(kind=kinds.SECRET, reason="forbidden"), {"kind": "Secret", "key": None, "reason": "forbidden"}),
        (
            Wrote(kind="Service", key=Key("a", "b"), digest="d", snapshot=3, outcome="refused", message="taken"),
            {"kind": "Service", "key": "a/b", "digest": "d", "snapshot": 3, "outcome": "refused", "message": "taken"},
        ),
        (
            Projected(snapshot=3, changed=(("config media/edge", "f00"),), held=("turn",)),
            {"kind": None, "snapshot": 3, "changed": {"config media/edge": "f00"}, "held": ["turn"]},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_type_tells_what_is_its_own(fact: Fact, expected: dict[str, Any]) -> None:
    event = told(fact)
    assert event["type"] == type(fact).__name__
    assert {name: event[name] for name in expected} == expected


def workload_spec(*env: dict[str, Any]) -> dict[str, Any]:
    containers = [{"name": "stunner-daemon", "env": list(env)}, {"name": "other", "env": list(env)}]
    return {"template": {"spec": {"containers": containers}}}


SECRET_BEARING: list[Applied] = [
    applied(kinds.SECRET, "a", type="Opaque", data={"password": BASE64, "type": "c3RhdGlj"}),
    applied(kinds.SECRET, "b", type="kubernetes.io/tls", data={"tls.crt": BASE64, "tls.key": BASE64}),
    applied(kinds.GATEWAY_CONFIG, "c", spec={"userName": SECRET, "password": SECRET, "sharedSecret": SECRET}),
    applied(kinds.DATAPLANE, "d", spec={"env": [{"name": "TOKEN", "value": SECRET}]}),
    applied(kinds.CONFIG_MAP, "e", data={"stunnerd.conf": SECRET, "other": SECRET}),
    applied(kinds.DEPLOYMENT, "g", spec=workload_spec({"name": "TOKEN", "value": SECRET})),
    applied(kinds.DAEMON_SET, "h", spec=workload_spec({"name": "TOKEN", "value": SECRET})),
    applied(
        kinds.GATEWAY_CONFIG, "f",
        meta={"annotations": {"kubectl.kubernetes.io/last-applied-configuration": SECRET}},
    ),
]  # fmt: skip


def test_every_kind_that_bears_secrets_is_here() -> None:
    assert {fact.kind for fact in SECRET_BEARING} == {kind for kind in kinds.TABLE if kind.secret_bearing}


@pytest.mark.parametrize("fact", SECRET_BEARING, ids=lambda fact: fact.key.name)
def test_no_secret_shows(fact: Applied) -> None:
    text = retell(Event(1, 0, "test", fact))
    for shown in (SECRET, BASE64, SECRET[:12], BASE64[:12]):
        assert shown.encode() not in text
    assert (b"opaque:" in text) is (fact.key.name != "f")
