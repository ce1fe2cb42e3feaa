"""Building the real parts that tests need out of Go modules, once for each state of their sources.

What is built lies in a folder of the user's cache, named for a hash of the sources, so that it is built again when they
change and never otherwise. Several test runs may want it at once: one builds, the others wait. Where there is no Go the
tests are skipped, by name and with the reason; with CI=true that is a failure.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stunnergw-realparts"
FLAGS = ("-trimpath", "-ldflags=-s -w")


def built(name: str, *, module: Path, package: str = ".", say: Callable[[str], None]) -> Path:
    """Return the program ``name``, built from a package of a Go module; ``say`` is told of a build.

    Fails the test where the build does, and skips it where there is no Go.
    """
    folder = CACHE / f"{name}-{_digest(module, package)}"
    program = folder / name
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        missing(f"no Go to build {name} with")
        raise AssertionError("unreachable")
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if not program.exists():
            _build(go, name, module=module, package=package, program=program, say=say)
    return program


def missing(reason: str) -> None:
    """Skip the test, or in CI fail it: there, nothing that can be built may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _build(go: str, name: str, *, module: Path, package: str, program: Path, say: Callable[[str], None]) -> None:
    say(f"building {name} (once; kept in {program.parent})")
    began = time.monotonic()
    unfinished = program.with_suffix(".unfinished")
    done = subprocess.run(
        [go, "build", *FLAGS, "-o", str(unfinished), package],
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.fail(f"{name} could not be built (go ended with {done.returncode}):\n{done.stderr[-4000:]}")
    unfinished.rename(program)
    say(f"built {name} in {time.monotonic() - began:.0f} s")


def _digest(module: Path, package: str) -> str:
    whole = sha256(package.encode())
    for file in sorted(module.rglob("*")):
        if file.suffix in (".go", ".mod", ".sum"):
            whole.update(file.relative_to(module).as_posix().encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()[:16]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one test run at a time into the block, whichever process it is."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
