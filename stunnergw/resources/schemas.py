"""From our models to the schemas of our CRDs.

pydantic writes a model's JSON schema; a CRD needs a *structural* one: each node says its type, nothing is
referred to, and "or null" and pydantic's titles are gone. The names and types of fields come from the models
alone. What a model cannot say (what a field is for, its limits, its default in the cluster) is laid over them
as :class:`Rule`, by path: ``spec.parentRefs[].port``.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydantic.json_schema import JsonSchemaWarningKind

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Rule(NamedTuple):
    """What a CRD says of a field beyond its name and type."""

    says: str
    """The description that ``kubectl explain`` shows."""
    schema: Mapping[str, Any] = NOTHING
    """Laid over the schema that the model gives."""
    required: bool = False
    """Required here although the model does without it."""
    default: bool = False
    """The API server fills in the model's default."""


def under(prefix: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Put the rules of a shape that occurs in several places below ``prefix``."""
    return {f"{prefix}.{path}": rule for path, rule in rules.items()}


def structural(model: type, *, at: str, rules: Mapping[str, Rule], omitted: Collection[str] = ()) -> dict[str, Any]:
    """Return the structural schema of ``model`` as it stands at the path ``at``.

    ``omitted`` are the paths of fields that the model has and the CRD has not.

    Raises:
        KeyError: a field has no rule, and so no description.
    """
    whole = TypeAdapter(model).json_schema(schema_generator=_Generator)
    definitions = whole.pop("$defs", {})
    return _Translation(definitions, rules, frozenset(omitted)).field(whole, at)


class _Generator(GenerateJsonSchema):
    # Empty maps are defaults of ours that have no JSON form; no CRD shows them.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"non-serializable-default"}  # noqa: RUF012 - the base class's


@dataclass(frozen=True)
class _Translation:
    """From pydantic's dialect to that of Kubernetes, a node at a time."""

    definitions: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, Rule]
    omitted: frozenset[str]

    def field(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Translate the field at ``path``."""
        rule = self.rules[path]
        default = {"default": node["default"]} if rule.default else {}
        return _nested_last({"description": rule.says, **default, **self._shape(node, path), **rule.schema})

    def _shape(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        node = self._resolved(node)
        if "properties" in node:
            return self._object(node, path)
        if node.get("type") == "array":
            items = self._shape(node["items"], f"{path}[]")
            return {"type": "array", "x-kubernetes-list-type": "atomic", "items": items}
        # Of JSON that is passed on unread nothing is known here: its rule says what it is.
        return {word: node[word] for word in ("type", "additionalProperties") if word in node}

    def _object(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        fields = {name: field for name, field in node["properties"].items() if f"{path}.{name}" not in self.omitted}
        needed = set(node.get("required", ()))
        required = [name for name in fields if name in needed or self.rules[f"{path}.{name}"].required]
        return {
            "type": "object",
            **({"required": required} if required else {}),
            "properties": {name: self.field(field, f"{path}.{name}") for name, field in fields.items()},
        }

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow a reference; of "something or null" take the something: absent is our null."""
        if "$ref" in node:
            return self.definitions[node["$ref"].removeprefix("#/$defs/")]
        if "anyOf" in node:
            (choice,) = (choice for choice in node["anyOf"] if choice.get("type") != "null")
            return self._resolved(choice)
        return node


def _nested_last(schema: dict[str, Any]) -> dict[str, Any]:
    """Put what is short first: a limit below a page of fields is overlooked."""
    nested = ("required", "properties", "items")
    flat = {word: value for word, value in schema.items() if word not in nested}
    return {**flat, **{word: schema[word] for word in nested if word in schema}}
