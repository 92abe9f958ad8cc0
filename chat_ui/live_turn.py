"""Plays one turn of the agent into an open page: events arrive from the agent's thread and leave through Chainlit's socket."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from chat_ui.presenter import present
from chat_ui.presenter_reply import lead
from chat_ui.texts import Language, language_of, texts
from chat_ui.transcript import approval_state, assistant_message, elements, run_step, tool_step
from hub_core.authz import Actor
from hub_core.db import utcnow
from hub_core.errors import ApprovalNotFound, HubError, ThreadBusy
from hub_core.services import Services

if TYPE_CHECKING:
    from agent.schema import Answer, Event

log = logging.getLogger(__name__)


class Emitter(Protocol):
    """The part of Chainlit's emitter that is used here."""

    def emit(self, event: str, data: Any) -> Any:
        """Send an event to the page."""


@dataclass
class LiveTurn:
    """One turn on its way. `play` returns the answer, or None when the turn itself was refused."""

    services: Services
    actor: Actor
    emitter: Emitter
    thread_id: str
    parent_id: str | None
    language: Language
    cancel: threading.Event = field(default_factory=threading.Event)
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    text: str = ""

    @property
    def composed(self) -> bool:
        """Whether the agent words its answers itself: then their tables and listings are drawn instead of said."""
        return self.services.settings.llm == "builtin"

    async def play(self, turn: Callable[[Callable[[Event], None]], Answer]) -> Answer | None:
        """Run `turn` in a thread of its own, show its events as they come, and its answer at the end."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        await self.emitter.emit("new_message", run_step(self.run_id, self.thread_id, self.parent_id, _now(), running=True))

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        work = asyncio.create_task(asyncio.to_thread(turn, tell))
        work.add_done_callback(lambda _: events.put_nowait(None))
        while (event := await events.get()) is not None:
            await self._show(event)
        try:
            answer = await work
        except HubError as error:
            await self._fail(self._words(error))
            return None
        except Exception:
            log.exception("a turn of the chat page failed")
            await self._fail(texts(self.language).page["failed"])
            return None
        await self._finish(answer.model_dump(mode="json"))
        return answer

    async def _show(self, event: Event) -> None:
        if event.type == "token" and not self.composed:
            await self._token(str(event.data.get("text") or ""))
        elif event.type == "step":
            step_id = str(uuid.uuid4())
            words = texts(self.language)
            await self.emitter.emit("new_message", tool_step(event.data, step_id, self.thread_id, self.run_id, _now(), words))

    async def _token(self, text: str) -> None:
        if not text:
            return
        if not self.text:
            message = assistant_message(self.message_id, self.thread_id, self.run_id, text, _now())
            await self.emitter.emit("stream_start", message | {"streaming": True})
        else:
            await self.emitter.emit("stream_token", {"id": self.message_id, "token": text, "isSequence": False, "isInput": False})
        self.text += text

    async def _finish(self, answer: Mapping[str, Any]) -> None:
        text = lead(answer) if self.composed else str(answer.get("reply") or "")
        for word in re.findall(r"\S*\s*", text) if not self.text else ():
            await self._token(word)
        message = assistant_message(self.message_id, self.thread_id, self.run_id, text, _now(), error=answer.get("outcome") == "error")
        await self.emitter.emit("update_message" if self.text else "new_message", message)
        for element in await asyncio.to_thread(self._drawn, answer):
            await self.emitter.emit("element", element)
        await self._end()

    def _drawn(self, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        state = None
        if pending := answer.get("pending"):
            with suppress(ApprovalNotFound):
                state = approval_state(self.services.approvals.get(self.actor, pending["approval_id"]))
        language = language_of(answer.get("language"))
        return elements(present(answer, state), self.message_id, self.message_id, self.thread_id, language)

    async def _fail(self, text: str) -> None:
        message = assistant_message(self.message_id, self.thread_id, self.run_id, text, _now(), error=True)
        await self.emitter.emit("update_message" if self.text else "new_message", message)
        await self._end()

    async def _end(self) -> None:
        await self.emitter.emit("update_message", run_step(self.run_id, self.thread_id, self.parent_id, _now()))

    def _words(self, error: HubError) -> str:
        if isinstance(error, ThreadBusy):
            return texts(self.language).page["busy"]
        return f"{error.message} {error.hint}".strip()


def _now() -> str:
    return utcnow().isoformat()
