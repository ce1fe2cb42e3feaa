"""The record of an election: a Lease of coordination.k8s.io/v1, read and written.

Fields that others keep in it stay as they are. Times are for people: no candidate judges by another's clock.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from stunnergw.errors import ApiError, Unreachable
from stunnergw.kube.answers import json_object, not_from_an_api_server

if TYPE_CHECKING:
    from datetime import datetime

    from stunnergw.errors import NotFoundOut

API_VERSION = "coordination.k8s.io/v1"
KIND = "Lease"

LONGEST_ANSWER = 300
"""Characters of what the API server says that are passed on."""


class Record(NamedTuple):
    """A Lease as it was read."""

    body: dict[str, Any]
    version: str
    """Its resourceVersion."""
    holder: str
    """Empty where nobody holds it."""
    duration: float | None
    """Seconds that it lasts without renewal; None where it does not say."""


def read_record(answer: bytes, *, path: str) -> Record:
    """Read a Lease.

    Raises:
        Unreachable: it is none.
    """
    body = json_object(answer, path=path, kind=KIND)
    metadata, spec = body.get("metadata"), body.get("spec") or {}
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise not_from_an_api_server(answer, path=path, wanted=f"whole {KIND}")
    duration = spec.get("leaseDurationSeconds")
    return Record(
        {**body, "spec": spec},
        str(metadata.get("resourceVersion") or ""),
        str(spec.get("holderIdentity") or ""),
        float(duration) if isinstance(duration, int) and duration > 0 else None,
    )


def new_record(*, namespace: str, name: str, holder: str, duration: int, now: datetime) -> dict[str, Any]:
    """Make the body of a Lease that is not there yet."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": _spec({}, holder=holder, duration=duration, now=now),
    }


def renewed(record: Record, *, holder: str, duration: int, now: datetime) -> dict[str, Any]:
    """Make the body of a Lease that somebody holds from now on; empty: nobody does."""
    return {**record.body, "spec": _spec(record.body["spec"], holder=holder, duration=duration, now=now)}


def because(error: NotFoundOut, *, label: str, namespace: str) -> NotFoundOut:
    """Return the same error, saying why a lease cannot be had and what to do about it."""
    what = f"cannot ask for the lease {label}"
    if not isinstance(error, ApiError):
        return Unreachable(f"{what}: {error}")
    match error.status:
        case 401:
            remedy = "the API server does not know us: renew the token or client certificate that we use"
        case 403:
            remedy = f"forbidden: grant get, create and update on leases.coordination.k8s.io in {namespace}"
        case 404:
            remedy = f"create the namespace {namespace}, or hold the lease in another"
        case 429:
            remedy = "the API server asks us to wait"
        case _:
            remedy = "the API server refused"
    message = f"{what}: {remedy} ({error.status}: {error.message[:LONGEST_ANSWER]})"
    return ApiError(error.status, reason=error.reason, message=message, retry_after=error.retry_after)


def _spec(before: dict[str, Any], *, holder: str, duration: int, now: datetime) -> dict[str, Any]:
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {**before, "holderIdentity": holder, "leaseDurationSeconds": duration, "renewTime": at}
    if holder and before.get("holderIdentity") != holder:
        spec["acquireTime"] = at
        spec["leaseTransitions"] = int(before.get("leaseTransitions") or 0) + (1 if before else 0)
    return spec
