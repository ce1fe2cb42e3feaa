"""What a plan is marked with, object by object."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stunnergw.cli.marking import marks
from stunnergw.resources.metadata import Key
from stunnergw.sinks.sending import Effect, Planned

PORT = {"name": "udp", "protocol": "UDP", "port": 3478, "targetPort": 3478, "nodePort": 30001}
SERVICE: dict[str, Any] = {
    "spec": {"type": "LoadBalancer", "selector": {"app": "stunner"}, "ports": [PORT]},
    "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
}


def marked(verb: str, kind: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    planned = Planned(verb, kind, Key("media", "edge"), Effect(before=before, after=after))
    return [f"{mark.trouble}: {mark.what}" for mark in marks(planned)]


def service(**spec: Any) -> list[str]:
    return marked("apply", "Service", SERVICE, {**SERVICE, "spec": {**SERVICE["spec"], **spec}})


def test_a_service_that_stays_as_it_is() -> None:
    assert service() == []
    assert service(ports=[{name: value for name, value in PORT.items() if name != "nodePort"}]) == []


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"type": "NodePort"}, ["calls: its type", "address: its load balancer's address 192.0.2.1 goes"]),
        ({"selector": {"app": "other"}}, ["calls: its selector"]),
        ({"externalTrafficPolicy": "Local"}, ["calls: its externalTrafficPolicy"]),
        ({"loadBalancerClass": "x"}, ["address: loadBalancerClass changes from nothing to x"]),
        ({"loadBalancerIP": "192.0.2.9"}, ["address: loadBalancerIP changes from nothing to 192.0.2.9"]),
        ({"ports": []}, ["calls: port UDP 3478 goes"]),
        ({"ports": [{**PORT, "targetPort": 1}]}, ["calls: targetPort of port UDP 3478 changes from 3478 to 1"]),
        ({"ports": [{**PORT, "nodePort": 30002}]}, ["calls: nodePort of port UDP 3478 changes from 30001 to 30002"]),
    ],
)
def test_a_service_that_changes(spec: dict[str, Any], told: list[str]) -> None:
    found = service(**spec)
    assert [line[: len(wanted)] for line, wanted in zip(found, told, strict=True)] == told


def test_a_service_that_goes() -> None:
    assert [line.partition(":")[0] for line in marked("delete", "Service", SERVICE, None)] == ["calls", "address"]


def workload(image: str = "a", grace: int = 60, **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "stunner-daemon", "image": image}], "terminationGracePeriodSeconds": grace}
    return {"spec": {"template": {"spec": pod}, **spec}}


def test_pods_that_are_replaced() -> None:
    (told,) = marked("apply", "Deployment", workload(), workload("b"))
    assert told.startswith("calls: the pod template changes")
    assert "60 s" in told
    assert marked("apply", "DaemonSet", workload(), workload()) == []
    (told,) = marked("apply", "Deployment", workload(replicas=3), workload(replicas=2))
    assert "replicas go from 3 to 2" in told


def conditions(**types: str) -> list[dict[str, str]]:
    return [
        {"type": name, "status": said.partition("/")[0], "reason": said.partition("/")[2], "message": f"about {name}"}
        for name, said in types.items()
    ]


def status(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return marked("status", "Gateway", before, after)


def test_a_gateway_that_loses_an_address() -> None:
    before = {"addresses": [{"value": "192.0.2.1"}, {"value": "192.0.2.2"}]}
    (told,) = status(before, {"addresses": [{"value": "192.0.2.2"}]})
    assert told.startswith("address: the address 192.0.2.1 goes")


def test_a_listener_that_would_not_be_served() -> None:
    before = {"listeners": [{"name": "tls", "attachedRoutes": 2, "conditions": conditions(Accepted="True/Accepted")}]}
    served = conditions(Accepted="True/Accepted", Programmed="False/Pending")
    withheld = conditions(Accepted="True/Accepted", Programmed="False/Invalid")
    fewer = [{"name": "tls", "attachedRoutes": 1, "conditions": served}]
    assert status(before, {"listeners": [{"name": "tls", "attachedRoutes": 2, "conditions": served}]}) == []
    assert status(before, {"listeners": [{"name": "tls", "attachedRoutes": 2, "conditions": withheld}]}) == [
        "shut out: listener tls: it would not be served: about Programmed"
    ]
    assert status(before, {"listeners": fewer}) == ["shut out: listener tls: attached routes go from 2 to 1"]


def parent(port: int | None = None, **types: str) -> dict[str, Any]:
    ref = {"name": "edge", **({"port": port} if port else {})}
    return {"controllerName": "stunner.l7mp.io/gateway-operator", "parentRef": ref, "conditions": conditions(**types)}


def test_a_route_that_would_not_be_served() -> None:
    before = {"parents": [parent(Accepted="True/Accepted", ResolvedRefs="True/ResolvedRefs")]}
    after = {"parents": [parent(3479, Accepted="True/Accepted", ResolvedRefs="False/RefNotPermitted")]}
    assert status(before, after) == [
        "shut out: parent edge port 3479: ResolvedRefs turns False (RefNotPermitted): about ResolvedRefs"
    ]
    assert status(before, {"parents": []}) == ["shut out: parent edge: its entry goes, and with it the route"]
    assert status({"parents": [parent(Accepted="False/NoMatchingParent")]}, {"parents": []}) == []


def config_map(*endpoints: str, address: str = "192.0.2.1", version: str = "v1") -> dict[str, Any]:
    document = {
        "version": version,
        "auth": {"credentials": {"password": "hush"}},
        "listeners": [{"name": "media/edge/udp", "public_address": address, "routes": ["media/sfu"]}],
        "clusters": [{"name": "media/sfu", "endpoints": list(endpoints)}],
    }
    return {"data": {"stunnerd.conf": orjson.dumps(document).decode()}}


def test_a_legacy_document() -> None:
    old = config_map("10.0.0.1", "10.0.0.2:<1-9>")
    assert marked("apply", "ConfigMap", old, config_map("10.0.0.1", "10.0.0.2")) == []
    assert marked("apply", "ConfigMap", old, config_map("10.0.0.1")) == [
        "shut out: listener media/edge/udp: no longer admitted: 10.0.0.2"
    ]
    (told,) = marked("apply", "ConfigMap", old, config_map("10.0.0.1", "10.0.0.2", address="192.0.2.9"))
    assert told.startswith("address: ")
    (told,) = marked("apply", "ConfigMap", old, config_map(version="v1alpha1"))
    assert told.startswith("calls: the document's version")


def test_what_cannot_be_written() -> None:
    planned = Planned("none", "Deployment", Key("media", "edge"), Effect(("it is somebody else's",)))
    assert [str(mark.trouble) for mark in marks(planned)] == ["not written"]
