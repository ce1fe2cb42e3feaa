"""Authentication: from a GatewayConfig, or the Secret that it names, to who may allocate.

Only facts about a secret are looked at (it is there, it is text, it is not empty); the value is passed on unread, and
no message repeats it. stunnerd takes any byte in it unchanged. Where ``authRef`` is set the Secret decides alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.dataplane.configs import Auth
from stunnergw.projection.problems import Problem, group_and_kind
from stunnergw.projection.reading import secret
from stunnergw.projection.reasons import Reason
from stunnergw.resources.metadata import Key

if TYPE_CHECKING:
    from stunnergw.opaque import Opaque
    from stunnergw.projection.queries import Context
    from stunnergw.resources.secrets import Secret
    from stunnergw.resources.stunner import AuthReference, GatewayConfig

AUTH_TYPES = {
    "": "static",
    "static": "static",
    "plaintext": "static",
    "ephemeral": "ephemeral",
    "longterm": "ephemeral",
    "timewindowed": "ephemeral",
}
"""The words of ``authType``, or of a Secret's key ``type``, and what each means."""


SHARED_SECRET_KEYS = ("secret", "sharedSecret")
"""Keys of a Secret for ephemeral credentials: the first that is not empty counts."""


class Credentials(NamedTuple):
    """Authentication in order, with what its author should know."""

    auth: Auth
    warnings: tuple[str, ...] = ()


class _Found(NamedTuple):
    """A credential: its key in the document, what a person calls it, and its value."""

    key: str
    name: str
    value: Opaque | None


def credentials(db: Context, config: GatewayConfig) -> Credentials | Problem:
    """Work out the authentication of a GatewayConfig.

    Raises:
        Unknown: the Secret that it names is there and not read.
    """
    spec, name = config.spec, f"GatewayConfig {config.metadata.key}"
    if spec.stun_mode:
        return Credentials(Auth("none", spec.realm, ()))
    if spec.auth_ref is not None:
        return _from_secret(db, config, spec.auth_ref)
    kind = AUTH_TYPES.get(spec.auth_type)
    if kind is None:
        return _unknown_type(f"spec.authType of {name}")
    found = [_Found("secret", f"spec.sharedSecret of {name}", spec.shared_secret)]
    if kind == "static":
        found = [
            _Found("password", f"spec.password of {name}", spec.password),
            _Found("username", f"spec.userName of {name}", spec.user_name),
        ]
    return _checked(kind, spec.realm, found)


def _from_secret(db: Context, config: GatewayConfig, ref: AuthReference) -> Credentials | Problem:
    name = f"GatewayConfig {config.metadata.key}"
    if ref.group not in ("", "v1") or ref.kind not in ("", "Secret"):
        return _invalid(f"spec.authRef of {name} names {group_and_kind(ref.group, ref.kind)}: name a Secret")
    key = Key(ref.namespace or config.metadata.namespace, ref.name)
    found = secret(db, key)
    if found is None:
        return _invalid(f"Secret {key} not found: create it, or correct spec.authRef of {name}")
    if found.data.get("type") is not None and found.data.auth_type not in AUTH_TYPES:
        return _unknown_type(f"key type of Secret {key}")
    kind = AUTH_TYPES[found.data.auth_type]
    return _checked(kind, config.spec.realm, _values_of(kind, key, found))


def _values_of(kind: str, key: Key, found: Secret) -> list[_Found]:
    if kind == "static":
        return [_Found(name, f"key {name} of Secret {key}", found.data.get(name)) for name in ("password", "username")]
    present = [(name, value) for name in SHARED_SECRET_KEYS if (value := found.data.get(name)) is not None]
    # An empty one says nothing, and hides no good one behind it.
    filled = [(name, value) for name, value in present if not value.facts.empty]
    name, value = next(iter((*filled, *present)), (SHARED_SECRET_KEYS[0], None))
    return [_Found("secret", f"key {name} of Secret {key}", value)]


def _invalid(message: str) -> Problem:
    return Problem(Reason.INVALID_PARAMETERS, message)


def _unknown_type(where: str) -> Problem:
    # The word itself is not repeated: somebody may have put a password there.
    words = ", ".join(word for word in AUTH_TYPES if word)
    return _invalid(f"{where} is none of the auth types: use one of {words}")


def _checked(kind: str, realm: str, values: list[_Found]) -> Credentials | Problem:
    warnings: list[str] = []
    found: list[tuple[str, Opaque]] = []
    for entry in values:
        if entry.value is None or entry.value.facts.empty:
            return _invalid(f"{entry.name} is missing or empty: auth type {kind} needs it, give it")
        if not entry.value.facts.text:
            return _invalid(f"{entry.name} is not UTF-8 text, and stunnerd could not be told it: replace it")
        if entry.value.facts.newline:
            warnings.append(f"{entry.name} ends in a newline, which clients must send too")
        found.append((entry.key, entry.value))
    return Credentials(Auth(kind, realm, tuple(found)), tuple(warnings))
