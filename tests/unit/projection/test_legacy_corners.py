"""Legacy mode where two classes have one ConfigMap: it never has two writers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.projection.outputs import Want
from tests.support.bench import LEGACY, Bench, bench
from tests.support.objects import gateway, gateway_class, gateway_config, listed, namespace

if TYPE_CHECKING:
    from stunnergw.events.types import Applied


def of_day(name: str, day: int) -> Applied:
    return gateway_class(name, config="turn", meta={"creationTimestamp": f"2026-01-0{day}T00:00:00Z"})


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
