"""What objects of each kind may hold in a generated world: mostly sound, often odd, never more than the schema admits.

Each entry of :data:`BODIES` gives the parts of an object beside its name, for one of the few keys of its kind; a
:class:`Flavour` narrows what is drawn for tests that need it.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import trustme
from hypothesis import strategies as st

from stunnergw.resources import kinds
from stunnergw.resources.metadata import GATEWAY_GROUP, STUNNER_GROUP, Key
from stunnergw.settings import CONTROLLER_NAME
from stunnergw.store.indexes import RELATED_GATEWAY, SERVICE_NAME
from tests.support.drawing import below, mostly, pick
from tests.support.objects import PASSWORD, USER, Body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypothesis.strategies import SearchStrategy

    from stunnergw.resources.kinds import Kind
    from tests.support.drawing import Draw

SECRETS = (USER, PASSWORD, "5hared-of-turn")
"""Every secret value of a generated world, its keys aside."""

NAMESPACES = ("media", "media-2")
"""One is the other's beginning, so that ``media-2/x`` and ``media/x`` sort one way as text and another as keys."""

_CLASSES = ("turn", "spare")
_CONFIGS = ("turn", "spare")
_PLANES = ("default", "big")
_GATEWAYS = ("edge", "stunner-gateway-edge-svc")
"""One is what the other's Service is called beside a v1alpha1 document."""
_ROUTES = ("calls", "talks")
_SERVICES = ("sfu", "mcu", *_GATEWAYS)

NAMES: Mapping[Kind[Any], tuple[str, ...]] = {
    kinds.GATEWAY_CLASS: _CLASSES,
    kinds.GATEWAY_CONFIG: _CONFIGS,
    kinds.DATAPLANE: _PLANES,
    kinds.GATEWAY: _GATEWAYS,
    kinds.UDP_ROUTE: _ROUTES,
    kinds.STUNNER_UDP_ROUTE: _ROUTES,
    kinds.SERVICE: _SERVICES,
    kinds.ENDPOINT_SLICE: ("sfu-1", "sfu-2"),
    kinds.NAMESPACE: NAMESPACES,
    kinds.NODE: ("n1", "n2"),
    kinds.SECRET: ("cert", "turn"),
    kinds.STATIC_SERVICE: ("lab",),
    kinds.REFERENCE_GRANT: ("grant",),
    kinds.ENDPOINTS: ("sfu", "mcu"),
    kinds.CUSTOM_RESOURCE_DEFINITION: (f"gatewayclasses.{GATEWAY_GROUP}", f"gateways.{GATEWAY_GROUP}"),
}


class Flavour(NamedTuple):
    """What may be drawn."""

    ranges: bool = True
    """Routes may name ports of their backends."""
    protocols: tuple[str, ...] = ("TURN-UDP", "UDP", "udp", "TURN-TCP", "TCP", "TLS", "TURN-DTLS", "HTTP")
    stun_mode: bool = True
    sound: bool = False
    """Classes and what they lead to are in order."""
    rivals: bool = False
    """Gateways are of either class, and in legacy mode classes want one ConfigMap, documents of either version."""


ANYTHING = Flavour()


@st.composite
def _gateway_class(draw: Draw, flavour: Flavour, key: Key) -> Body:
    if flavour.sound:
        whole = {"group": STUNNER_GROUP, "kind": "GatewayConfig", "name": key.name, "namespace": "media"}
        return {"spec": {"controllerName": CONTROLLER_NAME, "parametersRef": whole}}
    ref: Body = {
        "group": STUNNER_GROUP,
        "kind": mostly(draw, "GatewayConfig", "ConfigMap"),
        "name": pick(draw, _CONFIGS),
    }
    namespace = mostly(draw, "media", "media-2", None)
    if namespace:
        ref["namespace"] = namespace
    spec: Body = {"controllerName": mostly(draw, CONTROLLER_NAME, "example.org/other")}
    if draw(below(10)):
        spec["parametersRef"] = ref
    return {"spec": spec}


