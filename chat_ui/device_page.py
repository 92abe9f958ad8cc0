"""The page where a signed-in person lets a program in that shows them a code (`hf auth login`). Opening it changes nothing."""

from __future__ import annotations

import html
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from chat_ui.plain_page import BUTTON, page_language, plain_page, to_login, words
from chat_ui.signed_in import identify
from chat_ui.texts import Language
from hub_core.accounts.device_logins import TOKEN_DAYS, Asked
from hub_core.authz import Actor, Scope
from hub_core.errors import DeviceLoginNotFound, PermissionDenied
from hub_core.http.auth import same_origin
from hub_core.http.paths import DEVICE_LOGIN, READ
from hub_core.services import Services

SCOPES = (Scope.WRITE, Scope.READ, Scope.ADMIN)


def device_router(services: Services) -> APIRouter:
    """`GET` asks, `POST` decides."""
    router = APIRouter(include_in_schema=False)

    @router.api_route(DEVICE_LOGIN, methods=READ)
    async def ask(request: Request, code: str = "") -> Response:
        actor = await run_in_threadpool(identify, services, request.headers)
        if actor is None:
            return to_login(f"{DEVICE_LOGIN}?code={quote(code)}")
        language = await page_language(services, request, actor)
        if not code:
            return _page(language, _form(language))
        try:
            asked = await run_in_threadpool(services.device_logins.asked, code)
        except DeviceLoginNotFound:
            return _page(language, _said(language, "gone") + _form(language), 404)
        return _page(language, _question(language, asked, actor))

    @router.post(DEVICE_LOGIN)
    async def decide(
        request: Request, code: str = Form("", max_length=40), decision: str = Form("", max_length=8), scope: str = Form("", max_length=8)
    ) -> Response:
        actor = await run_in_threadpool(identify, services, request.headers)
        if actor is None or not same_origin(request.headers, services.settings.public_url):
            return to_login(f"{DEVICE_LOGIN}?code={quote(code)}")
        language = await page_language(services, request, actor)
        logins = services.device_logins
        try:
            if decision == "approve" and scope in SCOPES:
                await run_in_threadpool(logins.approve, actor, code, Scope(scope))
                return _page(language, _said(language, "done"))
            await run_in_threadpool(logins.refuse, actor, code)
        except DeviceLoginNotFound:
            return _page(language, _said(language, "gone"), 404)
        except PermissionDenied:
            return _page(language, _said(language, "denied"), 403)
        return _page(language, _said(language, "refused"))

    return router


def _question(language: Language, asked: Asked, actor: Actor) -> str:
    facts = {
        "program": asked.program or "?",
        "address": asked.address or "?",
        "time": f"{asked.began_at:%Y-%m-%d %H:%M} UTC",
    }
    rows = "".join(f"<dt>{_word(language, name)}</dt><dd><b>{html.escape(value)}</b></dd>" for name, value in facts.items())
    scopes = "".join(
        f"<label style='display:block'><input type='radio' name='scope' value='{scope}'{' checked' if scope is SCOPES[0] else ''}> "
        f"{_word(language, f'scope_{scope}')}</label>"
        for scope in SCOPES
    )
    return (
        f"<p>{_word(language, 'question', username=actor.username)}</p>"
        f"<p style='font-size:1.8rem;letter-spacing:.1em'><b>{html.escape(asked.user_code)}</b></p><dl>{rows}</dl>"
        f"<p>{_word(language, 'warning')}</p>"
        f"<form method='post' action='{DEVICE_LOGIN}'><input type='hidden' name='code' value='{html.escape(asked.user_code, quote=True)}'>"
        f"<fieldset style='margin:1rem 0'><legend>{_word(language, 'may')}</legend>{scopes}</fieldset>"
        f"<button name='decision' value='approve' style='{BUTTON}'>{_word(language, 'approve', username=actor.username)}</button>"
        f"<button name='decision' value='refuse' style='{BUTTON}'>{_word(language, 'refuse')}</button></form>"
        f"<p><small>{_word(language, 'token', days=str(TOKEN_DAYS))}</small></p>"
    )


def _form(language: Language) -> str:
    return (
        f"<form method='get' action='{DEVICE_LOGIN}'><label>{_word(language, 'enter')} "
        f"<input name='code' required maxlength='12' autocomplete='off' autofocus style='font:inherit;text-transform:uppercase'></label> "
        f"<button style='{BUTTON}'>{_word(language, 'go')}</button></form>"
    )


def _said(language: Language, key: str) -> str:
    return f"<p role='status'>{_word(language, key)}</p>"


def _word(language: Language, key: str, **values: str) -> str:
    return words(language, f"device_login.{key}", **values)


def _page(language: Language, body: str, status: int = 200) -> Response:
    return plain_page(language, _word(language, "title"), body, status)
