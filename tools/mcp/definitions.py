"""Tools as MCP describes them: schemas, annotations, a title. Worked out from the registry once."""

from __future__ import annotations

from functools import cache
from typing import Any

from mcp import types
from pydantic import BaseModel

from tools.contract import Effect
from tools.mcp.approvals import PendingApproval
from tools.registry import AnyTool, describe

# Verbs after which saying the same again changes nothing more.
_SETTLES = ("set_", "update_", "like_", "unlike_", "watch_", "grant_", "mark_", "stop_", "start_deployment", "scale_")
# What reaches other systems than this hub.
_OUTSIDE = frozenset({"mirror_repo", "sync_mirror", "create_webhook", "update_webhook"})


@cache
def definition(tool: AnyTool) -> types.Tool:
    """A tool of the registry. The annotations are hints for clients; what is allowed is decided when it is called."""
    title = tool.name.replace("_", " ").capitalize()
    asks = " Waits for a person's approval before anything changes." if tool.effect.gated else ""
    return types.Tool(
        name=tool.name,
        title=title,
        description=describe(tool) + asks,
        inputSchema=input_schema(tool.input),
        outputSchema=_output_schema(tool),
        annotations=types.ToolAnnotations(
            title=title,
            readOnlyHint=tool.effect is Effect.READ,
            destructiveHint=tool.effect is Effect.DESTRUCTIVE,
            idempotentHint=tool.effect is Effect.READ or tool.name.startswith(_SETTLES),
            openWorldHint=tool.name in _OUTSIDE,
        ),
        _meta={"hubtalk/toolset": tool.group, "hubtalk/effect": str(tool.effect), "hubtalk/permission": str(tool.permission)},
    )


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of arguments; one without any still has properties, as some clients insist on it."""
    return {"properties": {}, **_untitled(model.model_json_schema())}


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a result."""
    return _untitled(model.model_json_schema(mode="serialization"))


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without Pydantic's titles, which say what the names say: a model reads all of this, and there are many tools."""
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            made[key] = {name: _untitled(inner) for name, inner in value.items()}
        elif key in ("anyOf", "allOf", "oneOf", "prefixItems"):
            made[key] = [_untitled(inner) for inner in value]
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            made[key] = _untitled(value)
        elif key != "title":
            made[key] = value
    return made


def _output_schema(tool: AnyTool) -> dict[str, Any]:
    """The schema of the result; of a gated tool, also what it answers while a person is asked."""
    result = output_schema(tool.output)
    if not tool.effect.gated:
        return result
    waits = output_schema(PendingApproval)
    shared = {**result.pop("$defs", {}), **waits.pop("$defs", {})}
    return {"type": "object", "anyOf": [result, waits], **({"$defs": shared} if shared else {})}
