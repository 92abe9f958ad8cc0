"""Pages where a signed-in person links an account of a chat platform, and takes that back. Opening one changes nothing."""

from __future__ import annotations

import html
from collections.abc import Callable
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from chat_ui.plain_page import BUTTON, page_language, plain_page, to_login, words
from chat_ui.signed_in import identify
from chat_ui.texts import Language
from hub_core.authz import Actor
from hub_core.bridges.links import LinkView
from hub_core.errors import ChatLinkNotFound, HubError
from hub_core.http.auth import same_origin
from hub_core.http.paths import READ
from hub_core.services import Services

LINK, LINKS = "/bridges/link", "/bridges/links"


def link_router(services: Services, linked: Callable[[LinkView], None] | None = None) -> APIRouter:
    """`/bridges/link` and `/bridges/links`; `linked` is called once a person was linked, to tell them where they talk."""
    router = APIRouter(include_in_schema=False)

    @router.api_route(LINK, methods=READ)
    async def ask(request: Request, code: str = "", lang: str = "") -> Response:
        actor = await run_in_threadpool(identify, services, request.headers)
        if actor is None:
            return to_login(f"{LINK}?code={quote(code)}&lang={quote(lang)}")
        language = await page_language(services, request, actor, lang)
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
        language = await page_language(services, request, actor, lang)
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
            return to_login(LINKS)
        language = await page_language(services, request, actor)
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
        f"<button style='{BUTTON}'>{_words(language, 'accept', username=actor.username)}</button>"
        f"<a href='/chat'>{_words(language, 'refuse')}</a></form><p><small>{_words(language, 'other')}</small></p>"
    )


def _list(language: Language, links: list[LinkView]) -> str:
    if not links:
        return _text(language, "none")
    rows = "".join(
        f"<li><form method='post' action='{LINKS}/{link.id}/unlink'>{html.escape(f'{link.platform}: {link.name or link.person}')} "
        f"<button style='{BUTTON}'>{_words(language, 'unlink')}</button></form></li>"
        for link in links
    )
    return f"<h1>{_words(language, 'links')}</h1><ul>{rows}</ul>"


def _text(language: Language, key: str) -> str:
    return f"<p>{_words(language, key)}</p>"


def _words(language: Language, key: str, **values: str) -> str:
    return words(language, f"bridge.page.{key}", **values)


def _page(language: Language, body: str, status: int = 200) -> Response:
    return plain_page(language, _words(language, "title"), body, status)
