"""The long connection of an intelligent bot: frames of JSON over a WebSocket that the hub opens, so nothing has to reach the hub.

Frames are `{"cmd", "headers": {"req_id"}, "body"}`; what we send is answered by `{"headers", "errcode", "errmsg", "body"}` with our `req_id`.
After the page "long connection" of intelligent bots (developer.work.weixin.qq.com/document/path/101463) and the vendor's own client. That
client (wecom-aibot-python-sdk) is not used: it stays disconnected after an orderly close, logs messages, and takes no `ws://` address.
"""

from __future__ import annotations

import json
import logging
import queue
import secrets
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from websockets.exceptions import InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from chat_ui.bridges.port import ChannelError, Undeliverable
from hub_core.errors import HubError

log = logging.getLogger(__name__)
HEARTBEAT_S = 30.0
ANSWER_S = 5.0
OPEN_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S, TAKEN_PAUSE_S = 1.0, 30.0, 60.0
MAX_FRAME = 4 * 1024 * 1024
WRONG_SECRET = frozenset({853000, 40001, 40013, 600041})
SLOW_DOWN = frozenset({45009, 846606})
NEVER = frozenset({40003, 60111, 81013, 93006})
"""No such member or group, or not for this bot."""

Frame = dict[str, Any]


class Refused(ChannelError):
    """The platform answered a frame with an `errcode`."""

    def __init__(self, command: str, code: int, message: str) -> None:
        super().__init__(f"{command}: {code} {message[:120]}", 60.0 if code in SLOW_DOWN else None)
        self.code = code


