"""Every command that a document shows is run by something.

An ``sh`` block is run here, unless the HTML comment directly before it says who runs it instead:

* ``<!-- command: demo -->``, ``<!-- command: test -->``: the README's two commands; .ci/run runs them.
* ``<!-- runs: cluster -->``, ``stunnerd`` or ``container``: it needs what a test machine may not have, and
  the table STANDS_FOR names the test or CI step that does the same.

The blocks of one document run in their order in one shell, as a reader would type them, in a copy of the
repository: what one block writes, or leaves running with ``&``, is there for the next.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.fences import Block, blocks, command

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Output is `text`. `console` would mix commands with output, and nobody could run it.
LANGUAGES = {"sh", "text", "yaml", "json", "python", "mermaid"}
NEEDS = {"cluster", "stunnerd", "container"}
LIMIT = 60  # seconds, for the blocks of one document

# (document, what its blocks need): the file that does what they say.
STANDS_FOR: dict[tuple[str, str], str] = {
    ("README.md", "stunnerd"): "tests/dataplane/test_real_stunnerd.py",
    ("docs/standalone.md", "stunnerd"): "tests/examples/test_loopback.py",
    ("docs/install.md", "cluster"): "tests/cluster/test_install.py",
    ("docs/install.md", "container"): "tests/house/test_deploy.py",
    ("docs/upgrade.md", "cluster"): "tests/cluster/test_upgrade.py",
}


def name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def shell_blocks(document: Path) -> list[Block]:
    return [block for block in blocks(document) if block.language == "sh"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_languages(document: Path) -> None:
    others = [(block.line, block.language) for block in blocks(document) if block.language not in LANGUAGES]
    assert others == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_blocks_that_others_run(document: Path) -> None:
    for block in shell_blocks(document):
        where = f"{name(document)}:{block.line}"
        match block.marker:
            case ("command", which):
                assert document == ROOT / "README.md", where
                assert which in {"demo", "test"}, where
            case ("runs", needed):
                assert needed in NEEDS, where
                assert (name(document), needed) in STANDS_FOR, f"{where}: nothing stands for it"


def test_what_stands_for_blocks_is_there_and_needed() -> None:
    marked = {
        (name(document), block.marker[1])
        for document in DOCUMENTS
        for block in shell_blocks(document)
        if block.marker and block.marker[0] == "runs"
    }
    assert set(STANDS_FOR) <= marked
    assert [path for path in STANDS_FOR.values() if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("which", ["demo", "test"])
def test_readme_has_the_two_commands_each_one_line(which: str) -> None:
    assert command(ROOT / "README.md", name=which).count("\n") == 1


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_commands_run(document: Path, repository_files: list[Path], tmp_path: Path) -> None:
    script = "".join(block.text for block in shell_blocks(document) if block.marker is None)
    if not script:
        return
    checkout = tmp_path / "stunnergw"
    for file in repository_files:
        (checkout / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, checkout / file)
    output = tmp_path / "output"
    status = run_as_typed(script, folder=checkout, output=output)
    assert status == 0, f"{name(document)}: {status}\n{output.read_text('utf-8', errors='replace')}"


def run_as_typed(script: str, *, folder: Path, output: Path) -> int | str:
    """Run a script with this environment's programs first on PATH; what it left running ends with it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with output.open("wb") as sink:  # a file: whoever is left running would keep a pipe open
        shell = subprocess.Popen(
            ["bash", "-euxo", "pipefail", "-c", script],
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return shell.wait(LIMIT)
    except subprocess.TimeoutExpired:
        return f"still running after {LIMIT} s"
    finally:
        with contextlib.suppress(ProcessLookupError):  # nobody is left
            os.killpg(shell.pid, signal.SIGKILL)  # the session's own group: the shell and all it started
        shell.wait()
