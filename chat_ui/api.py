"""The chat API: one message in, one answer out, as JSON or as server-sent events."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from agent.schema import Answer, Event, Mode, PendingView
from chat_ui.turns import TURNS_AT_ONCE, RunningTurn, Turn
from hub_core.authz import Actor, Permission, require_scope
from hub_core.conversations.views import ThreadView
from hub_core.errors import HubError, InvalidArguments, TooLarge
from hub_core.http.auth import actor_dependency
from hub_core.http.errors import error_body, error_response, invalid_request
from hub_core.services import Services

if TYPE_CHECKING:
    from agent.agent import Agent

log = logging.getLogger(__name__)
STREAM = "text/event-stream"
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
CHUNK = 1024 * 1024


class ChatRequest(BaseModel):
    """A message to the hub."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"message": "who can see support-7b?"},
                {"message": "make it public", "thread_id": "0b0f6a3e-6d5c-4c53-9d0a-0d7d7f0f2a11"},
            ]
        },
    )

    message: str = Field(description="What the person says, in English, Chinese, Japanese or Korean.", max_length=32_000)
    thread_id: str | None = Field(None, description="The conversation to go on with; a new one begins without it.", max_length=64)
    attachments: list[str] = Field(default_factory=list, description="Ids from `POST /api/v1/chat/attachments`.", max_length=20)
    mode: Mode = Field("act", description="`plan` works the steps out and runs nothing.")


class DecisionRequest(BaseModel):
    """An answer to an approval."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"decision": "approve"}, {"decision": "reject"}]})

    decision: Literal["approve", "reject"]
    args: dict[str, Any] | None = Field(None, description="Other arguments for the same tool, when approving with a change.")


class AttachmentResponse(BaseModel):
    """A file that was put into the conversation."""

    attachment_id: str
    filename: str
    size: int
    sha256: str


class ThreadItem(BaseModel):
    """One conversation."""

    thread_id: str
    title: str
    channel: str
    created_at: dt.datetime
    updated_at: dt.datetime


class ThreadList(BaseModel):
    """Some conversations, newest first."""

    items: list[ThreadItem]
    next: str | None = None


class MessageItem(BaseModel):
    """One message; `answer` is the whole answer of a turn, without secrets."""

    message_id: str
    role: Literal["user", "assistant"]
    text: str
    created_at: dt.datetime
    answer: dict[str, Any] | None = None


class ThreadDetail(ThreadItem):
    """A conversation, its messages, and what waits for approval in it."""

    messages: list[MessageItem]
    pending: list[PendingView]


class _Route(APIRoute):
    """Answers errors in the hub's one shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except RequestValidationError as error:
                return error_response(invalid_request(error))
            except HubError as error:
                return error_response(error)

        return handle


def chat_router(services: Services, agent: Callable[[], Agent]) -> APIRouter:
    """The routes over `services`; `agent` gives the agent, waiting while it still loads."""
    router = APIRouter(prefix="/api/v1/chat", tags=["chat"], route_class=_Route)
    limiter = anyio.CapacityLimiter(TURNS_AT_ONCE)
    sender = actor_dependency(services, "api")

    async def talker(actor: Actor = Depends(sender)) -> Actor:  # noqa: B008 - the closure cannot be named in an annotation
        require_scope(actor, Permission.CHAT)
        return actor

    who = Depends(talker)

    @router.post("", summary="Say something to the hub", response_model=Answer, responses=_STREAMED)
    async def chat(request: Request, body: ChatRequest, actor: Actor = who) -> Response:
        def turn(emit: Callable[[Event], None], cancel: threading.Event) -> Answer:
            return agent().turn(actor, body.thread_id, body.message, body.attachments, body.mode, emit, cancel)

        return await _answer(request, turn, limiter)

    @router.post("/attachments", summary="Put a file into the conversation", status_code=201, openapi_extra=_UPLOAD)
    async def attach(request: Request, actor: Actor = who) -> AttachmentResponse:
        # Read here and not by the framework, which would take the whole body before it asks who sends it.
        _check_length(request, services.settings.max_attachment_mb)
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise InvalidArguments("The request does not fit.", hint="Send the file as the field 'file' of multipart/form-data.")
            source = file.file
            chunks = iter(lambda: source.read(CHUNK), b"")
            kept = await run_in_threadpool(services.conversations.store_attachment, actor, file.filename or "", chunks)
        return AttachmentResponse(attachment_id=kept.id, filename=kept.filename, size=kept.size, sha256=kept.sha256)

    @router.post("/{thread_id}/approvals/{approval_id}", summary="Answer an approval", response_model=Answer, responses=_STREAMED)
    async def decide(request: Request, thread_id: str, approval_id: str, body: DecisionRequest, actor: Actor = who) -> Response:
        def turn(emit: Callable[[Event], None], cancel: threading.Event) -> Answer:
            return agent().decide(actor, thread_id, approval_id, body.decision, body.args, emit, cancel)

        return await _answer(request, turn, limiter)

    _add_reading(router, services, agent, who)
    return router


