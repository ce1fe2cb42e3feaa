"""``validate``: each kind of mistake is told with its file, line, object and field."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import orjson
import pytest

from stunnergw.cli.commands import run_command
from stunnergw.examples import example

if TYPE_CHECKING:
    from pathlib import Path

CLASS, GATEWAYS, ROUTE, SERVICE = "1-class.yaml", "2-gateways.yaml", "3-route.yaml", "4-service.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(example("today/one-udp-gateway"), tmp_path / "m")
    return tmp_path / "m"


def change(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def validate(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> tuple[int, list[str]]:
    code = run_command(["validate", "-f", str(folder), *more])
    lines = capsys.readouterr().out.splitlines()
    return code, [line.replace(f"{folder}/", "") for line in lines]


def test_nothing_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["validate", "-f", str(folder)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "stunnergw: nothing wrong, in 8 objects\n"


def test_nothing_to_judge_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["validate", "-f", str(tmp_path)]) == 0
    assert "no object that stunnergw reads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (GATEWAYS, "port: 3478", "port: many", r"2-gateways.yaml:2: Gateway stunner/udp-gateway: spec.listeners\[0\]"),
        (GATEWAYS, "TURN-UDP", "SCTP", r"2-gateways.yaml:2: Gateway \S+: spec.listeners\[0\]: .*UnsupportedProtocol"),
        (GATEWAYS, "gatewayClassName: stunner", "gatewayClassName: other", r"2-gateways.yaml:2: .*other not found"),
        (ROUTE, "name: udp-gateway", "name: udp-gw", r"3-route.yaml:2: UDPRoute \S+: spec.parentRefs\[0\]: .*udp-gw"),
        (ROUTE, "- name: media", "- name: medai", r"3-route.yaml:2: UDPRoute \S+: spec.rules: .*BackendNotFound"),
        (CLASS, "  password: pass-1\n", "", r"1-class.yaml:2: GatewayClass stunner: .*password.*InvalidParameters"),
        (CLASS, "name: default", "name: other", r"1-class.yaml:2: GatewayClass stunner: Dataplane default not found"),
    ],
)
def test_a_mistake_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, said: str
) -> None:
    change(folder, file, old, new)
    code, lines = validate(capsys, folder)
    assert code == 1
    assert any(re.match(said, line) for line in lines), lines


def test_what_follows_is_not_told_twice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, CLASS, "  password: pass-1\n", "")
    _, lines = validate(capsys, folder)
    # The class, its Gateway, and as a note the route that cannot be judged.
    assert [line.split(":")[0] for line in lines] == [CLASS, GATEWAYS, "note"]


def test_conflicts_name_each_listener(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, GATEWAYS, "  listeners:\n", "  listeners:\n    - {name: second, port: 3478, protocol: UDP}\n")
    code, lines = validate(capsys, folder)
    assert code == 1
    for index in (0, 1):
        assert any(f"spec.listeners[{index}]" in line and "Conflicted=True" in line for line in lines), lines


def test_a_missing_address_is_a_note(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, SERVICE, "      - ip: 34.116.220.190\n", "      []\n")
    code, (line,) = validate(capsys, folder)
    assert code == 0
    assert line.startswith("note: 2-gateways.yaml:2: Gateway stunner/udp-gateway: has no public address yet: ")
    code, lines = validate(capsys, folder, "--public-address=192.0.2.1")
    assert (code, lines) == (0, [])


def test_the_same_object_in_two_files_names_both(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / GATEWAYS, folder / "9-again.yaml")
    code, (line,) = validate(capsys, folder)
    assert code == 1
    assert line.startswith("9-again.yaml:2: Gateway stunner/udp-gateway: is also in 2-gateways.yaml:2, which counts")


def test_no_yaml_is_a_problem_and_nothing_is_made_of_the_rest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / CLASS).write_text("kind: [\n")
    code, lines = validate(capsys, folder)
    assert code == 1
    assert lines[0].startswith("1-class.yaml:2: is no YAML")
    assert [line for line in lines[1:] if not line.startswith("note: ")] == []


def test_what_is_not_there_is_exit_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["validate", "-f", str(folder / "missing")]) == 2
    assert "missing" in capsys.readouterr().err


def test_json_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, ROUTE, "- name: media", "- name: medai")
    (folder / "other.yaml").write_text("{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: x}}\n")
    code, _ = validate(capsys, folder)
    assert run_command(["validate", "-f", str(folder), "--format", "json"]) == code == 1
    problem, note = orjson.loads(capsys.readouterr().out)
    assert {name: problem[name] for name in ("file", "line", "object", "field", "note")} == {
        "file": str(folder / ROUTE), "line": 2, "object": "UDPRoute stunner/media", "field": "spec.rules", "note": False
    }  # fmt: skip
    assert note["note"]
    assert note["object"] == "ReplicaSet (apps/v1)"


def test_the_older_names_of_v0_4_are_no_further_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(example("walkthrough/one-udp-gateway"), tmp_path / "m")
    legacy = "--dataplane-mode=legacy"
    assert validate(capsys, tmp_path / "m", legacy) == (0, [])
    change(tmp_path / "m", GATEWAYS, "protocol: UDP", "protocol: HTTP")
    code, lines = validate(capsys, tmp_path / "m", legacy)
    assert code == 1
    assert [line for line in lines if "Ready" in line or "Detached" in line or "Scheduled" in line] == []
