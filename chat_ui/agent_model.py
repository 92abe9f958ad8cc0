"""The agent as a model of OpenAI's API, under the name `hubtalk`: whole conversations in, answers out, with the same identity and approvals."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from agent.schema import Answer, Event
from chat_ui.agent_model_chunks import Shape, Writer, usage
from chat_ui.agent_model_request import NOTHING_TO_DO, Asked, read_request
from chat_ui.api import STREAM, STREAM_HEADERS
from chat_ui.turns import TURNS_AT_ONCE, RunningTurn
from hub_core.approvals.service import EXECUTION_LEASE
from hub_core.authz import Actor, Permission, require_scope
from hub_core.conversations.retold import Told
from hub_core.db import utcnow
from hub_core.errors import HubError, ThreadBusy
from hub_core.http.errors import json_response
from hub_core.http.openai.errors import openai_error
from hub_core.http.paths import base_url
from hub_core.services import Services

if TYPE_CHECKING:
    from agent.agent import Agent

CHANNEL = "openai"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a request belongs: a thread to go on with (None: a new one), or an answer that was given before."""

    thread_id: str | None = None
    given: Answer | None = None


class AgentModel:
    """Answers `/v1/chat/completions` for the model `hubtalk`."""

    def __init__(self, services: Services, agent: Callable[[], Agent]) -> None:
        self._services = services
        self._agent = agent
        self._limiter = anyio.CapacityLimiter(TURNS_AT_ONCE)

    async def __call__(self, request: Request, actor: Actor, body: dict[str, Any]) -> Response:
        """Answer the last message of a conversation.

        Raises:
            Unauthenticated, PermissionDenied: this credential cannot talk to the hub.
            InvalidInput: the request does not fit. ThreadBusy: its turn is still running.
        """
        require_scope(actor, Permission.CHAT)
        actor = replace(actor, channel=CHANNEL)
        asked = read_request(body, request.headers)
        if asked.chore:
            return _whole(asked, NOTHING_TO_DO, Shape())
        place = await run_in_threadpool(self._place, actor, asked)
        writer = Writer(base_url(request, self._services.settings))
        if place.given is not None:
            return _whole(asked, writer.write_all(place.given), Shape(place.given))
        running = RunningTurn(self._turn(actor, asked, place, writer), self._limiter)
        if not asked.stream:
            answer = await running.answer(request)
            return _whole(asked, writer.text, Shape(answer))
        await running.begun(request)
        return StreamingResponse(_stream(running, writer, asked), media_type=STREAM, headers=STREAM_HEADERS)

    def _place(self, actor: Actor, asked: Asked) -> _Place:
        """Where a request belongs. What was answered before, and changed something, is answered so again and not done again."""
        conversations = self._services.conversations
        told = conversations.told_before(actor, asked.digest) if asked.repeatable else None
        if told is not None and (asked.placed or utcnow() - told.at < EXECUTION_LEASE):
            if told.message_id is None and utcnow() - told.at < EXECUTION_LEASE:
                raise ThreadBusy("This very message is still being answered.", hint="Wait for its answer, then go on.")
            given = self._given(actor, told)
            if given is not None and _acted(given):
                return _Place(given=given)
            if told.last and asked.thread_id is None:
                return _Place(told.thread_id)
        if asked.thread_id is not None:
            return _Place(asked.thread_id)
        return _Place(conversations.thread_after(actor, asked.history) if asked.history else None)

    def _given(self, actor: Actor, told: Told) -> Answer | None:
        message = self._services.conversations.get_message(actor, told.thread_id, told.message_id) if told.message_id else None
        return Answer.model_validate(message.payload) if message is not None else None

    def _turn(
        self, actor: Actor, asked: Asked, place: _Place, writer: Writer
    ) -> Callable[[Callable[[Event], None], threading.Event], Answer]:
        """The turn, with a note of where it belongs."""

        def turn(emit: Callable[[Event], None], cancel: threading.Event) -> Answer:
            conversations, agent = self._services.conversations, self._agent()
            files = [conversations.store_attachment(actor, name, [data]).id for name, data in asked.files]
            thread_id = place.thread_id or conversations.create_thread(actor).id
            conversations.get_thread(actor, thread_id)
            number = conversations.begin_told(actor, thread_id, asked.digest)

            def tell(event: Event) -> None:
                emit(Event(event.type, {**event.data, "written": writer.write(event)}))

            try:
                answer = agent.turn(actor, thread_id, asked.text, files, "act", tell, cancel)
            except HubError:
                conversations.drop_told(number)
                raise
            conversations.end_told(number, answer.message_id, asked.after(writer.text))
            return answer

        return turn


def _acted(answer: Answer) -> bool:
    """Whether a turn did, tried or asked for anything but reading."""
    return any(step.effect != "read" and step.status != "planned" for step in answer.steps)


def _whole(asked: Asked, text: str, shape: Shape) -> Response:
    """An answer that is there already, in the form that was asked for."""
    if not asked.stream:
        return json_response(shape.completion(text, usage(asked.said, text)))
    parts = [shape.chunk({"role": "assistant", "content": text}), *_ended(asked, shape, text)]
    return Response(b"".join(map(_data, parts)) + _DONE, media_type=STREAM, headers=STREAM_HEADERS)


async def _stream(running: RunningTurn, writer: Writer, asked: Asked) -> AsyncIterator[bytes]:
    shape = Shape()
    try:
        yield _data(shape.chunk({"role": "assistant", "content": ""}))
        async for event in running.events():
            if event is None:
                yield b": still working\n\n"
                continue
            if event.data["written"]:
                yield _data(shape.chunk({"content": event.data["written"]}))
            if event.type == "done":
                shape.answer = Answer.model_validate(event.data)
        for part in _ended(asked, shape, writer.text):
            yield _data(part)
        yield _DONE
    except HubError as error:
        yield b"data: " + bytes(openai_error(error).body) + b"\n\n"
    finally:
        running.stop()


def _ended(asked: Asked, shape: Shape, text: str) -> list[dict[str, Any]]:
    return [shape.end(), *([shape.counted(usage(asked.said, text))] if asked.include_usage else [])]


def _data(chunk: dict[str, Any]) -> bytes:
    return b"data: " + bytes(json_response(chunk).body) + b"\n\n"


_DONE = b"data: [DONE]\n\n"
