"""Code blocks of Markdown documents, each with the HTML comment that stands directly before it.

As a program it prints the block that ``<!-- command: NAME -->`` marks: ``fences.py README.md demo``.
.ci/run and the Makefile call it before anything is installed, so it needs nothing but Python.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

MARKER = re.compile(r"<!-- (?P<word>command|runs): (?P<value>\S+) -->")


class Block(NamedTuple):
    document: Path
    line: int  # of the opening fence, from 1
    language: str
    marker: tuple[str, str] | None  # ("command", "demo"), ("runs", "cluster")
    text: str


def blocks(document: Path) -> list[Block]:
    """Return the fenced blocks of a document in their order."""
    found: list[Block] = []
    above = ""  # the last line with text in it
    opened: tuple[int, str, tuple[str, str] | None] | None = None
    body: list[str] = []
    for number, line in enumerate(document.read_text("utf-8").splitlines(), 1):
        fence = line.strip().startswith("```")
        if fence and opened is None:
            marker = MARKER.fullmatch(above)
            pair = (marker["word"], marker["value"]) if marker else None
            opened, body = (number, line.strip().removeprefix("```"), pair), []
        elif fence and opened is not None:
            found.append(Block(document, *opened, textwrap.dedent("\n".join(body)) + "\n"))
            opened = None
        elif opened is not None:
            body.append(line)
        above = line.strip() or above
    if opened is not None:
        raise ValueError(f"{document}:{opened[0]}: this block is never closed")
    return found


def command(document: Path, *, name: str) -> str:
    """Return the text of the one block that is marked ``command: NAME``."""
    texts = [block.text for block in blocks(document) if block.marker == ("command", name)]
    if len(texts) != 1:
        raise ValueError(f"{document}: {len(texts)} blocks are marked <!-- command: {name} -->, not one")
    return texts[0]


if __name__ == "__main__":
    print(command(Path(sys.argv[1]), name=sys.argv[2]), end="")
