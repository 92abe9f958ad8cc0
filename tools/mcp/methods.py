"""Requests of newer protocols, which clients try first: told to be unknown before the SDK fills a page of the log with each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, get_args

import anyio
import orjson
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import types
from mcp.shared.message import SessionMessage

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]

_KNOWN = frozenset(
    get_args(model.model_fields["method"].annotation)[0] for model in get_args(types.ClientRequest.model_fields["root"].annotation)
)


def unknown(method: Any, request_id: Any) -> dict[str, Any] | None:
    """The answer to a request with a method that the server does not know; None for any other message. JSON-RPC 2.0, section 5.1."""
    if request_id is None or not isinstance(method, str) or method in _KNOWN:
        return None
    error = {"code": types.METHOD_NOT_FOUND, "message": f"There is no method '{method[:100]}' here."}
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def unknown_in(body: bytes) -> dict[str, Any] | None:
    """The same for a message as it came."""
    message = orjson.loads(body)
    return unknown(message.get("method"), message.get("id")) if isinstance(message, dict) else None


@asynccontextmanager
async def only_known(read: Incoming, write: MemoryObjectSendStream[SessionMessage]) -> AsyncIterator[Incoming]:
    """What comes in, without the requests of unknown methods: those are answered here."""
    send, receive = anyio.create_memory_object_stream[SessionMessage | Exception](0)

    async def sort() -> None:
        async with send:
            async for message in read:
                root = message.message.root if isinstance(message, SessionMessage) else None
                answer = unknown(root.method, root.id) if isinstance(root, types.JSONRPCRequest) else None
                if answer is None:
                    await send.send(message)
                else:
                    await write.send(SessionMessage(types.JSONRPCMessage.model_validate(answer)))

    async with anyio.create_task_group() as group:
        group.start_soon(sort)
        yield receive
        group.cancel_scope.cancel()
