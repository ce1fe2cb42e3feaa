"""Public addresses: which source wins, entry by entry and port by port, and what is said where none has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.resources import kinds
from stunnergw.resources.metadata import OWNED_BY, OWNER, Key
from stunnergw.settings import Decisions
from tests.support.bench import Bench, bench
from tests.support.objects import (
    EDGE,
    applied,
    deleted,
    exposing,
    gateway,
    healthy,
    listener,
    node,
    port,
    service,
)

if TYPE_CHECKING:
    from stunnergw.events.types import Applied, Fact

ALONE = Decisions(standalone=True)
UDP_AND_TCP = gateway(
    "edge", listener(), listener("tcp", 3478, "TCP"), annotations={"stunner.l7mp.io/enable-mixed-protocol-lb": "true"}
)
TYPE = "stunner.l7mp.io/service-type"


def of(owner: Applied, *facts: Fact, settings: Decisions | None = None) -> Bench:
    return bench(*healthy(), owner, *facts, settings=settings or Decisions())


def public(found: Bench, key: Key = EDGE) -> list[str]:
    """The public address of each listener, as ``address:port``; an empty text where there is none."""
    listeners = found.document(key)["listeners"]
    return [f"{each['public_address']}|{each['public_port']}" if "public_address" in each else "" for each in listeners]


def programmed(found: Bench) -> str:
    return found.conditions(kinds.GATEWAY, EDGE)["Programmed"]


def message(found: Bench, name: str = "") -> str:
    return found.message(kinds.GATEWAY, EDGE, "Programmed", name)


def assigned(found: Bench) -> list[tuple[str, str]]:
    return [tuple(address) for address in found.status(kinds.GATEWAY, EDGE).addresses]


# The order of sources -----------------------------------------------------------------------------------------

ASKED = [{"type": "IPAddress", "value": "203.0.113.1"}]
CLOUD = [{"ip": "198.51.100.1"}]
NODE_PORT = port(3478, "UDP", nodePort=30478)


def test_the_first_source_wins_and_is_said() -> None:
    found = of(gateway(addresses=ASKED), exposing(gateway(), NODE_PORT, ingress=CLOUD), node(ExternalIP="192.0.2.1"))
    assert public(found) == ["203.0.113.1|3478"]
    assert "from spec.addresses" in message(found, "udp")
    found.run(gateway())
    assert public(found) == ["198.51.100.1|3478"]
    assert "from the load balancer of Service media/edge" in message(found, "udp")
    found.run(exposing(gateway(), NODE_PORT))
    assert public(found) == ["192.0.2.1|30478"]
    assert "from Node n1 and Service media/edge" in message(found, "udp")
    found.run(deleted(node()))
    assert public(found) == [""]
    assert programmed(found) == "False/AddressNotAssigned"


def test_what_each_source_lacked_is_said() -> None:
    waiting = of(gateway(), exposing(gateway()))
    assert programmed(waiting) == "False/AddressNotAssigned"
    for lacked in ("no load-balancer address", "no node port for UDP 3478", "no Node has an ExternalIP or ExternalDNS"):
        assert lacked in message(waiting)
        assert lacked in message(waiting, "udp")
    assert waiting.conditions(kinds.GATEWAY, EDGE, "udp")["Programmed"] == "False/Pending"
    assert assigned(waiting) == []


def test_no_service_yet() -> None:
    assert "no Service yet" in message(of(gateway()))


# The Service --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ingress", "listeners"),
    [
        ([{"ip": "198.51.100.1", "hostname": "lb.example.org"}], ["198.51.100.1|3478"] * 2),
        ([{"hostname": "lb.example.org"}], ["lb.example.org|3478"] * 2),
        ([{"ip": "2001:db8::1"}], ["2001:db8::1|3478"] * 2),
        ([{}, {"ip": "198.51.100.2"}], ["198.51.100.2|3478"] * 2),
        ([{"ip": "198.51.100.1"}, {"ip": "198.51.100.2"}], ["198.51.100.1|3478"] * 2),
        (
            [{"ip": "198.51.100.1", "ports": [port(3478, "TCP")]}, {"ip": "198.51.100.2", "ports": [port()]}],
            ["198.51.100.2|3478", "198.51.100.1|3478"],
        ),
        (
            [{"ip": "198.51.100.1"}, {"ip": "198.51.100.2", "ports": [port()]}],
            ["198.51.100.2|3478", "198.51.100.1|3478"],
        ),
        ([{"ip": "198.51.100.1", "ports": [port(error="no quota")]}], ["", ""]),
        ([{"ip": "198.51.100.1", "ports": [port(error="x")]}, {"ip": "198.51.100.2"}], ["198.51.100.2|3478"] * 2),
    ],
    ids=[
        "ip before hostname", "hostname", "IPv6 bare", "the second entry", "the first entry", "an entry for each port",
        "listing before not listing", "an error", "an error, and another",
    ],
)  # fmt: skip
def test_entries_of_a_load_balancer(ingress: list[dict[str, Any]], listeners: list[str]) -> None:
    found = of(UDP_AND_TCP, exposing(UDP_AND_TCP, port(), port(3478, "TCP"), ingress=ingress))
    assert public(found) == listeners


def test_all_addresses_are_in_the_status_each_once_with_its_type() -> None:
    ingress: list[dict[str, Any]] = [{"hostname": "lb.example.org", "ports": [port(3478, "TCP")]}]
    ingress.append({"ip": "198.51.100.2"})
    found = of(UDP_AND_TCP, exposing(UDP_AND_TCP, port(), port(3478, "TCP"), ingress=ingress))
    assert assigned(found) == [("IPAddress", "198.51.100.2"), ("Hostname", "lb.example.org")]
    found.run(exposing(UDP_AND_TCP, port(), port(3478, "TCP"), ingress=CLOUD))
    assert assigned(found) == [("IPAddress", "198.51.100.1")]


def test_a_port_that_the_service_lacks() -> None:
    found = of(gateway(), exposing(gateway(), port(3478, "TCP"), ingress=CLOUD))
    assert public(found) == [""]
    assert "Service media/edge has no port UDP 3478" in message(found)


@pytest.mark.parametrize("kind", ["NodePort", "ClusterIP", "ExternalName"])
def test_only_a_load_balancer_has_entries(kind: str) -> None:
    assert public(of(gateway(), exposing(gateway(), kind=kind, ingress=CLOUD))) == [""]


def test_a_service_of_another_owner_or_namespace_is_none() -> None:
    for stranger in (
        exposing(gateway(), ingress=CLOUD, uid="another"),
        exposing(gateway(namespace="guests"), ingress=CLOUD),
    ):
        assert public(of(gateway(), stranger)) == [""]


def test_of_several_services_the_type_decides_then_the_name() -> None:
    cluster_ip = exposing(gateway(), name="a", kind="ClusterIP")
    balancers = [
        exposing(gateway(), name=name, ingress=[{"ip": ip}])
        for name, ip in (("c", "198.51.100.3"), ("b", "198.51.100.2"))
    ]
    assert public(of(gateway(), cluster_ip, *balancers)) == ["198.51.100.2|3478"]


def test_a_service_of_our_name_that_is_not_ours_is_said_with_the_remedy() -> None:
    taken = of(gateway(), service("edge", "10.0.0.7"))
    for part in ("Service media/edge is not ours", "delete it", f"{OWNED_BY}: {OWNER}", "rename"):
        assert part in message(taken)
    assert programmed(taken) == "False/AddressNotAssigned"


# Nodes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "address", "kind"),
    [
        ([node("n2", ExternalIP="192.0.2.2"), node("n1", ExternalIP="192.0.2.1")], "192.0.2.1", "IPAddress"),
        ([node("n1", InternalIP="10.1.0.1"), node("n2", ExternalIP="192.0.2.2")], "192.0.2.2", "IPAddress"),
        ([node("n1", ExternalDNS="n1.example.org", ExternalIP="192.0.2.1")], "192.0.2.1", "IPAddress"),
        ([node("n1", ExternalDNS="n1.example.org"), node("n2", ExternalIP="192.0.2.2")], "n1.example.org", "Hostname"),
    ],
)
def test_the_first_node_with_an_address_of_its_own(nodes: list[Applied], address: str, kind: str) -> None:
    found = of(gateway(), exposing(gateway(), NODE_PORT, kind="NodePort"), *nodes)
    assert public(found) == [f"{address}|30478"]
    assert assigned(found) == [(kind, address)]


def test_node_ports_port_by_port() -> None:
    ports = [NODE_PORT, port(3478, "TCP", nodePort=31478)]
    found = of(UDP_AND_TCP, exposing(UDP_AND_TCP, *ports), node(ExternalIP="192.0.2.1"))
    assert public(found) == ["192.0.2.1|30478", "192.0.2.1|31478"]


def test_a_cluster_ip_never_has_an_address_and_says_so() -> None:
    inner = gateway(annotations={TYPE: "ClusterIP"})
    found = of(inner, exposing(inner, kind="ClusterIP"), node(ExternalIP="192.0.2.1"))
    assert public(found) == [""]
    assert "never has a public address" in message(found)
    found.run(gateway(annotations={TYPE: "ClusterIP"}, addresses=ASKED))
    assert public(found) == ["203.0.113.1|3478"]


# Addresses that are asked for ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value"), [("IPAddress", "203.0.113.1"), ("IPAddress", "2001:db8::9"), ("Hostname", "turn.example.org")]
)
def test_a_wanted_address_counts_without_any_service(kind: str, value: str) -> None:
    found = of(gateway(addresses=[{"type": kind, "value": value}]))
    assert public(found) == [f"{value}|3478"]
    assert assigned(found) == [(kind, value)]
    assert found.conditions(kinds.GATEWAY, EDGE) == {
        "Accepted": "True/Accepted",
        "Programmed": "True/Programmed",
        "ResolvedRefs": "True/ResolvedRefs",
    }


def test_an_address_without_value_is_the_clouds_to_give() -> None:
    found = of(gateway(addresses=[{"type": "IPAddress"}]))
    assert programmed(found) == "False/AddressNotAssigned"
    found.run(exposing(gateway(), ingress=CLOUD))
    assert public(found) == ["198.51.100.1|3478"]
    assert programmed(found) == "True/Programmed"


ODD = {"type": "example.org/odd", "value": "x"}
SECOND = {"type": "IPAddress", "value": "203.0.113.2"}


def test_step_by_step_to_one_usable_address() -> None:
    found = of(gateway(addresses=[ODD, *ASKED, SECOND]))
    assert found.conditions(kinds.GATEWAY, EDGE) == {
        "Accepted": "False/UnsupportedAddress",
        "Programmed": "False/Invalid",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    assert "spec.addresses[0]" in found.message(kinds.GATEWAY, EDGE, "Accepted")
    found.run(gateway(addresses=[*ASKED, SECOND]))
    assert found.conditions(kinds.GATEWAY, EDGE) == {
        "Accepted": "True/Accepted",
        "Programmed": "False/AddressNotUsable",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    assert "203.0.113.2" in message(found)
    assert public(found) == ["203.0.113.1|3478"]
    found.run(gateway(addresses=ASKED))
    assert found.conditions(kinds.GATEWAY, EDGE) == {
        "Accepted": "True/Accepted",
        "Programmed": "True/Programmed",
        "ResolvedRefs": "True/ResolvedRefs",
    }
    assert assigned(found) == [("IPAddress", "203.0.113.1")]


def test_an_address_behind_one_without_value() -> None:
    found = of(gateway(addresses=[{"type": "IPAddress"}, SECOND]), exposing(gateway(), ingress=CLOUD))
    assert public(found) == ["203.0.113.2|3478"] or programmed(found) == "False/AddressNotUsable"


def test_r4_1_the_type_is_the_one_that_was_asked_for() -> None:
    found = of(gateway(addresses=[{"type": "Hostname", "value": "10.0.0.1"}]))
    assert assigned(found) == [("Hostname", "10.0.0.1")]
    assert programmed(found) == "True/Programmed"


def test_r4_1_a_name_that_calls_itself_an_ip_address_is_not_usable() -> None:
    """v1alpha2 takes it; a status that repeated its type would be refused by any later version."""
    found = of(gateway(addresses=[{"type": "IPAddress", "value": "turn.example.org"}]))
    assert programmed(found) == "False/AddressNotUsable"
    assert "turn.example.org is no IPAddress: correct it, or say type: Hostname" in message(found)
    assert assigned(found) == [("Hostname", "turn.example.org")]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([{"type": "Hostname"}], "spec.addresses[0] asks for any address of type Hostname, and there is 198.51.100.1"),
        ([{"value": "203.0.113.1"}, {}], "spec.addresses[1] asks for any address of type IPAddress besides the first"),
        ([{}, {"type": "Hostname"}], "spec.addresses[1] asks for any address of type Hostname besides the first"),
    ],
    ids=["another type", "after a value", "two wishes"],
)
def test_r4_9_an_address_without_value_that_nobody_gives(asked: Any, said: str) -> None:
    found = of(gateway(addresses=asked), exposing(gateway(), ingress=CLOUD))
    assert programmed(found) == "False/AddressNotAssigned"
    assert said in message(found)
    assert found.conditions(kinds.GATEWAY, EDGE, "udp")["Programmed"] == "True/Programmed"


def test_r2_11_more_addresses_than_a_status_holds_are_cut_and_counted() -> None:
    listeners = [listener(f"l{number}", 3000 + number) for number in range(20)]
    ports = [port(each["port"]) for each in listeners]
    ingress = [{"ip": f"198.51.100.{entry['port'] - 2999}", "ports": [entry]} for entry in ports]
    owner = gateway("edge", *listeners)
    found = of(owner, exposing(owner, *ports, ingress=ingress))
    assert assigned(found) == [("IPAddress", f"198.51.100.{number}") for number in range(1, 17)]
    assert programmed(found) == "True/Programmed"
    assert "status.addresses has the first 16 of 20 addresses" in message(found)


# Without a cluster --------------------------------------------------------------------------------------------


def test_the_public_address_setting_comes_last() -> None:
    given = Decisions(standalone=True, public_address="192.0.2.9")
    found = of(gateway(), settings=given)
    assert public(found) == ["192.0.2.9|3478"]
    assert "--public-address" in message(found)
    found.run(exposing(gateway(), ingress=CLOUD))
    assert public(found) == ["198.51.100.1|3478"]
    assert public(of(gateway(annotations={TYPE: "None"}), settings=given)) == ["192.0.2.9|3478"]


def stand_in(**parts: Any) -> Applied:
    """A Service in a manifest that says what a cluster would have made of ours."""
    return applied(kinds.SERVICE, "edge", spec=parts, status={"loadBalancer": {"ingress": CLOUD}})


def test_a_service_of_our_name_stands_for_what_a_cluster_made_of_ours() -> None:
    assert public(of(gateway(), stand_in(), settings=ALONE)) == ["198.51.100.1|3478"]
    ours = {"app": "stunner", f"{OWNED_BY.partition('/')[0]}/related-gateway-name": "edge"}
    ours[f"{OWNED_BY.partition('/')[0]}/related-gateway-namespace"] = "media"
    assert public(of(gateway(), stand_in(selector=ours), settings=ALONE)) == ["198.51.100.1|3478"]
    assert public(of(gateway(), stand_in(selector={"app": "web"}), settings=ALONE)) == [""]
    # In a cluster a Service is ours by its owner alone.
    assert public(of(gateway(), stand_in())) == [""]


def test_asked_for_node_ports_stand_for_those_that_a_cluster_gives() -> None:
    asked = gateway(annotations={TYPE: "NodePort", "stunner.l7mp.io/nodeport": '{"udp": 30478}'})
    assert public(of(asked, node(ExternalIP="192.0.2.1"), settings=ALONE)) == ["192.0.2.1|30478"]
