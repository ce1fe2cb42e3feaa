"""What is wrong with a manifest, told so that a person can mend it.

A problem names the file and line, the object and the field, and says what is wrong and what to do. It never
holds a value of an object that may hold secrets. A *note* is no problem: something that was left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stunnergw.errors import ManifestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend. As text: ``file:line: object: field: what is wrong: what to do``."""

    file: str
    """The file as the user named it, or found below a folder that the user named."""
    line: int | None = None
    """Where the object begins, or the fault of a file that is no YAML; from 1."""
    object: str = ""
    """Such as ``Gateway media/edge``; empty where it is not known."""
    field: str = ""
    """A dotted path such as ``spec.listeners[0].port``; empty for the object as a whole."""
    problem: str
    """What is wrong, and what to do."""
    note: bool = False
    """Nothing is wrong: the object was merely left alone."""

    @property
    def place(self) -> str:
        """``file:line``."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.object, self.field, self.problem) if part)

    @classmethod
    def of(cls, error: ManifestError, *, consequence: str = "") -> Problem:
        """Tell of a file that cannot be read as a whole, and what comes of it."""
        problem = f"{error.problem} ({consequence})" if consequence else error.problem
        return cls(file=error.path, line=error.line, problem=problem)
