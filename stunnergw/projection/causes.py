"""Why a result is as it is: the chain from a changed input, through results, to the one asked for.

A cause names one result (or input) that changed and, below it, those of its parts that changed in the same run and
so brought the change about. The leaves are inputs, with the event that changed them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PARTS = 32
"""More changed parts than this are cut: a first projection would otherwise list a whole namespace."""


class Subject(NamedTuple):
    """A result, by its query's label and arguments; put into words only when somebody asks."""

    query: str
    args: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.query} {' '.join(str(arg) for arg in self.args)}"


class Cause(NamedTuple):
    """Something that changed, and what changed it."""

    subject: object
    """An input, or the :class:`Subject` of a result."""
    seq: int
    """Of an input: the event that changed it. Of a result: the snapshot in which it changed."""
    is_input: bool
    parts: tuple[Cause, ...] = ()

    @property
    def label(self) -> str:
        """An input such as ``EndpointSlice media/sfu-1``, or a result such as ``cluster media/sfu``."""
        return str(self.subject)

    def inputs(self) -> Iterator[Cause]:
        """Give the changed inputs below (or this one), each once, newest last."""
        seen: dict[str, Cause] = {}
        stack = [self]
        while stack:
            cause = stack.pop()
            if cause.is_input:
                seen[cause.label] = cause
            stack.extend(cause.parts)
        yield from sorted(seen.values(), key=lambda cause: (cause.seq, cause.label))
