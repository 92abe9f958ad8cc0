"""`hubtalk mcp`: MCP over standard input and output, on this machine's hub or passed on to one elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import anyio
import httpx
from anyio.streams.memory import MemoryObjectSendStream
from httpx_sse import EventSource, SSEError
from mcp import types
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from hub_core.errors import InvalidInput, Unauthenticated, Unavailable
from tools.mcp.connection import Connection
from tools.mcp.http import PATH, SESSION_HEADER
from tools.mcp.methods import only_known
from tools.mcp.options import Options
from tools.mcp.server import FAILED, build_server

TIMEOUT = httpx.Timeout(30, read=600)


def run_local(connect: Callable[[], Connection]) -> None:
    """Serve the one client at standard input until it leaves. Standard output is the client's: nothing else may write there."""

    async def serve() -> None:
        server = build_server(connect)
        async with stdio_server() as (read, write), only_known(read, write) as known:
            await server.run(known, write, server.create_initialization_options())

    anyio.run(serve)


def run_relay(url: str, token: str, options: Options) -> None:
    """Pass everything on to the hub at `url`, with that token.

    Raises:
        Unauthenticated: the token does not work there. Unavailable: no hub answers there. InvalidInput: it wants something else.
    """
    chosen = {"toolsets": ",".join(sorted(options.toolsets or ())), "readonly": "true" if options.read_only else ""}
    query = urlencode({name: value for name, value in chosen.items() if value})
    address = f"{url.rstrip('/')}{PATH}" + (f"?{query}" if query else "")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    anyio.run(_relay, address, headers)


async def _relay(address: str, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT) as client:
        await _probe(client, address)
        async with stdio_server() as (read, write), anyio.create_task_group() as group:
            relay = _Relay(client, address, write)
            async for message in read:
                if isinstance(message, SessionMessage):
                    group.start_soon(relay.forward, message.message)
            group.cancel_scope.cancel()


class _Relay:
    """Sends each message by itself. One that cannot be sent is answered with an error, and the next is tried anew: hubs restart."""

    def __init__(self, client: httpx.AsyncClient, address: str, back: MemoryObjectSendStream[SessionMessage]) -> None:
        self._client, self._address, self._back = client, address, back
        self._session = ""

    async def forward(self, message: types.JSONRPCMessage) -> None:
        """Send a message, and give back what is answered."""
        headers = {"accept": "application/json, text/event-stream", **({SESSION_HEADER: self._session} if self._session else {})}
        body = message.model_dump(by_alias=True, mode="json", exclude_none=True)
        try:
            async with self._client.stream("POST", self._address, json=body, headers=headers) as answer:
                if answer.is_error:
                    await answer.aread()
                    await self._fail(message, *_told(answer))
                    return
                self._session = answer.headers.get(SESSION_HEADER, self._session)
                if answer.status_code != 202:
                    async for event in EventSource(answer).aiter_sse():
                        if event.data:
                            await self._give(types.JSONRPCMessage.model_validate_json(event.data))
        except (httpx.HTTPError, SSEError) as error:
            await self._fail(message, "unavailable", f"The hub does not answer: {type(error).__name__}.")

    async def _fail(self, message: types.JSONRPCMessage, code: str, text: str) -> None:
        if isinstance(message.root, types.JSONRPCRequest):
            error = types.ErrorData(code=FAILED, message=text, data={"code": code, "message": text})
            await self._give(types.JSONRPCMessage(types.JSONRPCError(jsonrpc="2.0", id=message.root.id, error=error)))

    async def _give(self, message: types.JSONRPCMessage) -> None:
        await self._back.send(SessionMessage(message))


def _told(answer: httpx.Response) -> tuple[str, str]:
    """Code and words of a refusal."""
    try:
        error = answer.json()["error"]
        return str(error["code"]), f"{error['message']} {error.get('hint', '')}".strip()
    except (ValueError, KeyError, TypeError):
        return "unavailable", f"The hub answers {answer.status_code}."


async def _probe(client: httpx.AsyncClient, address: str) -> None:
    """See that a hub answers and takes the token, while an error can still be told at the terminal."""
    try:
        answer = await client.delete(address)
    except httpx.HTTPError as error:
        raise Unavailable(f"The hub does not answer: {error}.", hint="Check the address, and that the hub runs.") from error
    if answer.status_code == 401:
        raise Unauthenticated("The hub does not take this token.", hint="Put one into HUB_TOKEN: hubtalk token create NAME.")
    if answer.is_error:
        raise InvalidInput(f"The hub answers {answer.status_code}.", hint="Check the address: it is that of the hub, without /mcp.")
