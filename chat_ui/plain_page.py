"""Small pages of our own that need no scripts: what links from outside the chat lead to."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from chat_ui.signed_in import language_for
from chat_ui.texts import TAGS, Language, language_asked
from hub_core.authz import Actor
from hub_core.services import Services
from prompts import message

BUTTON = "font:inherit;padding:.4rem 1rem;margin-right:1rem"
_CSP = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_STYLE = "font:16px/1.6 system-ui,sans-serif;margin:3rem auto;max-width:34rem;padding:0 1rem"
_BOLD = re.compile(r"\*\*(.+?)\*\*")


def plain_page(language: Language, title: str, body: str, status: int = 200) -> HTMLResponse:
    """A page with a body of HTML. It loads nothing, is framed nowhere and is not kept."""
    page = (
        f"<!doctype html><html lang='{TAGS[language]}'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<meta name='color-scheme' content='light dark'><title>{title}</title><body style='{_STYLE}'>{body}</html>"
    )
    return HTMLResponse(
        page, status, headers={"content-security-policy": _CSP, "cache-control": "no-store", "referrer-policy": "same-origin"}
    )


def words(language: Language, key: str, **values: str) -> str:
    """A message as HTML; what others named is text, whatever is in it."""
    safe = {name: html.escape(value, quote=True).replace("*", "&#42;") for name, value in values.items()}
    return _BOLD.sub(r"<b>\1</b>", message(language, key, **safe))


def to_login(target: str) -> RedirectResponse:
    """To the sign-in page, and back to a path of this hub."""
    return RedirectResponse(f"/login?next={quote(target)}", 303)


async def page_language(services: Services, request: Request, actor: Actor, chosen: str = "") -> Language:
    """The language of a page for somebody: what they set; else what the address says, or their browser."""
    browser = language_asked(chosen, request.headers.get("accept-language", ""))
    return await run_in_threadpool(language_for, services, actor, browser)
