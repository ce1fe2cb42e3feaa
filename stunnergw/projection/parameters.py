"""The parameters of a class: what its GatewayConfig, and in managed mode its Dataplane, say.

Whatever lacks makes the class broken, with a message that names it. Credentials are worked out apart from the rest, so
that a new password changes documents and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.dataplane.configs import RelayPorts
from stunnergw.projection.credentials import Credentials, credentials
from stunnergw.projection.environment import environment
from stunnergw.projection.problems import Problem
from stunnergw.projection.queries import query
from stunnergw.projection.reasons import Reason
from stunnergw.resources.kinds import DATAPLANE, GATEWAY_CLASS, GATEWAY_CONFIG
from stunnergw.resources.metadata import STUNNER_GROUP, Key
from stunnergw.settings import ConfigVersion, DataplaneMode
from stunnergw.store.indexes import ALL_CLASSES

if TYPE_CHECKING:
    from stunnergw.dataplane.spellings import Spelling
    from stunnergw.projection.queries import Context
    from stunnergw.resources.gateways import GatewayClass
    from stunnergw.resources.modelling import FrozenMap
    from stunnergw.resources.stunner import Dataplane, GatewayConfig, GatewayConfigSpec

DEFAULT_CONFIG_MAP = "stunnerd-config"


class Parameters(NamedTuple):
    """What a class gives its Gateways."""

    class_name: str
    config: Key
    """The GatewayConfig."""
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


_WHICH_STUNNERD = (
    "its document is v1alpha1, with the protocol names of the listeners: stunnerd 0.13 runs UDP and TCP, "
    "0.16 and later run TURN-UDP and TURN-TCP alone"
)


class Judged(NamedTuple):
    """Parameters in order, with what their author should know."""

    parameters: Parameters
    warnings: tuple[str, ...]


def _invalid(message: str) -> Problem:
    return Problem(Reason.INVALID_PARAMETERS, message)


def config_of(db: Context, gateway_class: GatewayClass) -> GatewayConfig | Problem:
    """Follow a class's parametersRef."""
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


@query("credentials of class")
def class_credentials(db: Context, name: str) -> Credentials | Problem:
    """Work out who may allocate at the Gateways of a class.

    Raises:
        Unknown: the Secret that its GatewayConfig names is there and not read.
    """
    gateway_class = db.get(GATEWAY_CLASS, Key("", name))
    found = config_of(db, gateway_class) if gateway_class else _invalid(f"GatewayClass {name} not found")
    return found if isinstance(found, Problem) else credentials(db, found)


@query("parameters")
def judge(db: Context, name: str) -> Judged | Problem:
    """Judge the parameters of a class of ours, its credentials aside."""
    gateway_class = db.get(GATEWAY_CLASS, Key("", name))
    config = config_of(db, gateway_class) if gateway_class else _invalid(f"GatewayClass {name} not found")
    if isinstance(config, Problem):
        return config
    key, spec = config.metadata.key, config.spec
    dataplane = _dataplane(db, key, spec)
    if isinstance(dataplane, Problem):
        return dataplane
    taken = _taken_config_map(db, name, config)
    if taken:
        return taken
    spelling = _spelling(db, spec)
    if spec.stun_mode and spelling == "v1alpha1":
        return _invalid(
            f"spec.stunMode of GatewayConfig {key} cannot be told in a v1alpha1 document: take stunMode out, or write "
            "v1 documents, with --config-version=v1 or without the v1alpha1 fields of the GatewayConfig"
        )
    metrics, warnings = _metrics(spec) if spelling == "v1alpha1" else ("", ())
    parameters = Parameters(
        class_name=name,
        config=key,
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
    if spelling == "v1alpha1":
        warnings += (_WHICH_STUNNERD,)
    return Judged(
        parameters, (*warnings, *_without_effect(db, spec, spelling), *without_effect_in_dataplane(dataplane))
    )


def _taken_config_map(db: Context, name: str, config: GatewayConfig) -> Problem | None:
    """Say that an older class (ties by name) writes the same ConfigMap: two would overwrite each other for ever."""
    if db.settings.dataplane_mode is DataplaneMode.MANAGED:
        return None
    ours = _config_map(config)
    holder = next((other for target, other in config_maps(db) if target == ours), name)
    if holder == name:
        return None
    return _invalid(
        f"GatewayClass {holder}, which is older, writes ConfigMap {ours} too: "
        f"give GatewayConfig {config.metadata.key} a spec.stunnerConfig of its own"
    )


def _config_map(config: GatewayConfig) -> Key:
    return Key(config.metadata.namespace, config.spec.stunner_config or DEFAULT_CONFIG_MAP)


@query("ConfigMaps of classes")
def config_maps(db: Context) -> tuple[tuple[Key, str], ...]:
    """Return, for each ConfigMap that classes of ours would write, the oldest class that does (legacy mode)."""
    aged: list[tuple[str, str, Key]] = []
    for key in db.select(ALL_CLASSES, ""):
        gateway_class = db.get(GATEWAY_CLASS, key)
        if gateway_class is None or gateway_class.spec.controller_name != db.settings.controller_name:
            continue
        config = config_of(db, gateway_class)
        if not isinstance(config, Problem):
            aged.append((gateway_class.metadata.creation_timestamp, key.name, _config_map(config)))
    holders: dict[Key, str] = {}
    for _, name, target in sorted(aged):
        holders.setdefault(target, name)
    return tuple(sorted(holders.items()))


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


def port_of(endpoint: str) -> int | None:
    """Return the port of an endpoint like ``http://:8080/metrics``; None where it lacks scheme or port."""
    scheme, _, rest = endpoint.partition("://")
    port = rest.partition("/")[0].rpartition(":")[2]
    if scheme not in ("http", "https") or not (port.isascii() and port.isdecimal() and len(port) <= 5):
        return None
    return int(port) if 1 <= int(port) <= 65535 else None


def _metrics(spec: GatewayConfigSpec) -> tuple[str, tuple[str, ...]]:
    """Return the metrics endpoint that stunnerd can take: without scheme and port it would panic."""
    text = spec.metrics_endpoint
    if not text or port_of(text) is not None:
        return text or "", ()
    return "", (f"spec.metricsEndpoint {text!r} is left out: write it with scheme and port, http://:8080/metrics",)


def _without_effect(db: Context, spec: GatewayConfigSpec, spelling: Spelling) -> tuple[str, ...]:
    quota = ("spec.userQuota is told to stunnerd, which enforces it only with a licence",) if spec.user_quota else ()
    heeded: tuple[str, ...] = ()
    if db.settings.dataplane_mode is DataplaneMode.LEGACY:
        heeded = ("stunnerConfig",) if spelling == "v1" else ("stunnerConfig", "metricsEndpoint", "minPort", "maxPort")
    why = " in a v1 document" if heeded == ("stunnerConfig",) else ""
    fields = [field for field in _old_fields(spec) if field not in heeded]
    return (*quota, *(f"spec.{field} of the GatewayConfig has no effect{why}" for field in fields))


def without_effect_in_dataplane(dataplane: Dataplane | None) -> tuple[str, ...]:
    """Say what of a Dataplane is left out; nothing where there is none."""
    if dataplane is None:
        return ()
    # Which Gateway it is for does not matter to what is left out.
    return environment("", Key("", ""), dataplane.spec.env).notes
