"""STUNner's own kinds: GatewayConfig, Dataplane and StaticService (stunner.l7mp.io v1, v1alpha1)."""

from __future__ import annotations

from stunnergw.opaque import Opaque
from stunnergw.resources.metadata import ObjectMeta
from stunnergw.resources.modelling import EMPTY_MAP, Many, RawJson, StringMap, model, stored


@model
class AuthReference:
    """The Secret that holds the credentials instead of the GatewayConfig."""

    group: str = ""
    kind: str = "Secret"
    name: str
    namespace: str | None = None


@model
class GatewayConfigSpec:
    """``spec`` of a GatewayConfig. The last five fields are v1alpha1's."""

    dataplane: str = "default"
    realm: str = "stunner.l7mp.io"
    auth_type: str = ""
    user_name: Opaque | None = None
    password: Opaque | None = None
    shared_secret: Opaque | None = None
    auth_lifetime: int | None = None
    auth_ref: AuthReference | None = None
    load_balancer_service_annotations: StringMap = EMPTY_MAP
    log_level: str = "all:INFO"
    user_quota: int = 0
    stun_mode: bool = False
    stunner_config: str | None = None
    metrics_endpoint: str | None = None
    health_check_endpoint: str | None = None
    min_port: int | None = None
    max_port: int | None = None


@model
class GatewayConfig:
    """The parameters of a GatewayClass: credentials, realm, log level."""

    metadata: ObjectMeta
    spec: GatewayConfigSpec = GatewayConfigSpec()
    status: RawJson | None = stored()


@model
class EnvVar:
    """An environment variable of the data plane's container; its value may be a secret."""

    name: str
    value: Opaque | None = None
    value_from: RawJson | None = None


@model
class DataplaneSpec:
    """``spec`` of a Dataplane. Parts of a PodSpec are passed on unread, as JSON."""

    image: str = ""
    image_pull_policy: str = ""
    image_pull_secrets: RawJson | None = None
    dataplane_resource: str = "Deployment"
    labels: StringMap = EMPTY_MAP
    annotations: StringMap = EMPTY_MAP
    command: Many[str] = ()
    args: Many[str] = ()
    env: Many[EnvVar] = ()
    env_from: RawJson | None = None
    container_security_context: RawJson | None = None
    replicas: int | None = None
    resources: RawJson | None = None
    termination_grace_period_seconds: int | None = None
    host_network: bool = False
    affinity: RawJson | None = None
    security_context: RawJson | None = None
    tolerations: RawJson | None = None
    topology_spread_constraints: RawJson | None = None
    disable_health_check: bool = False
    enable_metrics_endpoint: bool = False
    offload_engine: str = "None"
    offload_interfaces: Many[str] = ()


@model
class Dataplane:
    """How the stunnerd workloads of a class are run. Cluster-scoped."""

    metadata: ObjectMeta
    spec: DataplaneSpec = DataplaneSpec()
    status: RawJson | None = stored()


@model
class StaticServiceSpec:
    """``spec`` of a StaticService."""

    prefixes: Many[str] = ()


@model
class StaticService:
    """A backend that is a list of IP addresses and prefixes rather than a Service."""

    metadata: ObjectMeta
    spec: StaticServiceSpec = StaticServiceSpec()
    status: RawJson | None = stored()
