"""The names that conditions had in Gateway API v0.4, written beside today's where that is what is installed.

Its printed columns and the tools of its time look at them: ``kubectl get gateways`` shows ``Ready`` and nothing else.
Each follows from one of today's conditions and says it in that release's words: ``Scheduled`` is Accepted, ``Ready`` is
Programmed, and a listener that is not Accepted is ``Detached``. Where newer versions are served none of them is written
(R2.7), and those that stand there are taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunnergw.projection.conditions import FALSE, TRUE
from stunnergw.projection.reasons import Reason

if TYPE_CHECKING:
    from stunnergw.projection.statuses import Condition, Conditions, GatewayStatus, ListenerStatus

SCHEDULED = "Scheduled"
READY = "Ready"
DETACHED = "Detached"

OLDER_NAMES = frozenset({SCHEDULED, READY, DETACHED})
"""They repeat what others say: nothing is read off them."""


def with_older_names(status: GatewayStatus) -> GatewayStatus:
    """Return a Gateway's status with the older conditions added, after those of today."""
    return status._replace(
        conditions=(*status.conditions, *_of_gateway(status.conditions)),
        listeners=tuple(_listener(listener) for listener in status.listeners),
    )


def _of_gateway(conditions: Conditions) -> Conditions:
    accepted, programmed = _named(conditions, "Accepted"), _named(conditions, "Programmed")
    scheduled = accepted._replace(type=SCHEDULED)
    if accepted.status == TRUE:
        # That some listener is not valid is no reason of its.
        scheduled = scheduled._replace(reason=Reason.SCHEDULED)
    return scheduled, _ready(programmed, _why_not_ready(accepted, programmed))


def _why_not_ready(accepted: Condition, programmed: Condition) -> Reason:
    if accepted.reason == Reason.LISTENERS_NOT_VALID and accepted.status == FALSE:
        return Reason.LISTENERS_NOT_VALID
    if programmed.reason == Reason.ADDRESS_NOT_USABLE:
        return Reason.ADDRESS_NOT_ASSIGNED
    return Reason.LISTENERS_NOT_READY if programmed.reason == Reason.PENDING else programmed.reason


def _listener(status: ListenerStatus) -> ListenerStatus:
    accepted, programmed = _named(status.conditions, "Accepted"), _named(status.conditions, "Programmed")
    detached = accepted._replace(type=DETACHED, status=FALSE, reason=Reason.ATTACHED)
    if accepted.status != TRUE:
        detached = accepted._replace(type=DETACHED, status=TRUE)
    return status._replace(conditions=(*status.conditions, detached, _ready(programmed, programmed.reason)))


def _ready(programmed: Condition, reason: Reason) -> Condition:
    return programmed._replace(type=READY, reason=Reason.READY if programmed.status == TRUE else reason)


def _named(conditions: Conditions, kind: str) -> Condition:
    return next(condition for condition in conditions if condition.type == kind)
