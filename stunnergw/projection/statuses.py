"""The statuses as values, and their JSON form.

Conditions leave the projection without lastTransitionTime: the sink that writes them knows what stood there before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from stunnergw.projection.outputs import Output
    from stunnergw.projection.reasons import Reason
    from stunnergw.resources.routes import ParentReference


class Condition(NamedTuple):
    """A condition: of type ``type``, being True, False or Unknown for ``reason``."""

    type: str
    status: str
    reason: Reason
    message: str
    observed_generation: int

    def as_json(self) -> dict[str, Any]:
        """Return it in Kubernetes' form."""
        return {
            "type": self.type,
            "status": self.status,
            "observedGeneration": self.observed_generation,
            "reason": str(self.reason),
            "message": self.message,
        }


Conditions = tuple[Condition, ...]


class ClassStatus(NamedTuple):
    """Status of a GatewayClass."""

    conditions: Conditions
    features: tuple[str, ...] | None = None
    """What we support of the Gateway API, sorted; None where the server has no place for it (R3.8)."""

    def as_json(self) -> dict[str, Any]:
        """Return it in Kubernetes' form."""
        told = {} if self.features is None else {"supportedFeatures": [{"name": name} for name in self.features]}
        return {"conditions": [condition.as_json() for condition in self.conditions], **told}


class AssignedAddress(NamedTuple):
    """An address at which clients find the Gateway: type IPAddress or Hostname."""

    type: str
    value: str


class SupportedKind(NamedTuple):
    """A kind of route that a listener takes."""

    group: str
    kind: str


class ListenerStatus(NamedTuple):
    """Status of one listener."""

    name: str
    attached_routes: int
    supported_kinds: tuple[SupportedKind, ...]
    conditions: Conditions

    def as_json(self) -> dict[str, Any]:
        """Return it in Kubernetes' form; ``supportedKinds`` is there even when empty (R5.15)."""
        return {
            "name": self.name,
            "attachedRoutes": self.attached_routes,
            "supportedKinds": [kind._asdict() for kind in self.supported_kinds],
            "conditions": [condition.as_json() for condition in self.conditions],
        }


class GatewayStatus(NamedTuple):
    """Status of a Gateway."""

    addresses: tuple[AssignedAddress, ...]
    conditions: Conditions
    listeners: tuple[ListenerStatus, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it in Kubernetes' form."""
        return {
            "addresses": [address._asdict() for address in self.addresses],
            "conditions": [condition.as_json() for condition in self.conditions],
            "listeners": [listener.as_json() for listener in self.listeners],
        }


class ParentStatus(NamedTuple):
    """What we say of one parentRef of a route: want conditions, absent (no entry), or undecided."""

    parent: ParentReference
    conditions: Output[Conditions]


class RouteStatus(NamedTuple):
    """Our entries of a route's status; those of other controllers are not ours to say."""

    controller: str
    parents: tuple[ParentStatus, ...]


class ParameterStatus(NamedTuple):
    """Status of a GatewayConfig or a Dataplane."""

    conditions: Conditions
    classes: tuple[str, ...]
    """The GatewayClasses that use it, sorted: those of other controllers, too."""

    def as_json(self) -> dict[str, Any]:
        """Return it in the form of our CRDs."""
        return {
            "conditions": [condition.as_json() for condition in self.conditions],
            "classes": list(self.classes),
        }


class StaticServiceStatus(NamedTuple):
    """Status of a StaticService."""

    conditions: Conditions

    def as_json(self) -> dict[str, Any]:
        """Return it in the form of our CRDs."""
        return {"conditions": [condition.as_json() for condition in self.conditions]}


Status = ClassStatus | GatewayStatus | RouteStatus | ParameterStatus | StaticServiceStatus


def parent_json(parent: ParentReference) -> dict[str, Any]:
    """Return a parentRef with its defaults filled in, as status echoes it (R6.11)."""
    echoed: dict[str, Any] = {"group": parent.group, "kind": parent.kind}
    if parent.namespace is not None:
        echoed["namespace"] = parent.namespace
    echoed["name"] = parent.name
    if parent.section_name is not None:
        echoed["sectionName"] = parent.section_name
    if parent.port is not None:
        echoed["port"] = parent.port
    return echoed
