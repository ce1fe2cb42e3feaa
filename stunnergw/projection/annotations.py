"""The annotations that steer a Gateway, read in one place.

Those of the Service come from the GatewayConfig's loadBalancerServiceAnnotations, overridden by the Gateway's own;
the others from the Gateway alone. Words count in any case. What cannot be read is ignored, and said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from stunnergw.projection.classes import parameters_for
from stunnergw.projection.queries import query
from stunnergw.resources.kinds import GATEWAY
from stunnergw.resources.modelling import EMPTY_MAP, FrozenMap

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context
    from stunnergw.resources.metadata import Key

PREFIX = "stunner.l7mp.io/"
SERVICE_TYPE = PREFIX + "service-type"
TARGET_PORT = PREFIX + "targetport"
NODE_PORT = PREFIX + "nodeport"
MIXED_PROTOCOLS = PREFIX + "enable-mixed-protocol-lb"
NO_SESSION_AFFINITY = PREFIX + "disable-session-affinity"
TRAFFIC_POLICY = PREFIX + "external-traffic-policy"
NO_HEALTH_CHECK_PORT = PREFIX + "disable-health-check-expose"
LOAD_BALANCER_CLASS = PREFIX + "load-balancer-class"
IP_FAMILY_POLICY = PREFIX + "ip-family-policy"
SOURCE_RANGES = PREFIX + "load-balancer-source-ranges"
NO_WORKLOAD = PREFIX + "disable-managed-dataplane"
RELAY_ADDRESS_DISCOVERY = PREFIX + "enable-relay-address-discovery"


def own_annotations(db: Context, gateway: Key) -> FrozenMap:
    """Return the Gateway's own annotations."""
    found = db.get(GATEWAY, gateway)
    return found.metadata.annotations if found else EMPTY_MAP


@query("annotations of Service")
def service_annotations(db: Context, gateway: Key, held: bool) -> FrozenMap:
    """Return the merged annotations that steer a Gateway's Service and are copied to it."""
    parameters = parameters_for(db, gateway, held=held)
    defaults = parameters.service_annotations if parameters else EMPTY_MAP
    return FrozenMap({**defaults, **own_annotations(db, gateway)})


def is_true(annotations: FrozenMap, name: str) -> bool:
    """Say whether an annotation says ``true``, in any case."""
    return annotations.get(name, "").strip().lower() == "true"


class PortMap(NamedTuple):
    """An annotation that maps listeners to ports."""

    ports: tuple[tuple[str, int], ...]
    problems: tuple[tuple[str, str], ...]
    """Listener (empty: all) and what was ignored."""

    def port(self, listener: str) -> int:
        """Return the port of a listener; 0 where none is asked for."""
        return next((port for name, port in self.ports if name == listener), 0)

    def said(self, listener: str) -> tuple[str, ...]:
        """Return what was ignored and concerns one listener, or with an empty name all of them."""
        return tuple(text for name, text in self.problems if name == listener)


NO_PORTS = PortMap((), ())


def port_map(annotations: FrozenMap, name: str, known: frozenset[str]) -> PortMap:
    """Read a JSON map of listener to port, braces optional."""
    text = annotations.get(name, "").strip()
    if not text:
        return NO_PORTS
    try:
        value = orjson.loads(text if text.startswith("{") else "{" + text + "}")
    except orjson.JSONDecodeError:
        return PortMap((), (("", f'annotation {name} is ignored: write a JSON map such as {{"listener": 3478}}'),))
    ports: list[tuple[str, int]] = []
    problems: list[tuple[str, str]] = []
    for listener, port in sorted(value.items()):
        if listener not in known:
            problems.append(("", f"annotation {name} names listener {listener}, which there is not"))
        elif not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
            problems.append(
                (listener, f"annotation {name} is ignored for listener {listener}: no port from 1 to 65535")
            )
        else:
            ports.append((listener, port))
    return PortMap(tuple(ports), tuple(problems))