@st.composite
def _gateway_config(draw: Draw, flavour: Flavour, key: Key) -> Body:
    credentials: list[Body] = [
        {"userName": SECRETS[0], "password": SECRETS[1]},
        {"authType": "longterm", "sharedSecret": SECRETS[2]},
        {"userName": SECRETS[0]},
        {"authRef": {"name": "turn"}, "password": SECRETS[1]},
    ]
    if flavour.sound:
        credentials = credentials[:2]
    elif flavour.stun_mode:
        credentials.append({"stunMode": True})
    extras: list[Body] = [
        {},
        {"userQuota": 7, "realm": "turn.example.org"},
        {"stunnerConfig": "stunnerd-configmap", "metricsEndpoint": ":8080"},
        {"minPort": 20000, "maxPort": 30000, "dataplane": "big"},
        {"loadBalancerServiceAnnotations": {"stunner.l7mp.io/service-type": "NodePort", "a": "b"}},
        {"loadBalancerServiceAnnotations": {"stunner.l7mp.io/enable-mixed-protocol-lb": "TRUE"}},
    ]
    if flavour.rivals:
        extras = [{}, {"minPort": 20000}]
    return {"spec": {**mostly(draw, *credentials), **pick(draw, extras)}}


@st.composite
def _dataplane(draw: Draw, flavour: Flavour, key: Key) -> Body:
    extras: list[Body] = [
        {},
        {"image": "l7mp/stunnerd:1.2", "env": [{"name": "TOKEN", "value": SECRETS[2]}]},
        {"disableHealthCheck": True, "offloadInterfaces": ["eth1", "eth0"]},
        {"enableMetricsEndpoint": True, "offloadEngine": "XDP"},
    ]
    return {"spec": pick(draw, extras)}


_ALLOWED: list[Body | None] = [
    None,
    {"namespaces": {"from": "All"}},
    {"namespaces": {"from": "Same"}},
    {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"calls": "yes"}}}},
    {"namespaces": {"from": "Selector"}},
    {"kinds": [{"group": STUNNER_GROUP, "kind": "UDPRoute"}, {"kind": "HTTPRoute"}]},
]

_ANNOTATIONS: list[Body] = [
    {},
    {"stunner.l7mp.io/service-type": "clusterip"},
    {"stunner.l7mp.io/service-type": "None"},
    {"stunner.l7mp.io/service-type": "ExternalName"},
    {"stunner.l7mp.io/targetport": '"one":3479,"two":3478,"three":70000'},
    {"stunner.l7mp.io/targetport": '{"one":8086}'},
    {"stunner.l7mp.io/nodeport": '{"one":30478,"nobody":1}'},
    {"stunner.l7mp.io/nodeport": "what?"},
    {"stunner.l7mp.io/enable-mixed-protocol-lb": "true", "stunner.l7mp.io/disable-session-affinity": "True"},
    {"stunner.l7mp.io/enable-relay-address-discovery": "true"},
]

_ADDRESSES: list[list[Body]] = [
    [],
    [{"type": "IPAddress", "value": "203.0.113.7"}],
    [{"type": "Hostname", "value": "turn.example.org"}],
    [{"type": "IPAddress"}],
]


_TLS: list[Body] = [
    {"tls": {"certificateRefs": [{"name": "cert"}]}},
    {"tls": {"certificateRefs": [{"name": "nowhere"}, {"name": "cert"}]}},
    {"tls": {"certificateRefs": [{"name": "cert", "namespace": "media-2"}]}},
    {"tls": {"mode": "Passthrough", "certificateRefs": [{"name": "cert"}]}},
    {},
]


_LISTENERS = st.lists(st.sampled_from(["one", "two", "three"]), min_size=1, max_size=3, unique=True)


@st.composite
def _gateway(draw: Draw, flavour: Flavour, key: Key) -> Body:
    names = draw(_LISTENERS)
    listeners: list[Body] = []
    for name in names:
        spec = {
            "name": name,
            "port": pick(draw, [3478, 3478, 3479, 5349, 8086]),
            "protocol": mostly(draw, *flavour.protocols),
        }
        if spec["protocol"].upper().endswith("TLS"):
            spec |= mostly(draw, *_TLS)
        allowed = mostly(draw, *_ALLOWED)
        listeners.append(spec if allowed is None else {**spec, "allowedRoutes": allowed})
    return {
        "metadata": {"annotations": mostly(draw, *_ANNOTATIONS)},
        "spec": {
            "gatewayClassName": pick(draw, _CLASSES) if flavour.rivals else mostly(draw, "turn", "spare", "nowhere"),
            "listeners": listeners,
            "addresses": mostly(draw, *_ADDRESSES),
        },
    }


