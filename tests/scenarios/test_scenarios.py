"""Scenarios: manifests in, documents, objects and statuses out, each a folder that a person can read.

``in.yaml`` may begin with a line ``# flags: --dataplane-mode=legacy``. ``pytest tests/scenarios --update-scenarios``
rewrites every ``out.yaml``; the difference is then for a person to read, against the rules.
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
}


def settings(manifests: Path) -> Decisions:
    first = manifests.read_text("utf-8").partition("\n")[0]
    given: dict[str, Any] = {}
    for flag in first.removeprefix("# flags:").split() if first.startswith("# flags:") else ():
        given |= FLAGS[flag]
    return Decisions(standalone=True, **given)


def played(folder: Path) -> dict[str, Any]:
    rendering = render([folder / "in.yaml"], settings(folder / "in.yaml"))
    assert not rendering.failures
    said = [str(problem).replace(f"{folder}/", "") for problem in rendering.loaded.problems]
    return {
        "configs": list(configs(rendering.snapshot)),
        "objects": list(objects(rendering.snapshot)),
        "statuses": list(statuses(rendering)),
        **({"problems": said} if said else {}),
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_scenario(folder: Path, request: pytest.FixtureRequest) -> None:
    text = yaml.dump(played(folder), Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)
    out = folder / "out.yaml"
    if request.config.getoption("--update-scenarios"):
        out.write_text(text, "utf-8")
    assert text == out.read_text("utf-8")
