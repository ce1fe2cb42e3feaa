"""What ``stunnergw render`` makes of a scenario, on the production code path.

The cloud gives its addresses to the Services that the operator made. So a manifest of a Service that holds nothing but
a status is left out where no such Service is made: there would be nothing to give an address to.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from stunnergw.cli.rendering import configs, objects, render, statuses
from stunnergw.settings import ConfigVersion, DataplaneMode, Decisions, ReferenceGrants
from tests.reference.transforming import expected_world
from tests.reference.worlds import World, our_world

if TYPE_CHECKING:
    from tests.reference.scenarios import Scenario

FLAGS: dict[str, dict[str, Any]] = {
    "--endpoint-discovery=false": {"endpoint_discovery": False},
    "--disable-endpontslice-controller": {"endpoint_slices": False},
    "--config-version=v1": {"config_version": ConfigVersion.V1},
    "--reference-grants=enforce": {"reference_grants": ReferenceGrants.ENFORCE},
    "--reference-grants=ignore": {"reference_grants": ReferenceGrants.IGNORE},
}


@cache
def ours(scenario: Scenario, mode: str) -> World:
    """Play a scenario as it was recorded."""
    expected, _ = expected_world(scenario, mode)
    manifests = [thing for thing in scenario.objects if not given_in_vain(thing, expected)]
    return play(manifests, mode, *scenario.flags(mode))


def play(manifests: list[dict[str, Any]], mode: str, *flags: str) -> World:
    """Render manifests and bring the outcome into the form of recordings."""
    given: dict[str, Any] = {}
    for flag in flags:
        given |= FLAGS[flag]
    settings = Decisions(dataplane_mode=DataplaneMode(mode), standalone=True, **given)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "in.yaml"
        path.write_text(yaml.safe_dump_all(manifests))
        rendering = render([path], settings)
    assert not rendering.failures
    documents = configs(rendering.snapshot) if mode == "managed" else ()
    return our_world(objects(rendering.snapshot), statuses(rendering), documents)


def given_in_vain(thing: dict[str, Any], expected: World) -> bool:
    """Say whether a manifest gives an address to a Service that is not made."""
    metadata = thing["metadata"]
    made = f"Service {metadata.get('namespace')}/{metadata['name']}" in expected["objects"]
    return thing["kind"] == "Service" and "spec" not in thing and not made
