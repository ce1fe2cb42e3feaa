"""Configuration documents: what each stunnerd is told.

Managed mode has a document for each Gateway, legacy mode one for each class. Both are put together from the same parts:
the listeners that can be served, each with its public address and the clusters of its routes, and those clusters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.dataplane.configs import (
    LEGACY_NAME,
    NODE_ADDRESS_PLACEHOLDER,
    STUNNER_ADDR,
    Admin,
    ClusterConfig,
    ClusterName,
    Config,
    ListenerConfig,
    ListenerName,
)
from stunnergw.dataplane.documents import document_of
from stunnergw.errors import Unknown
from stunnergw.projection.addresses import public_address
from stunnergw.projection.annotations import RELAY_ADDRESS_DISCOVERY, is_true, own_annotations
from stunnergw.projection.attachments import attached_routes
from stunnergw.projection.classes import Accepted, Broken, Foreign, auth, auth_of_class, class_today, ruling
from stunnergw.projection.clusters import cluster
from stunnergw.projection.gateways import must_have_something_to_serve
from stunnergw.projection.legacy import route_left_out, served_gateways, served_listeners
from stunnergw.projection.outputs import ABSENT, Want
from stunnergw.projection.queries import query
from stunnergw.projection.refusals import gateway_refusal
from stunnergw.projection.unions import united
from stunnergw.settings import DataplaneMode

if TYPE_CHECKING:
    from stunnergw.dataplane.documents import Document
    from stunnergw.projection.attachments import AttachedRoute
    from stunnergw.projection.legacy import ServedListener
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.parameters import Parameters
    from stunnergw.projection.queries import Context
    from stunnergw.resources.metadata import Key

HEALTH_CHECK = "http://:8086"
"""This text exactly: stunnerd starts with it, and the same port in other words can make it refuse its document."""

METRICS = "http://:8080/metrics"


@query("config")
def config(db: Context, gateway: Key) -> Output[Document]:
    """Work out a Gateway's own document (managed mode).

    Raises:
        Unknown: the class cannot be told, or nothing can be served.
    """
    ruled = ruling(db, gateway)
    if ruled is None:
        return ABSENT
    must_have_something_to_serve(db, gateway)
    parameters = ruled.parameters
    listening, clusters = united(*_parts(db, gateway, parameters))
    made = Config(
        admin=_admin(parameters, name=str(gateway)),
        auth=auth(db, gateway),
        listeners=listening,
        clusters=clusters,
        relay_ports=parameters.relay_ports,
    )
    return Want(document_of(made, parameters.spelling, document_id=str(gateway)))


@query("config of class")
def class_config(db: Context, class_name: str) -> Output[Document]:
    """Work out the document of all Gateways of a class (legacy mode); written with whatever listeners there are.

    Raises:
        Unknown: the class is missing, or broken with nothing held.
    """
    parameters = class_parameters(db, class_name)
    if parameters is None:
        return ABSENT
    gateways = served_gateways(db, class_name)
    contributed = [parts(db, gateway) for gateway in gateways]
    clusters = {found.name: found for one in contributed for found in one.clusters}
    listening, united_clusters = united(
        tuple(found for one in contributed for found in one.listeners),
        tuple(clusters[name] for name in sorted(clusters)),
        qualified=True,
    )
    made = Config(
        admin=_admin(parameters, name=LEGACY_NAME),
        auth=auth_of_class(db, class_name, held=not isinstance(class_today(db, class_name), Accepted)),
        listeners=listening,
        clusters=united_clusters,
        relay_ports=parameters.relay_ports,
    )
    return Want(document_of(made, parameters.spelling, document_id=class_name))


@query("parameters of class")
def class_parameters(db: Context, class_name: str) -> Parameters | None:
    """Return what a class serves with, held or of today; None where it is another controller's.

    Raises:
        Unknown: the class is missing, or broken with nothing held.
    """
    today = class_today(db, class_name)
    match today:
        case Accepted():
            return today.parameters
        case Foreign():
            return None
        case Broken():
            for gateway in served_gateways(db, class_name):
                held = ruling(db, gateway)
                if held is not None:
                    return held.parameters
            raise Unknown(f"GatewayClass {class_name} is not accepted: {today.problem.message}")
        case None:
            raise Unknown(f"GatewayClass {class_name} not found")


def _admin(parameters: Parameters, *, name: str) -> Admin:
    dataplane = parameters.dataplane
    if dataplane is None:
        metrics = parameters.metrics_endpoint if parameters.spelling == "v1alpha1" else ""
        return Admin(name, parameters.log_level, metrics, HEALTH_CHECK, parameters.user_quota)
    spec = dataplane.spec
    return Admin(
        name=name,
        loglevel=parameters.log_level,
        metrics_endpoint=METRICS if spec.enable_metrics_endpoint else "",
        healthcheck_endpoint="" if spec.disable_health_check else HEALTH_CHECK,
        user_quota=parameters.user_quota,
        offload_engine=spec.offload_engine,
        offload_interfaces=tuple(sorted(spec.offload_interfaces)),
    )


class Parts(NamedTuple):
    """What a Gateway contributes to a document."""

    listeners: tuple[ListenerConfig, ...] = ()
    """In the order of the Gateway's spec."""
    clusters: tuple[ClusterConfig, ...] = ()
    """By name."""


