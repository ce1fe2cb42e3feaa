from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def repository_files() -> list[Path]:
    """Every file that is, or is about to be, part of the repository: paths relative to its root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are part of the repository is not known")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [Path(name) for name in listed.split("\0") if (ROOT / name).is_file()]