def _route(kind: Kind[Any]) -> Callable[[Flavour, Key], SearchStrategy[Body]]:
    ours = kind is kinds.STUNNER_UDP_ROUTE

    @st.composite
    def parents(draw: Draw) -> Body:
        ref: Body = {"name": pick(draw, [*_GATEWAYS, *_GATEWAYS, "nowhere"])}
        if draw(below(4)) == 0:
            ref["namespace"] = pick(draw, NAMESPACES)
        more: list[Body] = [{}, {"sectionName": "one"}, {"sectionName": "nowhere"}, {"port": 3478}, {"kind": "Service"}]
        return {**ref, **mostly(draw, *more)}

    @st.composite
    def backends(draw: Draw, flavour: Flavour) -> Body:
        ref: Body = {"name": mostly(draw, "sfu", "mcu", "nowhere")}
        if draw(below(5)) == 0:
            ref["namespace"] = pick(draw, NAMESPACES)
        lab: Body = {"group": STUNNER_GROUP, "kind": "StaticService", "name": "lab"}
        more: list[Body] = [{}, {"kind": "Pod"}, {"weight": 0}, lab]
        ranges: list[Body] = [
            {"port": 5000},
            {"port": 5000, "endPort": 5010},
            {"endPort": 9},
            {"port": 9, "endPort": 1},
        ]
        return {**ref, **mostly(draw, *more, *(ranges if flavour.ranges or not ours else []))}

    all_parents = st.lists(parents(), min_size=1, max_size=3)

    @cache
    def rules(flavour: Flavour) -> SearchStrategy[list[list[Body]]]:
        return st.lists(st.lists(backends(flavour), max_size=2), min_size=1, max_size=2)

    @st.composite
    def body(draw: Draw, flavour: Flavour, key: Key) -> Body:
        found = draw(rules(flavour))
        return {
            "spec": {
                "parentRefs": draw(all_parents),
                "rules": [{"backendRefs": refs} for refs in found],
            }
        }

    return body


@st.composite
def _service(draw: Draw, flavour: Flavour, key: Key) -> Body:
    metadata: Body = {}
    if draw(below(10)) < (2 if key.name in ("sfu", "mcu") else 8):
        name = mostly(draw, key.name, *_GATEWAYS) if key.name in _GATEWAYS else _GATEWAYS[1]
        owner = f"{kinds.GATEWAY.name} {key.namespace}/{name} {pick(draw, [1, 1, 2])}"
        reference = {"apiVersion": f"{GATEWAY_GROUP}/v1", "kind": "Gateway", "name": name, "uid": owner}
        metadata = {
            "annotations": {RELATED_GATEWAY: f"{key.namespace}/{name}"},
            "ownerReferences": [reference],
        }
    ports = [
        {"port": number, "protocol": protocol, "nodePort": node_port}
        for number, protocol, node_port in ((3478, "UDP", 30478), (3478, "TCP", 31478), (3479, "UDP", None))
        if draw(below(2))
    ]
    ingress: list[list[Body]] = [
        [],
        [{"ip": "198.51.100.1"}],
        [{"hostname": "lb.example.org", "ports": [{"port": 3478, "protocol": "UDP"}]}, {"ip": "198.51.100.2"}],
    ]
    spec: Body = {"ports": ports, **mostly(draw, {"clusterIPs": ["10.0.0.7", "fd00::7"]}, {"clusterIP": "None"}, {})}
    types = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
    spec["type"] = mostly(draw, *(types if key.name in ("sfu", "mcu") else types[2:] + types[:2]))
    return {"metadata": metadata, "spec": spec, "status": {"loadBalancer": {"ingress": pick(draw, ingress)}}}


_ADDRESSES_OF_PODS = st.lists(
    st.sampled_from(["10.244.0.1", "10.244.0.2", "10.244.0.10", "2001:DB8::1", "::ffff:10.0.0.1", "fe80::1%eth0"]),
    max_size=3,
)


@st.composite
def _endpoint_slice(draw: Draw, flavour: Flavour, key: Key) -> Body:
    addresses = draw(_ADDRESSES_OF_PODS)
    return {
        "metadata": {"labels": mostly(draw, {SERVICE_NAME: "sfu"}, {SERVICE_NAME: "mcu"}, {})},
        "addressType": mostly(draw, "IPv4", "IPv6", "FQDN"),
        "endpoints": [{"addresses": [address]} for address in addresses],
    }


@st.composite
def _namespace(draw: Draw, flavour: Flavour, key: Key) -> Body:
    return {"metadata": {"labels": pick(draw, [{}, {"calls": "yes"}, {"calls": "no"}])}}


@st.composite
def _definition(draw: Draw, flavour: Flavour, key: Key) -> Body:
    bundle = pick(draw, ["v1.6.3", "v1.0.0", "monthly-2026-07", ""])
    told = {"bundle-version": bundle, "channel": pick(draw, ["standard", "experimental"])} if bundle else {}
    return {"metadata": {"annotations": {f"{GATEWAY_GROUP}/{name}": text for name, text in told.items()}}}


