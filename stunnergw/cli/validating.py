"""``stunnergw validate``: what is wrong with some manifests, one problem a line.

First what an API server would refuse, then what the projection makes of the rest, on the production code path. While
a file cannot be read as a whole, decisions are not judged: they would be wrong about everything that it holds.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from stunnergw.cli.flags import DecisionFlags, decisions
from stunnergw.cli.judging import judge
from stunnergw.cli.rendering import render
from stunnergw.sources.problems import Problem
from stunnergw.sources.reading import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stunnergw.cli.rendering import Rendering

NOTHING_WRONG, SOMETHING_WRONG = 0, 1


def print_findings(paths: Sequence[Path], *, flags: DecisionFlags | None, form: str) -> int:
    """Print problems, then notes; 0 where there are no problems, else 1.

    Raises:
        ManifestError: a path is missing or unreadable.
    """
    rendering = render(paths, decisions(flags), strict=False)
    found = findings(rendering)
    problems = [each for each in found if not each.note]
    notes = [each for each in found if each.note]
    if form == "json":
        print(orjson.dumps([asdict(each) for each in (*problems, *notes)], option=orjson.OPT_INDENT_2).decode())
    else:
        for problem in problems:
            print(problem)
        for note in notes:
            print(f"note: {note}")
        print(f"stunnergw: {_summary(rendering, problems, notes)}", file=sys.stderr)
    return SOMETHING_WRONG if problems else NOTHING_WRONG


def findings(rendering: Rendering) -> list[Problem]:
    """Return all that is wrong, and notes: by file and line, what belongs to none last."""
    loaded = rendering.loaded
    found = [*loaded.problems, *loaded.notes]
    if loaded.broken:
        text = "what the manifests come to is judged once every file can be read"
        found.append(Problem(file="", problem=text, note=True))
    else:
        found += judge(rendering)
        failed = "a decision failed, which is a fault of stunnergw's: please report it"
        found += [Problem(file="", problem=f"{failed}: {failure}") for failure in rendering.failures]
    return sorted(found, key=lambda each: (not each.file, each.file, each.line or 0))


def _summary(rendering: Rendering, problems: list[Problem], notes: list[Problem]) -> str:
    written = len(rendering.loaded.places)
    if not (written or problems):
        return f"nothing to judge: no object that stunnergw reads; of folders it reads {', '.join(sorted(SUFFIXES))}"
    wrong = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}" if problems else "nothing wrong"
    said = f", {len(notes)} {'note' if len(notes) == 1 else 'notes'}" if notes else ""
    return f"{wrong}{said}, in {written} {'object' if written == 1 else 'objects'}"