@query("parts of config")
def parts(db: Context, gateway: Key) -> Parts:
    """Return what a Gateway contributes to its class's document, remembered for when another Gateway changes."""
    ruled = ruling(db, gateway)
    if ruled is None or gateway_refusal(db, gateway) is not None:
        return Parts()
    return _parts(db, gateway, ruled.parameters)


def _parts(db: Context, gateway: Key, parameters: Parameters) -> Parts:
    served = served_listeners(db, gateway)
    routes = _rendered_routes(db, gateway, parameters, served)
    address = _relay_address(db, gateway)
    return Parts(
        tuple(_listener_config(db, gateway, one, address, routes) for one in served),
        tuple(_cluster_config(db, route, parameters) for route in routes),
    )


def _cluster_config(db: Context, route: AttachedRoute, parameters: Parameters) -> ClusterConfig:
    made = cluster(db, route.kind, route.key, parameters.discovery)
    return ClusterConfig(_name(route), made.type, made.endpoints)


def _relay_address(db: Context, gateway: Key) -> str:
    managed = db.settings.dataplane_mode is DataplaneMode.MANAGED
    if managed and is_true(own_annotations(db, gateway), RELAY_ADDRESS_DISCOVERY):
        return NODE_ADDRESS_PLACEHOLDER
    return STUNNER_ADDR


def _listener_config(
    db: Context, gateway: Key, served: ServedListener, address: str, routes: tuple[AttachedRoute, ...]
) -> ListenerConfig:
    rule, pair = served
    public = public_address(db, gateway, rule.name, True)
    return ListenerConfig(
        name=ListenerName(gateway.namespace, gateway.name, rule.name),
        protocol=rule.protocol,
        written_protocol=rule.written_protocol,
        address=address,
        port=rule.document_port,
        routes=tuple(_name(route) for route in routes if rule.name in route.listeners),
        public_address=public.value,
        public_port=public.port,
        certificate=pair.certificate if pair else None,
        key=pair.key if pair else None,
    )


def _name(route: AttachedRoute) -> ClusterName:
    return ClusterName(route.key.namespace, route.key.name)


def _rendered_routes(
    db: Context, gateway: Key, parameters: Parameters, served: tuple[ServedListener, ...]
) -> tuple[AttachedRoute, ...]:
    """Return the attached routes that go into the document: those of some listener that does."""
    serving = {one.rule.name for one in served}
    routes = tuple(route for route in attached_routes(db, gateway) if not serving.isdisjoint(route.listeners))
    if parameters.spelling == "v1":
        return routes
    name = parameters.class_name
    return tuple(route for route in routes if route_left_out(db, name, route.key) is None)
