"""`tools/list` and `tools/call`."""

from __future__ import annotations

import json
import time
from typing import Any

import anyio
from mcp import McpError, types
from mcp.server.lowlevel import Server
from pydantic import BaseModel, ValidationError

from hub_core.errors import HubError, InvalidArguments
from hub_core.http.errors import error_body, json_response
from tools import invoke
from tools.mcp.approvals import GET_APPROVAL, ApprovalState, GetApprovalInput, PendingApproval, pending, state, told
from tools.mcp.connection import Connection
from tools.mcp.definitions import definition, input_schema, output_schema
from tools.registry import default_registry

POLL_S = 0.5
CANCELLED = 0

_WATCH = types.Tool(
    name=GET_APPROVAL,
    title="Get approval",
    description="Tell what became of a call that waits for a person's approval: still pending, refused, expired, or done, with its result.",
    inputSchema=input_schema(GetApprovalInput),
    outputSchema=output_schema(ApprovalState),
    annotations=types.ToolAnnotations(
        title="Get approval", readOnlyHint=True, destructiveHint=False, idempotentHint=True, openWorldHint=False
    ),
)


def list_tools(connection: Connection) -> types.ListToolsResult:
    """The tools of this connection's view that its credential could run."""
    ctx, options = connection.context, connection.options
    shown = [definition(tool) for tool in default_registry() if options.lists(ctx, tool)]
    return types.ListToolsResult(tools=[*shown, _WATCH])


async def call_tool(server: Server[Any, Any], connection: Connection, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
    """Run a tool as the caller. What needs approval is parked; an error of the hub is a result that says so."""
    progress = _Progress(server, name)
    request_id = server.request_context.request_id
    result: types.CallToolResult | None = None
    with connection.calls.cancellable((connection.actor.user_id, connection.session, request_id)):
        try:
            if name == GET_APPROVAL:
                result = await _watch(connection, arguments, progress)
            else:
                result = await connection.run(lambda: _call(connection, name, arguments), progress.tell)
        except HubError as error:
            result = _failed(error)
    if result is None:
        raise McpError(types.ErrorData(code=CANCELLED, message="Request cancelled"))  # as the SDK says it over stdio
    return result


def _call(connection: Connection, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
    connection.options.check(default_registry().get(name))
    result = invoke.call(connection.context, name, arguments, gate=True)
    if isinstance(result, invoke.Done):
        return _answered(result.output)
    waits: PendingApproval = pending(connection, result)
    return _answered(waits, told(waits))


async def _watch(connection: Connection, arguments: dict[str, Any], progress: _Progress) -> types.CallToolResult:
    try:
        args = GetApprovalInput.model_validate(arguments)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidArguments(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.", hint="tools/list has the schema.") from error
    began = time.monotonic()
    while True:
        found = await connection.run(lambda: state(connection, args.approval_id), progress.tell)
        waited = time.monotonic() - began
        if found.status not in ("pending", "approved") or waited >= args.wait_s:
            return _answered(found)
        await progress.tell(waited, f"the approval is {found.status}")
        await anyio.sleep(min(POLL_S, args.wait_s - waited))


class _Progress:
    """Tells the client how long its call runs, when it asked for that."""

    def __init__(self, server: Server[Any, Any], name: str) -> None:
        context = server.request_context
        self._token = context.meta.progressToken if context.meta else None
        self._session, self._request_id, self._name = context.session, str(context.request_id), name

    async def tell(self, seconds: float, text: str) -> None:
        """Seconds so far; nobody knows how many there will be."""
        if self._token is not None:
            await self._session.send_progress_notification(
                self._token, round(seconds, 3), message=f"{self._name}: {text}", related_request_id=self._request_id
            )


def _answered(result: BaseModel, text: str = "") -> types.CallToolResult:
    raw = bytes(json_response(result.model_dump(mode="json")).body)
    return types.CallToolResult(content=[types.TextContent(type="text", text=text or raw.decode())], structuredContent=json.loads(raw))


def _failed(error: HubError) -> types.CallToolResult:
    raw = bytes(json_response(error_body(error)).body)
    text = f"{error.code}: {error.message} {error.hint}".strip()
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structuredContent=json.loads(raw), isError=True)
