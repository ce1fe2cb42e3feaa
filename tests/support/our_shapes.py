"""The shapes of our documents: which keys, in which order, of which type, always or only when not empty.

One table an object and version, in the order in which we write. A document that fits its tables can be read
without asking twice; what the values may be is for our_promises. Broken is what a broken promise raises,
with its sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Broken(AssertionError):
    """A document of ours breaks one of our promises."""


def promise(kept: bool, sentence: str) -> None:
    """Raise Broken with the sentence unless the promise is kept."""
    if not kept:
        raise Broken(sentence)


@dataclass(frozen=True)
class Key:
    """One key of an object: always written, or left out when empty."""

    name: str
    type: type
    always: bool = True


def _optional(name: str, kind: type) -> Key:
    return Key(name, kind, always=False)


@dataclass(frozen=True)
class Shape:
    """The objects of one version."""

    document: Sequence[Key]
    admin: Sequence[Key]
    auth: Sequence[Key]
    listener: Sequence[Key]
    cluster: Sequence[Key]


_DOCUMENT = (
    Key("version", str),
    Key("admin", dict),
    Key("auth", dict),
    _optional("listeners", list),
    _optional("clusters", list),
)
_AUTH = (Key("type", str), Key("realm", str), Key("credentials", dict))
_LISTENER_BEGINS = (
    Key("name", str),
    Key("protocol", str),
    _optional("public_address", str),
    _optional("public_port", int),
    Key("address", str),
    Key("port", int),
)
_RELAY_PORTS = (Key("min_relay_port", int), Key("max_relay_port", int))
_LISTENER_ENDS = (_optional("cert", str), _optional("key", str), _optional("routes", list))

_SHAPES: Mapping[str, Shape] = {
    "v1": Shape(
        document=_DOCUMENT,
        admin=(
            Key("name", str),
            Key("loglevel", str),
            _optional("metrics_endpoint", str),
            Key("healthcheck_endpoint", str),
            _optional("user_quota", int),
            Key("offload_engine", str),
            _optional("offload_interfaces", list),
        ),
        auth=_AUTH,
        listener=_LISTENER_BEGINS + _LISTENER_ENDS,
        cluster=(Key("name", str), Key("type", str), Key("protocol", str), _optional("endpoints", list)),
    ),
    "v1alpha1": Shape(
        document=_DOCUMENT,
        admin=(Key("name", str), Key("loglevel", str), _optional("metrics_endpoint", str)),
        auth=_AUTH,
        listener=_LISTENER_BEGINS + _RELAY_PORTS + _LISTENER_ENDS,
        cluster=(Key("name", str), Key("type", str), _optional("endpoints", list)),
    ),
}


def check_document_shape(document: Mapping[str, Any]) -> str:
    """Raise Broken where a key is missing, unknown, misplaced, mistyped or empty; gives the version."""
    version = document.get("version")
    promise(isinstance(version, str) and version in _SHAPES, f"document: the version is {version!r}")
    shape = _SHAPES[str(version)]
    _check_object(document, shape.document, "document")
    _check_object(document["admin"], shape.admin, "admin")
    _check_object(document["auth"], shape.auth, "auth")
    credentials = document["auth"]["credentials"]
    promise(_all_texts(credentials.values()), "auth.credentials: a value is not a text")
    for part, keys in (("listeners", shape.listener), ("clusters", shape.cluster)):
        for index, value in enumerate(document.get(part, [])):
            _check_object(value, keys, _label(value, f"{part}[{index}]"))
    return str(version)


def _label(value: object, fallback: str) -> str:
    name = value.get("name") if isinstance(value, dict) else None
    return f"{fallback} ({name})" if name else fallback


def _check_object(value: object, keys: Sequence[Key], where: str) -> None:
    if not isinstance(value, dict):
        raise Broken(f"{where}: not an object")
    known = [key.name for key in keys]
    unknown = sorted(value.keys() - set(known))
    promise(not unknown, f"{where}: has the unknown key {', '.join(unknown)}")
    missing = [key.name for key in keys if key.always and key.name not in value]
    promise(not missing, f"{where}: lacks {', '.join(missing)}")
    written = list(value)
    wanted = [name for name in known if name in value]
    promise(written == wanted, f"{where}: the keys stand as {written}, not as {wanted}")
    for key in keys:
        if key.name in value:
            _check_value(value[key.name], key, f"{where}.{key.name}")


def _check_value(value: object, key: Key, where: str) -> None:
    # bool is an int to Python, not to JSON.
    promise(type(value) is key.type, f"{where}: {value!r} is not of type {key.type.__name__}")
    promise(key.always or bool(value), f"{where}: is empty and should be left out")
    if isinstance(value, list) and key.name not in ("listeners", "clusters"):
        promise(_all_texts(value), f"{where}: an entry is not a text")


def _all_texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)
