"""`/mcp`: streamable HTTP without state. Every request brings its token and is served alone, so any node can serve it and a restart is not felt.

The session id that a client gets is a label that it keeps: see `Connection.session`. Nothing is looked up under it, so nobody gains by
knowing somebody else's.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from hub_core.authz import Actor
from hub_core.errors import HubError, PermissionDenied, TooBusy, TooLarge, Unauthenticated
from hub_core.http.auth import authenticate_request, host_of
from hub_core.http.errors import error_body, error_response, json_response
from hub_core.http.paths import base_url
from hub_core.http.threads import in_thread
from hub_core.services import Services
from hub_core.settings import Settings
from tools.mcp.calls import Calls
from tools.mcp.connection import Connection, Summary
from tools.mcp.options import options_of_request

PATH = "/mcp"
CHANNEL = "mcp"
SESSION_HEADER = "mcp-session-id"
MAX_BODY = 8 * 1024 * 1024
MAX_PER_PERSON = 100
BUSY = -32000
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LABEL = re.compile(r"[\x21-\x7e]{1,128}")


def mcp_routes(services: Services, summary: Summary) -> list[Route]:
    """The address, also with a slash at its end: a redirect would lose some clients' tokens."""
    endpoint = McpEndpoint(services, summary)
    return [Route(path, endpoint, include_in_schema=False) for path in (PATH, f"{PATH}/")]


class McpEndpoint:
    """The ASGI application of both."""

    path = PATH  # what the metrics call it

    def __init__(self, services: Services, summary: Summary) -> None:
        self._services = services
        self._summary = summary
        self._calls = Calls()
        self._busy: Counter[int | None] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["route"] = self
        request = Request(scope, receive)
        try:
            _check_source(request.headers, self._services.settings)
            actor = await in_thread(_sender, self._services, request.headers)
            if request.method == "POST":
                await self._post(request, actor, send)
                return
            if request.method == "DELETE":
                self._calls.cancel_session(actor.user_id, _session(request.headers))
            response = (
                Response(status_code=204) if request.method == "DELETE" else Response(status_code=405, headers={"Allow": "POST, DELETE"})
            )
        except ClientDisconnect:
            return
        except HubError as error:
            response = _refusal(error, request.headers)
        await response(scope, receive, send)

    async def _post(self, request: Request, actor: Actor, send: Send) -> None:
        """A message: a request is served by a server of its own, whatever else is only taken note of."""
        body = await _body(request)
        message = _parsed(body)
        if message is None:
            error = {"code": -32700, "message": "The body is not JSON."}
            await json_response({"jsonrpc": "2.0", "id": None, "error": error}, 400)(request.scope, request.receive, send)
            return
        session = _session(request.headers)
        if message.get("method") == "notifications/cancelled":
            self._cancel(actor, session, message.get("params"))
            await Response(status_code=202)(request.scope, request.receive, send)
            return
        options = options_of_request(request.query_params, request.headers)
        address = base_url(request, self._services.settings)
        connection = Connection(actor, self._services, options, address, session, self._calls, self._summary)
        if self._busy[actor.user_id] >= MAX_PER_PERSON:
            await _busy(message.get("id"))(request.scope, request.receive, send)
            return
        self._busy[actor.user_id] += 1
        try:
            serve = await in_thread(_transport)
            await serve(connection, request, body, _labelled(send) if message.get("method") == "initialize" else send)
        finally:
            self._busy[actor.user_id] -= 1
            if not self._busy[actor.user_id]:
                del self._busy[actor.user_id]

    def _cancel(self, actor: Actor, session: str, params: Any) -> None:
        request_id = params.get("requestId") if isinstance(params, dict) else None
        if isinstance(request_id, str | int):
            self._calls.cancel((actor.user_id, session, request_id))


def _transport() -> Callable[[Connection, Request, bytes, Send], Awaitable[None]]:
    """What serves a request. The SDK takes long to import: the first request waits for it, a hub that starts does not."""
    from tools.mcp.transport import serve

    return serve


def _busy(request_id: Any) -> Response:
    """Too much at once, as an answer to that request alone: a status that is no success ends some clients' whole sessions."""
    error = TooBusy(f"At most {MAX_PER_PERSON} calls of a person wait and run at once over MCP.", hint="Wait for some to end.")
    told = {"code": BUSY, "message": f"{error.message} {error.hint}", "data": error_body(error)["error"]}
    return json_response({"jsonrpc": "2.0", "id": request_id, "error": told})


def _sender(services: Services, headers: Headers) -> Actor:
    """Who sends a request. By token only: a browser's cookie is no consent to what a page of another site asks.

    Raises:
        Unauthenticated: no token, or a wrong one.
    """
    actor = authenticate_request(services, headers, {}, channel=CHANNEL)
    if actor.is_anonymous:
        raise Unauthenticated("Sign in first.", hint="Send a token as 'Authorization: Bearer ...'.")
    return actor


def _refusal(error: HubError, headers: Headers) -> Response:
    """An error of the request itself. RFC 6750: a token that was sent and does not work is called so."""
    response = error_response(error)
    if isinstance(error, Unauthenticated) and headers.get("authorization"):
        response.headers["WWW-Authenticate"] = 'Bearer realm="hubtalk", error="invalid_token"'
    return response


def _check_source(headers: Headers, settings: Settings) -> None:
    """Refuse what a page of another site makes a browser send, also to a name that was made to point here (DNS rebinding).

    Raises:
        PermissionDenied: another origin, or, on a hub that listens on its own machine only, another host.
    """
    host, public = headers.get("host", "").lower(), host_of(settings.public_url)
    if settings.host in LOOPBACK and _name(host) not in LOOPBACK | {_name(public)} - {""}:
        raise PermissionDenied("This hub is not called by this name.", hint="Set HUB_PUBLIC_URL to the address that clients use.")
    if "origin" in headers and host_of(headers["origin"]) not in {host, public} - {""}:
        raise PermissionDenied("This request comes from another site.", hint="MCP clients send no Origin; browsers are served at /chat.")


def _name(host: str) -> str:
    """The host without its port; empty for what cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _session(headers: Headers) -> str:
    """The label of the client's session; empty for none, and for one that no client of ours was given."""
    said = headers.get(SESSION_HEADER, "")
    return said if _LABEL.fullmatch(said) else ""


async def _body(request: Request) -> bytes:
    """The whole body.

    Raises:
        TooLarge: over 8 MiB.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLarge("A message over MCP has at most 8 MiB.", hint="Upload large files with Git, LFS or as an attachment.")
    return bytes(body)


def _parsed(body: bytes) -> dict[str, Any] | None:
    """The message, as far as it matters here; None for what is no JSON. What is no object is left to the SDK to refuse."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return message if isinstance(message, dict) else {}


def _labelled(send: Send) -> Send:
    """Give the client a label for its session."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            MutableHeaders(scope=message)[SESSION_HEADER] = uuid.uuid4().hex
        await send(message)

    return sending
