"""What a language model is told: the system prompt, and the tools as schemas."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from agent.state import Context
from hub_core.db import utcnow
from prompts import load
from tools.registry import Registry, describe

LANGUAGE_NAMES = {"en": "English", "zh": "Chinese (simplified)", "ja": "Japanese", "ko": "Korean"}

_ASK_USER: dict[str, Any] = {
    "name": "ask_user",
    "description": "Ask the person for something you need: a missing argument, or which of several things they mean.",
    "parameters": {
        "type": "object",
        "properties": {
            "question": {"type": "string", "description": "The question, in the person's language."},
            "tool": {"type": "string", "description": "The tool that needs the answer."},
            "args": {"type": "object", "description": "Its arguments that are known."},
            "missing": {"type": "array", "items": {"type": "string"}, "description": "Names of its missing arguments."},
        },
        "required": ["question"],
    },
}
_PREVIEW: dict[str, Any] = {
    "name": "preview",
    "description": "Find out what a tool would change, without changing anything: for questions like 'what happens if I delete X?'.",
    "parameters": {
        "type": "object",
        "properties": {"tool": {"type": "string"}, "args": {"type": "object"}},
        "required": ["tool", "args"],
    },
}
_DECLINE: dict[str, Any] = {
    "name": "decline",
    "description": "Say that you cannot help: the request is not about this hub, or the hub cannot do it.",
    "parameters": {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "enum": ["out_of_scope", "not_available", "small_talk", "forbidden"]},
            "text": {"type": "string", "description": "One or two friendly sentences in the person's language."},
        },
        "required": ["reason"],
    },
}


def system_prompt(ctx: Context, language: str) -> str:
    """The system prompt of one turn."""
    return load(
        "system/agent", username=ctx.actor.username, today=utcnow().date().isoformat(), language=LANGUAGE_NAMES.get(language, "English")
    )


@lru_cache(maxsize=4)
def tool_schemas(registry: Registry) -> list[dict[str, Any]]:
    """All tools as function schemas; argument titles are left out, they only cost tokens."""
    functions = [
        {"name": tool.name, "description": describe(tool), "parameters": _slim(tool.input.model_json_schema())} for tool in registry
    ]
    return [{"type": "function", "function": function} for function in (*functions, _ASK_USER, _PREVIEW, _DECLINE)]


def _slim(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _slim(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    if isinstance(schema, list):
        return [_slim(item) for item in schema]
    return schema
