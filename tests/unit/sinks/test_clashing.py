"""Ports that others wrote into our Service: those in the way of ours go, the others stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.resources import kinds
from stunnergw.sinks.clashing import in_the_way, with_ports
from tests.unit.sinks.stage import Stage, gateway

if TYPE_CHECKING:
    from stunnergw.sinks.clashing import Port

UDP: Port = {"name": "udp", "protocol": "UDP", "port": 3478, "targetPort": 3478}


@pytest.mark.parametrize(
    ("port", "clashes"),
    [
        ({"name": "udp", "protocol": "UDP", "port": 9999}, True),
        ({"name": "udp", "protocol": "TCP", "port": 3478}, True),
        ({"name": "udp", "port": 9999}, True),
        ({"name": "theirs", "protocol": "UDP", "port": 9999, "nodePort": 30478}, True),
        ({"name": "theirs", "protocol": "TCP", "port": 9999, "nodePort": 30478}, False),
        ({"name": "theirs", "protocol": "UDP", "port": 9999}, False),
        ({"name": "theirs", "protocol": "UDP", "port": 3478}, False),
    ],
)
def test_what_cannot_stand_beside_ours_is_in_the_way(port: Port, clashes: bool) -> None:
    assert in_the_way([port], [UDP | {"nodePort": 30478}], ours={}) == ([port] if clashes else [])


def test_a_port_without_a_name_or_node_port_is_in_nobodys_way() -> None:
    assert in_the_way([{"port": 9999}], [UDP], ours={}) == []


def test_a_port_of_ours_goes_by_itself() -> None:
    ours: dict[str, Any] = {"f:spec": {"f:ports": {'k:{"port":9999,"protocol":"UDP"}': {".": {}}}}}
    assert in_the_way([UDP | {"port": 9999}], [UDP], ours=ours) == [] == []


def test_their_entry_loses_those_ports_and_nothing_else() -> None:
    moved, extra = UDP | {"port": 9999}, {"name": "extra", "protocol": "UDP", "port": 7}
    theirs = {
        "manager": "kubectl-edit",
        "operation": "Update",
        "fieldsV1": {
            "f:metadata": {"f:labels": {"f:mine": {}}},
            "f:spec": {
                "f:ports": {
                    'k:{"port":9999,"protocol":"UDP"}': {".": {}, "f:port": {}},
                    'k:{"port":7,"protocol":"UDP"}': {".": {}, "f:port": {}},
                },
            },
        },
    }
    found = {"metadata": {"managedFields": [theirs]}, "spec": {"ports": [moved, extra]}}
    taken = with_ports(None, found=found, body={"spec": {"ports": [UDP]}})
    assert taken is not None
    left, ours = taken.entries
    assert left["fieldsV1"] == {
        "f:metadata": {"f:labels": {"f:mine": {}}},
        "f:spec": {"f:ports": {'k:{"port":7,"protocol":"UDP"}': {".": {}, "f:port": {}}}},
    }
    assert ours["manager"] == "stunner-gateway-operator"
    assert list(ours["fieldsV1"]["f:spec"]["f:ports"]) == ['k:{"port":9999,"protocol":"UDP"}']
    assert taken.ports == ("udp 9999/UDP",)


@pytest.mark.looptime
async def test_a_port_that_somebody_moved_is_put_back_and_his_others_stay() -> None:
    def move(body: dict[str, Any]) -> None:
        body["spec"]["ports"] = [
            UDP | {"port": 9999, "nodePort": 30478},
            {"name": "theirs", "protocol": "UDP", "port": 7, "targetPort": 7},
        ]

    stage = Stage()
    async with stage.running() as life:
        await life.idle()
        stage.server.forget_requests()
        stage.server.edit(kinds.SERVICE, "edge", move)
        await life.idle()
        ports = stage.server.get(kinds.SERVICE, "edge")["spec"]["ports"]
        assert sorted((port["name"], port["port"]) for port in ports) == [("theirs", 7), ("udp", 3478)]
        assert stage.server.writes.count("PATCH Service media/edge") == 2
        # It is over: the next change of ours is one write again.
        stage.server.forget_requests()
        stage.server.put(kinds.GATEWAY, gateway("edge", port=3479))
        await life.idle()
        assert stage.server.writes.count("PATCH Service media/edge") == 1
