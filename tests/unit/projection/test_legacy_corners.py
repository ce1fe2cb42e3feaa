"""Legacy mode where two classes have one ConfigMap, or two Gateways one Service: neither ever has two writers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stunnergw.projection.outputs import Want
from stunnergw.projection.snapshots import OwnedSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from tests.support.bench import LEGACY, Bench, bench, undecided
from tests.support.objects import (
    PASSWORD,
    USER,
    applied,
    deleted,
    gateway,
    gateway_class,
    gateway_config,
    healthy,
    listed,
    namespace,
)

if TYPE_CHECKING:
    from stunnergw.events.types import Applied
    from stunnergw.settings import Decisions


def day(number: int) -> dict[str, str]:
    return {"creationTimestamp": f"2026-01-0{number}T00:00:00Z"}


def of_day(name: str, number: int) -> Applied:
    return gateway_class(name, config="turn", meta=day(number))


def broken(name: str, number: int) -> Applied:
    return gateway_class(name, config=None, meta=day(number))


def writers(found: Bench) -> list[str]:
    """Return the classes that want the ConfigMap."""
    objects = found.snapshot.objects.items()
    return [slot.owner.name for slot, output in objects if slot.kind == "ConfigMap" and isinstance(output, Want)]


BASE = [*listed(), gateway_config(), namespace()]


def test_of_two_classes_that_come_at_once_the_older_writes() -> None:
    found = bench(*BASE, of_day("turn", 2), of_day("spare", 1), gateway(), settings=LEGACY)
    assert writers(found) == ["spare"]


def test_a_config_map_never_has_two_writers() -> None:
    found = bench(*BASE, of_day("turn", 2), gateway(), settings=LEGACY)
    found.run(of_day("spare", 1))
    assert len(writers(found)) == 1


def test_a_class_whose_config_map_another_took_says_whose_it_is_and_what_to_do() -> None:
    found = bench(*BASE, of_day("turn", 2), gateway(), settings=LEGACY)
    found.run(broken("turn", 2), of_day("spare", 3), gateway("core", class_name="spare"))
    said = undecided(found.snapshot.objects[OwnedSlot("ConfigMap", Key("", "turn"))])
    assert said == (
        "ConfigMap media/stunnerd-config is GatewayClass spare's: name another in spec.stunnerConfig of the "
        "GatewayConfig"
    )


def test_two_classes_that_are_held_leave_the_config_map_as_it_is() -> None:
    """The younger wrote it last, for the pods of both: neither's document may replace the other's now."""
    found = bench(*BASE, of_day("spare", 1), gateway(class_name="spare"), settings=LEGACY)
    found.run(broken("spare", 1))
    assert writers(found) == ["spare"]
    found.run(of_day("turn", 2), gateway("core", class_name="turn"))
    assert writers(found) == ["turn"]
    found.run(broken("turn", 2))
    assert writers(found) == []
    said = undecided(found.snapshot.objects[OwnedSlot("ConfigMap", Key("", "turn"))])
    assert "ConfigMap media/stunnerd-config" in said
    assert "GatewayClass spare" in said
    found.run(of_day("turn", 2))
    assert writers(found) == ["turn"]
    found.run(broken("turn", 2), deleted(gateway()))
    assert writers(found) == ["turn"]


# Two Gateways and one Service ---------------------------------------------------------------------------------

OLD_NAME = "stunner-gateway-edge-svc"


def two_spellings(
    *, old_day: int, new_day: int, settings: Decisions = LEGACY, annotations: dict[str, str] | None = None
) -> Bench:
    """Make Gateway ``edge`` with a v1alpha1 document, and one that is called as its Service is, with a v1 document."""
    return bench(
        *BASE,
        gateway_class("spare", config="spare"),
        gateway_class("turn"),
        applied(
            kinds.GATEWAY_CONFIG,
            "spare",
            spec={"userName": USER, "password": PASSWORD, "stunnerConfig": "spare-config"},
        ),
        gateway("edge", class_name="spare", annotations=annotations, meta=day(old_day)),
        gateway(OLD_NAME, class_name="turn", meta=day(new_day)),
        settings=settings,
    )


def services(found: Bench) -> dict[str, str]:
    """Return the names of the Services that are wanted, by Gateway."""
    objects = found.snapshot.objects.items()
    wanted = [(slot, output.value) for slot, output in objects if slot.kind == "Service" and isinstance(output, Want)]
    return {slot.owner.name: made.name for slot, made in wanted}


@pytest.mark.parametrize(
    ("old_day", "new_day", "winner"), [(1, 2, "edge"), (2, 1, OLD_NAME), (1, 1, "edge")], ids=["old", "new", "a tie"]
)
def test_of_two_gateways_whose_service_has_one_name_the_older_has_it(old_day: int, new_day: int, winner: str) -> None:
    found = two_spellings(old_day=old_day, new_day=new_day)
    assert services(found) == {winner: OLD_NAME}
    (loser,) = {"edge", OLD_NAME} - {winner}
    said = found.message(kinds.GATEWAY, Key("media", loser), "Programmed")
    assert f"Service media/{OLD_NAME} is that of Gateway media/{winner}: rename one" in said
    assert "is that of Gateway" not in found.message(kinds.GATEWAY, Key("media", winner), "Programmed")
    found.run(deleted(gateway(winner)))
    assert services(found) == {loser: OLD_NAME}


def test_without_a_cluster_the_others_service_is_not_taken_for_ones_own() -> None:
    alone = replace(LEGACY, standalone=True)
    found = two_spellings(old_day=1, new_day=2, settings=alone)
    made = {"ports": [{"port": 3478, "protocol": "UDP"}], "type": "LoadBalancer"}
    status = {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}
    found.run(applied(kinds.SERVICE, OLD_NAME, spec=made, status=status))
    told = {name: found.status(kinds.GATEWAY, Key("media", name)).addresses for name in ("edge", OLD_NAME)}
    assert [len(addresses) for addresses in told.values()] == [1, 0]


def test_a_shortened_name_gives_way_to_who_bears_it() -> None:
    """Of whatever age: nobody can tell by it what was shortened."""
    dotted = gateway("edge.one", meta=day(1))
    (shortened,) = services(bench(*healthy(), dotted)).values()
    found = bench(*healthy(), dotted, gateway(shortened, meta=day(2)))
    assert services(found) == {shortened: shortened}


def test_who_wants_no_service_is_in_nobodys_way() -> None:
    found = two_spellings(old_day=1, new_day=2, annotations={"stunner.l7mp.io/service-type": "None"})
    assert services(found) == {OLD_NAME: OLD_NAME}
