"""One client of the MCP server: who it is, what it asked for, and where its calls belong."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hub_core.authz import Actor
from hub_core.services import Services
from tools.contract import ToolContext
from tools.mcp.calls import Calls, Tell
from tools.mcp.options import Options

T = TypeVar("T")
_THREADS = uuid.UUID("5f0f0c38-1a39-4c8b-9c0c-8ad0a7a0b3f1")

Summary = Callable[[str, str, dict[str, Any]], str]
"""Words an act for a person: their language, the tool, the plan as `invoke.describe_plan` gives it."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One client, for the length of a request (HTTP) or a message (stdio).

    Attributes:
        address: where people reach the hub, without a slash at the end.
        session: what the client calls its session. A label that the client keeps, no credential and nothing that the hub stores:
            it only tells the calls of one client from those of another one of the same person.
        calls: where its calls run.
    """

    actor: Actor
    services: Services
    options: Options
    address: str
    session: str
    calls: Calls
    summary: Summary

    @property
    def context(self) -> ToolContext:
        """The context of tool calls. What a session changed and asked for belongs to one conversation: there it is undone and approved."""
        return ToolContext(self.actor, self.services, self.thread_id)

    @property
    def thread_id(self) -> str:
        """The conversation of this session, the same on every node. The person is part of it, so nobody names somebody else's."""
        return str(uuid.uuid5(_THREADS, f"{self.actor.user_id}:{self.session}"))

    async def run(self, work: Callable[[], T], tell: Tell) -> T:
        """Do synchronous work for this client, see `Calls.run`."""
        return await self.calls.run(self.actor.user_id, work, tell)

    @property
    def language(self) -> str:
        """The language that the person chose; English without a choice."""
        return self.services.users.preferences(self.actor).get("language") or "en"
