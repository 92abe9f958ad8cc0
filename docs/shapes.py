"""JSON Schema of an argument in words."""

from __future__ import annotations

from typing import Any, NamedTuple


class Shape(NamedTuple):
    """The type of a field, and what its schema says about it."""

    text: str
    description: str


def type_of(schema: dict[str, Any], definitions: dict[str, Any]) -> Shape:
    """The type in words; choices are listed, `null` is left out (the argument is optional anyway)."""
    if "anyOf" in schema:
        shapes = [type_of(part, definitions) for part in schema["anyOf"] if part.get("type") != "null"]
        described = schema.get("description") or next((shape.description for shape in shapes if shape.description), "")
        return Shape(" or ".join(dict.fromkeys(shape.text for shape in shapes)), described)
    if "$ref" in schema:
        target = type_of(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
        return Shape(target.text, schema.get("description", target.description))
    description = schema.get("description", "")
    if "enum" in schema:
        return Shape(" ".join(f"`{choice}`" for choice in schema["enum"]), description)
    if schema.get("type") == "array":
        return Shape(f"list of {type_of(schema.get('items', {}), definitions).text}", description)
    return Shape(schema.get("type", "any"), description)
