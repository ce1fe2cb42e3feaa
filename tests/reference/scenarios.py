"""The scenarios of this folder: their manifests, what was recorded of them, and where we differ.

A folder ``NN-name`` holds ``in.yaml``; ``managed.yaml`` and perhaps ``legacy.yaml``, which are recordings of the
reference operator; and ``differences.yaml`` where what we make of the same manifests is something else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
MODES = ("managed", "legacy")

_THEN = "# --- then ---"

LEFT_OUT = {
    "41-nodeport-refused": "the API server refuses a Service, and the status tells of the refusal",
    "45-service-annotations-removed": "second step: what goes when its source goes is the API server's to say",
    "50-dataplane-disabled": "second step: a Deployment that was there is deleted",
    "57-class-turns-invalid": "second step: what ran before is kept",
    "58-gateway-deleted": "second step: a Gateway is deleted",
    "62-listener-port-changes": "second step: a Service that was there changes",
}
"""Scenarios that ``render`` cannot play: tests/cluster does. The table of README.md says the same."""


OUR_FLAGS = {("56-config-v1alpha1", "legacy"): ("--config-version=v1",)}
"""Flags for us alone, where what we do unasked cannot be compared field by field."""


@dataclass(frozen=True)
class Scenario:
    """One folder."""

    name: str

    @property
    def number(self) -> str:
        """The two digits that docs/differences.md knows it by."""
        return self.name[:2]

    @property
    def folder(self) -> Path:
        """Where it is."""
        return HERE / self.name

    @property
    def manifests(self) -> Path:
        """What the reference operator was given."""
        return self.folder / "in.yaml"

    @property
    def modes(self) -> tuple[str, ...]:
        """The data-plane modes that were recorded."""
        return tuple(mode for mode in MODES if (self.folder / f"{mode}.yaml").exists())

    def flags(self, mode: str) -> tuple[str, ...]:
        """Give the flags of the line ``# flags:``, and ours."""
        found = re.search(r"^# flags: (.*)$", self.manifests.read_text(), re.MULTILINE)
        return (*(found[1].split() if found else ()), *OUR_FLAGS.get((self.name, mode), ()))

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The manifests, parsed."""
        return [thing for step in self.steps for thing in step]

    @cached_property
    def steps(self) -> list[list[dict[str, Any]]]:
        """The manifests of each step: those that were applied at first, and what came when all was quiet."""
        return [
            [thing for thing in yaml.load_all(text, Loader=yaml.CSafeLoader) if thing]
            for text in self.manifests.read_text().split(_THEN)
        ]

    @cached_property
    def gateways(self) -> dict[str, dict[str, Any]]:
        """The Gateways of the manifests, as ``namespace/name``."""
        found = (thing for thing in self.objects if thing["kind"] == "Gateway")
        return {f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}": gateway for gateway in found}

    def recording(self, mode: str) -> dict[str, Any]:
        """What the reference operator made of it, as recorded."""
        return _parsed(self.folder / f"{mode}.yaml")

    @cached_property
    def patches(self) -> dict[str, dict[str, Any]]:
        """The differences of this scenario alone: by name and mode, as merge patches of a world."""
        path = self.folder / "differences.yaml"
        return _parsed(path) if path.exists() else {}


@cache
def _parsed(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return found


@cache
def all_scenarios() -> tuple[Scenario, ...]:
    """Give every folder, in order."""
    return tuple(Scenario(path.name) for path in sorted(HERE.glob("[0-9][0-9]-*")))


def scenario(number: str) -> Scenario:
    """Give the one with these two digits."""
    return next(found for found in all_scenarios() if found.number == number)


def played() -> tuple[Scenario, ...]:
    """Give those that ``render`` can play."""
    return tuple(scenario for scenario in all_scenarios() if scenario.name not in LEFT_OUT)
