"""Why a kind or a Secret cannot be read, told so that a person can mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.errors import ApiError

if TYPE_CHECKING:
    from stunnergw.errors import NotFoundOut
    from stunnergw.resources.kinds import Kind

LONGEST = 300

_NOT_KNOWN = "the API server does not know us: renew the token or client certificate that we use"


def qualified(kind: Kind[Any]) -> str:
    """Return the name by which RBAC rules and CRDs know a kind: ``gateways.gateway.networking.k8s.io``."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def because(error: NotFoundOut, *, verb: str, kind: Kind[Any]) -> str:
    """Say what cannot be done, why, and what to do about it."""
    what = f"cannot {verb} {qualified(kind)}"
    if not isinstance(error, ApiError):
        return f"{what}: {_short(str(error))}"
    match error.status:
        case 401:
            remedy = _NOT_KNOWN
        case 403:
            rights = "get" if verb == "get" else "list and watch"
            remedy = f"forbidden: grant {rights} on {qualified(kind)} to the account that we use"
        case 404 if kind.group:
            remedy = f"the API server does not serve it: install the CRD {qualified(kind)}"
        case 429:
            remedy = "the API server asks us to wait"
        case _:
            remedy = "the API server refused"
    return f"{what}: {remedy} ({error.status}: {_short(error.message)})"


def undiscovered(error: NotFoundOut) -> str:
    """Say that nothing is known of what is served, why, and what to do about it."""
    what = "the API server does not say what it serves"
    if not isinstance(error, ApiError):
        return f"{what}: {_short(str(error))}"
    match error.status:
        case 401:
            remedy = _NOT_KNOWN
        case 403:
            remedy = "forbidden: bind the ClusterRole system:discovery to the account that we use"
        case _:
            remedy = "it refused"
    return f"{what}: {remedy} ({error.status}: {_short(error.message)})"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
