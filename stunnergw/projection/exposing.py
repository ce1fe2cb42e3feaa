"""Which Service exposes a Gateway: what it is called, and which of those found is the public one."""

from __future__ import annotations

from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from stunnergw.projection.annotations import SERVICE_TYPE, service_annotations
from stunnergw.projection.classes import parameters_for
from stunnergw.resources.kinds import GATEWAY, SERVICE
from stunnergw.resources.metadata import OWNED_BY, OWNER, Key
from stunnergw.settings import DataplaneMode
from stunnergw.store.indexes import SERVICES_BY_GATEWAY

if TYPE_CHECKING:
    from stunnergw.projection.queries import Context
    from stunnergw.resources.core import Service
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import ObjectMeta

RELATED_NAMESPACE = "stunner.l7mp.io/related-gateway-namespace"
RELATED_NAME = "stunner.l7mp.io/related-gateway-name"

_PREFERENCE = ("LoadBalancer", "ExternalName", "NodePort", "ClusterIP")
_TYPES = MappingProxyType({kind.lower(): kind for kind in _PREFERENCE} | {"none": "", "": "LoadBalancer"})

_OLD = ("stunner-gateway-", "-svc")
"""What the seed's time wrote before and after a Gateway's name."""

MAX_LABEL = 63
"""The most characters that a label, and so a Service's name, may have."""


def fitting_name(name: str) -> str:
    """Return a name that a Service or a port can have: shortened and hashed where it has dots or is too long."""
    if len(name) <= MAX_LABEL and "." not in name:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name.replace('.', '-')[:54]}-{digest}"


def label_value(value: str) -> str:
    """Return a text that a label can have: shortened and hashed where it is too long."""
    return value if len(value) <= MAX_LABEL else f"{value[:54]}-{sha256(value.encode()).hexdigest()[:8]}"


def owner_reference(db: Context, kind: Kind[Any], owner: ObjectMeta) -> dict[str, Any]:
    """Return the entry that makes a Gateway or GatewayClass an owner, in the preferred version that is served."""
    served = db.versions(kind)
    version = next((version for version in kind.versions if version in served), kind.versions[0])
    return {"apiVersion": kind.api_version(version), "kind": kind.kind, "name": owner.name, "uid": owner.uid}


def service_name(db: Context, gateway: Key, *, held: bool) -> str:
    """Return the name of a Gateway's Service; with v1alpha1 documents goes the name of that time."""
    parameters = parameters_for(db, gateway, held=held)
    old = parameters is not None and parameters.spelling == "v1alpha1"
    return fitting_name(gateway.name.join(_OLD) if old else gateway.name)


class ServiceType(NamedTuple):
    """The type that a Gateway's Service is to have; empty for no Service."""

    type: str
    note: str = ""
    """What was asked for and could not be had."""


def service_type(db: Context, gateway: Key, *, held: bool) -> ServiceType:
    """Read the type of a Gateway's Service from its annotation: a LoadBalancer, unless it says otherwise."""
    asked = service_annotations(db, gateway, held).get(SERVICE_TYPE, "").strip()
    found = _TYPES.get(asked.lower())
    if found is None:
        words = ", ".join((*_PREFERENCE, "None"))
        return ServiceType("LoadBalancer", f"annotation {SERVICE_TYPE} says {asked}: use one of {words}")
    return ServiceType(found)


def public_service(db: Context, gateway: Key, *, held: bool) -> Key | None:
    """Return the Service that exposes a Gateway: of several, by type and then by name."""
    candidates = [key for key in db.select(SERVICES_BY_GATEWAY, str(gateway)) if _owned(db, gateway, key)]
    named = Key(gateway.namespace, service_name(db, gateway, held=held))
    if db.settings.standalone and named not in candidates and _stands_in(db, gateway, db.get(SERVICE, named)):
        candidates += [] if _rival(db, gateway, named, held=held) else [named]
    return min(candidates, key=lambda key: _rank(db, key), default=None)


def _owned(db: Context, gateway: Key, key: Key) -> bool:
    if key.namespace != gateway.namespace:
        return False
    return db.settings.standalone or owned_by_gateway(db, gateway, key)


def owned_by_gateway(db: Context, gateway: Key, key: Key) -> bool:
    """Say whether a Service's owner is the Gateway, not merely one of its name."""
    service, owner = db.get(SERVICE, key), db.get(GATEWAY, gateway)
    if service is None or owner is None:
        return False
    return any(ref.kind == "Gateway" and ref.uid == owner.metadata.uid for ref in service.metadata.owner_references)


def in_the_way(db: Context, gateway: Key, *, held: bool) -> str:
    """Say that a Service of the name that ours is to have is somebody else's; empty where none is.

    Ours bears our label or is owned by the Gateway; people put the label on one that they make beforehand, to pin an
    address.
    """
    key = Key(gateway.namespace, service_name(db, gateway, held=held))
    rival = _rival(db, gateway, key, held=held)
    if rival:
        return f"Service {key} is that of Gateway {rival}: rename one of the Gateways"
    service = db.get(SERVICE, key)
    if service is None or service.metadata.labels.get(OWNED_BY) == OWNER or owned_by_gateway(db, gateway, key):
        return ""
    if db.settings.standalone and _stands_in(db, gateway, service):
        return ""
    return (
        f"Service {key} is not ours and is left alone: delete it, let us have it by the label {OWNED_BY}: {OWNER}, "
        "or rename the Gateway"
    )


def _rival(db: Context, gateway: Key, service: Key, *, held: bool) -> Key | None:
    """Return another Gateway whose Service has the same name, and which has it; None where there is none.

    One Gateway may be called as the other's Service is beside a v1alpha1 document, or as one that was shortened. The
    older has it (ties by name), and before one whose name was shortened the one that bears it.
    """
    unwrapped = Key(service.namespace, service.name.removeprefix(_OLD[0]).removesuffix(_OLD[1]))
    others = [key for key in (service, unwrapped) if key != gateway and _wants(db, key, service, held=held)]
    if not others:
        return None
    mine = [gateway] if gateway in (service, unwrapped) else []
    first = min((*mine, *others), key=lambda key: (_made(db, key), key))
    return None if first == gateway else first


def _wants(db: Context, gateway: Key, service: Key, *, held: bool) -> bool:
    if parameters_for(db, gateway, held=held) is None or not service_type(db, gateway, held=held).type:
        return False
    return service_name(db, gateway, held=held) == service.name


def _made(db: Context, gateway: Key) -> str:
    found = db.get(GATEWAY, gateway)
    return found.metadata.creation_timestamp if found else ""


def wanted_selector(db: Context, key: Key) -> dict[str, str]:
    """Return the labels of the pods that a Gateway's Service leads to."""
    if db.settings.dataplane_mode is not DataplaneMode.MANAGED:
        return {"app": "stunner"}
    return {
        "app": "stunner",
        RELATED_NAME: label_value(key.name),
        RELATED_NAMESPACE: label_value(key.namespace),
    }


def _stands_in(db: Context, gateway: Key, service: Service | None) -> bool:
    """Without a cluster, a Service of our name and no selector but ours is what a cluster made of ours."""
    return service is not None and dict(service.spec.selector) in ({}, wanted_selector(db, gateway))


def _rank(db: Context, key: Key) -> tuple[int, str]:
    service = db.get(SERVICE, key)
    kind = service.spec.type if service else ""
    return (_PREFERENCE.index(kind) if kind in _PREFERENCE else len(_PREFERENCE)), key.name
