"""What in a plan a person should look at before it is written: calls that end, addresses that go, who is shut out.

A mark is worked out from an object, or status, as it is and as it would be. Objects are looked at here, statuses in
:mod:`~stunnergw.cli.marking_statuses`, legacy documents in :mod:`~stunnergw.cli.marking_documents`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.cli.marking_documents import document_marks
from stunnergw.cli.marking_statuses import status_marks
from stunnergw.cli.marks import Mark, Trouble
from stunnergw.resources.kinds import CONFIG_MAP, DAEMON_SET, DEPLOYMENT, SERVICE
from stunnergw.sinks.changes import differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stunnergw.sinks.sending import Planned

DEFAULT_GRACE = 30
"""Seconds that Kubernetes gives a pod to end, where nothing is said."""


def marks(planned: Planned) -> tuple[Mark, ...]:
    """Return what there is to look at in one write."""
    before, after = planned.effect.before, planned.effect.after
    match planned.verb, planned.kind:
        case "none", _:
            return tuple(Mark(Trouble.NOT_WRITTEN, said) for said in planned.effect.changes)
        case "status", _:
            return tuple(status_marks(before or {}, after or {}))
        case "delete", kind:
            return tuple(_marks_of_going(kind, before or {}))
        case "apply", SERVICE.kind if before and after:
            return tuple(_service(before, after))
        case "apply", (DEPLOYMENT.kind | DAEMON_SET.kind) if before and after:
            return tuple(_workload(before, after))
        case "apply", CONFIG_MAP.kind if before and after:
            return tuple(document_marks(before, after))
    return ()


def _marks_of_going(kind: str, before: Mapping[str, Any]) -> Iterator[Mark]:
    if kind == SERVICE.kind:
        yield Mark(Trouble.CALLS, "the Service goes: no client gets through it any more")
        for address in _addresses(before):
            yield Mark(Trouble.ADDRESS, f"its address {address} goes")
    else:
        yield Mark(Trouble.CALLS, f"the {kind} goes with its pods: their calls end {_within(before)}")


def _service(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Mark]:
    old, new = before["spec"], after["spec"]
    if old.get("type") != new.get("type"):
        yield Mark(Trouble.CALLS, f"its type changes from {old.get('type')} to {new.get('type')}")
        if old.get("type") == "LoadBalancer":
            for address in _addresses(before):
                yield Mark(Trouble.ADDRESS, f"its load balancer's address {address} goes")
    if old.get("selector") != new.get("selector"):
        yield Mark(Trouble.CALLS, "its selector changes: it leads to other pods")
    if old.get("externalTrafficPolicy") != new.get("externalTrafficPolicy"):
        yield Mark(Trouble.CALLS, "its externalTrafficPolicy changes: traffic takes other ways")
    for field in ("loadBalancerClass", "loadBalancerIP"):
        if old.get(field) != new.get(field):
            said = f"{field} changes from {old.get(field) or 'nothing'} to {new.get(field) or 'nothing'}"
            yield Mark(Trouble.ADDRESS, f"{said}: the cloud may assign another address")
    yield from _ports(_by_port(old), _by_port(new))


def _ports(old: Mapping[str, dict[str, Any]], new: Mapping[str, dict[str, Any]]) -> Iterator[Mark]:
    for name, port in old.items():
        if name not in new:
            yield Mark(Trouble.CALLS, f"port {name} goes: clients that use it are cut off")
            continue
        for field in ("targetPort", "nodePort"):
            was, now = port.get(field), new[name].get(field)
            # A node port that is not asked for stays as it was assigned.
            if was != now and (field == "targetPort" or now is not None):
                yield Mark(Trouble.CALLS, f"{field} of port {name} changes from {was} to {now}")


def _by_port(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{port.get('protocol', 'TCP')} {port['port']}": port for port in spec.get("ports") or ()}


def _addresses(service: Mapping[str, Any]) -> list[str]:
    given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [each.get("ip") or each.get("hostname") or "" for each in given]


def _workload(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Mark]:
    if differences(after["spec"]["template"], before["spec"]["template"]):
        yield Mark(Trouble.CALLS, f"the pod template changes, so its pods are replaced: calls end {_within(before)}")
    old, new = before["spec"].get("replicas", 1), after["spec"].get("replicas", 1)
    if new < old:
        yield Mark(Trouble.CALLS, f"replicas go from {old} to {new}: calls of the pods that go end {_within(before)}")


def _within(workload: Mapping[str, Any]) -> str:
    template = (workload.get("spec") or {}).get("template")
    if template is None:
        return "with them"
    grace = (template.get("spec") or {}).get("terminationGracePeriodSeconds", DEFAULT_GRACE)
    return f"with them, at the latest {grace} s after they are told to go"