class Connection:
    """Keeps one connection for as long as it is wanted.

    Args:
        on_callback: gets what members do, one after the other, in a thread of its own.
        wanted: asked before each attempt and at each heartbeat; the connection ends where it says no.
    """

    def __init__(
        self, url: str, bot_id: str, secret: str, on_callback: Callable[[Frame], None], *, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._url, self._bot_id, self._secret = url, bot_id, secret
        self._on_callback = on_callback
        self._heartbeat_s = heartbeat_s
        self._socket: ClientConnection | None = None
        self._sending = threading.Lock()
        self._waiting: dict[str, deque[Future[Frame]]] = {}
        self._callbacks: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._taken = False

    @property
    def ready(self) -> bool:
        """Whether frames can be sent now."""
        return self._ready.is_set()

    def run(self, stop: threading.Event, wanted: Callable[[], bool]) -> None:
        """Connect, and again whenever the connection ends, until stopped or not wanted any more."""
        dispatcher = threading.Thread(target=self._dispatch, name="wecom-bot-events", daemon=True)
        dispatcher.start()
        pause = FIRST_PAUSE_S
        try:
            while not stop.is_set() and wanted():
                self._taken = False
                try:
                    if self._once(stop, wanted):
                        pause = FIRST_PAUSE_S
                except (OSError, WebSocketException, InvalidURI, ChannelError) as error:
                    log.warning("the connection of the WeCom bot failed: %s", _reason(error))
                stop.wait(TAKEN_PAUSE_S if self._taken else pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
        finally:
            self._callbacks.put(None)
            dispatcher.join(ANSWER_S)

    def close(self) -> None:
        """End the connection; `run` returns if it was told to stop."""
        socket = self._socket
        if socket is not None:
            with suppress(OSError, WebSocketException):
                socket.close()

    def request(self, command: str, body: Frame | None = None, request_id: str = "") -> Frame:
        """Send a frame and wait for its answer; answers to events carry the event's `request_id`.

        Raises:
            ChannelError: not connected, no answer in time, or an `errcode`.
        """
        if not self._ready.is_set():
            raise ChannelError("the bot is not connected")
        return self._request(command, body, request_id)

    def _request(self, command: str, body: Frame | None, request_id: str = "") -> Frame:
        request_id = request_id or f"{command}-{secrets.token_hex(8)}"
        frame: Frame = {"cmd": command, "headers": {"req_id": request_id}} | ({} if body is None else {"body": body})
        answer: Future[Frame] = Future()
        socket = self._socket
        if socket is None:
            raise ChannelError("the bot is not connected")
        with self._sending:
            waiting = self._waiting.setdefault(request_id, deque())
            waiting.append(answer)
            try:
                socket.send(json.dumps(frame, ensure_ascii=False))
            except (OSError, WebSocketException) as error:
                waiting.pop()
                raise ChannelError(f"{command}: {type(error).__name__}") from error
        try:
            found = answer.result(ANSWER_S)
        except TimeoutError as error:
            raise ChannelError(f"{command}: no answer") from error
        finally:
            with self._sending:
                self._forget(request_id, answer)
        code = int(found.get("errcode") or 0)
        if code in NEVER:
            raise Undeliverable(f"{command}: {code}")
        if code:
            raise Refused(command, code, str(found.get("errmsg", "")))
        return found

    def _forget(self, request_id: str, answer: Future[Frame]) -> None:
        waiting = self._waiting.get(request_id)
        if waiting is not None:
            with suppress(ValueError):
                waiting.remove(answer)
            if not waiting:
                del self._waiting[request_id]

    def _once(self, stop: threading.Event, wanted: Callable[[], bool]) -> bool:
        """One connection until it ends; says whether it was accepted."""
        with connect(self._url, open_timeout=OPEN_S, close_timeout=1, max_size=MAX_FRAME, ping_interval=None) as socket:
            self._socket = socket
            reader = threading.Thread(target=self._read, args=(socket,), name="wecom-bot-reader", daemon=True)
            reader.start()
            try:
                self._subscribe()
                self._ready.set()
                log.info("the WeCom bot is connected")
                while reader.is_alive() and not stop.is_set() and wanted():
                    reader.join(self._heartbeat_s)
                    if reader.is_alive() and not stop.is_set():
                        self._request("ping", None)
                return True
            finally:
                self._ready.clear()
                self._socket = None
                socket.close()
                self._fail_waiting()
                reader.join(ANSWER_S)

    def _subscribe(self) -> None:
        try:
            self._request("aibot_subscribe", {"bot_id": self._bot_id, "secret": self._secret})
        except Refused as error:
            if error.code in WRONG_SECRET:
                raise Undeliverable("the bot's id or secret is wrong") from error
            raise

    def _read(self, socket: ClientConnection) -> None:
        with suppress(OSError, WebSocketException):
            for raw in socket:
                try:
                    frame = json.loads(raw)
                except ValueError:
                    continue
                if isinstance(frame, dict):
                    self._take(frame)

    def _take(self, frame: Frame) -> None:
        headers = frame.get("headers")
        request_id = str(headers.get("req_id", "")) if isinstance(headers, dict) else ""
        if "cmd" not in frame:
            with self._sending:
                waiting = self._waiting.get(request_id)
                answer = waiting[0] if waiting else None
                if answer is not None:
                    self._forget(request_id, answer)
            if answer is not None:
                answer.set_result(frame)
            return
        if not request_id:
            return
        event = frame["body"].get("event") if isinstance(frame.get("body"), dict) else None
        if isinstance(event, dict) and event.get("eventtype") == "disconnected_event":
            self._taken = True
            log.warning("another program connected with the id of the WeCom bot; trying again in %s seconds", TAKEN_PAUSE_S)
            return
        self._callbacks.put(frame)

    def _dispatch(self) -> None:
        while (frame := self._callbacks.get()) is not None:
            try:
                self._on_callback(frame)
            except (HubError, SQLAlchemyError, ChannelError):  # one event that fails must not cost the others
                log.exception("an event of the WeCom bot failed")

    def _fail_waiting(self) -> None:
        with self._sending:
            left = [answer for waiting in self._waiting.values() for answer in waiting]
            self._waiting.clear()
        for answer in left:
            answer.set_exception(ChannelError("the connection ended"))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ChannelError) else type(error).__name__