@st.composite
def _node(draw: Draw, flavour: Flavour, key: Key) -> Body:
    choices: list[Body] = [
        {"type": "InternalIP", "address": "10.1.0.1"},
        {"type": "ExternalIP", "address": f"203.0.113.{key.name[-1]}"},
        {"type": "ExternalDNS", "address": f"{key.name}.example.org"},
    ]
    return {"status": {"addresses": [choice for choice in choices if draw(below(2))]}}


def _pem(authority: trustme.CA) -> tuple[str, str]:
    made = authority.issue_cert("turn.example.org")
    return made.cert_chain_pems[0].bytes().decode(), made.private_key_pem.bytes().decode()


_AUTHORITY = trustme.CA()
_PAIRS = (_pem(_AUTHORITY), _pem(_AUTHORITY))


def _encoded(**texts: str) -> Body:
    return {name.replace("_", "."): b64encode(text.encode()).decode() for name, text in texts.items()}


_SECRET_DATA: list[Body] = [
    _encoded(tls_crt=_PAIRS[0][0], tls_key=_PAIRS[0][1]),
    _encoded(tls_crt=_PAIRS[1][0], tls_key=_PAIRS[1][1]),
    _encoded(tls_crt=_PAIRS[0][0], tls_key=_PAIRS[1][1]),
    _encoded(tls_crt="no PEM", tls_key=SECRETS[2]),
    {},
]
_CREDENTIAL_DATA: list[Body] = [
    _encoded(username=SECRETS[0], password=SECRETS[1]),
    _encoded(type="ephemeral", secret=SECRETS[2]),
    _encoded(type="static", username=SECRETS[0]),
    _encoded(type="what", secret=SECRETS[2]),
]


@st.composite
def _secret(draw: Draw, flavour: Flavour, key: Key) -> Body:
    """A certificate, or credentials; now and then known by its metadata alone."""
    if draw(below(10)) == 0:
        return {"unread": "not read yet"}
    data = mostly(draw, *(_SECRET_DATA if key.name == "cert" else _CREDENTIAL_DATA))
    return {"type": mostly(draw, "kubernetes.io/tls", "Opaque"), "data": data}


_PREFIXES = st.lists(
    st.sampled_from(["10.244.0.0/24", "10.244.0.1", "10.0.0.1/8", "2001:db8::/64", "no address", "::ffff:10.0.0.1"]),
    max_size=3,
)


@st.composite
def _static_service(draw: Draw, flavour: Flavour, key: Key) -> Body:
    return {"spec": {"prefixes": draw(_PREFIXES)}}


@st.composite
def _reference_grant(draw: Draw, flavour: Flavour, key: Key) -> Body:
    kind = mostly(draw, "UDPRoute", "Gateway")
    source = {"group": mostly(draw, GATEWAY_GROUP, STUNNER_GROUP), "kind": kind}
    target: Body = {"group": "", "kind": mostly(draw, "Service", "Secret")}
    if draw(below(2)):
        target["name"] = pick(draw, ["sfu", "cert"])
    return {"spec": {"from": [source | {"namespace": pick(draw, NAMESPACES)}], "to": [target]}}


_READY_OR_NOT = st.lists(st.sampled_from(["10.244.0.1", "10.244.0.3", "fd00::3"]), max_size=2, unique=True)


@st.composite
def _endpoints(draw: Draw, flavour: Flavour, key: Key) -> Body:
    addresses = draw(_READY_OR_NOT)
    subset = {"notReadyAddresses": [{"ip": address} for address in addresses]}
    return {"subsets": [{**subset, "addresses": [{"ip": "10.244.0.9"}], "ports": [{"port": 9, "protocol": "UDP"}]}]}


BODIES: Mapping[Kind[Any], Callable[[Flavour, Key], SearchStrategy[Body]]] = {
    kinds.GATEWAY_CLASS: _gateway_class,
    kinds.GATEWAY_CONFIG: _gateway_config,
    kinds.DATAPLANE: _dataplane,
    kinds.GATEWAY: _gateway,
    kinds.UDP_ROUTE: _route(kinds.UDP_ROUTE),
    kinds.STUNNER_UDP_ROUTE: _route(kinds.STUNNER_UDP_ROUTE),
    kinds.SERVICE: _service,
    kinds.ENDPOINT_SLICE: _endpoint_slice,
    kinds.NAMESPACE: _namespace,
    kinds.NODE: _node,
    kinds.SECRET: _secret,
    kinds.STATIC_SERVICE: _static_service,
    kinds.REFERENCE_GRANT: _reference_grant,
    kinds.ENDPOINTS: _endpoints,
    kinds.CUSTOM_RESOURCE_DEFINITION: _definition,
}
