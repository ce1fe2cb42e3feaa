"""Classes: whether a GatewayClass is ours, and which parameters its Gateways get.

A class is ours by its controllerName. Its parametersRef must lead to a GatewayConfig, and in managed mode that to a
Dataplane; whatever lacks makes the class broken, with a message that names it. A broken class is served on held
parameters (:mod:`stunnergw.projection.holding`); a missing one is unknown, not left, so that its Gateways stay as
they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stunnergw.dataplane.configs import RelayPorts
from stunnergw.errors import Unknown
from stunnergw.projection.credentials import credentials
from stunnergw.projection.environment import environment
from stunnergw.projection.problems import Problem
from stunnergw.projection.queries import query
from stunnergw.resources.kinds import DATAPLANE, GATEWAY, GATEWAY_CLASS, GATEWAY_CONFIG
from stunnergw.resources.metadata import STUNNER_GROUP, Key
from stunnergw.settings import ConfigVersion, DataplaneMode
from stunnergw.store.indexes import GATEWAYS_BY_CLASS, GatewayItem

if TYPE_CHECKING:
    from stunnergw.dataplane.configs import Auth
    from stunnergw.dataplane.spellings import Spelling
    from stunnergw.projection.queries import Context
    from stunnergw.resources.gateways import GatewayClass
    from stunnergw.resources.modelling import FrozenMap
    from stunnergw.resources.stunner import Dataplane, GatewayConfig, GatewayConfigSpec

HELD_CLASSES = "class"
"""The table of held parameters, by class name."""

HELD_GATEWAYS = "gateway of class"
"""The table of Gateways that a class holds for, by class name and the Gateway's uid and key."""

DEFAULT_CONFIG_MAP = "stunnerd-config"


class Parameters(NamedTuple):
    """What a class gives its Gateways."""

    class_name: str
    config: Key
    """The GatewayConfig."""
    auth: Auth
    log_level: str
    user_quota: int
    service_annotations: FrozenMap
    spelling: Spelling
    discovery: bool
    """Clusters list addresses; else a domain name for each Service."""
    config_map: str
    """Legacy mode: the ConfigMap's name, in the GatewayConfig's namespace."""
    relay_ports: RelayPorts
    metrics_endpoint: str
    dataplane: Dataplane | None
    """None in legacy mode."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The class is ours and in order."""

    parameters: Parameters
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """The class is ours, and something lacks."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Foreign:
    """The class belongs to another controller."""


ClassToday = Accepted | Broken | Foreign


@query("class")
def class_today(db: Context, name: str) -> ClassToday | None:
    """Judge a class as it stands, whatever is held; None where there is no such class."""
    gateway_class = db.get(GATEWAY_CLASS, Key("", name))
    if gateway_class is None:
        return None
    if gateway_class.spec.controller_name != db.settings.controller_name:
        return Foreign()
    found = _config_of(db, gateway_class)
    return Broken(found) if isinstance(found, Problem) else _judge(db, name, found)


def _invalid(message: str) -> Problem:
    return Problem("InvalidParameters", message)


def _config_of(db: Context, gateway_class: GatewayClass) -> GatewayConfig | Problem:
    ref = gateway_class.spec.parameters_ref
    want = f"point it at a GatewayConfig of group {STUNNER_GROUP}, with name and namespace"
    if ref is None:
        return _invalid(f"spec.parametersRef is missing: {want}")
    if (ref.group, ref.kind) != (STUNNER_GROUP, "GatewayConfig"):
        return _invalid(f"spec.parametersRef names {ref.group or 'core'}/{ref.kind or '(no kind)'}: {want}")
    if not ref.name or not ref.namespace:
        return _invalid(f"spec.parametersRef lacks {'namespace' if ref.name else 'name'}: {want}")
    config = db.get(GATEWAY_CONFIG, Key(ref.namespace, ref.name))
    if config is None:
        return _invalid(f"GatewayConfig {ref.namespace}/{ref.name} not found: create it, or correct spec.parametersRef")
    return config


def _judge(db: Context, name: str, config: GatewayConfig) -> Accepted | Broken:
    key, spec = config.metadata.key, config.spec
    auth = credentials(db, config)
    if isinstance(auth, Problem):
        return Broken(auth)
    dataplane = _dataplane(db, key, spec)
    if isinstance(dataplane, Problem):
        return Broken(dataplane)
    spelling = _spelling(db, spec)
    metrics, warnings = _metrics(spec)
    parameters = Parameters(
        class_name=name,
        config=key,
        auth=auth.auth,
        log_level=spec.log_level,
        user_quota=spec.user_quota,
        service_annotations=spec.load_balancer_service_annotations,
        spelling=spelling,
        discovery=_discovery(db, spelling),
        config_map=spec.stunner_config or DEFAULT_CONFIG_MAP,
        relay_ports=RelayPorts(spec.min_port or RelayPorts().low, spec.max_port or RelayPorts().high),
        metrics_endpoint=metrics,
        dataplane=dataplane,
    )
    return Accepted(parameters, (*auth.warnings, *warnings, *_without_effect(db, spec), *_of_dataplane(dataplane)))


def _dataplane(db: Context, config: Key, spec: GatewayConfigSpec) -> Dataplane | Problem | None:
    if db.settings.dataplane_mode is not DataplaneMode.MANAGED:
        return None
    dataplane = db.get(DATAPLANE, Key("", spec.dataplane))
    if dataplane is None:
        return _invalid(
            f"Dataplane {spec.dataplane} not found: create it, or correct spec.dataplane of GatewayConfig {config}"
        )
    return dataplane


def _spelling(db: Context, spec: GatewayConfigSpec) -> Spelling:
    """Choose the document version: v1alpha1 is legacy mode's, where it is asked for or the config is of that time."""
    if db.settings.dataplane_mode is DataplaneMode.MANAGED or db.settings.config_version is ConfigVersion.V1:
        return "v1"
    if db.settings.config_version is ConfigVersion.V1ALPHA1 or _old_fields(spec):
        return "v1alpha1"
    return "v1alpha1" if db.versions(GATEWAY_CONFIG) == ("v1alpha1",) else "v1"


