"""Prompts that people pick in their client, from `prompts.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from mcp import types

from hub_core.errors import InvalidInput

_FILE = Path(__file__).with_suffix(".yaml")
MAX_ARGUMENT = 2000


@cache
def _all() -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in yaml.safe_load(_FILE.read_text(encoding="utf-8"))}


def list_prompts() -> types.ListPromptsResult:
    """All of them, with what each asks for."""
    made = [
        types.Prompt(
            name=entry["name"],
            title=entry["title"],
            description=entry["description"],
            arguments=[types.PromptArgument(name=name, description=about, required=True) for name, about in entry["arguments"].items()],
        )
        for entry in _all().values()
    ]
    return types.ListPromptsResult(prompts=made)


def get_prompt(name: str, arguments: dict[str, str] | None) -> types.GetPromptResult:
    """One of them, filled in.

    Raises:
        InvalidInput: there is none of that name, or its arguments are not those that it asks for.
    """
    entry, given = _all().get(name), arguments or {}
    if entry is None:
        raise InvalidInput(f"There is no prompt '{name[:64]}'.", hint=f"Prompts: {', '.join(_all())}.")
    if set(given) != set(entry["arguments"]) or any(len(text) > MAX_ARGUMENT for text in given.values()):
        asked = ", ".join(entry["arguments"])
        raise InvalidInput(f"The prompt {name} takes: {asked}.", hint=f"Each has at most {MAX_ARGUMENT} characters.")
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=entry["text"].format(**given).strip()))
    return types.GetPromptResult(description=entry["description"], messages=[message])
