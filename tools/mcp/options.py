"""What a client asked to see of the hub: groups of tools, reading only. A narrower view, never a right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from hub_core.authz import require_scope
from hub_core.errors import InvalidInput, PermissionDenied, ToolNotFound
from tools.contract import Effect, ToolContext
from tools.registry import AnyTool, default_registry

# With every choice of toolsets: what tells a client how its own calls stand.
ALWAYS = frozenset({"list_approvals"})
EVERY = "all"
_FLAG = TypeAdapter(bool)


@dataclass(frozen=True, slots=True)
class Options:
    """`toolsets` are groups of the registry, None for all of them; `read_only` leaves out whatever changes something."""

    toolsets: frozenset[str] | None = None
    read_only: bool = False

    def includes(self, tool: AnyTool) -> bool:
        """Whether a tool is part of this view."""
        chosen = self.toolsets is None or tool.group in self.toolsets or tool.name in ALWAYS
        return chosen and not (self.read_only and tool.effect is not Effect.READ)

    def lists(self, ctx: ToolContext, tool: AnyTool) -> bool:
        """Whether to show a tool to this caller: those that the credential could never run are left out."""
        try:
            require_scope(ctx.actor, tool.permission)
        except PermissionDenied:
            return False
        return self.includes(tool)

    def check(self, tool: AnyTool) -> None:
        """Refuse a tool that is not part of this view.

        Raises:
            PermissionDenied: it changes something, and this connection only reads.
            ToolNotFound: it is of another toolset.
        """
        if self.includes(tool):
            return
        if self.read_only and tool.effect is not Effect.READ:
            raise PermissionDenied(f"This connection only reads, and {tool.name} changes the hub.", hint="Connect without 'readonly'.")
        raise ToolNotFound(f"{tool.name} is not among the toolsets of this connection.", hint=f"Its toolset is '{tool.group}'.")


def toolsets() -> list[str]:
    """The names of all toolsets: the groups of the registry."""
    return sorted({tool.group for tool in default_registry()})


def read_options(toolsets_said: str, read_only_said: str) -> Options:
    """The options from what was said in words: names with commas, a truth value; empty text means the default.

    Raises:
        InvalidInput: an unknown toolset, or neither yes nor no.
    """
    names = {name.strip().lower() for name in toolsets_said.split(",")} - {""}
    unknown = names - set(toolsets()) - {EVERY}
    if unknown:
        raise InvalidInput(f"There is no toolset '{min(unknown)[:64]}'.", hint=f"Toolsets: {', '.join(toolsets())}.")
    try:
        read_only = bool(read_only_said.strip()) and _FLAG.validate_python(read_only_said.strip())
    except ValidationError:
        raise InvalidInput("'readonly' is true or false.", hint="Leave it out to allow changes.") from None
    return Options(None if EVERY in names or not names else frozenset(names), read_only)


def options_of_request(query: Mapping[str, str], headers: Mapping[str, str]) -> Options:
    """`?toolsets=repos,files&readonly=true`, or the headers `X-MCP-Toolsets` and `X-MCP-Readonly`. Either may only narrow the other's view.

    Raises:
        InvalidInput: see `read_options`.
    """
    by_query = read_options(query.get("toolsets", ""), query.get("readonly", ""))
    by_header = read_options(headers.get("x-mcp-toolsets", ""), headers.get("x-mcp-readonly", ""))
    both = [options.toolsets for options in (by_query, by_header) if options.toolsets is not None]
    return Options(frozenset.intersection(*both) if both else None, by_query.read_only or by_header.read_only)
