"""WeCom's side of an intelligent bot's long connection, on a loopback port, and members who write to the bot.

Frames and limits after developer.work.weixin.qq.com/document/path/101463 and the vendor's own client (wecom-aibot-python-sdk), which
`tests/functional/bridges/test_aibot.py` drives against this server too. It is strict: a frame that WeCom would refuse gets its errcode.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websocket

BOT, SECRET = "aibot-of-the-test", "bot-secret-of-the-test"
UNKNOWN_REQUEST, WRONG_COMMAND, WRONG_SECRET, TOO_OFTEN = 846607, 846605, 853000, 45009
MAX_STREAM = 20480


@dataclass
class FakeBot:
    """What happened, and what shall go wrong.

    `refuse`: how many frames of a command get an errcode before it works again; `silent`: no answer to these commands at all.
    """

    url: str = ""
    down: bool = False
    refuse: dict[str, list[int]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    frames: list[dict[str, Any]] = field(default_factory=list)
    streams: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    pushed: list[dict[str, Any]] = field(default_factory=list)
    cards: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    welcomes: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    connections: int = 0
    pings: int = 0
    _live: ServerConnection | None = None
    _open: dict[str, str] = field(default_factory=dict)
    _uploads: dict[str, dict[str, Any]] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    # The members' side.

    def say(self, member: str, text: str, *, chat: str = "", message_id: str = "", again: int = 0) -> str:
        """Write to the bot, in a group when there is a `chat`; gives the id of the request."""
        return self.callback(member, {"msgtype": "text", "text": {"content": text}}, chat=chat, message_id=message_id, again=again)

    def callback(self, member: str, content: dict[str, Any], *, chat: str = "", message_id: str = "", again: int = 0) -> str:
        """Any message; `again` sends it that many times more."""
        body = self._body(member, chat, message_id) | content
        return self._tell("aibot_msg_callback", body, again)

    def click(self, member: str, card: dict[str, Any], index: int, *, chat: str = "", again: int = 0) -> str:
        """Press a button of a card."""
        shown = card["template_card"]
        pressed = {
            "card_type": shown["card_type"],
            "event_key": shown["button_list"][index]["key"],
            "task_id": shown["task_id"],
        }
        event = {"msgtype": "event", "event": {"eventtype": "template_card_event", "template_card_event": pressed}}
        return self._tell("aibot_event_callback", self._body(member, chat, "") | event, again)

    def enter(self, member: str) -> str:
        """Open the conversation with the bot for the first time on a day."""
        event = {"msgtype": "event", "event": {"eventtype": "enter_chat"}}
        return self._tell("aibot_event_callback", self._body(member, "", "") | event, 0)

    def wait(self, wanted: Callable[[FakeBot], Any], timeout_s: float = 20.0) -> Any:
        """The first true value of `wanted`."""
        with self._changed:
            self._changed.wait_for(lambda: wanted(self), timeout_s)
        found = wanted(self)
        assert found, f"not there; frames: {self.frames[-10:]}"
        return found

    def answer(self, request: str, timeout_s: float = 20.0) -> str:
        """The whole text that a request was answered with in the end."""
        done = self.wait(lambda bot: [item for item in bot.streams.get(request, []) if item["finish"]], timeout_s)
        return str(done[-1]["content"])

    def cut(self) -> None:
        """Break the connection."""
        live = self._live
        if live is not None:
            live.socket.close()

    def _body(self, member: str, chat: str, message_id: str) -> dict[str, Any]:
        number = next(self._numbers)
        body = {
            "msgid": message_id or f"msg-{number}",
            "aibotid": BOT,
            "chattype": "group" if chat else "single",
            "from": {"userid": member},
        }
        return body | ({"chatid": chat} if chat else {})

    def _tell(self, command: str, body: dict[str, Any], again: int) -> str:
        self.wait(lambda bot: bot._live)
        request = f"request-{next(self._numbers)}"
        for _ in range(1 + again):
            event = body.get("event", {}).get("eventtype", "message")
            self._open[request] = str(event)
            live = self._live
            assert live is not None
            live.send(json.dumps({"cmd": command, "headers": {"req_id": request}, "body": body}, ensure_ascii=False))
        return request

    # WeCom's side.

    def serve(self, connection: ServerConnection) -> None:
        """One connection until it ends."""
        if self.down:
            connection.close()
            return
        try:
            for raw in connection:
                frame = json.loads(raw)
                with self._changed:
                    self.frames.append(frame)
                    body: dict[str, Any] = {}
                    code = self._take(connection, frame, body)
                    self._changed.notify_all()
                if frame["cmd"] in self.silent:
                    continue
                told = {"headers": frame["headers"], "errcode": code, "errmsg": "ok" if code == 0 else f"error {code}"}
                connection.send(json.dumps(told | ({"body": body} if body else {})))
        except (ConnectionClosed, OSError):
            pass
        finally:
            with self._changed:
                if self._live is connection:
                    self._live = None
                self._changed.notify_all()

    def _take(self, connection: ServerConnection, frame: dict[str, Any], answer: dict[str, Any]) -> int:
        command, request, body = str(frame["cmd"]), str(frame["headers"]["req_id"]), frame.get("body", {})
        if self.refuse.get(command):
            return self.refuse[command].pop(0)
        if command == "aibot_subscribe":
            return self._subscribe(connection, body)
        if connection is not self._live:
            return 846601
        if command == "ping":
            self.pings += 1
            return 0
        if command.startswith("aibot_upload_media_"):
            return self._upload(command, body, answer)
        if command == "aibot_send_msg":
            if not body.get("chatid") or body.get("msgtype") not in ("markdown", "template_card", "image", "file"):
                return 40058
            (self.cards if body["msgtype"] == "template_card" else self.pushed).append(body)
            return 0
        return self._respond(command, request, body)

    def _respond(self, command: str, request: str, body: dict[str, Any]) -> int:
        event = self._open.get(request)
        if event is None:
            return UNKNOWN_REQUEST
        expected = {
            "template_card_event": "aibot_respond_update_msg",
            "enter_chat": "aibot_respond_welcome_msg",
            "message": "aibot_respond_msg",
        }
        if command != expected[event]:
            return WRONG_COMMAND
        if event == "template_card_event":
            del self._open[request]
            self.updates.append(body)
        elif event == "enter_chat":
            del self._open[request]
            self.welcomes.append(body)
        elif body["msgtype"] == "stream":
            stream = body["stream"]
            past = self.streams.setdefault(request, [])
            mine = [item for item in past if item["id"] == stream["id"]]
            if len(str(stream["content"]).encode()) > MAX_STREAM or (mine and mine[-1]["finish"]):
                return 40058
            past.append(stream)
        else:
            (self.cards if body["msgtype"] == "template_card" else self.pushed).append(body)
        return 0

    def _upload(self, command: str, body: dict[str, Any], answer: dict[str, Any]) -> int:
        if command == "aibot_upload_media_init":
            answer["upload_id"] = f"upload-{next(self._numbers)}"
            self._uploads[answer["upload_id"]] = body | {"pieces": {}}
            return 0
        upload = self._uploads[str(body["upload_id"])]
        if command == "aibot_upload_media_chunk":
            upload["pieces"][int(body["chunk_index"])] = base64.b64decode(body["base64_data"])
            return 0
        content = b"".join(upload["pieces"][index] for index in range(int(upload["total_chunks"])))
        if (len(content), hashlib.md5(content).hexdigest()) != (upload["total_size"], upload["md5"]):
            return 40058
        answer["media_id"] = f"media-{next(self._numbers)}"
        self.files[answer["media_id"]] = (str(upload["type"]), str(upload["filename"]), content)
        return 0

    def _subscribe(self, connection: ServerConnection, body: dict[str, Any]) -> int:
        if (body.get("bot_id"), body.get("secret")) != (BOT, SECRET):
            return WRONG_SECRET
        before, self._live = self._live, connection
        self.connections += 1
        if before is not None:  # one connection for a bot: the new one ends the old one
            gone = {"msgtype": "event", "event": {"eventtype": "disconnected_event"}}
            with suppress(ConnectionClosed, OSError):  # it may be broken already
                before.send(json.dumps({"cmd": "aibot_event_callback", "headers": {"req_id": "gone"}, "body": gone}))
            threading.Thread(target=before.close, daemon=True).start()
        return 0


@contextmanager
def fake_aibot(**options: Any) -> Iterator[FakeBot]:
    """Serve until the block ends."""
    fake = FakeBot(**options)
    with serve_websocket(fake.serve, "127.0.0.1", 0) as server:
        fake.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            live = fake._live
            if live is not None:
                live.close()
            server.shutdown()
            thread.join(10)
