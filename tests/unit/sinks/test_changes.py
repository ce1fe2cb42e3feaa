"""What a dry run says of a change: paths and values, and no value that may be a secret."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.sinks.changes import differences


def said(new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    return [str(change) for change in differences(new, old)]


def test_fields_by_their_paths() -> None:
    assert said({"a": {"b": 2}, "d": 4}, {"a": {"b": 1}, "c": 3}) == ["a.b: 1 → 2", "c: 3 → nothing", "d: nothing → 4"]


def test_items_by_their_names() -> None:
    old = {"ports": [{"name": "udp", "port": 1}, {"name": "tcp", "port": 2}]}
    new = {"ports": [{"name": "tcp", "port": 3}]}
    assert said(new, old) == ['ports[udp]: {"name":"udp","port":1} → nothing', "ports[tcp].port: 2 → 3"]
    assert said({"args": ["-w", "-x"]}, {"args": ["-w"]}) == ['args: ["-w"] → ["-w","-x"]']


def test_items_of_one_name_are_told_as_a_list() -> None:
    twice = {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}
    assert said({"env": [{"name": "A", "value": "1"}]}, twice) == ["env: changes"]


def test_conditions_in_short() -> None:
    condition = {"type": "Accepted", "status": "False", "reason": "Invalid", "message": "long"}
    assert said({"conditions": [condition]}, {"conditions": []}) == ["conditions[Accepted]: nothing → False/Invalid"]


def test_one_quantity_in_two_spellings_is_no_change() -> None:
    assert said({"limits": {"cpu": "1000m", "memory": "1Gi"}}, {"limits": {"cpu": "1", "memory": "1024Mi"}}) == []
    assert said({"limits": {"cpu": "1100m"}}, {"limits": {"cpu": "1"}}) == ['limits.cpu: "1" → "1100m"']


def test_what_every_write_changes_is_left_out() -> None:
    assert said({"metadata": {"resourceVersion": "2"}}, {"metadata": {"resourceVersion": "1", "generation": 1}}) == []


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ({"data": {"stunnerd.conf": "hush"}}, {"data": {"stunnerd.conf": "hush before"}}),
        ({"data": {"stunnerd.conf": "hush"}}, {}),
        ({"env": [{"name": "TOKEN", "value": "hush"}]}, {"env": [{"name": "TOKEN", "value": "hush before"}]}),
        ({"env": []}, {"env": [{"name": "TOKEN", "value": "hush before"}]}),
        ({"containers": [{"name": "new", "env": [{"name": "TOKEN", "value": "hush"}]}]}, {"containers": []}),
        ({}, {"spec": {"template": {"containers": [{"env": [{"value": "hush"}]}]}}}),
    ],
)
def test_no_value_that_may_be_a_secret(new: dict[str, Any], old: dict[str, Any]) -> None:
    told = said(new, old)
    assert told
    assert "hush" not in " ".join(told)


def test_where_data_planes_ask_is_no_secret() -> None:
    env = [{"name": "STUNNER_CONFIG_ORIGIN", "value": "http://new"}]
    assert said({"env": env}, {"env": [{**env[0], "value": "http://old"}]}) == [
        'env[STUNNER_CONFIG_ORIGIN].value: "http://old" → "http://new"'
    ]
