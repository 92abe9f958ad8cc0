"""What happens on the chat page: messages, approvals by button, uploads, Stop, settings, signing out."""

from __future__ import annotations

import dataclasses
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chainlit as cl
from chainlit.config import config
from chainlit.context import context
from chainlit.input_widget import InputWidget, Select
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.socket import connect as chainlit_connect
from starlette.concurrency import run_in_threadpool

from chat_ui.history import History
from chat_ui.live_turn import LiveTurn
from chat_ui.login import end_session
from chat_ui.presenter_running import deployment_props
from chat_ui.signed_in import caller, headers_of_environ, identify, language_for, read_cookies
from chat_ui.texts import LANGUAGES, NAMES, Language, language_of, language_of_header, texts
from chat_ui.transcript import approval_state, assistant_message
from hub_core.authz import Actor
from hub_core.db import utcnow
from hub_core.errors import ApprovalNotFound, HubError
from hub_core.http.auth import SESSION_COOKIE
from hub_core.services import Services

if TYPE_CHECKING:
    from agent.agent import Agent
    from agent.schema import Mode

AUTOMATIC = "auto"
CHUNK = 1024 * 1024
_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class ChatPage:
    """The callbacks of the page. Every one of them checks anew who is there; what the browser sends is never believed."""

    def __init__(self, services: Services, agent: Callable[[], Agent]) -> None:
        self._services = services
        self._agent = agent
        self._running: dict[str, set[threading.Event]] = {}

    def register(self) -> None:
        """Tell Chainlit what to call."""
        history = History(self._services, self._agent)
        cl.data_layer(lambda: history)
        cl.header_auth_callback(self.sign_in)
        cl.on_logout(self.sign_out)
        # Set directly: Chainlit's decorators would put steps of their own around these.
        config.code.on_chat_start = self.start
        config.code.on_message = self.message
        cl.on_chat_resume(self.resume)
        cl.on_settings_update(self.settings)
        cl.set_starters(self.starters)
        cl.action_callback("decide_approval")(self.decide)
        cl.action_callback("approval_status")(self.status)
        cl.action_callback("deployment_status")(self.deployment)
        sio.on("connect", handler=self.connect)
        sio.on("stop", handler=self.stop)  # Chainlit's own would drop the turn and lose what already ran

    async def connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> Any:
        """Let a page in whose ids are plain ids.

        The browser chooses the id of its session, and Chainlit makes that a folder for uploads, which it removes with everything in it.

        Raises:
            ConnectionRefusedError: an id is none.
        """
        told = auth if isinstance(auth, dict) else {}
        session_id, thread_id = told.get("sessionId"), told.get("threadId")
        if not _is_id(session_id) or (thread_id and not _is_id(thread_id)):
            raise ConnectionRefusedError("The ids of a session and of a conversation are UUIDs.")
        return await chainlit_connect(sid, environ, auth)

    async def sign_in(self, headers: Mapping[str, str]) -> cl.User | None:
        """Who the hub's own cookie or token stands for."""
        actor = await run_in_threadpool(identify, self._services, headers)
        return cl.User(identifier=actor.username) if actor else None

    async def sign_out(self, request: Any, response: Any) -> dict[str, bool]:
        """End the hub's session."""
        await run_in_threadpool(end_session, self._services, read_cookies(request.headers.get("cookie", "")).get(SESSION_COOKIE))
        response.delete_cookie(SESSION_COOKIE)
        return {"success": True}

    async def start(self) -> None:
        """A page without a conversation was opened."""
        await self._offer_settings()

    async def resume(self, _thread: Any) -> None:
        """A conversation was opened again; its history carries the cards of what still waits."""
        await self._offer_settings()

    async def starters(self, _user: Any = None, language: str | None = None) -> list[cl.Starter]:
        """What to try first."""
        return [cl.Starter(label=label, message=message) for label, message in texts(language_of(language)).starters]

    async def message(self, message: cl.Message) -> None:
        """The person said something."""
        actor, language = await self._who()
        session = context.session
        if actor is None:
            await self._say(texts(language).page["sign_in_again"])
            return
        await run_in_threadpool(self._services.conversations.ensure_thread, actor, session.thread_id, message.content)
        attachments = await self._take_in(actor, message, language)
        if attachments is None:
            return
        agent, thread_id = await run_in_threadpool(self._agent), session.thread_id
        mode: Mode = "plan" if message.command else "act"
        live = LiveTurn(self._services, actor, context.emitter, thread_id, message.id, language)
        with self._stoppable(session.id, live.cancel):
            await live.play(lambda emit: agent.turn(actor, thread_id, message.content, attachments, mode, emit, live.cancel))
        await context.emitter.emit("window_message", {"hubtalk_thread": thread_id})

    async def decide(self, action: cl.Action) -> dict[str, Any]:
        """A button of an approval's card: only its id is taken from the browser."""
        actor, language = await self._who()
        page, card = texts(language).page, texts(language).card("ApprovalCard")
        if actor is None:
            return {"error": page["sign_in_again"]}
        approval_id, decision = str(action.payload.get("approval_id")), action.payload.get("decision")
        try:
            approval = await run_in_threadpool(self._services.approvals.get, actor, approval_id)
        except ApprovalNotFound:
            return {"error": card["gone"]}
        if decision not in ("approve", "reject"):
            return {"status": approval.status}
        session, agent = context.session, await run_in_threadpool(self._agent)
        thread_id = approval.thread_id or session.thread_id
        live = LiveTurn(self._services, actor, context.emitter, thread_id, None, language)
        await context.emitter.emit("task_start", {})
        try:
            with self._stoppable(session.id, live.cancel):
                await live.play(lambda emit: agent.decide(actor, thread_id, approval_id, decision, None, emit, live.cancel))
        finally:
            await context.emitter.emit("task_end", {})
        return await self.status(action)

    async def status(self, action: cl.Action) -> dict[str, Any]:
        """How an approval stands now: it may have been decided elsewhere."""
        actor, language = await self._who()
        if actor is None:
            return {"error": texts(language).page["sign_in_again"]}
        try:
            approval = await run_in_threadpool(self._services.approvals.get, actor, str(action.payload.get("approval_id")))
        except ApprovalNotFound:
            return {"error": texts(language).card("ApprovalCard")["gone"]}
        return {"status": approval_state(approval).status}

    async def deployment(self, action: cl.Action) -> dict[str, Any]:
        """How a deployment stands now, for its card; nothing for who may not see it."""
        actor, language = await self._who()
        if actor is None:
            return {}
        try:
            found = await run_in_threadpool(self._services.deployments.find, actor, str(action.payload.get("deployment")))
        except HubError:
            return {}
        return deployment_props(dataclasses.asdict(found.view), texts(language))

    async def stop(self, sid: str) -> None:
        """The Stop button: the turn ends at the next safe point and says what already ran."""
        session = WebsocketSession.get(sid)
        if session:
            for cancel in tuple(self._running.get(session.id, ())):
                cancel.set()

    async def settings(self, chosen: dict[str, Any]) -> None:
        """The settings panel was confirmed."""
        actor, _ = await self._who()
        language = chosen.get("language")
        if actor is None or language not in (*LANGUAGES, AUTOMATIC):
            return
        value = None if language == AUTOMATIC else language
        await run_in_threadpool(self._services.users.set_preference, actor, "language", value)
        await context.emitter.emit("reload", {})

    async def _offer_settings(self) -> None:
        actor, language = await self._who()
        if actor is None:
            return
        page = texts(language).page
        chosen = (await run_in_threadpool(self._services.users.preferences, actor)).get("language", AUTOMATIC)
        items = {page["language_auto"]: AUTOMATIC} | {NAMES[one]: one for one in LANGUAGES}
        select = Select(id="language", label=page["language"], items=items, initial_value=chosen, tooltip=page["language_hint"])
        widgets: list[InputWidget] = [select]
        await cl.ChatSettings(widgets).send()  # type: ignore[no-untyped-call]
        command = {
            "id": page["plan_only"],
            "description": page["plan_only_hint"],
            "icon": "list-checks",
            "button": True,
            "persistent": True,
        }
        await context.emitter.emit("set_commands", [command])

    async def _who(self) -> tuple[Actor | None, Language]:
        """The person by the state of the hub now, and the language to speak where no answer tells it."""
        environ = context.session.environ
        browser = language_of_header(str(environ.get("HTTP_ACCEPT_LANGUAGE", "")))
        actor = await run_in_threadpool(identify, self._services, headers_of_environ(environ))
        caller.set(actor)
        return actor, await run_in_threadpool(language_for, self._services, actor, browser)

    async def _take_in(self, actor: Actor, message: cl.Message, language: Language) -> list[str] | None:
        """Keep the files of a message as attachments; None when one could not be kept, which is said."""
        kept = []
        for element in message.elements or []:
            path = getattr(element, "path", None)
            if not path:
                continue
            try:
                view = await run_in_threadpool(self._services.conversations.store_attachment, actor, element.name, _chunks(Path(path)))
            except HubError as error:
                await self._say(texts(language).page["upload_failed"].format(name=element.name, reason=error.message))
                return None
            kept.append(view.id)
        return kept

    async def _say(self, text: str) -> None:
        message = assistant_message(str(uuid.uuid4()), context.session.thread_id, None, text, utcnow().isoformat(), error=True)
        await context.emitter.emit("new_message", message)

    @contextmanager
    def _stoppable(self, session_id: str, cancel: threading.Event) -> Iterator[None]:
        running = self._running.setdefault(session_id, set())
        running.add(cancel)
        try:
            yield
        finally:
            running.discard(cancel)
            if not running:
                self._running.pop(session_id, None)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
