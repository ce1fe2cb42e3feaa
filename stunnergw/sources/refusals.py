"""Why a kind or a Secret cannot be read, told so that a person can mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.errors import ApiError

if TYPE_CHECKING:
    from stunnergw.errors import NotFoundOut
    from stunnergw.resources.kinds import Kind

LONGEST = 300


def qualified(kind: Kind[Any]) -> str:
    """Return the name by which RBAC rules and CRDs know a kind: ``gateways.gateway.networking.k8s.io``."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def because(error: NotFoundOut, *, verb: str, kind: Kind[Any]) -> str:
    """Say what cannot be done, why, and what to do about it."""
    rights = "get" if verb == "get" else "list and watch"
    return _told(
        f"cannot {verb} {qualified(kind)}",
        error,
        forbidden=f"grant {rights} on {qualified(kind)} to the account that we use",
        missing=f"install the CRD {qualified(kind)}" if kind.group else "",
    )


def undiscovered(error: NotFoundOut) -> str:
    """Say that nothing is known of what is served, why, and what to do about it."""
    what = "the API server does not say what it serves"
    return _told(what, error, forbidden="bind the ClusterRole system:discovery to the account that we use")


def _told(what: str, error: NotFoundOut, *, forbidden: str, missing: str = "") -> str:
    """Say what is wrong with the remedies for 403 and, where there is one, for 404."""
    if not isinstance(error, ApiError):
        return f"{what}: {_short(str(error))}"
    match error.status:
        case 401:
            remedy = "the API server does not know us: renew the token or client certificate that we use"
        case 403:
            remedy = f"forbidden: {forbidden}"
        case 404 if missing:
            remedy = f"the API server does not serve it: {missing}"
        case 429:
            remedy = "the API server asks us to wait"
        case _:
            remedy = "the API server refused"
    return f"{what}: {remedy} ({error.status}: {_short(error.message)})"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
