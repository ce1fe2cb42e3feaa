"""No secret of any world shows: not in what a snapshot says, not in causes, events or the state of the engine.

Documents and applied bodies hold them, and nothing else does; base64 counts as showing.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from stunnergw.events.types import Applied
from stunnergw.projection.outputs import Want
from tests.support.bench import Bench
from tests.support.bodies import SECRETS
from tests.support.worlds import SETTINGS, histories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stunnergw.settings import Decisions
    from tests.support.worlds import Run

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

FORMS = [form for secret in SECRETS for form in (secret, base64.b64encode(secret.encode()).decode().rstrip("="))]
FORMS += ["PRIVATE KEY", base64.b64encode(b"-----BEGIN PRIVATE KEY").decode()[:20]]


def shown(bench: Bench, runs: list[Run]) -> Iterator[str]:
    snapshot = bench.snapshot
    yield repr(snapshot)
    for output in snapshot.objects.values():
        if isinstance(output, Want):
            yield output.value.body.decode()
    yield from map(repr, snapshot.statuses.values())
    for cause in snapshot.causes.values():
        yield from (repr(part.label) for part in cause.inputs())
    for fact in (fact for run in runs for fact in run):
        yield repr(fact)
        if isinstance(fact, Applied):
            yield fact.kind.adapter.dump_json(fact.object, by_alias=True).decode()
    yield from _engine(bench)


def _engine(bench: Bench) -> Iterator[str]:
    for nodes in bench.projection.engine.nodes.values():
        for node in nodes.values():
            value: Any = node.value
            yield repr(value)


@given(histories(), SETTINGS)
def test_no_secret_shows(runs: list[Run], settings: Decisions) -> None:
    bench = Bench(settings, recheck=False)
    for run in runs:
        bench.run(*run)
    text = "\n".join(shown(bench, runs))
    assert [form for form in FORMS if form in text] == []
