"""What docs/status.md says of conditions and reasons: all that there are, and each one shown."""

from __future__ import annotations

import re
from types import MappingProxyType

import pytest

from stunnergw.projection.reasons import Reason
from tests.house import statuses
from tests.house.statuses import ELSEWHERE, ROOT, ROWS, SCENARIOS, shown


def test_the_document_is_up_to_date() -> None:
    found = statuses.DOCUMENT.read_text("utf-8")
    assert found == statuses.render(), "docs/status.md is out of date: python -m tests.house.statuses"


def test_a_reason_without_a_row_is_an_error() -> None:
    fewer = MappingProxyType({row: words for row, words in ROWS.items() if row.reason != Reason.NO_RESOURCES})
    with pytest.raises(LookupError, match="without a row: NoResources"):
        statuses.render(fewer)


def test_every_row_has_a_scenario_or_a_test_that_shows_it() -> None:
    found = shown()
    assert [row for row in found if row not in ROWS] == []
    assert set(ROWS) - set(found) == set(ELSEWHERE)
    for test in ELSEWHERE.values():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), test


def test_no_sentence_of_a_message_says_a_thing_without_a_remedy() -> None:
    """Of what is False for a fault of somebody's: every message has a colon or a semicolon before what to do."""
    mute = {
        (row, message)
        for out in SCENARIOS.glob("*/out.yaml")
        for row, message in statuses.messages(out)
        # That a listener is not detached is well.
        if row.status == "False"
        and row.type != "Detached"
        and not re.search(r"[:;] ", message)
        and "needs a ReferenceGrant" not in message
    }
    assert mute == set()
