"""The three values of every output: *want X*, *absent*, or *undecided* with its reason.

Only absent deletes an object, removes a status entry or ends a document. Undecided leaves things as they are:
what cannot be decided must not take away what runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, Literal, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Want(Generic[T_co]):
    """The output is to be so."""

    value: T_co


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent.ABSENT
"""The output is to be gone."""

Absent = Literal[_Absent.ABSENT]


@dataclass(frozen=True, slots=True)
class Undecided:
    """Nothing can be said of the output; whatever is there stays."""

    reason: str


Output = Want[T_co] | Absent | Undecided
