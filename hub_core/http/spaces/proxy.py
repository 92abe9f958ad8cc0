"""Passes requests and websockets on to the app of a Space, and what it says back, both as it comes and no faster than it is taken."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import httpx
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from hub_core.errors import LimitExceeded
from hub_core.http.spaces.headers import to_app, to_visitor
from hub_core.http.spaces.shim import BEFORE_PAGE, is_page, takes_shim
from hub_core.running_errors import DeploymentNotReady

CONNECT_S, SILENCE_S = 5.0, 600.0
MAX_AT_ONCE = 256  # requests and websockets at one Space, in one process of the hub
MAX_MESSAGE = 32 * 1024**2
LOOK_AGAIN_S = 10.0
POLICY, TRY_LATER = 1008, 1013

StillAllowed = Callable[[], Awaitable[bool]]


class Place:
    """Where an app is: `address` is its base address, `prefix` the path of the hub that stands for it, `path` what is asked for there."""

    def __init__(self, connection: HTTPConnection, run_id: int, address: str, prefix: str, path: str, base: str) -> None:
        self.run_id = run_id
        self.address = address
        self.prefix = prefix
        query = connection.scope.get("query_string", b"").decode("latin-1")
        self.url = f"{address}{path or '/'}" + (f"?{query}" if query else "")
        scheme, _, host = base.partition("://")
        self.host = host
        self.has_body = "content-length" in connection.headers or "transfer-encoding" in connection.headers
        self.headers = to_app(connection.headers, host=host, scheme=scheme, prefix=prefix)
        self.is_page = is_page(connection.scope.get("method", ""), connection.headers)
        if self.is_page:
            self.headers["accept-encoding"] = "identity"


class Proxy:
    """One per application."""

    def __init__(self) -> None:
        self._transport: httpx.AsyncHTTPTransport | None = None
        self._busy: Counter[int] = Counter()

    async def pass_on(self, request: Request, place: Place) -> Response:
        """Answer with what the app answers.

        Raises:
            DeploymentNotReady: it does not answer, or not sensibly. LimitExceeded: too much goes on at this Space.
        """
        if self._transport is None:
            # A transport and no client: a client would keep one app's cookies for another.
            self._transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None, max_keepalive_connections=64))
        self._enter(place.run_id)
        passing = False
        try:
            asked = httpx.Request(
                request.method, place.url, headers=place.headers, content=request.stream() if place.has_body else None,
                extensions={"timeout": {"connect": CONNECT_S, "read": SILENCE_S, "write": SILENCE_S, "pool": CONNECT_S}},
            )  # fmt: skip
            asking = self._transport.handle_async_request(asked)
            # While a body is on its way, its own end tells that the client has gone.
            answer = await (asking if place.has_body else _unless_gone(request, asking))
            headers = to_visitor(
                answer.headers.multi_items(), origin=request.headers.get("origin", ""), own=place.host, prefix=place.prefix
            )
            passing = True
            before = BEFORE_PAGE if place.is_page and takes_shim(answer.status_code, headers) else b""
            return _Passing(answer, headers, before, lambda: self._leave(place.run_id))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise DeploymentNotReady("The app of this Space does not answer.", hint="Try again; its logs tell more.") from error
        finally:
            if not passing:
                self._leave(place.run_id)

    async def pass_on_websocket(self, websocket: WebSocket, place: Place, still_allowed: StillAllowed) -> None:
        """Join a websocket to the app's, until one side ends it or the visitor may not see the app any more."""
        try:
            self._enter(place.run_id)
        except LimitExceeded:
            await websocket.close(TRY_LATER)
            return
        try:
            await self._join(websocket, place, still_allowed)
        except (OSError, TimeoutError, WebSocketException):
            if websocket.application_state is WebSocketState.CONNECTING:
                await websocket.close(TRY_LATER)
        finally:
            self._leave(place.run_id)

    async def _join(self, websocket: WebSocket, place: Place, still_allowed: StillAllowed) -> None:
        offered = [Subprotocol(name) for name in websocket.scope.get("subprotocols", [])]
        kept = {
            name: value for name, value in place.headers.items() if not name.startswith(("content-", "accept", "if-")) and name != "host"
        }
        async with connect(
            "ws" + place.url.removeprefix("http"), subprotocols=offered or None, additional_headers=kept, user_agent_header=None, proxy=None,
            open_timeout=CONNECT_S, max_size=MAX_MESSAGE, max_queue=8, compression=None, ping_interval=None,
        ) as app:  # fmt: skip
            await websocket.accept(subprotocol=app.subprotocol)
            ways = [asyncio.ensure_future(way) for way in (_up(websocket, app), _down(app, websocket), _watch(still_allowed))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
            if websocket.application_state is not WebSocketState.DISCONNECTED and websocket.client_state is not WebSocketState.DISCONNECTED:
                code = POLICY if ways[2].done() and not ways[2].cancelled() else _close_code(app)
                with suppress(RuntimeError, WebSocketDisconnect):
                    await websocket.close(code)

    def _enter(self, run_id: int) -> None:
        if self._busy[run_id] >= MAX_AT_ONCE:
            raise LimitExceeded("Too many requests go on at this Space.", hint="Try again in a moment.")
        self._busy[run_id] += 1

    def _leave(self, run_id: int) -> None:
        self._busy[run_id] -= 1
        if not self._busy[run_id]:
            del self._busy[run_id]


class _Passing(StreamingResponse):
    """An answer on its way; however it ends, the app's connection does, too."""

    def __init__(self, answer: httpx.Response, headers: dict[str, str], before: bytes, leave: Callable[[], None]) -> None:
        if before and headers.get("content-length", "").isdecimal():
            headers["content-length"] = str(int(headers["content-length"]) + len(before))
        super().__init__(_joined(before, answer.aiter_raw()), answer.status_code, headers)
        self._answer = answer
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on."""
        try:
            await super().__call__(scope, receive, send)
        except httpx.HTTPError as error:
            raise ClientDisconnect from error  # it broke off in the middle: so does what the visitor gets
        finally:
            self._leave()
            with suppress(httpx.HTTPError):
                await asyncio.shield(self._answer.aclose())


async def _joined(before: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if before:
        yield before
    async for chunk in rest:
        yield chunk


async def _unless_gone(request: Request, asking: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
    """The answer, unless the visitor leaves before."""
    task, gone = asyncio.ensure_future(asking), asyncio.ensure_future(_leaves(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise DeploymentNotReady("The visitor left.")
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def _up(websocket: WebSocket, app: ClientConnection) -> None:
    with suppress(ConnectionClosed, WebSocketDisconnect):
        while (message := await websocket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            await app.send(text if text is not None else message.get("bytes") or b"")


async def _down(app: ClientConnection, websocket: WebSocket) -> None:
    with suppress(ConnectionClosed, WebSocketDisconnect, RuntimeError):
        while True:
            message = await app.recv()
            await (websocket.send_text(message) if isinstance(message, str) else websocket.send_bytes(message))


async def _watch(still_allowed: StillAllowed) -> None:
    while await still_allowed():
        await asyncio.sleep(LOOK_AGAIN_S)


def _close_code(app: ClientConnection) -> int:
    code = app.close_code
    return code if code is not None and (code in (1000, 1001, 1008, 1009, 1011, 1012, 1013) or 3000 <= code < 5000) else 1000
