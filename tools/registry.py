"""The registry: every tool by name, made once from an explicit list. A duplicate name fails at start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from hub_core.errors import ToolNotFound
from tools import examples
from tools.contract import Tool

AnyTool = Tool[Any, Any]
LANGUAGES = ("en", "zh", "ja", "ko")


class Registry:
    """Tools by exact name."""

    def __init__(self, tools: Iterable[AnyTool]) -> None:
        self._tools: dict[str, AnyTool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"two tools are called {tool.name}")
            self._tools[tool.name] = tool

    def __iter__(self) -> Iterator[AnyTool]:
        return iter(self._tools.values())

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def get(self, name: str) -> AnyTool:
        """The tool of that name.

        Raises:
            ToolNotFound: there is none.
        """
        try:
            return self._tools[name]
        except KeyError:
            raise ToolNotFound(f"There is no tool '{name[:64]}'.", hint="GET /api/v1/tools lists them.") from None

    def describe(self, tool: AnyTool, per_language: int = 3) -> dict[str, Any]:
        """A tool as the API lists it: name, description, JSON Schemas, effect, permission, example sentences."""
        return {
            "name": tool.name,
            "group": tool.group,
            "description": describe(tool),
            "effect": str(tool.effect),
            "permission": str(tool.permission),
            "arguments": tool.input.model_json_schema(),
            "result": tool.output.model_json_schema(),
            "examples": {lang: examples.sentences(lang, tool.name)[:per_language] for lang in LANGUAGES},
        }


def describe(tool: AnyTool) -> str:
    """The tool's description: its class docstring with the line breaks folded."""
    return " ".join((tool.__doc__ or "").split())


@cache
def default_registry() -> Registry:
    """The registry of all tools of this hub."""
    from tools.catalog import all_tools

    return Registry(all_tools())
