"""Who is behind a request of the chat page, known for its length and checked anew for every turn."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from http.cookies import CookieError, SimpleCookie
from typing import Any

from chat_ui.texts import Language, language_of
from hub_core.authz import Actor
from hub_core.errors import HubError
from hub_core.http.auth import SignIn, authenticate_request
from hub_core.services import Services

CHANNEL = "web"
caller: ContextVar[Actor | None] = ContextVar("caller", default=None)


def read_cookies(header: str) -> dict[str, str]:
    """The cookies of a `Cookie` header; nothing for one that cannot be read."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def identify(services: SignIn, headers: Mapping[str, str]) -> Actor | None:
    """The person that a request's token or session cookie stands for, by the state of the hub now; None for nobody.

    Other sites' requests are refused before this: see `chat_gate`.
    """
    try:
        actor = authenticate_request(services, headers, read_cookies(headers.get("cookie", "")), channel=CHANNEL)
    except HubError:
        return None
    return None if actor.is_anonymous else actor


def language_for(services: Services, actor: Actor | None, browser: Language) -> Language:
    """The language that a person set for themselves; else that of their browser."""
    preferred = services.users.preferences(actor).get("language") if actor else None
    return language_of(preferred) if preferred else browser


def headers_of_environ(environ: Mapping[str, Any]) -> dict[str, str]:
    """The headers that matter for signing in, from a WSGI-style environment (Chainlit's sessions keep one)."""
    found = {"cookie": environ.get("HTTP_COOKIE"), "authorization": environ.get("HTTP_AUTHORIZATION")}
    return {name: str(value) for name, value in found.items() if value}
