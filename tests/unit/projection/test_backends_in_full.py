"""Backends case by case: what prefixes come to, where addresses come from, which ports are admitted, what mixes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.resources import kinds
from stunnergw.resources.metadata import STUNNER_GROUP
from stunnergw.settings import Decisions, UDPRoutePorts
from tests.support.bench import MANAGED, Bench, bench
from tests.support.objects import (
    EDGE,
    NAMESPACE,
    applied,
    backend,
    deleted,
    endpoint_slice,
    gateway,
    healthy,
    listed,
    route,
    service,
)

if TYPE_CHECKING:
    from stunnergw.events.types import Applied, Fact
    from stunnergw.resources.kinds import Kind

FINE, WRONG, MISSING = "True/ResolvedRefs", "False/UnsupportedValue", "False/BackendNotFound"
STATIC: dict[str, Any] = {"group": STUNNER_GROUP, "kind": "StaticService"}


def static(*prefixes: str, name: str = "lab", namespace: str = NAMESPACE) -> Applied:
    return applied(kinds.STATIC_SERVICE, name, namespace=namespace, spec={"prefixes": list(prefixes)})


def lab(name: str = "lab", **parts: Any) -> dict[str, Any]:
    return backend(name, **STATIC, **parts)


class World:
    """One route with the given backends, and what it comes to."""

    def __init__(
        self, *facts: Fact, refs: Any = (), kind: Kind[Any] = kinds.STUNNER_UDP_ROUTE, settings: Decisions = MANAGED
    ) -> None:
        self.route = route("calls", *refs, kind=kind)
        self.bench: Bench = bench(*healthy(), gateway(), self.route, *facts, settings=settings)

    @property
    def cluster(self) -> tuple[str, list[str]]:
        (only,) = self.bench.document(EDGE)["clusters"]
        return only["type"], only.get("endpoints", [])

    @property
    def endpoints(self) -> list[str]:
        return self.cluster[1]

    @property
    def resolved(self) -> str:
        (entry,) = self.bench.parents(self.route)
        assert isinstance(entry, dict)
        return entry["ResolvedRefs"]

    @property
    def message(self) -> str:
        return self.bench.parent_message(self.route, "ResolvedRefs")


# StaticServices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1/32", "192.0.2.1/32"),
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::5/64", "2001:db8::/64"),
        ("::/0", "::/0"),
    ],
)
def test_prefixes_in_their_shortest_form(written: str, read: str) -> None:
    found = World(static(written), refs=[lab()])
    assert (found.cluster, found.resolved) == (("STATIC", [read]), FINE)


@pytest.mark.parametrize(
    "text",
    [
        "", " 192.0.2.1", "192.0.2.1 ", "192.0.2.256", "192.0.2", "192.0.2.01", "10.0.0.0/33", "10.0.0.0/-1",
        "10.0.0.0/255.0.0.0", "10.0.0.0/", "10.0.0.0/8/8", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "fe80::1%eth0",
        "2001:db8::/129", "sfu.example.org", "10.0.0.1:5000", "10.0.0.1:<1-2>", "10.0.0.0/٨",
    ],
)  # fmt: skip
def test_what_is_no_prefix_is_left_out_and_named(text: str) -> None:
    """One such endpoint would make stunnerd refuse the whole document."""
    found = World(static("198.51.100.0/24", text), refs=[lab()])
    assert (found.cluster, found.resolved) == (("STATIC", ["198.51.100.0/24"]), WRONG)
    assert text in found.message
    assert "StaticService media/lab" in found.message


def test_all_that_are_wrong_are_named_and_the_others_stay_once_each() -> None:
    found = World(static("10.0.0.1/8", "one", "10.0.0.0/8", "two", "one"), refs=[lab()])
    assert found.endpoints == ["10.0.0.0/8"]
    assert all(name in found.message for name in ("one", "two"))
    found.bench.run(static("10.0.0.0/8"))
    assert found.resolved == FINE


def test_a_message_stays_within_what_an_api_server_takes() -> None:
    found = World(static(*(f"no prefix {number:060}" for number in range(1000))), refs=[lab()])
    assert len(found.message) <= 32768


@pytest.mark.parametrize(
    ("ports", "suffix"),
    [
        ({}, ""),
        ({"port": 5000}, ":<5000-5000>"),
        ({"port": 5000, "endPort": 5010}, ":<5000-5010>"),
        ({"endPort": 5010}, ":<1-5010>"),
        ({"port": 1, "endPort": 65535}, ""),
        ({"port": 5000, "endPort": 4000}, ":<5000-5000>"),
    ],
)
def test_ranges_on_prefixes(ports: dict[str, Any], suffix: str) -> None:
    found = World(static("10.0.0.0/8", "2001:db8::/64"), refs=[lab(**ports)])
    assert found.endpoints == [f"10.0.0.0/8{suffix}", f"2001:db8::/64{suffix}"]
    assert ("endPort 4000 is below port 5000" in found.message) is (ports.get("endPort") == 4000)


def test_a_static_service_elsewhere() -> None:
    found = World(static("192.0.2.1", namespace="guests"), refs=[lab(namespace="guests")])
    assert found.endpoints == ["192.0.2.1"]


def test_a_wrong_prefix_hides_nothing_of_other_backends() -> None:
    refs = [lab(), lab("nowhere"), backend()]
    found = World(static("what?"), service("sfu", "10.0.0.7"), refs=refs)
    assert (found.endpoints, found.resolved) == (["10.0.0.7"], WRONG)
    assert all(f"rules[0].backendRefs[{index}]: " in found.message for index in (0, 1))
    assert "StaticService media/nowhere not found" in found.message


def test_a_prefix_of_weight_zero_is_still_looked_at() -> None:
    found = World(static("192.0.2.1"), refs=[lab(weight=0)], kind=kinds.UDP_ROUTE)
    assert (found.cluster, found.resolved) == (("STATIC", []), FINE)
    assert "weight 0" in found.message


# Endpoints objects --------------------------------------------------------------------------------------------

NO_SLICES = Decisions(endpoint_slices=False)
NOT_SERVED = listed({kinds.ENDPOINT_SLICE: ()})
SLICE = endpoint_slice("sfu-1", "10.244.9.9")


def ips(*addresses: str) -> list[dict[str, str]]:
    return [{"ip": address} for address in addresses]


def endpoints(*subsets: dict[str, Any], name: str = "sfu") -> Applied:
    return applied(kinds.ENDPOINTS, name, subsets=list(subsets))


TWO = endpoints(
    {"addresses": ips("10.244.0.2", "2001:DB8::1"), "notReadyAddresses": ips("10.244.0.3")},
    {"addresses": ips("10.244.0.1"), "ports": [{"name": "rtp", "port": 6000, "protocol": "UDP"}]},
)


@pytest.mark.parametrize(
    ("facts", "settings"), [(listed(), NO_SLICES), (NOT_SERVED, MANAGED)], ids=["switched off", "not served"]
)
def test_endpoints_stand_in_for_slices(facts: list[Fact], settings: Decisions) -> None:
    """Ready or not, of all subsets, and the cluster IP beside them; a slice that may be there is not looked at."""
    found = World(*facts, service("sfu", "10.0.0.7"), TWO, SLICE, settings=settings)
    assert found.cluster == ("STATIC", ["10.0.0.7", "10.244.0.1", "10.244.0.2", "10.244.0.3", "2001:db8::1"])
    assert found.resolved == FINE
    found.bench.run(deleted(TWO))
    assert (found.endpoints, found.resolved) == (["10.0.0.7"], FINE)


def test_where_slices_are_served_endpoints_do_not_count() -> None:
    found = World(service(), TWO, SLICE)
    assert found.endpoints == ["10.244.9.9"]
    found.bench.run(*NOT_SERVED)
    assert found.endpoints == ["10.244.0.1", "10.244.0.2", "10.244.0.3", "2001:db8::1"]
    found.bench.run(*listed({kinds.ENDPOINT_SLICE: ("v1beta1",)}))
    assert found.endpoints == ["10.244.9.9"]


def test_endpoints_of_another_name_are_anothers() -> None:
    found = World(service(), endpoints({"addresses": ips("10.244.0.1")}, name="mcu"), settings=NO_SLICES)
    assert (found.endpoints, found.resolved) == ([], FINE)


@pytest.mark.parametrize("address", ["::ffff:10.0.0.1", "10.0.0.01", "nonsense", ""])
def test_an_address_that_stunnerd_refuses_is_no_endpoint(address: str) -> None:
    odd = endpoints({"addresses": ips(address, "10.244.0.1")})
    assert World(service(), odd, settings=NO_SLICES).endpoints == ["10.244.0.1"]


# Ports of gateway.networking.k8s.io routes, enforced ----------------------------------------------------------

ENFORCED = Decisions(udproute_ports=UDPRoutePorts.ENFORCE)
PORTS: list[dict[str, Any]] = [
    {"name": "rtp", "port": 5000, "protocol": "UDP"},
    {"name": "stun", "port": 3478, "protocol": "UDP"},
    {"name": "web", "port": 443, "protocol": "TCP"},
    {"name": "both", "port": 7000, "protocol": "TCP"},
    {"name": "both-udp", "port": 7000, "protocol": "UDP"},
]
SFU = service("sfu", "10.0.0.7", "fd00::7", ports=PORTS)


def pods(name: str, address: str, *ports: tuple[str, int, str], family: str = "IPv4") -> Applied:
    return applied(
        kinds.ENDPOINT_SLICE,
        name,
        meta={"labels": {"kubernetes.io/service-name": "sfu"}},
        addressType=family,
        ports=[{"name": port, "port": number, "protocol": protocol} for port, number, protocol in ports],
        endpoints=[{"addresses": [address], "conditions": {"ready": False}}],
    )


POD = pods("sfu-1", "10.244.0.1", ("rtp", 6000, "UDP"), ("stun", 6001, "UDP"), ("rtp", 6002, "TCP"))
OTHER = pods("sfu-2", "10.244.0.2", ("rtp", 6500, "UDP"))
NAMELESS = pods("sfu-3", "10.244.0.3", ("", 6600, "UDP"))


def enforced(*facts: Fact, settings: Decisions = ENFORCED, **parts: Any) -> World:
    return World(*facts, refs=[backend(**parts)], kind=kinds.UDP_ROUTE, settings=settings)


CLUSTER_IPS = ("10.0.0.7", "fd00::7")


@pytest.mark.parametrize(
    ("port", "pod_ports"),
    [
        (5000, ["10.244.0.1:<6000-6000>", "10.244.0.2:<6500-6500>"]),
        (3478, ["10.244.0.1:<6001-6001>"]),
        (7000, []),
    ],
    ids=["each pod its own number", "only where the slice has it", "no pod has it"],
)
def test_endpoints_get_the_port_of_the_same_name(port: int, pod_ports: list[str]) -> None:
    found = enforced(SFU, POD, OTHER, NAMELESS, port=port)
    own = [f"{address}:<{port}-{port}>" for address in CLUSTER_IPS]
    assert found.cluster == ("STATIC", sorted([*own, *pod_ports]))
    assert found.resolved == FINE


def test_a_port_without_a_name() -> None:
    nameless = service("sfu", "10.0.0.7", ports=[{"port": 5000, "protocol": "UDP"}])
    found = enforced(nameless, POD, NAMELESS, port=5000)
    assert found.endpoints == ["10.0.0.7:<5000-5000>", "10.244.0.3:<6600-6600>"]


@pytest.mark.parametrize("port", [5001, 443, 6000], ids=["none", "TCP", "the pods' own"])
def test_a_port_that_the_service_lacks(port: int) -> None:
    found = enforced(SFU, POD, port=port)
    assert (found.endpoints, found.resolved) == ([], MISSING)
    assert f"Service media/sfu has no UDP port {port}" in found.message
    found.bench.run(service("sfu", "10.0.0.7", ports=[{"name": "rtp", "port": port, "protocol": "UDP"}]))
    assert found.resolved == FINE


def test_a_backend_without_a_port_is_never_an_error() -> None:
    found = enforced(SFU, POD)
    assert (found.endpoints, found.resolved) == (["10.0.0.7", "10.244.0.1", "fd00::7"], FINE)


def test_a_headless_service_has_its_pods_alone() -> None:
    found = enforced(service("sfu", ports=PORTS), POD, port=5000)
    assert found.endpoints == ["10.244.0.1:<6000-6000>"]


def test_cluster_ips_may_be_kept_out_here_too() -> None:
    settings = Decisions(udproute_ports=UDPRoutePorts.ENFORCE, relay_to_cluster_ip=False)
    assert enforced(SFU, POD, port=5000, settings=settings).endpoints == ["10.244.0.1:<6000-6000>"]


def test_ports_of_endpoints_objects() -> None:
    settings = Decisions(udproute_ports=UDPRoutePorts.ENFORCE, endpoint_slices=False)
    found = enforced(service("sfu", ports=PORTS), TWO, port=5000, settings=settings)
    assert found.endpoints == ["10.244.0.1:<6000-6000>"]


def test_slices_of_names_are_said_here_too() -> None:
    found = enforced(SFU, pods("names", "sfu.example.org", ("rtp", 6000, "UDP"), family="FQDN"), port=5000)
    assert "EndpointSlice media/names" in found.message


def test_our_own_routes_go_by_their_own_ports() -> None:
    found = World(SFU, POD, refs=[backend(port=6000, endPort=6010)], settings=ENFORCED)
    assert found.endpoints == [f"{address}:<6000-6010>" for address in ("10.0.0.7", "10.244.0.1", "fd00::7")]


def test_several_ports_of_one_service() -> None:
    refs = [backend(port=5000), backend(port=3478)]
    found = World(service("sfu", "10.0.0.7", ports=PORTS), POD, refs=refs, kind=kinds.UDP_ROUTE, settings=ENFORCED)
    assert found.endpoints == [
        "10.0.0.7:<3478-3478>", "10.0.0.7:<5000-5000>", "10.244.0.1:<6000-6000>", "10.244.0.1:<6001-6001>",
    ]  # fmt: skip


@pytest.mark.parametrize("port", [None, 5000, 5001])
def test_by_default_their_ports_mean_nothing(port: int | None) -> None:
    found = enforced(SFU, POD, settings=MANAGED, port=port)
    assert (found.endpoints, found.resolved) == (["10.0.0.7", "10.244.0.1", "fd00::7"], FINE)


UNDISCOVERED = Decisions(udproute_ports=UDPRoutePorts.ENFORCE, endpoint_discovery=False)


@pytest.mark.parametrize("port", [5001, 443], ids=["none", "TCP"])
def test_a_port_that_the_service_lacks_without_discovery(port: int) -> None:
    found = enforced(SFU, port=port, settings=UNDISCOVERED)
    assert (found.cluster, found.resolved) == (("STRICT_DNS", []), MISSING)
    assert f"Service media/sfu has no UDP port {port}" in found.message
    found.bench.run(service("sfu", "10.0.0.7", ports=[{"name": "rtp", "port": port, "protocol": "UDP"}]))
    assert (found.cluster, found.resolved) == (("STRICT_DNS", [SFU_NAME]), FINE)


@pytest.mark.parametrize("parts", [{}, {"port": 5000}], ids=["no port", "one it has"])
def test_a_port_that_is_in_order_without_discovery(parts: dict[str, Any]) -> None:
    found = enforced(SFU, settings=UNDISCOVERED, **parts)
    assert (found.cluster, found.resolved) == (("STRICT_DNS", [SFU_NAME]), FINE)


def test_our_own_routes_ports_are_not_looked_up_without_discovery() -> None:
    found = World(SFU, refs=[backend(port=6000)], settings=UNDISCOVERED)
    assert (found.cluster, found.resolved) == (("STRICT_DNS", [SFU_NAME]), FINE)


# Addresses and names do not mix -------------------------------------------------------------------------------

NAMES = Decisions(endpoint_discovery=False)
PREFIX = static("192.0.2.1")
SFU_NAME = "sfu.media.svc.cluster.local"


@pytest.mark.parametrize(
    ("refs", "cluster", "reason", "left_out"),
    [
        ([lab(), backend()], ("STATIC", ["192.0.2.1"]), WRONG, 1),
        ([backend(), lab()], ("STRICT_DNS", [SFU_NAME]), WRONG, 1),
        ([lab("nowhere"), backend()], ("STRICT_DNS", [SFU_NAME]), MISSING, None),
        ([backend("nowhere"), lab(), backend()], ("STATIC", ["192.0.2.1"]), MISSING, 2),
        ([lab("nowhere")], ("STATIC", []), MISSING, None),
        ([lab("nowhere"), backend("nowhere")], ("STRICT_DNS", []), MISSING, None),
    ],
    ids=[
        "addresses first", "names first", "a missing one does not decide", "the reason of the first", "none, static",
        "none, a Service among them",
    ],
)  # fmt: skip
def test_the_first_that_resolves_decides_what_the_cluster_holds(
    refs: list[dict[str, Any]], cluster: tuple[str, list[str]], reason: str, left_out: int | None
) -> None:
    found = World(service(), PREFIX, refs=refs, settings=NAMES)
    assert (found.cluster, found.resolved) == (cluster, reason)
    said = "one route cannot mix them" in found.message
    assert said is (left_out is not None)
    assert left_out is None or f"rules[0].backendRefs[{left_out}]: " in found.message


def test_what_is_mixed_across_rules_is_mixed_too() -> None:
    rules = [{"backendRefs": [lab()]}, {"backendRefs": [backend()]}]
    calls = applied(kinds.STUNNER_UDP_ROUTE, "calls", spec={"parentRefs": [{"name": "edge"}], "rules": rules})
    found = World(service(), PREFIX, calls, settings=NAMES)
    assert (found.cluster, found.resolved) == (("STATIC", ["192.0.2.1"]), WRONG)
    assert "rules[1].backendRefs[0]: " in found.message
