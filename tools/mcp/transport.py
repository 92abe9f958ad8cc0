"""One request over HTTP, served by a fresh server of the SDK that ends with it."""

from __future__ import annotations

import anyio
from anyio.abc import TaskStatus
from mcp.server.streamable_http import StreamableHTTPServerTransport
from starlette.requests import Request
from starlette.types import Message, Receive, Send

from hub_core.http.errors import json_response
from tools.mcp.connection import Connection
from tools.mcp.methods import unknown_in
from tools.mcp.server import build_server


async def serve(connection: Connection, request: Request, body: bytes, send: Send) -> None:
    """Answer a request whose body was read; a client that leaves ends it."""
    if (answer := unknown_in(body)) is not None:
        await json_response(answer)(request.scope, request.receive, send)
        return
    transport = StreamableHTTPServerTransport(mcp_session_id=None)
    server = build_server(lambda: connection)

    async def run(*, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        async with transport.connect() as (read, write):
            task_status.started()
            await server.run(read, write, server.create_initialization_options(), stateless=True)

    async with anyio.create_task_group() as group:
        await group.start(run)
        try:
            await transport.handle_request(request.scope, _again(body, request.receive), send)
        finally:
            with anyio.CancelScope(shield=True):
                await transport.terminate()
            group.cancel_scope.cancel()


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, for one more reader; after it, what the client does."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return left.pop() if left else await receive()

    return receiving
