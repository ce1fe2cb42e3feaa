"""What holds for the repository as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def run(program: str, *arguments: str) -> None:
    done = subprocess.run([BIN / program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_import_contracts_hold() -> None:
    run("lint-imports", "--no-cache")


def test_dockerfile_is_clean_without_exceptions() -> None:
    run("hadolint", "--no-color", "Dockerfile")
    assert "hadolint ignore" not in (ROOT / "Dockerfile").read_text("utf-8")
    assert not list(ROOT.glob(".hadolint.y*ml"))


def test_image_runs_as_nobody_and_starts_the_way_the_chart_does() -> None:
    final_stage = (ROOT / "Dockerfile").read_text("utf-8").rpartition("\nFROM ")[2].splitlines()
    assert "USER 65532:65532" in final_stage
    assert 'ENTRYPOINT ["/manager"]' in final_stage


def test_nothing_names_a_path_of_one_machine(repository_files: list[Path]) -> None:
    # In two pieces, so that this file does not name them itself.
    path = re.compile("|".join("/" + folder for folder in ("work/", "root/", "home/[a-z]")))
    named = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in repository_files
        for number, line in enumerate((ROOT / name).read_text("utf-8", errors="replace").splitlines(), 1)
        if path.search(line)
    ]
    assert not named, "\n".join(named)


def test_changelog_fragments_have_a_type_that_the_changelog_shows() -> None:
    types = "|".join(kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"])
    name = re.compile(rf"(\d+|\+[a-z0-9-]+)\.({types})(\.\d+)?\.md")
    fragments = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    assert [fragment for fragment in fragments if not name.fullmatch(fragment)] == []


def test_metrics_that_documents_name_are_those_of_the_list() -> None:
    name = re.compile(r"stunnergw_[a-z_]+")
    listed = set(name.findall((ROOT / "docs" / "metrics.md").read_text("utf-8")))
    for document in sorted((ROOT / "docs").glob("*.md")):
        assert set(name.findall(document.read_text("utf-8"))) <= listed, document.name
