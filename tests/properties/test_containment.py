"""One query that raises is one Gateway's trouble: the others' outputs stay byte for byte, and it heals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from stunnergw.projection import listeners
from stunnergw.projection.outputs import Undecided
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from tests.support.bench import Bench
from tests.support.objects import applied
from tests.support.worlds import MANAGED, histories, keys_of

if TYPE_CHECKING:
    from stunnergw.settings import Decisions
    from tests.support.worlds import Run

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

VICTIM = Key("media", "edge")


class Trap:
    """Makes the judging of one Gateway's listeners raise while it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.set = False
        sound = listeners.own_listeners.function

        def trapped(db: Any, gateway: Key) -> Any:
            judged = sound(db, gateway)
            if self.set and gateway == VICTIM:
                raise ZeroDivisionError("a bug of ours")
            return judged

        monkeypatch.setattr(listeners.own_listeners, "function", trapped)


def touched(bench: Bench, turn: int) -> Any:
    """Apply the victim again, a little different, so that its listeners are judged anew."""
    found = bench.store.get(kinds.GATEWAY, VICTIM)
    labels = {"turn": str(turn)}
    spec = {"gatewayClassName": "turn", "listeners": [{"name": "one", "port": 3478, "protocol": "TURN-UDP"}]}
    uid = found.metadata.uid if found else "uid"
    return applied(
        kinds.GATEWAY, VICTIM.name, namespace=VICTIM.namespace, meta={"uid": uid, "labels": labels}, spec=spec
    )


@given(histories(most_runs=2), MANAGED)
def test_what_raises_is_contained_and_heals(runs: list[Run], settings: Decisions) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        trap = Trap(monkeypatch)
        bench = Bench(settings, failing=True)
        for run in runs:
            bench.run(*run)
        bench.run(touched(bench, 1))
        sound = bench.snapshot
        trap.set = True
        bench.run(touched(bench, 2))
        broken = bench.snapshot
        for key in keys_of(kinds.GATEWAY):
            if key == VICTIM and key in broken.configs:
                assert isinstance(broken.configs[key], Undecided)
            elif key != VICTIM:
                assert broken.configs.get(key) == sound.configs.get(key)
        trap.set = False
        bench.run(touched(bench, 3))
        assert bench.snapshot.configs.get(VICTIM) == sound.configs.get(VICTIM)
