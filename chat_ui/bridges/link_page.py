"""Pages where a signed-in person links an account of a chat platform, and takes that back. Opening one changes nothing."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from chat_ui.signed_in import identify, language_for
from chat_ui.texts import TAGS, Language, language_asked
from hub_core.authz import Actor
from hub_core.bridges.links import LinkView
from hub_core.errors import ChatLinkNotFound, HubError
from hub_core.http.auth import same_origin
from hub_core.http.paths import READ
from hub_core.services import Services
from prompts import message

LINK, LINKS = "/bridges/link", "/bridges/links"
CSP = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_STYLE = "font:16px/1.6 system-ui,sans-serif;margin:3rem auto;max-width:34rem;padding:0 1rem"
_BUTTON = "font:inherit;padding:.4rem 1rem;margin-right:1rem"


def link_router(services: Services, linked: Callable[[LinkView], None] | None = None) -> APIRouter:
    """`/bridges/link` and `/bridges/links`; `linked` is called once a person was linked, to tell them where they talk."""
    router = APIRouter(include_in_schema=False)

    @router.api_route(LINK, methods=READ)
    async def ask(request: Request, code: str = "", lang: str = "") -> Response:
        actor = await run_in_threadpool(identify, services, request.headers)
        if actor is None:
            return RedirectResponse(f"/login?next={quote(f'{LINK}?code={quote(code)}&lang={quote(lang)}')}", 303)
        language = await _language(services, request, actor, lang)
        try:
            view = await run_in_threadpool(services.bridges.invited, code)
        except ChatLinkNotFound:
            return _page(language, _text(language, "gone"), 404)
        return _page(language, _question(language, view, actor, code))

    @router.post(LINK)
    async def accept(request: Request, code: str = Form("", max_length=200), lang: str = Form("", max_length=8)) -> Response:
        actor = await run_in_threadpool(identify, services, request.headers)
        if actor is None or not same_origin(request.headers, services.settings.public_url):
            return RedirectResponse("/login", 303)
        language = await _language(services, request, actor, lang)
        try:
            view = await run_in_threadpool(services.bridges.accept, actor, code)
        except ChatLinkNotFound:
            return _page(language, _text(language, "gone"), 404)
        if linked is not None:
            await run_in_threadpool(linked, view)
        return _page(language, f"{_text(language, 'done')}<p><a href='{LINKS}'>{_words(language, 'links')}</a></p>")

    _add_links(router, services)
    return router


def _add_links(router: APIRouter, services: Services) -> None:
    @router.api_route(LINKS, methods=READ)
    async def show(request: Request) -> Response:
        actor = await run_in_threadpool(identify, services, request.headers)
        if actor is None:
            return RedirectResponse(f"/login?next={quote(LINKS)}", 303)
        language = await _language(services, request, actor, "")
        return _page(language, _list(language, await run_in_threadpool(services.bridges.links, actor)))

    @router.post(LINKS + "/{number}/unlink")
    async def unlink(request: Request, number: int) -> Response:
        actor = await run_in_threadpool(identify, services, request.headers)
        if actor is not None and same_origin(request.headers, services.settings.public_url):
            try:
                await run_in_threadpool(services.bridges.unlink, actor, number)
            except HubError:
                return RedirectResponse(LINKS, 303)  # it is gone, or was never theirs
        return RedirectResponse(LINKS, 303)


def _question(language: Language, view: LinkView, actor: Actor, code: str) -> str:
    question = _words(
        language, "question", name=view.name or view.person, platform=view.platform, person=view.person, username=actor.username
    )
    return (
        f"<p>{question}</p><p>{_words(language, 'warning')}</p>"
        f"<form method='post' action='{LINK}'><input type='hidden' name='code' value='{html.escape(code, quote=True)}'>"
        f"<input type='hidden' name='lang' value='{language}'>"
        f"<button style='{_BUTTON}'>{_words(language, 'accept', username=actor.username)}</button>"
        f"<a href='/chat'>{_words(language, 'refuse')}</a></form><p><small>{_words(language, 'other')}</small></p>"
    )


def _list(language: Language, links: list[LinkView]) -> str:
    if not links:
        return _text(language, "none")
    rows = "".join(
        f"<li><form method='post' action='{LINKS}/{link.id}/unlink'>{html.escape(f'{link.platform}: {link.name or link.person}')} "
        f"<button style='{_BUTTON}'>{_words(language, 'unlink')}</button></form></li>"
        for link in links
    )
    return f"<h1>{_words(language, 'links')}</h1><ul>{rows}</ul>"


def _text(language: Language, key: str) -> str:
    return f"<p>{_words(language, key)}</p>"


def _words(language: Language, key: str, **values: str) -> str:
    """A sentence as HTML; what platforms and people name is text, whatever is in it."""
    safe = {name: html.escape(value, quote=True).replace("*", "&#42;") for name, value in values.items()}
    return _BOLD.sub(r"<b>\1</b>", message(language, f"bridge.page.{key}", **safe))


async def _language(services: Services, request: Request, actor: Actor, chosen: str) -> Language:
    browser = language_asked(chosen, request.headers.get("accept-language", ""))
    return await run_in_threadpool(language_for, services, actor, browser)


def _page(language: Language, body: str, status: int = 200) -> HTMLResponse:
    page = (
        f"<!doctype html><html lang='{TAGS[language]}'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{_words(language, 'title')}</title><body style='{_STYLE}'>{body}</html>"
    )
    headers = {"content-security-policy": CSP, "cache-control": "no-store", "referrer-policy": "same-origin"}
    return HTMLResponse(page, status, headers=headers)
