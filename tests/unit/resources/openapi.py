"""A small part of what an API server does with a CRD's schema: is it structural, does an object fit, defaults.

Only what our schemas use; a word that is not known here is a problem, so that nothing passes unchecked.
"""

from __future__ import annotations

import copy
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}
WORDS = {
    "description", "default", "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "minItems", "maxItems", "required", "properties", "additionalProperties", "items",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
}  # fmt: skip
FORMATS = {"int32", "int64", "date-time"}
ONLY_FOR = {
    "object": {"required", "properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"},
    "array": {"items", "minItems", "maxItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"},
    "string": {"pattern", "minLength", "maxLength", "enum"},
    "integer": {"minimum", "maximum"},
}


def nodes(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Walk a schema: each node with its path, as ``spec.parentRefs[].port``."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}" if path else name)
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def structural_problems(schema: Mapping[str, Any]) -> list[str]:
    """Say what an API server would refuse in a schema."""
    return [f"{path}: {problem}" for path, node in nodes(schema) for problem in _of_node(node)]


def _of_node(node: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{word} is not known" for word in node.keys() - WORDS)
    kind = node.get("type")
    if kind not in TYPES:
        yield f"type is {kind!r}"
    for only, words in ONLY_FOR.items():
        if kind != only:
            yield from (f"{word} is for {only}s" for word in node.keys() & words)
    yield from _of_children(node)
    if "default" in node:
        yield from (f"default: {problem}" for problem in misfits(node, node["default"]))


def _of_children(node: Mapping[str, Any]) -> Iterator[str]:
    properties = node.get("properties", {})
    unknown = set(node.get("required", ())) - set(properties)
    if unknown:
        yield f"{sorted(unknown)} required, but no properties"
    if "properties" in node and "additionalProperties" in node:
        yield "properties and additionalProperties exclude each other"
    if node.get("type") == "array" and "items" not in node:
        yield "items are missing"
    if node.get("x-kubernetes-list-type") == "map":
        items = node["items"]
        for key in node["x-kubernetes-list-map-keys"]:
            if key not in items.get("required", ()) and "default" not in items["properties"][key]:
                yield f"the map key {key} may be absent"


def misfits(schema: Mapping[str, Any], value: Any, path: str = "") -> list[str]:
    """Say what is wrong with a value; fields that the API server would drop count as wrong."""
    kind = TYPES[schema["type"]]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return [f"{path}: should be of type {schema['type']}"]
    problems = [f"{path}: {problem}" for problem in _limits(schema, value)]
    if isinstance(value, dict):
        problems += _of_object(schema, value, path)
    if isinstance(value, list):
        for position, item in enumerate(value):
            problems += misfits(schema["items"], item, f"{path}[{position}]")
    return problems


def _of_object(schema: Mapping[str, Any], value: Mapping[str, Any], path: str) -> list[str]:
    known = schema.get("properties", {})
    problems = [f"{path}.{name}: is missing" for name in schema.get("required", ()) if name not in value]
    if not path and "metadata" in known:
        value = {name: child for name, child in value.items() if name != "metadata"}
    for name, child in value.items():
        where = f"{path}.{name}" if path else name
        if name in known:
            problems += misfits(known[name], child, where)
        elif "additionalProperties" in schema:
            problems += misfits(schema["additionalProperties"], child, where)
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            problems.append(f"{where}: is no field")
    return problems


def _limits(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"should be one of {schema['enum']}"
    # The API server's $ is the end of the text, Python's also stands before a last newline.
    if "pattern" in schema and not re.search(re.sub(r"\$(?=$|\|)", r"\\Z", schema["pattern"]), value):
        yield f"should match {schema['pattern']}"
    if "minimum" in schema and not schema["minimum"] <= value <= schema.get("maximum", value):
        yield "is too small or too large"
    size = len(value) if isinstance(value, (str, list)) else 0
    limits = {"minLength": -1, "minItems": -1, "maxLength": 1, "maxItems": 1}
    yield from (word for word, sign in limits.items() if word in schema and (size - schema[word]) * sign > 0)
    if schema.get("x-kubernetes-list-type") == "map":
        keys = [tuple(item[key] for key in schema["x-kubernetes-list-map-keys"]) for item in value]
        if len(set(keys)) < len(keys):
            yield "has two items of one key"
    if schema.get("format") == "date-time":
        try:
            datetime.fromisoformat(value)
        except ValueError:
            yield "is no time"


def defaulted(schema: Mapping[str, Any], value: Any) -> Any:
    """Return a value as the API server stores it: absent fields with their defaults."""
    if isinstance(value, list):
        return [defaulted(schema["items"], item) for item in value]
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    filled = {name: copy.copy(child["default"]) for name, child in known.items() if "default" in child} | value
    return {name: defaulted(known.get(name, {}), child) for name, child in filled.items()}
