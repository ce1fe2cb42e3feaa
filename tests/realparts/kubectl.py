"""kubectl, as one user, for tests of what people see."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Output(NamedTuple):
    """What it printed; warnings are among ``err``."""

    code: int
    out: str
    err: str


class Kubectl:
    """Runs kubectl. Its cache of what the API server knows is its own: CRDs come and go between tests."""

    def __init__(self, program: Path, *, kubeconfig: Path, cache: Path) -> None:
        self.kubeconfig = kubeconfig
        self._program = program
        self._cache = cache

    async def __call__(self, *arguments: str, stdin: str = "", check: bool = True, deadline: float = 60.0) -> Output:
        """Run it; fails the test if it fails, unless ``check`` is off, and ends it at the deadline."""
        process = await asyncio.create_subprocess_exec(
            str(self._program),
            f"--kubeconfig={self.kubeconfig}",
            f"--cache-dir={self._cache}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(self._cache), "NO_COLOR": "1"},
        )
        try:
            async with asyncio.timeout(deadline):
                out, err = await process.communicate(stdin.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        output = Output(process.returncode, out.decode(), err.decode())
        assert not check or output.code == 0, f"kubectl {' '.join(arguments)}: {output.err or output.out}"
        return output
