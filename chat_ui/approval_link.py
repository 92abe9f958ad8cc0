"""`/approvals/{id}`: the address of an approval, for links in other programs. It leads to the conversation in which it is decided."""

from __future__ import annotations

import html
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from chat_ui.plain_page import plain_page, to_login
from chat_ui.signed_in import identify
from chat_ui.texts import language_of_header, texts
from hub_core.authz import Actor
from hub_core.errors import HubError, ThreadNotFound
from hub_core.http.paths import APPROVALS, READ
from hub_core.services import Services


def approval_router(services: Services) -> APIRouter:
    """The one route. Opening it decides nothing."""
    router = APIRouter(include_in_schema=False)

    @router.api_route(APPROVALS + "{approval_id}", methods=READ)
    async def show(request: Request, approval_id: str) -> Response:
        actor = await run_in_threadpool(identify, services, request.headers)
        if actor is None:
            return to_login(APPROVALS + quote(approval_id, safe=""))
        try:
            thread_id = await run_in_threadpool(_conversation, services, actor, approval_id)
        except HubError:
            return _gone(request)
        return RedirectResponse(f"/chat/thread/{thread_id}", 303)

    return router


def _conversation(services: Services, actor: Actor, approval_id: str) -> str:
    """The conversation of one of the caller's own approvals.

    Raises:
        ApprovalNotFound, ThreadNotFound: not there, or somebody else's.
    """
    approval = services.approvals.get(actor, approval_id)
    if approval.thread_id is None:
        raise ThreadNotFound("This request belongs to no conversation.", hint="list_approvals shows what waits.")
    return services.conversations.get_thread(actor, approval.thread_id).id


def _gone(request: Request) -> Response:
    """The same page for what is not there and for what is somebody else's."""
    language = language_of_header(request.headers.get("accept-language", ""))
    words = html.escape(str(texts(language).card("ApprovalCard")["gone"]))
    return plain_page(language, "hubtalk", f"<p>{words}</p><p><a href='/chat'>hubtalk</a></p>", 404)
