"""Secrets, carried through the house without being read.

A secret enters as an :class:`Opaque`: the value, a keyed digest of it, and the few facts that decisions
need. Everything that could show it (``repr``, ``str``, JSON, pickle) shows the digest instead, so equal
secrets are seen to be equal and a change is seen as a change. Only :meth:`Opaque.reveal` gives the value;
a test keeps the list of places that call it.
"""

from __future__ import annotations

import secrets
import string
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, final

from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

PLAIN = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")
"""The characters that the reference's GatewayConfig schema admits in userName and password."""

PROCESS_KEY = secrets.token_bytes(32)
"""The digest key of this process, used where no journal gives a lasting one."""

CONTEXT_KEY = "opaque_key"
"""Where a pydantic validation context carries another digest key."""


class SecretFacts(NamedTuple):
    """What decisions may know about a secret, worked out when it enters."""

    text: bool
    """It is valid UTF-8."""
    empty: bool
    plain: bool
    """It consists of the characters of :data:`PLAIN` alone."""
    newline: bool
    """It ends in a newline, as ``echo secret | base64`` makes it by mistake."""


@final
class Opaque:
    """A secret value that shows only its keyed digest.

    Two are equal when their digests are: made with the same key, that means equal values.
    """

    __slots__ = ("_value", "digest", "facts")
    _value: bytes | None
    digest: str
    facts: SecretFacts

    def __init__(self, value: bytes | None, *, digest: str, facts: SecretFacts) -> None:
        object.__setattr__(self, "_value", value)
        object.__setattr__(self, "digest", digest)
        object.__setattr__(self, "facts", facts)

    @classmethod
    def of(cls, value: str | bytes, *, key: bytes = PROCESS_KEY) -> Opaque:
        """Wrap ``value``; ``key`` (up to 64 bytes) makes the digest useless for guessing offline."""
        data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        digest = blake2b(data, key=key, digest_size=16).hexdigest()
        return cls(data, digest=digest, facts=facts_of(data))

    @property
    def redacted(self) -> Opaque:
        """The same without its value: what a journal keeps."""
        return Opaque(None, digest=self.digest, facts=self.facts)

    def reveal(self) -> bytes:
        """Give the value away; of a redacted one the text that stands for it."""
        return str(self).encode() if self._value is None else self._value

    def same_value(self, other: Opaque) -> bool:
        """Say whether the other holds the same value, whatever keys made the digests; of redacted ones these decide."""
        if self._value is None or other._value is None:
            return self == other
        return self._value == other._value

    def __str__(self) -> str:
        return f"opaque:{self.digest}"

    def __repr__(self) -> str:
        return f"Opaque({self.digest})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("Opaque is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("Opaque is immutable")

    def __copy__(self) -> Opaque:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Opaque:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.digest, tuple(self.facts))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, source: object, handler: object) -> dict[str, Any]:
        return {"type": "string"}


def facts_of(data: bytes) -> SecretFacts:
    """Work out the facts of one value."""
    try:
        decoded = data.decode()
    except UnicodeDecodeError:
        return SecretFacts(text=False, empty=False, plain=False, newline=data.endswith(b"\n"))
    return SecretFacts(text=True, empty=not data, plain=PLAIN.issuperset(decoded), newline=data.endswith(b"\n"))


def _restore(digest: str, facts: tuple[bool, bool, bool, bool]) -> Opaque:
    return Opaque(None, digest=digest, facts=SecretFacts(*facts))


def _validate(value: object, info: core_schema.ValidationInfo) -> Opaque:
    if isinstance(value, Opaque):
        return value
    if not isinstance(value, str):
        # The type alone: pydantic would otherwise quote what was given.
        raise PydanticCustomError("opaque_type", "should be a string")
    key = (info.context or {}).get(CONTEXT_KEY, PROCESS_KEY)
    return Opaque.of(value, key=key)
