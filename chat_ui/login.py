"""Our own sign-in page: a plain form in four languages that works without scripts and asks nothing of other machines."""

from __future__ import annotations

import html
import secrets
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from chat_ui.signed_in import CHANNEL, identify
from chat_ui.texts import LANGUAGES, NAMES, TAGS, Language, language_asked, texts
from hub_core.errors import TooManyAttempts, Unauthenticated
from hub_core.http.auth import COOKIE_MAX_AGE, SESSION_COOKIE, same_origin
from hub_core.http.paths import READ
from hub_core.services import Services

CSRF_COOKIE = "hubtalk_csrf"
PAGE = Template((Path(__file__).parent / "public" / "login.html").read_text(encoding="utf-8"))
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def login_router(services: Services) -> APIRouter:
    """`GET /login`, `POST /login` and `POST /logout`."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/login", methods=READ)
    async def show(request: Request, next: str = "/chat", lang: str = "", out: str = "") -> Response:  # noqa: A002 - the query's name
        language = _language(request, lang)
        if await run_in_threadpool(identify, services, request.headers):
            return RedirectResponse(_local(next), 303)
        return _page(request, services, language, next, note=texts(language).login["signed_out"] if out else "")

    @router.post("/login")
    async def sign_in(
        request: Request,
        username: str = Form("", max_length=200),
        password: str = Form("", max_length=1024),
        csrf: str = Form("", max_length=200),
        next: str = Form("/chat", max_length=2000),  # noqa: A002 - the field's name
        lang: str = Form("", max_length=20),
    ) -> Response:
        language = _language(request, lang)
        words = texts(language).login
        if not _sent_from_here(request, csrf, services.settings.public_url):
            return _page(request, services, language, next, error=words["stale"], username=username, status=403)
        address = request.client.host if request.client else ""
        try:
            secret = await run_in_threadpool(services.sessions.login, username, password, address=address, channel=CHANNEL)
        except Unauthenticated:
            return _page(request, services, language, next, error=words["wrong"], username=username, status=401)
        except TooManyAttempts as error:
            page = _page(request, services, language, next, error=words["throttled"], username=username, status=429)
            page.headers["retry-after"] = str(error.details.get("retry_after", 60))
            return page
        response = RedirectResponse(_local(next), 303)
        response.set_cookie(
            SESSION_COOKIE, secret, max_age=COOKIE_MAX_AGE, httponly=True, samesite="lax", secure=_secure(request, services)
        )
        return response

    @router.post("/logout")
    async def sign_out(request: Request) -> Response:
        response = RedirectResponse("/login?out=1", 303)
        if same_origin(request.headers, services.settings.public_url):
            await run_in_threadpool(end_session, services, request.cookies.get(SESSION_COOKIE))
            response.delete_cookie(SESSION_COOKIE)
        return response

    return router


def end_session(services: Services, secret: str | None) -> None:
    """Sign out: the session ends on the server, not just in the browser."""
    if secret:
        services.sessions.logout(secret)


def _page(
    request: Request,
    services: Services,
    language: Language,
    target: str,
    *,
    error: str = "",
    note: str = "",
    username: str = "",
    status: int = 200,
) -> HTMLResponse:
    words = texts(language)
    token = request.cookies.get(CSRF_COOKIE) or secrets.token_urlsafe(24)
    target = _local(target)
    links = " · ".join(
        f"<b>{NAMES[one]}</b>"
        if one == language
        else f'<a href="/login?lang={one}&amp;next={html.escape(target)}" lang="{TAGS[one]}">{NAMES[one]}</a>'
        for one in LANGUAGES
    )
    fields = {name: html.escape(text) for name, text in words.login.items()}
    message = f'<p class="{"error" if error else "note"}" role="alert">{html.escape(error or note)}</p>' if error or note else ""
    body = PAGE.substitute(
        fields, tag=TAGS[language], lang=language, csrf=html.escape(token), next=html.escape(target), username_value=html.escape(username),
        message=message, links=links,
    )  # fmt: skip
    response = HTMLResponse(
        body, status, headers={"content-security-policy": CSP, "cache-control": "no-store", "referrer-policy": "same-origin"}
    )
    response.set_cookie(CSRF_COOKIE, token, httponly=True, samesite="strict", path="/login", secure=_secure(request, services))
    return response


def _sent_from_here(request: Request, token: str, public_url: str) -> bool:
    """Whether a form was on our own page: its token fits the cookie, and the browser does not name another site."""
    cookie = request.cookies.get(CSRF_COOKIE, "")
    if not cookie or not secrets.compare_digest(cookie.encode(), token.encode()):
        return False
    told = "origin" in request.headers or "sec-fetch-site" in request.headers
    return not told or same_origin(request.headers, public_url)


def _local(target: str) -> str:
    """A path of this hub to go on to; the chat page for anything else."""
    parts = urlsplit(target)
    plain = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if plain and not parts.scheme and not parts.netloc and not target.startswith("/login") else "/chat"


def _language(request: Request, chosen: str) -> Language:
    return language_asked(chosen, request.headers.get("accept-language", ""))


def _secure(request: Request, services: Services) -> bool:
    return request.url.scheme == "https" or services.settings.public_url.startswith("https:")
