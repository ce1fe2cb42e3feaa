"""The ports on which stunnerd itself listens: no listener of ours may bind one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.projection.classes import parameters_for
from stunnergw.projection.parameters import port_of
from stunnergw.projection.problems import Problem
from stunnergw.projection.reasons import Reason

if TYPE_CHECKING:
    from stunnergw.projection.listeners import ListenerRule
    from stunnergw.projection.queries import Context
    from stunnergw.resources.metadata import Key

HEALTH_PORT = 8086
METRICS_PORT = 8080


def without_reserved(
    db: Context, gateway: Key, rules: tuple[ListenerRule, ...], *, held: bool
) -> tuple[ListenerRule, ...]:
    """Refuse the listeners that would bind a port on which stunnerd itself listens."""
    if not any(rule.transport == "TCP" for rule in rules):
        return rules
    reserved = _reserved_ports(db, gateway, held=held)
    return tuple(_reserve(rule, reserved) for rule in rules)


def _reserved_ports(db: Context, gateway: Key, *, held: bool) -> tuple[int, ...]:
    """Return the TCP ports that stunnerd itself listens on: health checks, and metrics where they are on."""
    parameters = parameters_for(db, gateway, held=held)
    dataplane = parameters.dataplane if parameters else None
    if parameters is None or dataplane is None:
        metrics = port_of(parameters.metrics_endpoint) if parameters and parameters.spelling == "v1alpha1" else None
        return (HEALTH_PORT,) if metrics is None else (HEALTH_PORT, metrics)
    ports = () if dataplane.spec.disable_health_check else (HEALTH_PORT,)
    return (*ports, METRICS_PORT) if dataplane.spec.enable_metrics_endpoint else ports


def _reserve(rule: ListenerRule, reserved: tuple[int, ...]) -> ListenerRule:
    if rule.refused or rule.transport != "TCP" or rule.document_port not in reserved:
        return rule
    message = f"stunnerd itself listens on TCP port {rule.document_port}: give listener {rule.name} another port"
    return rule._replace(refused=Problem(Reason.PORT_UNAVAILABLE, message))
