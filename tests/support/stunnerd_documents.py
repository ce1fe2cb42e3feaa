"""What stunnerd makes of a document, and what we promise of ours: the one place that tests import from.

`judge` decides as the real stunnerd was seen to decide (stunnerd_judging, made of stunnerd_reading and
stunnerd_applying); `check_ours` is stricter and for documents of ours only (our_promises).
`is_zero_document` tells the message that stands for a deleted Gateway.
"""

from tests.support.our_promises import LEGACY_NAME, PLACEHOLDER, STUNNER_ADDR, Served, check_ours
from tests.support.our_shapes import Broken
from tests.support.stunnerd_judging import Outcome, Verdict, is_zero_document, judge, zero_document
from tests.support.stunnerd_reading import Config

__all__ = [
    "LEGACY_NAME",
    "PLACEHOLDER",
    "STUNNER_ADDR",
    "Broken",
    "Config",
    "Outcome",
    "Served",
    "Verdict",
    "check_ours",
    "is_zero_document",
    "judge",
    "zero_document",
]
