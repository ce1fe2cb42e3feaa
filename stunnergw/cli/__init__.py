"""The command line. ``main`` is the command ``stunnergw``; each command is a module of its own.

What a command needs is imported when it runs: ``stunnergw version`` should not wait for a web server.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` (by default the process's) name, and exit with its code."""
    from stunnergw.cli.commands import run_command

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that lacks a letter is no reason to end with a traceback.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run_command(sys.argv[1:] if arguments is None else list(arguments)))
