"""From a plain object, as YAML or JSON gives it, to our trimmed model of it.

An object that does not fit raises :class:`~stunnergw.errors.InvalidObject` naming the first wrong field;
the values of a kind that holds secrets are never quoted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from pydantic import ValidationError

from stunnergw.errors import InvalidObject
from stunnergw.opaque import CONTEXT_KEY, PROCESS_KEY
from stunnergw.resources.metadata import Key, KubernetesObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.resources.kinds import Kind

T = TypeVar("T", bound=KubernetesObject)


def parse(kind: Kind[T], body: Mapping[str, Any], *, opaque_key: bytes = PROCESS_KEY) -> T:
    """Make the model of ``body``, a whole object in Kubernetes' JSON form.

    Types are taken strictly, as an API server does: ``port: "3478"`` is not a number. A field that is null counts as
    not there.

    Raises:
        InvalidObject: a field is missing or of the wrong type.
    """
    try:
        text = orjson.dumps(without_nulls(body), option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, RecursionError):
        raise InvalidObject(
            kind.describe(_key(body)), "", "holds a value that JSON cannot: an integer beyond 64 bits or odd unicode"
        ) from None
    try:
        return kind.adapter.validate_json(
            text, strict=True, context={CONTEXT_KEY: opaque_key}, by_alias=True, by_name=False
        )
    except ValidationError as error:
        raise _invalid(kind, body, error) from None


def without_nulls(value: Any) -> Any:
    """Drop null fields, as an API server does before it fills in defaults."""
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def _invalid(kind: Kind[Any], body: Mapping[str, Any], error: ValidationError) -> InvalidObject:
    # Neither the input nor pydantic's own text with it: it could hold a password.
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return InvalidObject(kind.describe(_key(body)), field_path(first["loc"]), _sentence(first["msg"]))


def field_path(location: tuple[int | str, ...]) -> str:
    """Write a location as a person would: ``spec.listeners[0].port``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _key(body: Mapping[str, Any]) -> Key:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return Key("", "(no name)")
    return Key(str(metadata.get("namespace") or ""), str(metadata.get("name") or "(no name)"))
