"""A hub served over real HTTP, and the official SDK's client on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from mcp import ClientSession, McpError, types
from mcp.client.streamable_http import streamable_http_client

from chat_ui.approval_link import approval_router
from chat_ui.mcp_local import summary
from hub_core.authz import Actor, Scope
from hub_core.http.errors import add_error_handlers
from hub_core.http.middleware import RequestMiddleware
from hub_core.services import Services
from tests.common.live import serve
from tests.functional.agent.conftest import Hub, make_hub
from tools.mcp.http import mcp_routes


@dataclass
class McpHub:
    """The hub of the agent's tests (alice, bob, acme and its repos) with `/mcp`."""

    hub: Hub
    url: str

    @property
    def services(self) -> Services:
        return self.hub.services

    def token(self, who: Actor | None = None, scope: Scope = Scope.ADMIN, name: str = "mcp", **limits: Any) -> str:
        return self.services.tokens.create(who or self.hub.alice, name, scope, **limits).token

    @asynccontextmanager
    async def client(self, token: str, query: str = "", headers: dict[str, str] | None = None) -> AsyncIterator[ClientSession]:
        """An initialised session of the SDK's own client."""
        own = {"authorization": f"Bearer {token}", **(headers or {})}
        async with (
            httpx.AsyncClient(headers=own, timeout=60) as http,
            streamable_http_client(f"{self.url}/mcp{query}", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            yield session

    def post(self, message: Any, token: str = "", **headers: str) -> httpx.Response:
        """One message as it is, for what no client would send."""
        own = {"accept": "application/json, text/event-stream", **({"authorization": f"Bearer {token}"} if token else {}), **headers}
        content = {"content": message} if isinstance(message, bytes) else {"json": message}
        return httpx.post(f"{self.url}/mcp", headers={"content-type": "application/json", **own}, timeout=60, **content)  # type: ignore[arg-type]


@pytest.fixture
def hub(services: Services) -> Iterator[McpHub]:
    app = FastAPI()
    app.router.routes.extend(mcp_routes(services, summary))
    app.include_router(approval_router(services))
    app.add_middleware(RequestMiddleware)
    add_error_handlers(app)
    with serve(app) as url:
        yield McpHub(make_hub(services), url)


def content(result: Any) -> dict[str, Any]:
    """The structured result of a call that went well."""
    assert not result.isError, result.content[0].text
    found: dict[str, Any] = result.structuredContent
    return found


def error(result: Any) -> dict[str, Any]:
    """The error of a call that did not."""
    assert result.isError
    found: dict[str, Any] = result.structuredContent["error"]
    return found


async def asked_for(session: ClientSession, method: str) -> int:
    """The code of the refusal of a method that this SDK does not have."""
    request: Any = types.Request[None, str](method=method, params=None)
    with pytest.raises(McpError) as caught:
        await session.send_request(request, types.EmptyResult)
    return caught.value.error.code


def listed(name: str, **arguments: Any) -> dict[str, Any]:
    """A call as it goes over the wire."""
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
