"""OpenAPI of the tool API, made from the registry: one documented operation per tool, with real schemas and examples."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from tools.registry import AnyTool, default_registry, describe

_ERRORS = {
    "401": "No or bad credential.",
    "403": "Seen, but not allowed.",
    "404": "Not there, or not visible.",
    "409": "Conflict with the state of the hub.",
    "422": "Bad arguments; `details.errors` says which and why.",
    "429": "A limit was reached.",
}


def add_tools(schema: dict[str, Any]) -> dict[str, Any]:
    """Add an operation for every tool, and their models, to an OpenAPI document; returns the document."""
    tools = list(default_registry())
    models = {(model, mode): None for tool in tools for model, mode in ((tool.input, "validation"), (tool.output, "serialization"))}
    refs, definitions = models_json_schema(list(models), ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {}).update(definitions.get("$defs", {}))
    components["schemas"]["Error"] = {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {key: {"type": "string"} for key in ("code", "message", "hint")},
                "required": ["code", "message", "hint"],
            }
        },
    }
    components.setdefault("securitySchemes", {})["token"] = {"type": "http", "scheme": "bearer"}
    paths = schema.setdefault("paths", {})
    paths["/api/v1/tools"] = {
        "get": _operation(
            "List all tools",
            "list_tools",
            "tools",
            {"type": "object", "properties": {"tools": {"type": "array", "items": {"type": "object"}}}},
        )
    }
    for tool in tools:
        paths[f"/api/v1/tools/{tool.name}"] = {"post": _tool_operation(tool, refs)}
    return schema


def _operation(summary: str, operation_id: str, tag: str, result: dict[str, Any]) -> dict[str, Any]:
    errors = {
        code: {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
        for code, text in _ERRORS.items()
    }
    ok = {"description": "Done.", "content": {"application/json": {"schema": result}}}
    return {"summary": summary, "operationId": operation_id, "tags": [tag], "security": [{"token": []}], "responses": {"200": ok, **errors}}


def _tool_operation(tool: AnyTool, refs: Any) -> dict[str, Any]:
    result = {
        "type": "object",
        "properties": {"result": refs[(tool.output, "serialization")], "plan": {"type": "object", "description": "With dry_run only."}},
    }
    summary = describe(tool).split(". ")[0].rstrip(".")
    operation = _operation(summary, tool.name, f"tools: {tool.group}", result)
    body = {"schema": refs[(tool.input, "validation")], "example": example_arguments(tool)}
    operation |= {
        "description": f"{describe(tool)}\n\nEffect: **{tool.effect}** at most. Permission: `{tool.permission}`.",
        "x-effect": str(tool.effect),
        "parameters": [
            {
                "name": "dry_run",
                "in": "query",
                "schema": {"type": "boolean", "default": False},
                "description": "Only show what would change.",
            },
            {
                "name": "Idempotency-Key",
                "in": "header",
                "schema": {"type": "string"},
                "description": "A second call with it returns the first result.",
            },
        ],
        "requestBody": {"required": bool(tool.input.model_json_schema().get("required")), "content": {"application/json": body}},
    }
    return operation


def example_arguments(tool: AnyTool) -> dict[str, Any]:
    """Arguments that show how the tool is called: the required ones, from the fields' examples and choices."""
    found: dict[str, Any] = {}
    schema = tool.input.model_json_schema()
    for name in schema.get("required", []):
        spec = schema["properties"][name]
        ref = spec.get("$ref") or next((part["$ref"] for part in spec.get("allOf", []) if "$ref" in part), None)
        if ref:
            spec = schema["$defs"][ref.rsplit("/", 1)[1]] | {key: value for key, value in spec.items() if key == "examples"}
        found[name] = (spec.get("examples") or spec.get("enum") or ["..."])[0]
    return found
