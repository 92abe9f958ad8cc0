"""Addresses that clients print (`/acme/x`, `/datasets/acme/x/discussions/3`), opened in a browser: they lead to the chat.

The hub has no pages of repos; the chat shows them. So the address becomes a question in the person's words, put into the box of the
chat page for them to send. The link itself carries no words, only the address: nobody can put a sentence of theirs into a page here.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from chat_ui.chainlit_load import PATH
from chat_ui.signed_in import identify, language_for
from chat_ui.texts import language_of_header, texts
from hub_core.errors import HubError
from hub_core.http.paths import GIT_PREFIXES
from hub_core.names import check_namespace, check_repo_name
from hub_core.services import Services

MAX_ADDRESS = 600
_DIALECTS = ("hf", "csg")
_PLAIN = re.compile(r"[^\s'\"`<>]+")
Question = tuple[str, dict[str, str]]
"""The name of a sentence in `links` of the translations, and what stands in its blanks."""


def question_of(address: str) -> Question | None:
    """What somebody wants to know who opens an address such as `acme/x/tree/main/data`; None for one that is nobody's."""
    parts = [part for part in unquote(address).split("/") if part]
    if len(address) > MAX_ADDRESS or not all(part.isprintable() for part in parts):
        return None
    if parts and parts[0] in _DIALECTS:
        parts = parts[1:]
    match parts:
        case ["collections", *slug] if 1 <= len(slug) <= 2:
            return _checked("collection", collection="/".join(slug))
        case ["settings", "tokens", *_]:
            return "tokens", {}
        case ["settings", "keys", *_]:
            return "keys", {}
    return _of_repo(parts[1:] if parts and parts[0] in (*GIT_PREFIXES, "models") else parts)


def _of_repo(parts: list[str]) -> Question | None:
    try:
        repo = f"{check_namespace(parts[0])}/{check_repo_name(parts[1])}"
    except (HubError, IndexError):
        return None
    match parts[2:]:
        case []:
            return "repo", {"repo": repo}
        case ["tree", _, *path]:
            return _checked("folder", repo=repo, path="/".join(path)) if path else ("files", {"repo": repo})
        case ["blob", _, *path] if path:
            return _checked("file", repo=repo, path="/".join(path))
        case ["commit", revision]:
            return _checked("commit", repo=repo, revision=revision)
        case ["commits", *_]:
            return "commits", {"repo": repo}
        case ["discussions"]:
            return "discussions", {"repo": repo}
        case ["discussions", number, *_] if number.isdecimal():
            return _checked("discussion", repo=repo, number=number)
        case ["settings", *_]:
            return "access", {"repo": repo}
    return None


def _checked(name: str, **blanks: str) -> Question | None:
    return (name, blanks) if all(_PLAIN.fullmatch(value) for value in blanks.values()) else None


class AddressRoute(BaseRoute):
    """Serves browsers alone: a program that asks for such an address gets the answer it got before."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a browser asks for a page of something."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or scope.get("root_path"):
            return Match.NONE, {}
        wanted = Headers(scope=scope).get("accept", "")
        return (Match.FULL, {}) if "text/html" in wanted and question_of(scope["path"]) else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go to the chat page; whether there is such a thing is told there, to whoever may see it."""
        target = f"{PATH}?about={quote(scope['path'].strip('/'), safe='')}"
        await RedirectResponse(target, 303)(scope, receive, send)


def addresses_router(services: Services) -> APIRouter:
    """`GET /chat/question?about=`: the sentence about an address, in the language of whoever asks."""
    router = APIRouter(include_in_schema=False)

    @router.get(f"{PATH}/question")
    async def question(request: Request, about: str = "") -> Response:
        found = question_of(about)
        if found is None:
            return JSONResponse({"text": ""})
        actor = await run_in_threadpool(identify, services, request.headers)
        language = await run_in_threadpool(language_for, services, actor, language_of_header(request.headers.get("accept-language", "")))
        return JSONResponse({"text": texts(language).links[found[0]].format(**found[1])}, headers={"cache-control": "no-store"})

    return router
