"""What the MCP server needs of the outer rings: words for approvals, and the person at this machine."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chat_ui.terminal.connection import local_actor
from hub_core.services import Services
from tools.mcp.calls import Calls
from tools.mcp.connection import Connection
from tools.mcp.http import CHANNEL
from tools.mcp.options import Options


def summary(language: str, tool: str, plan: dict[str, Any]) -> str:
    """An act that waits, in words."""
    from agent.answer.changes import summary as worded  # with its texts, of which a hub that starts needs none

    return worded(language, tool, plan)


def connector(services: Services, username: str, options: Options) -> Callable[[], Connection]:
    """Gives the connection of the one client at standard input, as `username` by the state of the hub now."""
    settings = services.settings
    address = settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
    session, calls = uuid.uuid4().hex, Calls()

    def connect() -> Connection:
        actor = replace(local_actor(services, username), channel=CHANNEL)
        return Connection(actor, services, options, address, session, calls, summary)

    return connect