def _add_reading(router: APIRouter, services: Services, agent: Callable[[], Agent], who: Any) -> None:
    @router.get("", summary="List your conversations")
    async def threads(
        actor: Actor = who, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 30, query: str = ""
    ) -> ThreadList:
        page = await run_in_threadpool(services.conversations.list_threads, actor, cursor=cursor, limit=limit, query=query)
        return ThreadList(items=[ThreadItem(**_thread(item)) for item in page.items], next=page.next)

    @router.get("/{thread_id}", summary="Read a conversation")
    async def thread(thread_id: str, actor: Actor = who) -> ThreadDetail:
        return await run_in_threadpool(_detail, services, actor, thread_id)

    @router.delete("/{thread_id}", summary="Delete a conversation", status_code=204)
    async def delete(thread_id: str, actor: Actor = who) -> Response:
        await run_in_threadpool(lambda: agent().delete_thread(actor, thread_id))
        return Response(status_code=204)


def _detail(services: Services, actor: Actor, thread_id: str) -> ThreadDetail:
    view = services.conversations.get_thread(actor, thread_id)
    messages = [
        MessageItem(message_id=item.id, role=item.role, text=item.text, created_at=item.created_at, answer=item.payload or None)  # type: ignore[arg-type]
        for item in services.conversations.list_messages(actor, thread_id, limit=5000)
    ]
    summaries = {
        pending["approval_id"]: pending["summary"]
        for item in messages
        if item.role == "assistant" and (pending := (item.answer or {}).get("pending"))
    }
    pending = [
        PendingView(approval_id=item.id, tool=item.tool, args=item.args, effect=item.effect, summary=summaries.get(item.id, ""))  # type: ignore[arg-type]
        for item in services.approvals.pending(actor, thread_id)
    ]
    return ThreadDetail(**_thread(view), messages=messages, pending=pending)


def _thread(view: ThreadView) -> dict[str, Any]:
    return {
        "thread_id": view.id,
        "title": view.title,
        "channel": view.channel,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
    }


def _check_length(request: Request, limit_mb: int) -> None:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit_mb * 2**20 + CHUNK:
        raise TooLarge(f"A file in a conversation has at most {limit_mb} MiB.", hint="Push larger files with Git LFS.", limit_mb=limit_mb)


async def _answer(request: Request, turn: Turn, limiter: anyio.CapacityLimiter) -> Response:
    running = RunningTurn(turn, limiter)
    if STREAM not in request.headers.get("accept", ""):
        return JSONResponse((await running.answer(request)).model_dump(mode="json"))
    await running.begun(request)  # refused before anything happened: an ordinary HTTP error
    return StreamingResponse(_stream(running), media_type=STREAM, headers=STREAM_HEADERS)


async def _stream(running: RunningTurn) -> AsyncIterator[str]:
    try:
        async for event in running.events():
            if event is None:
                yield ": still working\n\n"
            else:
                yield f"event: {event.type}\ndata: {json.dumps(event.data, ensure_ascii=False, default=str)}\n\n"
    except HubError as error:
        yield f"event: error\ndata: {json.dumps(error_body(error), ensure_ascii=False)}\n\n"
    except Exception:  # the edge of a stream that has begun: no status can tell it any more
        log.exception("a streamed turn failed")
        broken = {"error": {"code": "error", "message": "Something went wrong on the hub.", "hint": "Try again; the log has the cause."}}
        yield f"event: error\ndata: {json.dumps(broken)}\n\n"
    finally:
        running.stop()


_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}, "required": ["file"]}
            }
        },
    }
}
_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `Accept: text/event-stream` the events `token`, `step`, `approval` and, last, `done` with the answer.",
        "content": {
            STREAM: {
                "schema": {"type": "string"},
                "example": 'event: token\ndata: {"text": "Done."}\n\nevent: done\ndata: {"outcome": "done"}\n\n',
            }
        },
    },
    401: {"description": "No or bad credential."},
    404: {"description": "No such conversation, approval or attachment of yours."},
    409: {"description": "A turn is running in this conversation, or the approval was settled or has expired."},
}
