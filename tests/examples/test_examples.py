"""Every example is a whole installation: rendered, validated and run without a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from stunnergw.cli.announcing import rows
from stunnergw.cli.commands import run_command
from stunnergw.examples import FOLDER
from stunnergw.settings import DataplaneMode
from tests.operator.stage import copy_example, running, settings
from tests.support.plain_http import fetch

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = sorted({path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml")})
OLD = "walkthrough/"
"""Those of the time of v1alpha2 have no Dataplane: one stunnerd of the user's serves them."""


def mode(example: str) -> DataplaneMode:
    return DataplaneMode.LEGACY if example.startswith(OLD) else DataplaneMode.MANAGED


def command(name: str, example: str, *more: str) -> list[str]:
    return [name, "-f", str(FOLDER / example), f"--dataplane-mode={mode(example)}", *more]


def test_all_of_them_are_here() -> None:
    assert {"media-server", "tls-listener", "static-service", "several-classes", "loopback"} <= set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_nothing_is_wrong_with_it(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(command("validate", example, "--format=json")) == 0
    assert orjson.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_is_rendered_without_a_word(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(command("render", example, "--format=json")) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    rendered = orjson.loads(printed.out)
    assert rendered["configs"]
    for document in rendered["configs"]:
        assert all(listener["public_address"] and listener["routes"] for listener in document["listeners"])
        assert all(cluster["endpoints"] for cluster in document["clusters"])


@pytest.mark.parametrize("example", EXAMPLES)
async def test_it_is_run_and_served(example: str, tmp_path: Path) -> None:
    wanted = settings(copy_example(example, tmp_path), mode=mode(example))
    async with running(wanted) as (operator, ports):
        snapshot = operator.projector.latest
        assert snapshot is not None
        found = rows(snapshot, legacy=mode(example) is DataplaneMode.LEGACY, address=None)
        assert {row.state for row in found} <= {"Programmed", "Accepted"}
        for row in found:
            question = "class" if mode(example) is DataplaneMode.LEGACY else "gateway"
            assert (await fetch(ports.discovery, f"/config?{question}={row.name}")).status == 200
