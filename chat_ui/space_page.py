"""`/spaces/{namespace}/{name}/app`: the hub's own page around the app of a Space.

The app itself is in a frame at another address, where the browser has nothing of the visitor's for it: see `hub_core.http.spaces`.
"""

from __future__ import annotations

import html
from pathlib import Path
from string import Template
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from agent.answer.words import say
from chat_ui.signed_in import CHANNEL, identify
from chat_ui.texts import TAGS, Language, language_of_header
from hub_core.authz import Actor
from hub_core.deployments.tables import Status
from hub_core.errors import HubError
from hub_core.http.auth import SESSION_COOKIE
from hub_core.http.paths import READ
from hub_core.http.spaces.headers import SANDBOX
from hub_core.http.spaces.router import Opened, SpaceApps, token_header
from hub_core.services import Services

PAGE = Template((Path(__file__).parent / "public" / "space.html").read_text(encoding="utf-8"))
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
REFRESH = '<meta http-equiv="refresh" content="3">\n'


def space_page_router(services: Services, apps: SpaceApps) -> APIRouter:
    """The one route. Programs that send a token come to the app itself there."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/spaces/{namespace}/{name}/app", methods=READ)
    async def show(request: Request, namespace: str, name: str) -> Response:
        if token_header(request):
            return await apps.by_token(request)
        return await run_in_threadpool(_page, services, apps, request, namespace, name)

    return router


def _page(services: Services, apps: SpaceApps, request: Request, namespace: str, name: str) -> Response:
    actor = identify(services, request.headers)
    language = language_of_header(request.headers.get("accept-language", ""))
    try:
        opened = apps.open(actor or Actor(channel=CHANNEL), namespace, name)
    except HubError as error:
        if actor is None:
            return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)
        return _answer(language, f"{namespace}/{name}", f"<main><p>{html.escape(error.message)}</p></main>", 404)
    apps.knock(opened)
    secret = request.cookies.get(SESSION_COOKIE, "") if actor else ""
    return _shown(language, opened, apps.passes.make(opened.actor, opened.repo.id, secret))


def _shown(language: Language, opened: Opened, pass_: str) -> Response:
    """The app where it answers, else why not; a page that waits looks again by itself."""
    title, row = opened.repo.full_name, opened.state.run
    if opened.state.stage == "RUNNING" and (row is None or row.endpoints):
        frame = (
            f'<iframe title="{html.escape(title)}" src="/run/{pass_}/" sandbox="{SANDBOX}" allow="clipboard-write; fullscreen"></iframe>'
        )
        return _answer(language, title, frame)
    key = "none" if row is None else "stopped" if row.stopped else "bad" if row.status == Status.FAILED else "wait"
    why = html.escape(row.reason) if row is not None and row.reason else ""
    text = f"<main><p>{html.escape(say(language, f'space.page.{key}'))}</p><p class='soft'>{why}</p></main>"
    return _answer(language, title, text, 200, refresh=key in ("wait", "bad"))


def _answer(language: Language, title: str, content: str, status: int = 200, *, refresh: bool = False) -> Response:
    body = PAGE.substitute(
        tag=TAGS[language],
        name=html.escape(title),
        back=html.escape(say(language, "space.page.back")),
        content=content,
        refresh=REFRESH if refresh else "",
    )
    return HTMLResponse(
        body, status, headers={"content-security-policy": CSP, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    )
