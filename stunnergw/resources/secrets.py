"""Secrets, and the facts about them that decisions need.

A value is wrapped as it enters. What decisions ask (is it text, does the key fit the certificate, what does the key
``type`` say) is worked out then and stands beside the values, so that a history without values decides the same.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, final

from pydantic_core import PydanticCustomError, core_schema

from stunnergw.opaque import CONTEXT_KEY, PROCESS_KEY, Opaque
from stunnergw.resources.certificates import check_pair
from stunnergw.resources.metadata import ObjectMeta
from stunnergw.resources.modelling import model

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

CERTIFICATE_KEYS = ("tls.crt", "crt", "cert")
PRIVATE_KEYS = ("tls.key", "key")

LONGEST_TYPE = 64

UNUSABLE_TYPE = "?"
"""The word for a type that is no word at all: not ASCII, or too long."""


class TlsPair(NamedTuple):
    """A certificate and its key, as documents carry them."""

    certificate: Opaque
    """Base64 of the PEM text."""
    key: Opaque
    problem: str = ""
    """Why the two cannot be served; empty where they can."""
    not_after: str = ""
    """When the certificate ends, RFC 3339; shown, and decides nothing."""


@final
class SecretData:
    """The values of a Secret by key, with the facts about them."""

    __slots__ = ("_values", "auth_type", "pair")

    def __init__(self, values: Mapping[str, Opaque], *, auth_type: str = "", pair: TlsPair | None = None) -> None:
        self._values = dict(sorted(values.items()))
        self.auth_type = auth_type
        """What the key ``type`` says, which is no secret; empty where it says nothing."""
        self.pair = pair
        """Certificate and key, where both are there."""

    @classmethod
    def of(cls, values: Mapping[str, bytes], *, key: bytes = PROCESS_KEY) -> SecretData:
        """Wrap values; ``key`` is the digest key."""
        wrapped = {name: Opaque.of(value, key=key) for name, value in values.items()}
        return cls(wrapped, auth_type=_auth_type(values.get("type", b"")), pair=_pair(values, key))

    def get(self, name: str) -> Opaque | None:
        """Return a value, or None where there is no such key."""
        return self._values.get(name)

    def names(self) -> tuple[str, ...]:
        """Return the keys, sorted."""
        return tuple(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretData):
            return NotImplemented
        return (self._values, self.auth_type, self.pair) == (other._values, other.auth_type, other.pair)

    def __hash__(self) -> int:
        return hash((tuple(self._values.items()), self.auth_type, self.pair))

    def __repr__(self) -> str:
        return f"SecretData({', '.join(self._values)})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validate, serialization=core_schema.plain_serializer_function_ser_schema(_as_json)
        )


def _as_json(data: SecretData) -> dict[str, Any]:
    return {name: str(value) for name, value in data._values.items()}


def _validate(value: object, info: core_schema.ValidationInfo) -> SecretData:
    if isinstance(value, SecretData):
        return value
    if value is None:
        return EMPTY_SECRET
    if not isinstance(value, Mapping):
        raise PydanticCustomError("secret_type", "should be a map of base64 texts")
    key = (info.context or {}).get(CONTEXT_KEY, PROCESS_KEY)
    return SecretData.of({str(name): _decoded(str(name), text) for name, text in value.items()}, key=key)


def _decoded(name: str, text: object) -> bytes:
    if not isinstance(text, str):
        raise PydanticCustomError("secret_value", "the value of key {name} should be base64 text", {"name": name})
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError(
            "secret_base64", "the value of key {name} is not base64: use stringData for plain text", {"name": name}
        ) from None


def _auth_type(value: bytes) -> str:
    try:
        text = value.decode("ascii").strip()
    except UnicodeDecodeError:
        return UNUSABLE_TYPE
    return text if len(text) <= LONGEST_TYPE else UNUSABLE_TYPE


def _pair(values: Mapping[str, bytes], key: bytes) -> TlsPair | None:
    # An empty one, as a kubernetes.io/tls Secret may have to have it, hides no good one behind it.
    certificate = next((values[name] for name in CERTIFICATE_KEYS if values.get(name)), None)
    private = next((values[name] for name in PRIVATE_KEYS if values.get(name)), None)
    if certificate is None or private is None:
        return None
    problem, not_after = check_pair(certificate, private)
    return TlsPair(
        Opaque.of(base64.b64encode(certificate), key=key),
        Opaque.of(base64.b64encode(private), key=key),
        problem,
        not_after,
    )


EMPTY_SECRET = SecretData({})


@model
class Secret:
    """A Secret: credentials of a class, or the certificate of a listener."""

    metadata: ObjectMeta
    type: str = ""
    data: SecretData = EMPTY_SECRET
    unread: str = ""
    """Why the data is not here, though the Secret is; empty where it is."""
