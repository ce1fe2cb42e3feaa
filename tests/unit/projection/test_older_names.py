"""Gateway API v0.4: its names of conditions beside today's, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.projection.snapshots import OwnedSlot
from stunnergw.resources import kinds
from tests.support.bench import MANAGED, Answer, Bench, bench
from tests.support.objects import (
    EDGE,
    deleted,
    exposing,
    gateway,
    gateway_config,
    healthy,
    listed,
    listener,
)

if TYPE_CHECKING:
    from stunnergw.resources.kinds import Kind

V0_4: dict[Kind[Any], tuple[str, ...]] = {kinds.GATEWAY_CLASS: ("v1alpha2",), kinds.GATEWAY: ("v1alpha2",)}
CLOUD = [{"ip": "198.51.100.1"}]
WEB = listener("web", 80, "HTTP")


def of(*listeners: dict[str, Any], ingress: Any = CLOUD, versions: Any = V0_4, facts: Any = (), **parts: Any) -> Bench:
    owner = gateway("edge", *listeners, **parts)
    return bench(*healthy(), *listed(versions), owner, exposing(owner, ingress=ingress), *facts)


def older(found: Bench, name: str = "") -> dict[str, str]:
    names = ("Scheduled", "Ready", "Detached")
    return {kind: said for kind, said in found.conditions(kinds.GATEWAY, EDGE, name).items() if kind in names}


@pytest.mark.parametrize(
    ("listeners", "more", "scheduled", "ready"),
    [
        ([listener()], {}, "True/Scheduled", "True/Ready"),
        ([listener(), WEB], {}, "True/Scheduled", "True/Ready"),
        ([WEB], {}, "False/ListenersNotValid", "False/ListenersNotValid"),
        ([listener()], {"ingress": []}, "True/Scheduled", "False/AddressNotAssigned"),
        ([listener()], {"facts": [deleted(gateway_config())]}, "False/InvalidParameters", "False/Invalid"),
    ],
    ids=["good", "partly", "none of ours", "no address", "broken class"],
)
def test_of_a_gateway(listeners: list[Any], more: dict[str, Any], scheduled: str, ready: str) -> None:
    found = of(*listeners, **more)
    assert older(found) == {"Scheduled": scheduled, "Ready": ready}
    assert found.message(kinds.GATEWAY, EDGE, "Ready") == found.message(kinds.GATEWAY, EDGE, "Programmed")


def test_of_listeners() -> None:
    found = of(listener(), WEB, listener("one", 3479), listener("two", 3479))
    assert older(found, "udp") == {"Detached": "False/Attached", "Ready": "True/Ready"}
    assert older(found, "web") == {"Detached": "True/UnsupportedProtocol", "Ready": "False/Invalid"}
    assert older(found, "two") == {"Detached": "True/PortUnavailable", "Ready": "False/Invalid"}


def test_all_are_of_the_same_generation_and_no_more_than_the_schema_takes() -> None:
    found = of(listener("one", 3479), listener("two", 3479), meta={"generation": 9})
    status = found.status(kinds.GATEWAY, EDGE)
    for conditions in (status.conditions, *(each.conditions for each in status.listeners)):
        assert {each.observed_generation for each in conditions} == {9}
        assert len(conditions) <= 8


def test_a_refused_service_is_pending_and_so_not_ready() -> None:
    found = Bench(MANAGED, answering=False)
    owner = gateway("edge")
    found.run(*healthy(), *listed(V0_4), owner, exposing(owner, ingress=CLOUD))
    found.run(Answer(OwnedSlot("Service", EDGE), "refused", "no such port"), Answer(OwnedSlot("Deployment", EDGE)))
    assert found.conditions(kinds.GATEWAY, EDGE)["Programmed"] == "False/Pending"
    assert older(found) == {"Scheduled": "True/Scheduled", "Ready": "False/ListenersNotReady"}


@pytest.mark.parametrize("versions", [("v1",), ("v1", "v1beta1"), ("v1beta1", "v1alpha2")])
def test_nowhere_else(versions: tuple[str, ...]) -> None:
    found = of(versions={kinds.GATEWAY: versions})
    assert older(found) == older(found, "udp") == {}
