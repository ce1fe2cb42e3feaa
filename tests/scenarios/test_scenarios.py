"""Scenarios: manifests in, documents, objects and statuses out, each a folder that a person can read.

``in.yaml`` may say more in the comments at its top: ``# flags: --dataplane-mode=legacy``; ``# with: one-class.yaml``, a
file beside the folders that is read first; ``# parts: statuses``, what ``out.yaml`` has. Those that show rules of the
Gateway API name them (R5.5), as :mod:`tests.house.statuses` does, which finds a scenario for every row of its tables.

``pytest tests/scenarios --update-scenarios`` rewrites every ``out.yaml``; the difference is then for a person to read,
against the rules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from stunnergw.cli.rendering import configs, objects, render, statuses
from stunnergw.settings import DataplaneMode, Decisions, ReferenceGrants

HERE = Path(__file__).parent
FOLDERS = sorted(folder for folder in HERE.iterdir() if (folder / "in.yaml").exists())

FLAGS: dict[str, dict[str, Any]] = {
    "--dataplane-mode=legacy": {"dataplane_mode": DataplaneMode.LEGACY},
    "--reference-grants=enforce": {"reference_grants": ReferenceGrants.ENFORCE},
    "--endpoint-discovery=false": {"endpoint_discovery": False},
    "--disable-endpontslice-controller": {"endpoint_slices": False},
    # As in a cluster that takes all that is written.
    "--dry-run": {"standalone": False, "dry_run": True},
}
PARTS = ("configs", "objects", "statuses")


def said_at_the_top(manifests: Path, word: str) -> list[str]:
    """Read a line such as ``# flags: …`` out of the comments at the top of a file."""
    for line in manifests.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        if line.startswith(f"# {word}: "):
            return line.partition(": ")[2].split()
    return []


def settings(manifests: Path) -> Decisions:
    given: dict[str, Any] = {"standalone": True}
    for flag in said_at_the_top(manifests, "flags"):
        given |= FLAGS[flag]
    return Decisions(**given)


def played(folder: Path) -> dict[str, Any]:
    manifests = folder / "in.yaml"
    shared = [HERE / name for name in said_at_the_top(manifests, "with")]
    rendering = render([*shared, manifests], settings(manifests))
    assert not rendering.failures
    said = [str(problem).replace(f"{folder}/", "") for problem in rendering.loaded.problems]
    found = {
        "configs": list(configs(rendering.snapshot)),
        "objects": list(objects(rendering.snapshot)),
        "statuses": list(statuses(rendering)),
    }
    wanted = said_at_the_top(manifests, "parts") or PARTS
    return {part: found[part] for part in wanted} | ({"problems": said} if said else {})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_scenario(folder: Path, request: pytest.FixtureRequest) -> None:
    text = yaml.dump(played(folder), Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)
    out = folder / "out.yaml"
    if request.config.getoption("--update-scenarios"):
        out.write_text(text, "utf-8")
    assert text == out.read_text("utf-8")
