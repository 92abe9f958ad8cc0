"""What stands before Chainlit: waits until it is loaded, lets only signed-in people through, and hardens its answers.

Chainlit has its own signed cookie that lives for days and knows nothing of the hub's sessions. It is never trusted here: a
client's one is dropped, and each request of a signed-in person gets a fresh one that never leaves this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_ui.signed_in import caller, identify
from chat_ui.texts import LANGUAGES, TAGS, language_of
from hub_core.authz import Actor
from hub_core.http.auth import same_origin
from hub_core.services import Services

FAVICON = Path(__file__).parent / "public" / "favicon.svg"
COOKIE = "hubtalk_chat"
OPEN_FOLDERS = ("/assets/", "/public/", "/avatars/")
OPEN_PATHS = frozenset({"/favicon", "/logo", "/auth/config", "/project/translations", "/set-session-cookie"})
KNOWN = ("/auth/header", "/logout", "/user", "/project/", "/ws/")
CLOSED = ("/project/share/", "/project/thread/share")
PAGES = ("/thread/", "/element/")
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
FILE_CSP = "default-src 'none'; sandbox"


class LoadedPage(Protocol):
    """Chainlit after it was imported and wired."""

    @property
    def app(self) -> ASGIApp:
        """Its ASGI application."""

    @property
    def html(self) -> str:
        """The one page of its front end, without links to other sites."""

    def sign(self, actor: Actor) -> str:
        """Chainlit's own credential for a person, for one request."""


class ChatGate:
    """The ASGI application mounted at `/chat`."""

    def __init__(self, services: Services, loaded: Callable[[], Awaitable[LoadedPage]]) -> None:
        self._services = services
        self._loaded = loaded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            return
        headers = Headers(scope=scope)
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        if refusal := self._refuse(scope, headers, path):
            await refusal(scope, receive, send)
            return
        send = _hardened(send, FILE_CSP if path.startswith("/project/file/") else CSP)
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and (path in ("/", "/login") or path.startswith(PAGES)):
            await (await self._page(scope, headers, path))(scope, receive, send)
            return
        if path.startswith("/avatars/"):
            await FileResponse(FAVICON)(scope, receive, send)
            return
        page = await self._loaded()
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            actor = None if path != "/project/translations" else await run_in_threadpool(identify, self._services, headers)
            await page.app(await self._with_language(scope, actor), receive, send)
            return
        actor = await run_in_threadpool(identify, self._services, headers)
        if actor is None:
            await _unauthorised(scope)(scope, receive, send)
            return
        caller.set(actor)
        await page.app(await self._with_language(_signed(scope, page.sign(actor)), actor), receive, send)

    def _refuse(self, scope: Scope, headers: Headers, path: str) -> Response | None:
        """No to other sites, and to those parts of Chainlit that this page does not use."""
        known = path in OPEN_PATHS or path in ("/", "/login") or path.startswith((*OPEN_FOLDERS, *KNOWN, *PAGES))
        if not known or path.startswith(CLOSED):
            return PlainTextResponse("Not found", 404)
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD", "OPTIONS")
        from_browser = "origin" in headers or "sec-fetch-site" in headers
        if changes and from_browser and not same_origin(headers, self._services.settings.public_url):
            return PlainTextResponse("This request comes from another site.", 403)
        return None

    async def _page(self, scope: Scope, headers: Headers, path: str) -> Response:
        actor = await run_in_threadpool(identify, self._services, headers)
        if actor is None:
            asked = scope["path"] + (f"?{query}" if (query := scope["query_string"].decode("latin-1")) else "")
            return RedirectResponse("/login" if asked in ("/chat", "/chat/") or path == "/login" else f"/login?next={quote(asked)}", 303)
        if path == "/login":
            return RedirectResponse("/chat", 303)
        page = await self._loaded()
        return HTMLResponse(page.html, headers={"cache-control": "no-store"})

    async def _with_language(self, scope: Scope, actor: Actor | None) -> Scope:
        """Answer in one of the four languages: the person's preference, else the browser's."""
        if scope["type"] != "http" or not scope["path"].endswith(("/project/translations", "/project/settings")):
            return scope
        query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        preferred = (await run_in_threadpool(self._services.users.preferences, actor)).get("language") if actor else None
        language = next((one for one in LANGUAGES if one == preferred), language_of(query.get("language")))
        return {**scope, "query_string": urlencode(query | {"language": TAGS[language]}).encode()}


class Loader:
    """Runs a slow synchronous load once, in a thread, and lets any number of requests wait for it."""

    def __init__(self, load: Callable[[], LoadedPage]) -> None:
        self._load = load
        self._task: asyncio.Task[LoadedPage] | None = None

    def start(self) -> None:
        """Begin to load; needs a running event loop."""
        if self._task is None:
            self._task = asyncio.create_task(asyncio.to_thread(self._load))

    @property
    def ready(self) -> bool:
        """Whether it is loaded."""
        return self._task is not None and self._task.done() and self._task.exception() is None

    async def page(self) -> LoadedPage:
        """The loaded page."""
        self.start()
        assert self._task is not None
        return await asyncio.shield(self._task)


def _signed(scope: Scope, token: str) -> Scope:
    """The request with our credential for Chainlit in place of any it brought."""
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"cookie", b"authorization")]
    cookies = [part.strip() for part in Headers(scope=scope).get("cookie", "").split(";")]
    others = [part for part in cookies if part and not part.startswith(COOKIE)]
    kept.append((b"cookie", "; ".join([*others, f"{COOKIE}={token}"]).encode("latin-1")))
    bearer = [(name, value) for name, value in scope["headers"] if name == b"authorization"]
    return {**scope, "headers": [*kept, *bearer]}


def _unauthorised(scope: Scope) -> ASGIApp:
    async def close(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": 4401})

    return close if scope["type"] == "websocket" else JSONResponse({"detail": "Sign in first."}, 401)


def _hardened(send: Send, csp: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            _drop_cookie(headers)
            headers["content-security-policy"] = csp
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"
        await send(message)

    return sending


def _drop_cookie(headers: MutableHeaders) -> None:
    """Chainlit's own credential never leaves this process."""
    cookies: Iterable[str] = headers.getlist("set-cookie")
    kept = [cookie for cookie in cookies if not cookie.startswith(COOKIE)]
    del headers["set-cookie"]
    for cookie in kept:
        headers.append("set-cookie", cookie)
