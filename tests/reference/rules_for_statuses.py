"""Differences that hold for every status, and for lists in documents."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from stunnergw.settings import CONTROLLER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.reference.scenarios import Scenario
    from tests.reference.worlds import World

BOTH_KINDS = ["UDPRoute.gateway.networking.k8s.io", "UDPRoute.stunner.l7mp.io"]


def once_each(world: World, _scenario: Scenario) -> None:
    """Name a route or an endpoint once, however many ways lead to it."""
    for config in world["configs"].values():
        for listener in (config.get("listeners") or {}).values():
            if "routes" in listener:
                listener["routes"] = sorted(set(listener["routes"]))
        for cluster in (config.get("clusters") or {}).values():
            if "endpoints" in cluster:
                cluster["endpoints"] = sorted(set(cluster["endpoints"]))


def invalid_class(world: World, scenario: Scenario) -> None:
    """Say of a Gateway of a broken class what is wrong, judge its listeners on their own, leave its routes alone."""
    broken = {name for name, manifest in scenario.gateways.items() if _is_broken(world, manifest)}
    for name in broken:
        status = world["statuses"].setdefault(f"Gateway {name}", {})
        if f"Service {name}" not in world["objects"]:
            status.pop("addresses", None)
        status["conditions"] = {"Accepted": "False/InvalidParameters", "Programmed": "False/Invalid"}
        conditions = {"Accepted": "True/Accepted", "Programmed": "False/Pending", "ResolvedRefs": "True/ResolvedRefs"}
        status["listeners"] = {
            listener["name"]: {"attachedRoutes": 0, "conditions": dict(conditions), "supportedKinds": BOTH_KINDS}
            for listener in scenario.gateways[name]["spec"]["listeners"]
        }
    for kind, status in list(world["statuses"].items()):
        if kind.startswith("UDPRoute."):
            namespace = kind.rpartition(" ")[2].partition("/")[0]
            for parent in [parent for parent in status["parents"] if _gateway_of(parent, namespace) in broken]:
                del status["parents"][parent]
            if not status["parents"]:
                del world["statuses"][kind]


def listener_programmed(world: World, _scenario: Scenario) -> None:
    """Write on each listener whether it is served: this follows from the document and the other conditions."""
    served = {name: listener for config in world["configs"].values() for name, listener in _listeners(config)}
    for name, listener, gateway in _listener_statuses(world):
        conditions = listener["conditions"]
        if "Programmed" in conditions:
            continue
        found = served.get(f"{gateway}/{name}")
        if found is None or not conditions["Accepted"].startswith("True"):
            conditions["Programmed"] = "False/Invalid"
        else:
            conditions["Programmed"] = "True/Programmed" if "public_address" in found else "False/Pending"


def conflicted_when_true(world: World, _scenario: Scenario) -> None:
    """Write Conflicted only where there is a conflict."""
    for _, listener, _ in _listener_statuses(world):
        if listener["conditions"].get("Conflicted") == "False/NoConflicts":
            del listener["conditions"]["Conflicted"]


def references_summed_up(world: World, _scenario: Scenario) -> None:
    """Write on each Gateway whether the references of all its listeners resolve."""
    for name, status in world["statuses"].items():
        if name.startswith("Gateway ") and status.get("listeners"):
            resolved = [found["conditions"]["ResolvedRefs"] for found in status["listeners"].values()]
            good = all(each.startswith("True") for each in resolved)
            status["conditions"]["ResolvedRefs"] = "True/ResolvedRefs" if good else "False/ListenersNotResolved"


def own_kinds(world: World, scenario: Scenario) -> None:
    """Write on STUNner's own kinds whether they are in order, and which classes use them."""
    standing = _standing(scenario)
    # One with another auth type does not come in (auth-type-exact).
    known = ("static", "plaintext", "ephemeral", "longterm", "timewindowed")
    configs = {
        _named(thing): thing["spec"]
        for thing in standing
        if thing["kind"] == "GatewayConfig" and thing["spec"].get("authType", "plaintext") in known
    }
    classes = [thing for thing in standing if thing["kind"] == "GatewayClass"]
    for name in configs:
        users = [each for each in classes if _config_of(each) == name]
        if _is_written_by_us(users):
            accepted = {world["statuses"][f"GatewayClass {_named(each)}"]["conditions"]["Accepted"] for each in users}
            world["statuses"][f"GatewayConfig {name}"] = _used(max(accepted, default="True/Accepted"), users)
    for thing in standing:
        name = _named(thing)
        if thing["kind"] == "Dataplane":
            naming = {key for key, spec in configs.items() if spec.get("dataplane", "default") == name}
            users = [each for each in classes if _config_of(each) in naming]
            if _is_written_by_us(users):
                world["statuses"][f"Dataplane {name}"] = _used("True/Accepted", users)
        elif thing["kind"] == "StaticService":
            good = all(_is_prefix(text) for text in thing["spec"]["prefixes"])
            accepted_as = "True/Accepted" if good else "False/UnsupportedValue"
            world["statuses"][f"StaticService {name}"] = {"conditions": {"Accepted": accepted_as}}


def _standing(scenario: Scenario) -> list[dict[str, Any]]:
    """Return the manifests as all steps leave them."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for thing in scenario.objects:
        identity = (thing["kind"], _named(thing))
        if thing.get("delete"):
            found.pop(identity, None)
        else:
            found[identity] = thing
    return list(found.values())


def _named(thing: dict[str, Any]) -> str:
    metadata = thing["metadata"]
    return "/".join(metadata[part] for part in ("namespace", "name") if part in metadata)


def _config_of(gateway_class: dict[str, Any]) -> str:
    ref = gateway_class["spec"].get("parametersRef", {})
    known = (ref.get("group"), ref.get("kind")) == ("stunner.l7mp.io", "GatewayConfig")
    return f"{ref.get('namespace')}/{ref.get('name')}" if known else ""


def _is_written_by_us(users: list[dict[str, Any]]) -> bool:
    """Nothing in the manifests is older than another, so the first name decides."""
    first = min(users, key=_named, default=None)
    return first is None or first["spec"]["controllerName"] == CONTROLLER_NAME


def _used(accepted: str, users: list[dict[str, Any]]) -> dict[str, Any]:
    return {"conditions": {"Accepted": accepted}, "classes": sorted(_named(each) for each in users)}


def _is_prefix(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_broken(world: World, gateway: dict[str, Any]) -> bool:
    status = world["statuses"].get(f"GatewayClass {gateway['spec']['gatewayClassName']}") or {}
    accepted: str = (status.get("conditions") or {}).get("Accepted", "")
    return accepted.startswith("False")


def _gateway_of(parent: str, namespace: str) -> str:
    name = parent.split(" ")[0]
    return name if "/" in name else f"{namespace}/{name}"


def _listeners(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from (config.get("listeners") or {}).items()


def _listener_statuses(world: World) -> Iterator[tuple[str, dict[str, Any], str]]:
    for name, status in world["statuses"].items():
        if name.startswith("Gateway "):
            for listener, found in (status.get("listeners") or {}).items():
                yield listener, found, name.removeprefix("Gateway ")


# In this order: whether a listener is served follows from what the others have put right.
STATUS_RULES: dict[str, Callable[[World, Scenario], None]] = {
    "once-each": once_each,
    "invalid-class": invalid_class,
    "listener-programmed": listener_programmed,
    "conflicted-when-true": conflicted_when_true,
    "references-summed-up": references_summed_up,
    "own-kinds": own_kinds,
}
