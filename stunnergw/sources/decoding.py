"""From the bytes of a list or a watch to our trimmed models, in one pass.

An object that does not fit its kind costs only itself: the pass leaves a hole for it, and the hole alone is looked at
again, to name the object and the field. What is no answer of an API server at all, such as a proxy's page, is an
:class:`~stunnergw.errors.Unreachable`. Types are taken leniently: the server has checked them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypeVar, final

import orjson
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

from stunnergw.errors import ApiError, InvalidObject, Unreachable
from stunnergw.opaque import CONTEXT_KEY, PROCESS_KEY
from stunnergw.resources.metadata import Key, KubernetesObject
from stunnergw.resources.modelling import Many, model
from stunnergw.resources.parsing import field_path, without_nulls

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

    from stunnergw.resources.kinds import Kind

T = TypeVar("T")


class _HoleIfWrong:
    """Let None stand for a value that does not fit, rather than fail all around it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


@model
class _ListMeta:
    resource_version: str
    more: str = Field(default="", alias="continue")


@model
class _Page(Generic[T]):
    metadata: _ListMeta
    items: Many[Annotated[T | None, _HoleIfWrong()]] = ()


@model
class _Line(Generic[T]):
    type: str
    object: Annotated[T | None, _HoleIfWrong()] = None


class LeftOut(NamedTuple):
    """An object that does not fit its kind."""

    key: Key
    version: str
    problem: InvalidObject


class Page(NamedTuple):
    """A piece of a list."""

    version: str
    """The resourceVersion of the list."""
    more: str
    """What to ask for to get the next piece; empty in the last."""
    objects: list[Any]
    left_out: list[LeftOut]
    size: int
    """Bytes of one object, on average."""


class Changed(NamedTuple):
    """An object is there, as it stands here."""

    object: KubernetesObject


class Gone(NamedTuple):
    """An object was deleted."""

    key: Key
    uid: str
    version: str


class Bookmark(NamedTuple):
    """Nothing more happened up to here."""

    version: str


Told = Changed | Gone | Bookmark | LeftOut
"""What a line of a watch says."""


@final
class Decoder:
    """Reads the lists and watches of one kind. ``opaque_key`` makes the digests of secrets."""

    def __init__(self, kind: Kind[Any], *, opaque_key: bytes = PROCESS_KEY) -> None:
        self._kind = kind
        self._context = {CONTEXT_KEY: opaque_key}
        self._pages, self._lines = _adapters(kind.model)  # type: ignore[arg-type]  # a class can be hashed

    def page(self, data: bytes) -> Page:
        """Read a piece of a list.

        Raises:
            Unreachable: it is none.
        """
        try:
            page = self._pages.validate_json(data, context=self._context, by_alias=True, by_name=False)
        except ValidationError:
            raise Unreachable(f"the answer is no list of {self._kind.plural}: is there a proxy in between?") from None
        objects = [thing for thing in page.items if thing is not None]
        left_out: list[LeftOut] = []
        if len(objects) < len(page.items):
            bodies = orjson.loads(data)["items"]
            for place in (place for place, thing in enumerate(page.items) if thing is None):
                second = self.second_look(bodies[place])
                left_out.append(second) if isinstance(second, LeftOut) else objects.append(second)
        size = len(data) // max(1, len(page.items))
        return Page(page.metadata.resource_version, page.metadata.more, objects, left_out, size)

    def line(self, data: bytes) -> Told:
        """Read a line of a watch.

        Raises:
            ApiError: it says why the watch ends.
            Unreachable: it is no line of a watch.
        """
        try:
            line = self._lines.validate_json(data, context=self._context, by_alias=True, by_name=False)
            match line.type:
                case "ADDED" | "MODIFIED":
                    return self._changed(line.object if line.object is not None else self.second_look(_object(data)))
                case "DELETED":
                    return _gone(line.object.metadata) if line.object is not None else _gone_of(_object(data))
                case "BOOKMARK":
                    return Bookmark(_version(_object(data)))
                case "ERROR":
                    raise _refusal(_object(data))
        except (ValidationError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            pass
        raise Unreachable(f"a line of the watch of {self._kind.plural} is none: is there a proxy in between?")

    def whole(self, data: bytes) -> Any:
        """Read a whole object.

        Raises:
            InvalidObject: it does not fit its kind.
        """
        try:
            return self._kind.adapter.validate_json(data, context=self._context, by_alias=True, by_name=False)
        except ValidationError as error:
            raise _invalid(self._kind.kind, error) from None

    def second_look(self, body: Any) -> Any:
        """Return the object of a body that did not fit at first, or say what is wrong with it.

        Nulls count as not there; to find that out only when it matters keeps the first look quick.
        """
        key = _key(body)
        try:
            return self.whole(orjson.dumps(without_nulls(body)))
        except InvalidObject as error:
            problem = InvalidObject(self._kind.describe(key), error.field, error.problem)
            return LeftOut(key, _version(body), problem)

    def _changed(self, thing: Any) -> Changed | LeftOut:
        return thing if isinstance(thing, LeftOut) else Changed(thing)


@lru_cache(maxsize=64)
def _adapters(of: type[Any]) -> tuple[TypeAdapter[_Page[Any]], TypeAdapter[_Line[Any]]]:
    # Two kinds may have one model; to build a parser takes milliseconds.
    return TypeAdapter(_Page[of]), TypeAdapter(_Line[of])  # type: ignore[valid-type]  # made at run time


def _object(line: bytes) -> Any:
    return orjson.loads(line)["object"]


def _metadata(body: Any) -> Any:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _key(body: Any) -> Key:
    metadata = _metadata(body)
    return Key(str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def _version(body: Any) -> str:
    return str(_metadata(body).get("resourceVersion") or "")


def _gone(metadata: Any) -> Gone:
    return Gone(metadata.key, metadata.uid, metadata.resource_version)


def _gone_of(body: Any) -> Gone:
    return Gone(_key(body), str(_metadata(body).get("uid") or ""), _version(body))


def _refusal(status: Any) -> ApiError:
    details = status.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return ApiError(
        int(status.get("code") or 500),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or "the API server ended the watch"),
        retry_after=float(seconds) if isinstance(seconds, int) and seconds > 0 else None,
    )


def _invalid(subject: str, error: ValidationError) -> InvalidObject:
    # Neither the input nor pydantic's own text with it: it could hold a password.
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    return InvalidObject(subject, field_path(first["loc"]), message[:1].lower() + message[1:])
