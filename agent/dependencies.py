"""Which steps of one message depend on another that waits or failed."""

from __future__ import annotations

from typing import Any

# After these a name may mean something else, or nothing: later steps that use it must wait for their outcome.
_STRUCTURAL = ("create_", "move_", "fork_", "restore_", "delete_", "leave_", "remove_", "revoke_")
_ENTITY_KEYS = frozenset(
    ["repo", "org", "username", "name", "new_name", "to", "owner", "branch", "path", "new_path", "tag", "token", "title"]
)


def structural(tool: str) -> bool:
    """True for acts that make, remove or rename something."""
    return tool.startswith(_STRUCTURAL)


def depends_on(args: dict[str, Any], before: dict[str, Any]) -> bool:
    """True when both calls name one thing (`acme/x` and the bare `x` count as one)."""
    return bool(_names(args) & _names(before))


def _names(args: dict[str, Any]) -> set[str]:
    found = set()
    for key, value in args.items():
        if key in _ENTITY_KEYS and isinstance(value, str) and value:
            found.add(value.rsplit("/", 1)[-1].casefold())
    return found
