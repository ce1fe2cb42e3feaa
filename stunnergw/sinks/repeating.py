"""Against write wars: the same thing written again and again is written less and less often.

Two programs that each undo what the other writes would keep the API server busy for ever. A change of what is wanted
is no part of such a war and goes out as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Hashable

K = TypeVar("K", bound="Hashable")

LONGEST_CALM = 300.0
PEACE = 600.0
"""Seconds without a repetition after which the war is over."""


class _Last(NamedTuple):
    digest: str
    at: float
    times: int


@final
class Repeats(Generic[K]):
    """How often each thing was written the same."""

    def __init__(self) -> None:
        self._last: dict[K, _Last] = {}

    def wrote(self, key: K, digest: str, *, now: float) -> None:
        """Note a write."""
        last = self._last.get(key)
        again = last is not None and last.digest == digest and now - last.at < PEACE
        self._last[key] = _Last(digest, now, last.times + 1 if last is not None and again else 0)

    def forget(self, key: K) -> None:
        """Forget a thing that is gone."""
        self._last.pop(key, None)

    def calm(self, key: K, *, now: float) -> float:
        """Return for how many seconds it should be left alone, unless something else is wanted."""
        last = self._last.get(key)
        if last is None or last.times == 0:
            return 0.0
        return max(0.0, last.at + min(2.0**last.times, LONGEST_CALM) - now)
