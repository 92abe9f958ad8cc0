"""What every request passes: an id, one line in the access log, a limit for its body, one shape for our own mistakes.

All of it is plain ASGI: a wrapper that reads whole bodies or adds a task per request would slow down clones and uploads.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from hub_core.errors import HubError, TooLarge
from hub_core.http.errors import error_body, status_of
from hub_core.http.metrics import protocol_of
from hub_core.repos.kinds import PREFIX_TO_KIND

log = logging.getLogger(__name__)
access = logging.getLogger("hubtalk.access")

MIB = 1024 * 1024
BODY_IDLE_S = 120.0
REQUEST_ID = "X-Request-Id"
# Ids need not be unguessable, and asking the system for randomness lets go of the interpreter's lock in every request.
_ids = random.Random()  # noqa: S311
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_POLLED = frozenset({"/healthz", "/readyz", "/metrics"})
_KINDS = "|".join(PREFIX_TO_KIND)
_OWN_LIMITS = re.compile(rf"(/hf|/csg)?/(xet/|api/((?!v1/)|v1/({_KINDS})(/|$)))")
_APPS = "/run/"  # apps of Spaces: their address has a pass in it
_UPLOADS = ("/api/v1/chat/attachments", "/chat/project/file", _APPS)


class RequestMiddleware:
    """Gives each request an id, logs it once when it is over, and answers what nobody caught with a 500 that shows the id only.

    A body that does not go on for `BODY_IDLE_S` seconds ends the request as if the client had gone, with a 408.

    The access log has the path without the query: signed addresses carry their signature there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve and log."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _SANE_ID.fullmatch(given) else f"{_ids.getrandbits(128):032x}"
        status, sent, began = 0, 0, time.perf_counter()
        body = _PacedBody(receive)

        async def sending(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                if body.stalled:
                    message = {**message, "status": 408, "headers": [*message["headers"], (b"connection", b"close")]}
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            else:
                sent += len(message.get("body", b""))
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, body.receive, sending)
            except Exception:
                if not body.stalled:
                    log.exception("a request failed")
                if not status:
                    await _answer(sending, *((408, _STALLED) if body.stalled else (500, internal_error(request_id))))
            finally:
                level = logging.DEBUG if scope["path"] in _POLLED else logging.INFO
                if access.isEnabledFor(level):
                    access.log(level, "%s %s", scope["method"], shown_path(scope), extra=_facts(scope, status, sent, began))


_STALLED: dict[str, object] = {
    "error": {"code": "request_timeout", "message": "The rest of the request did not come.", "hint": "Send it again."}
}


class _PacedBody:
    """Takes in a body, and takes a client for gone that does not go on with it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._whole = False
        self.stalled = False

    async def receive(self) -> Message:
        """The next message."""
        if self._whole:  # from here on the application only waits for the client to leave
            return await self._receive()
        try:
            async with asyncio.timeout(BODY_IDLE_S):
                message = await self._receive()
        except TimeoutError:
            self.stalled = True
            message = {"type": "http.disconnect"}
        self._whole = not message.get("more_body", False)
        return message


class BodyLimitMiddleware:
    """Refuses bodies that are too large, by their announced length at once, else when too much has come.

    Args:
        limit_of: the limit for a path in bytes; None where the route has a limit of its own.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int | None]) -> None:
        self._app = app
        self._limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or answer 413."""
        limit = self._limit_of(scope["path"]) if scope["type"] == "http" else None
        if limit is None:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "0")  # none announced and none in parts: there is no body
        if announced.isdecimal() and int(announced) <= limit and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)  # the server reads no more than was announced
            return
        error = TooLarge(f"The body has more than {limit // MIB} MiB.", hint="Upload large files with Git LFS or as an attachment.")
        if announced.isdecimal() and int(announced) > limit:
            await _answer(send, status_of(error), error_body(error))
            return
        await _Counted(self._app, limit, error).serve(scope, receive, send)


class _Counted:
    """One request whose body is counted as it comes."""

    def __init__(self, app: ASGIApp, limit: int, error: HubError) -> None:
        self._app = app
        self._left = limit
        self._error = error
        self._started = False

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; what the application says after the limit was passed is replaced by a 413."""

        async def receiving() -> Message:
            message = await receive()
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise self._error
            return message

        async def sending(message: Message) -> None:
            if self._left >= 0:
                self._started = True
                await send(message)

        try:
            await self._app(scope, receiving, sending)
        except TooLarge:
            if self._left >= 0:
                raise
        if self._left < 0 and not self._started:
            await _answer(send, status_of(self._error), error_body(self._error))


def internal_error(request_id: str) -> dict[str, object]:
    """The body of a 500: nothing of the inside, only the id under which the log has it."""
    hint = f"Tell the operator this request id: {request_id}"
    return {"error": {"code": "internal_error", "message": "Something went wrong inside the hub.", "hint": hint}}


def shown_path(scope: Scope) -> str:
    """The path as it came, percent-encoded and without its query and passes: safe in one line of a log, and of no use to who reads it."""
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "backslashreplace")
    path = raw.split(b"?", 1)[0].decode("ascii", "backslashreplace")
    return (re.sub(r"^/run/[^/]*", "/run/…", path) if path.startswith(_APPS) else path)[:500]


def _facts(scope: Scope, status: int, sent: int, began: float) -> dict[str, object]:
    client = scope.get("client")
    return {
        "status": status or 499,  # 499: the client went away before an answer
        "ms": round((time.perf_counter() - began) * 1000, 1),
        "bytes": sent,
        "client": client[0] if client else "",
        "user_agent": Headers(scope=scope).get("user-agent", "")[:120],
    }


async def _answer(send: Send, status: int, body: dict[str, object]) -> None:
    raw = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})


def usual_limit(path: str, upload_mb: int = 1024) -> int | None:
    """The limit for a path of this hub: Git, LFS, Xet and the Hugging Face dialect have their own, uploads take a file, the rest is small."""
    if path.startswith(_UPLOADS) or path.endswith("/upload_file"):
        return (upload_mb + 1) * MIB
    return None if protocol_of(path) or _OWN_LIMITS.match(path) else 16 * MIB
