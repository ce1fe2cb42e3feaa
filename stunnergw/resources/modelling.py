"""How the models of Kubernetes objects are made.

Objects are frozen pydantic dataclasses with slots: a fifth of a BaseModel's memory, and quick to compare.
They are *trimmed*: a field that no decision reads is not there, so that a node's heartbeat is no change.
Maps are sorted and read-only when parsed, since ``==`` ignores a dict's order and bytes do not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NewType, TypeVar, cast, dataclass_transform, final

import orjson
from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass
from pydantic_core import CoreSchema, core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

T = TypeVar("T")

_CONFIG = ConfigDict(
    alias_generator=to_camel,
    validate_by_name=True,
    validate_by_alias=True,
    extra="ignore",
    # A secret that stands in the wrong field must not be quoted in an error.
    hide_input_in_errors=True,
)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def model(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen, slotted, keyword-only model whose JSON names are in camel case."""
    made: Any = dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
    return cast("type[T]", made(cls))


@final
class FrozenMap(Mapping[str, str]):
    """A read-only map of text to text, sorted by name; hashable, so that it can be a default."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        self._items = dict(sorted(items.items())) if items else {}

    def __getitem__(self, name: str) -> str:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == (other._items if isinstance(other, FrozenMap) else other)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


EMPTY_MAP = FrozenMap()
"""The one empty map that all objects share."""


class _NullIsEmpty:
    """Let null stand for an empty list: Go writes one so where the field has no omitempty.

    It wraps the schema rather than the value, so that a list in JSON is still read in one pass.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        nullable = core_schema.nullable_schema(handler(source))
        return core_schema.no_info_after_validator_function(lambda value: value or (), nullable)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema["schema"]["schema"])


def canonical(value: Any) -> bytes:
    """Return ``value`` as JSON with sorted keys, in a buffer of its own size."""
    dumped = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    # orjson never shrinks its buffer: each result would hold at least 4 KiB.
    return bytes(memoryview(dumped))


def _string_map(value: Any) -> FrozenMap:
    if not value and value in ({}, None):
        return EMPTY_MAP
    if not isinstance(value, Mapping):
        raise ValueError("should be a map of strings")
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError(f"the value of {str(name)[:64]!r} should be a string: put it in quotes")
    return FrozenMap(value)


StringMap = Annotated[
    FrozenMap,
    PlainValidator(_string_map),
    PlainSerializer(dict),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]
"""A map of text to text, such as labels: sorted and read-only. Absent and null are empty."""

Json = NewType("Json", bytes)
"""A piece of JSON that is passed on unread, with sorted keys."""

RawJson = Annotated[Json, PlainValidator(canonical), PlainSerializer(orjson.loads), WithJsonSchema({})]
"""A field of type :data:`Json`."""

Many = Annotated[tuple[T, ...], _NullIsEmpty()]
"""A list; null is an empty one."""


def stored(default: Any = None) -> Any:
    """Declare a field that is kept for those who write, and takes no part in ``==``.

    Our own writes come back as events; that they differ in status or version alone must dirty nothing.
    """
    return dataclasses.field(default=default, compare=False, repr=False)