def _old_fields(spec: GatewayConfigSpec) -> list[str]:
    fields = {
        "stunnerConfig": spec.stunner_config,
        "metricsEndpoint": spec.metrics_endpoint,
        "healthCheckEndpoint": spec.health_check_endpoint,
        "minPort": spec.min_port,
        "maxPort": spec.max_port,
    }
    return [name for name, value in fields.items() if value is not None]


def _discovery(db: Context, spelling: Spelling) -> bool:
    asked = db.settings.endpoint_discovery
    return spelling == "v1" if asked is None else asked


def _metrics(spec: GatewayConfigSpec) -> tuple[str, tuple[str, ...]]:
    """Return the metrics endpoint that stunnerd can take: without scheme and port it would panic."""
    text = spec.metrics_endpoint
    if not text:
        return "", ()
    scheme, found, rest = text.partition("://")
    host = rest.partition("/")[0]
    if found and scheme in ("http", "https") and host.rpartition(":")[2].isdecimal():
        return text, ()
    return "", (f"spec.metricsEndpoint {text!r} is left out: write it with scheme and port, http://:8080/metrics",)


def _without_effect(db: Context, spec: GatewayConfigSpec) -> tuple[str, ...]:
    quota = ("spec.userQuota is told to stunnerd, which enforces it only with a licence",) if spec.user_quota else ()
    fields = _old_fields(spec) if db.settings.dataplane_mode is DataplaneMode.MANAGED else []
    if not fields and spec.health_check_endpoint is not None:
        fields = ["healthCheckEndpoint"]
    return (*quota, *(f"spec.{field} of the GatewayConfig has no effect" for field in fields))


def _of_dataplane(dataplane: Dataplane | None) -> tuple[str, ...]:
    if dataplane is None:
        return ()
    # Which Gateway it is for does not matter to what is left out.
    return environment("", Key("", ""), dataplane.spec.env).notes


class Ruling(NamedTuple):
    """The parameters a Gateway is served with."""

    parameters: Parameters
    held_for: str = ""
    """Why today's parameters are not used; empty where they are."""


@query("ruling")
def ruling(db: Context, gateway: Key) -> Ruling | None:
    """Return the parameters that rule a Gateway; None where its class is another controller's.

    Raises:
        Unknown: the class is missing, or broken with nothing held for this Gateway.
    """
    uid, class_name = _naming(db, gateway)
    today = class_today(db, class_name)
    match today:
        case Accepted():
            return Ruling(today.parameters)
        case Broken():
            held = _held(db, class_name, GatewayItem(gateway, uid))
            if held is None:
                raise Unknown(f"GatewayClass {class_name} is not accepted: {today.problem.message}")
            return Ruling(held, today.problem.message)
        case Foreign():
            return None
        case None:
            raise Unknown(f"GatewayClass {class_name} not found: Gateway {gateway} stays as it is")


def _naming(db: Context, key: Key) -> tuple[str, str]:
    gateway = db.get(GATEWAY, key)
    if gateway is None:
        raise Unknown(f"Gateway {key} not found")
    return gateway.metadata.uid, gateway.spec.gateway_class_name


def _held(db: Context, class_name: str, gateway: GatewayItem) -> Parameters | None:
    if not db.held(HELD_GATEWAYS, (class_name, gateway)):
        return None
    held: Parameters | None = db.held(HELD_CLASSES, class_name)
    return held


@query("Gateways of class")
def gateways_of_class(db: Context, class_name: str) -> tuple[GatewayItem, ...]:
    """Return the Gateways that name a class, by namespace and name."""
    return db.select(GATEWAYS_BY_CLASS, class_name)


class ClassHold(NamedTuple):
    """What holding goes by."""

    parameters: Parameters | None
    """Today's; None where there are none."""
    reason: str
    """Why there are none."""
    naming: tuple[GatewayItem, ...]
    """The Gateways that name the class."""


@query("hold of class")
def class_hold(db: Context, class_name: str) -> ClassHold:
    """Return what holding goes by: the first layer's result for a class."""
    today, naming = class_today(db, class_name), gateways_of_class(db, class_name)
    match today:
        case Accepted(parameters=parameters):
            return ClassHold(parameters, "", naming)
        case Broken(problem=problem):
            return ClassHold(None, problem.message, naming)
    # Another controller's class: nothing is held for those who name it.
    return ClassHold(None, "", ())
