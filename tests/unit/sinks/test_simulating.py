"""An apply worked out without asking; that the API server does the same is for tests/cluster to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.sinks.fields import our_entry
from stunnergw.sinks.simulating import applied, owners

if TYPE_CHECKING:
    from stunnergw.sinks.fields import Fields


def simulated(
    found: dict[str, Any], body: dict[str, Any], *, ours: dict[str, Any], others: dict[str, Any] | None = None
) -> dict[str, Any]:
    entries = [
        {"manager": "stunner-gateway-operator", "operation": "Apply", "fieldsV1": ours},
        {"manager": "somebody", "operation": "Update", "fieldsV1": others or {}},
    ]
    return applied(found, body, by=owners(entries, ours=our_entry(entries)))


def port_key(port: int) -> str:
    return "k:" + orjson.dumps({"port": port, "protocol": "UDP"}).decode()


def test_what_we_say_is_set_and_what_others_said_stays() -> None:
    found = {"spec": {"type": "NodePort", "clusterIP": "10.0.0.9"}}
    assert simulated(found, {"spec": {"type": "ClusterIP"}}, ours={"f:spec": {"f:type": {}}}) == {
        "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.9"}
    }


def test_what_we_said_and_say_no_more_goes() -> None:
    found = {"spec": {"loadBalancerIP": "192.0.2.1", "type": "LoadBalancer"}}
    ours: Fields = {"f:spec": {"f:type": {}, "f:loadBalancerIP": {}}}
    body = {"spec": {"type": "LoadBalancer"}}
    assert simulated(found, body, ours=ours) == body
    assert simulated(found, body, ours=ours, others={"f:spec": {"f:loadBalancerIP": {}}}) == found


def test_of_a_part_that_goes_the_fields_of_others_stay() -> None:
    found = {"limits": {"memory": "20M", "cpu": "1"}}
    ours: Fields = {"f:limits": {".": {}, "f:memory": {}}}
    assert simulated(found, {}, ours=ours, others={"f:limits": {"f:cpu": {}}}) == {"limits": {"cpu": "1"}}
    assert simulated({"limits": {"memory": "20M"}}, {}, ours=ours) == {}


def test_the_api_server_puts_defaults_back() -> None:
    found = {"spec": {"dnsPolicy": "ClusterFirst", "strategy": {"type": "RollingUpdate"}}}
    ours: Fields = {"f:spec": {"f:dnsPolicy": {}, "f:strategy": {"f:type": {}}}}
    assert simulated(found, {"spec": {}}, ours=ours) == found
    found["spec"]["dnsPolicy"] = "None"
    assert "dnsPolicy" not in simulated(found, {"spec": {}}, ours=ours)["spec"]


def test_items_are_found_by_their_keys() -> None:
    old, moved, theirs = (
        {"port": port, "protocol": "UDP", "name": name} for port, name in ((1, "a"), (2, "a"), (9, "z"))
    )
    found = {"ports": [{**old, "nodePort": 30001}, theirs]}
    ours: Fields = {"f:ports": {port_key(1): {".": {}, "f:port": {}}}}
    others: Fields = {"f:ports": {port_key(9): {".": {}, "f:port": {}}}}
    assert simulated(found, {"ports": [old]}, ours=ours, others=others) == found
    assert simulated(found, {"ports": [moved]}, ours=ours, others=others) == {"ports": [theirs, moved]}


def test_lists_that_nobody_knows_by_keys_are_replaced() -> None:
    found = {"args": ["-w", "--old"]}
    assert simulated(found, {"args": ["-w"]}, ours={"f:args": {}}) == {"args": ["-w"]}
    assert simulated(found, {}, ours={"f:args": {}}) == {}
