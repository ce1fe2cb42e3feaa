"""Authentication: from a GatewayConfig to who may allocate.

Only facts about a secret are looked at (it is there, it is text, it is not empty); the value is passed on unread, and
no message repeats it. stunnerd takes any byte in it unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.dataplane.configs import Auth
from stunnergw.projection.problems import Problem

if TYPE_CHECKING:
    from stunnergw.opaque import Opaque
    from stunnergw.resources.stunner import GatewayConfig, GatewayConfigSpec

AUTH_TYPES = {
    "": "static",
    "static": "static",
    "plaintext": "static",
    "ephemeral": "ephemeral",
    "longterm": "ephemeral",
    "timewindowed": "ephemeral",
}
"""The words of ``spec.authType`` and what each means."""


class Credentials(NamedTuple):
    """Authentication in order, with what its author should know."""

    auth: Auth
    warnings: tuple[str, ...] = ()


def credentials(config: GatewayConfig) -> Credentials | Problem:
    """Work out the authentication of a GatewayConfig."""
    spec, name = config.spec, f"GatewayConfig {config.metadata.key}"
    if spec.stun_mode:
        return Credentials(Auth("none", spec.realm, ()))
    if spec.auth_ref is not None:
        return _invalid(f"{name}: spec.authRef: this version reads no Secrets: give the credentials inline")
    kind = AUTH_TYPES.get(spec.auth_type)
    if kind is None:
        words = ", ".join(word for word in AUTH_TYPES if word)
        return _invalid(f"{name}: spec.authType {spec.auth_type!r} is unknown: use one of {words}")
    return _inline(name, kind, spec)


def _invalid(message: str) -> Problem:
    return Problem("InvalidParameters", message)


def _inline(name: str, kind: str, spec: GatewayConfigSpec) -> Credentials | Problem:
    fields: tuple[tuple[str, str, Opaque | None], ...] = (("secret", "sharedSecret", spec.shared_secret),)
    if kind == "static":
        fields = (("password", "password", spec.password), ("username", "userName", spec.user_name))
    found: list[tuple[str, Opaque]] = []
    warnings: list[str] = []
    for key, field, value in fields:
        if value is None or value.facts.empty or not value.facts.text:
            return _invalid(f"{name}: spec.{field} is missing: auth type {spec.auth_type or kind} needs it")
        if value.facts.newline:
            warnings.append(f"spec.{field} of {name} ends in a newline, which clients must send too")
        found.append((key, value))
    return Credentials(Auth(kind, spec.realm, tuple(found)), tuple(warnings))
