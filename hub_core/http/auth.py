"""Who sends an HTTP request: token (Bearer or Basic), browser session (cookie), or nobody. One rule for all dialects.

`authenticate_request` knows headers and cookies only; `actor_dependency` makes it a dependency of Starlette or FastAPI.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import Request

from hub_core.accounts.sessions import LIFETIME, SessionService
from hub_core.accounts.tokens import TokenService
from hub_core.authz import Actor
from hub_core.errors import PermissionDenied, Unauthenticated
from hub_core.http.threads import in_thread
from hub_core.settings import Settings

SESSION_COOKIE = "hubtalk_session"
COOKIE_MAX_AGE = int(LIFETIME.total_seconds())
BASIC_HINT = "Give a token as the password, with any user name; account passwords work on the sign-in page only."
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SignIn(Protocol):
    """The parts of `Services` that this needs."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""

    @property
    def tokens(self) -> TokenService:
        """Checks tokens."""

    @property
    def sessions(self) -> SessionService:
        """Checks cookies."""


def authenticate_request(
    services: SignIn, headers: Mapping[str, str], cookies: Mapping[str, str], *, channel: str, method: str = "GET"
) -> Actor:
    """The sender of a request; anonymous when nothing was sent. A token wins over a cookie.

    `headers` has lower-case names or ignores case (Starlette's do).

    Raises:
        Unauthenticated: something was sent, and it is wrong.
        PermissionDenied: a cookie came with a change that another site may have made the browser send.
    """
    authorization = headers.get("authorization", "").strip()
    if authorization:
        try:
            return services.tokens.authenticate_token(token_of(authorization), channel)
        except Unauthenticated as error:
            if authorization[:6].lower() == "basic ":
                raise Unauthenticated(error.message, hint=f"{error.hint} {BASIC_HINT}".strip()) from error
            raise
    secret = cookies.get(SESSION_COOKIE)
    if not secret:
        return Actor(channel=channel)
    if method.upper() not in SAFE_METHODS and not same_origin(headers, services.settings.public_url):
        raise PermissionDenied("This request may come from another site.", hint="Send it from the hub's own pages, or with a token.")
    return services.sessions.authenticate_session(secret, channel)


def token_of(authorization: str) -> str:
    """The token in an `Authorization` header: `Bearer TOKEN`, or Basic with the token as the password (any user name).

    Raises:
        Unauthenticated: another scheme, or not readable.
    """
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() in {"bearer", "token"} and value:
        return value
    if scheme.lower() != "basic":
        raise Unauthenticated("This kind of credential is not known here.", hint="Send 'Authorization: Bearer TOKEN'.")
    try:
        username, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthenticated("The Authorization header cannot be read.", hint="Send 'Authorization: Bearer TOKEN'.") from error
    token = password or username
    if not colon or not token:
        raise Unauthenticated("No token was sent.", hint="The token is the password.")
    return token


def same_origin(headers: Mapping[str, str], public_url: str = "") -> bool:
    """Whether a browser says that the request comes from the hub's own pages.

    `Sec-Fetch-Site` is set by the browser and cannot be set by a page; `Origin` serves browsers that do not send it.
    """
    fetch_site = headers.get("sec-fetch-site")
    if fetch_site is not None:
        return fetch_site == "same-origin"
    own = {headers.get("host", "").lower(), host_of(public_url)} - {""}
    return host_of(headers.get("origin", "")) in own


def host_of(address: str) -> str:
    """Host and port of an address, in lower case; empty for one that cannot be read."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""


def actor_dependency(services: SignIn, channel: str) -> Callable[[Request], Awaitable[Actor]]:
    """A dependency for routes of one channel (`api`, `git`, `web` ...); it looks the sender up once per request."""

    async def actor_from(request: Request) -> Actor:
        known = getattr(request.state, "actor", None)
        if isinstance(known, Actor):
            return known
        if "authorization" not in request.headers and SESSION_COOKIE not in request.cookies:
            actor = Actor(channel=channel)
        else:
            actor = await in_thread(
                authenticate_request, services, request.headers, request.cookies, channel=channel, method=request.method
            )
        request.state.actor = actor
        return actor

    return actor_from
