"""A fake of Slack on a loopback port: the part of the Web API that the bridge calls, its sockets, and a sender of signed events.

Written from docs.slack.dev. It checks what Slack checks (token, channel, block limits) and answers with Slack's errors. What people
see is in `messages`; `Fault`s make it slow, limited or down.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse

from tests.common.live import serve

TEAM, BOT_USER = "T0HUB", "U0BOT"
BOT_TOKEN, APP_TOKEN, SECRET = (
    "xoxb-fake-bot-token",
    "xapp-fake-app-token",
    "8f742231b10e8888abcd99yyyzzz85a5".replace("y", "1").replace("z", "2"),
)


@dataclass
class Message:
    """A message as people see it."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    thread_ts: str = ""
    only_for: str = ""
    versions: int = 1

    @property
    def words(self) -> str:
        """Everything that is written in it."""
        return "\n".join([self.text, *_texts(self.blocks)])

    def button(self, action: str) -> dict[str, Any]:
        """One of its buttons."""
        elements = [item for block in self.blocks if block["type"] == "actions" for item in block["elements"]]
        return next(item for item in elements if item["action_id"].startswith(action))

    @property
    def buttons(self) -> list[str]:
        return [item["action_id"] for block in self.blocks if block["type"] == "actions" for item in block["elements"]]


@dataclass
class FakeSlack:
    """See the module.

    Attributes:
        faults: what the next calls of any method answer with: a status, an error code, or a `Retry-After`.
        down: every call answers 503.
        delay_s: how long each call takes.
        members: who is in which channel; the bot is in those that are named here.
    """

    url: str = ""
    messages: dict[str, Message] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: list[tuple[int, str, int]] = field(default_factory=list)
    down: bool = False
    delay_s: float = 0.0
    channels: set[str] = field(default_factory=lambda: {"C1"})
    files: dict[str, bytes] = field(default_factory=dict)
    shared: list[tuple[str, str, bytes]] = field(default_factory=list)
    homes: dict[str, dict[str, Any]] = field(default_factory=dict)
    sockets: list[WebSocket] = field(default_factory=list)
    acks: list[dict[str, Any]] = field(default_factory=list)
    seen_at: dict[str, float] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def stamp(self) -> str:
        """A new message's `ts`: its time and a number."""
        return f"1790000000.{next(self._numbers):06d}"

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    def at(self, channel: str, person: str = "") -> list[Message]:
        """What a person sees in a channel, oldest first; without one what everybody there sees."""
        return [item for item in self.messages.values() if item.channel == channel and item.only_for in ("", person)]

    def cards(self, channel: str = "") -> list[Message]:
        return [
            item
            for item in self.messages.values()
            if any(block["type"] == "context" for block in item.blocks) and channel in ("", item.channel)
        ]

    # --- the Web API ---

    async def api(self, method: str, request: Request) -> Response:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        arguments = await _arguments(request)
        with self._lock:
            self.calls.append((method, arguments))
            fault = self.faults.pop(0) if self.faults else None
        if self.down:
            return Response("upstream connect error", 503)
        if fault is not None:
            status, code, after = fault
            headers = {"retry-after": str(after)} if after else {}
            return JSONResponse({"ok": False, "error": code}, status, headers=headers)
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or arguments.get("token", "")
        if token != (APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN):
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        answer = getattr(self, "do_" + method.replace(".", "_"))(arguments)
        headers = {"x-oauth-scopes": "app_mentions:read,chat:write,commands,files:read,files:write,im:history,im:read,im:write,users:read"}
        return JSONResponse({"ok": "error" not in answer, **answer}, headers=headers)

    def do_auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.url, "team": "Fake", "user": "hubtalk", "team_id": TEAM, "user_id": BOT_USER, "bot_id": "B0BOT"}

    def do_apps_connections_open(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.url.replace("http:", "ws:") + "/socket"}

    def do_users_info(self, said: dict[str, Any]) -> dict[str, Any]:
        return {
            "user": {
                "id": said["user"],
                "name": said["user"].lower(),
                "locale": "en-US",
                "profile": {"real_name": f"Name of {said['user']}"},
            }
        }

    def do_conversations_open(self, said: dict[str, Any]) -> dict[str, Any]:
        return {"channel": {"id": f"D{said['users']}"}}

    def do_chat_postMessage(self, said: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        return self._refusal(said) or self._post(said)

    def do_chat_postEphemeral(self, said: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        if refused := self._refusal(said):
            return refused
        posted = self._post(said, only_for=said["user"])
        return {"message_ts": posted["ts"]}

    def do_chat_update(self, said: dict[str, Any]) -> dict[str, Any]:
        if refused := self._refusal(said):
            return refused
        known = self.messages.get(f"{said['channel']}:{said['ts']}")
        if known is None or known.only_for:
            return {"error": "message_not_found"}
        known.text, known.blocks, known.versions = said.get("text", ""), said.get("blocks") or [], known.versions + 1
        return {"channel": known.channel, "ts": known.ts}

    def do_views_publish(self, said: dict[str, Any]) -> dict[str, Any]:
        self.homes[said["user_id"]] = said["view"]
        return {"view": {"id": "V1"}}

    def do_files_getUploadURLExternal(self, said: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        number = f"F{next(self._numbers)}"
        self.files[number] = said["filename"].encode()
        return {"upload_url": f"{self.url}/upload/{number}", "file_id": number}

    def do_files_completeUploadExternal(self, said: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        for item in said["files"]:
            self.shared.append((said["channel_id"], item["title"], self.files[item["id"]]))
        return {"files": said["files"]}

    def _refusal(self, said: dict[str, Any]) -> dict[str, Any] | None:
        """What Slack would not take."""
        channel, blocks = said["channel"], said.get("blocks") or []
        if not channel.startswith("D") and channel not in self.channels:
            return {"error": "not_in_channel"}
        markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
        sections = [block["text"]["text"] for block in blocks if block["type"] == "section"]
        if len(blocks) > 50 or markdown > 12_000 or any(not text or len(text) > 3000 for text in sections):
            return {"error": "invalid_blocks"}
        tables = [block for block in blocks if block["type"] == "table"]
        if len(tables) > 1:
            return {"error": "only_one_table_allowed"}
        if any(len(table["rows"]) > 100 or len({len(row) for row in table["rows"]}) != 1 for table in tables):
            return {"error": "invalid_blocks"}
        return None if blocks or said.get("text") else {"error": "no_text"}

    def _post(self, said: dict[str, Any], only_for: str = "") -> dict[str, Any]:
        made = Message(said["channel"], self.stamp(), said.get("text", ""), said.get("blocks") or [], said.get("thread_ts", ""), only_for)
        with self._lock:
            self.messages[f"{made.channel}:{made.ts}"] = made
            self.seen_at.setdefault(f"{made.channel}:{made.thread_ts}", time.perf_counter())
        return {"channel": made.channel, "ts": made.ts}

    # --- people on Slack ---

    def say(self, text: str, user: str = "U1", channel: str = "", *, ts: str = "", event_id: str = "", **more: Any) -> dict[str, Any]:
        """The event of a message: in the person's private conversation, or a mention in a channel."""
        channel, ts = channel or f"D{user}", ts or self.stamp()
        private = channel.startswith("D")
        event = {
            "type": "message" if private else "app_mention",
            "user": user,
            "text": text,
            "ts": ts,
            "channel": channel,
            "event_ts": ts,
            **more,
        }
        if private:
            event["channel_type"] = "im"
        return self.event(event, event_id)

    def event(self, event: dict[str, Any], event_id: str = "") -> dict[str, Any]:
        number = event_id or f"Ev{next(self._numbers)}"
        return {
            "token": "x",
            "team_id": TEAM,
            "api_app_id": "A1",
            "type": "event_callback",
            "event_id": number,
            "event_time": 1,
            "event": event,
            "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        }

    def press(self, message: Message, action: str, user: str = "U1") -> dict[str, Any]:
        """The payload of a pressed button."""
        button = message.button(action)
        container = {"type": "message", "message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": bool(message.only_for)}
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        return self._pressed(
            button, user, {"container": container, "channel": {"id": message.channel, "name": "x"}, "message": {"ts": message.ts}}
        )

    def press_home(self, user: str, action: str) -> dict[str, Any]:
        """The payload of a button of the home page."""
        buttons = [item for block in self.homes[user]["blocks"] if block["type"] == "actions" for item in block["elements"]]
        button = next(item for item in buttons if item["action_id"].startswith(action))
        return self._pressed(button, user, {"container": {"type": "view", "view_id": "V1"}, "view": {"id": "V1", "type": "home"}})

    def _pressed(self, button: dict[str, Any], user: str, where: dict[str, Any]) -> dict[str, Any]:
        pressed = {**button, "block_id": "b", "type": "button", "action_ts": self.stamp()}
        who = {"id": user, "username": user.lower(), "name": user.lower(), "team_id": TEAM}
        base = {"type": "block_actions", "user": who, "team": {"id": TEAM, "domain": "fake"}, "api_app_id": "A1", "token": "x"}
        return {
            **base,
            "trigger_id": f"trigger-{next(self._numbers)}",
            "response_url": f"{self.url}/response",
            "actions": [pressed],
            **where,
        }

    def command(self, text: str, user: str = "U1", channel: str = "C1") -> dict[str, str]:
        """The form of a slash command."""
        return {
            "command": "/hubtalk", "text": text, "user_id": user, "user_name": user.lower(), "channel_id": channel, "team_id": TEAM,
            "trigger_id": f"trigger-{next(self._numbers)}", "response_url": f"{self.url}/response", "api_app_id": "A1", "token": "x",
        }  # fmt: skip

    def push(self, kind: str, payload: dict[str, Any], envelope: str = "") -> None:
        """Send something over the socket, as in socket mode."""
        assert self._loop is not None
        text = json.dumps(
            {
                "envelope_id": envelope or f"envelope-{next(self._numbers)}",
                "type": kind,
                "accepts_response_payload": True,
                "payload": payload,
            }
        )
        asyncio.run_coroutine_threadsafe(self.sockets[-1].send_text(text), self._loop).result(10)


def signed(body: str, *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The headers of a body as Slack signs it."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}


def deliver(hub_url: str, payload: dict[str, Any], *, retry: int = 0, **signing: Any) -> httpx.Response:
    """Send an event, a pressed button (`block_actions`) or a command (a flat form) as Slack does."""
    kind = payload.get("type")
    form = {"payload": json.dumps(payload)} if kind == "block_actions" else None if kind else payload
    body = urlencode(form) if form is not None else json.dumps(payload)
    content = "application/x-www-form-urlencoded" if form is not None else "application/json"
    headers = {"content-type": content, **signed(body, **signing)}
    if retry:
        headers |= {"x-slack-retry-num": str(retry), "x-slack-retry-reason": "http_timeout"}
    return httpx.post(f"{hub_url}/bridges/slack/events", content=body, headers=headers, timeout=30)


@contextmanager
def run_slack() -> Iterator[FakeSlack]:
    """Serve a fake Slack."""
    slack, app = FakeSlack(), FastAPI()

    async def api(method: str, request: Request) -> Response:
        return await slack.api(method, request)

    async def upload(number: str, request: Request) -> Response:
        slack.files[number] = await request.body()
        return Response("OK")

    async def private(name: str, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {BOT_TOKEN}":
            return Response("<html>sign in</html>", media_type="text/html")
        return Response(slack.files[name]) if name in slack.files else Response(status_code=404)

    async def socket(connection: WebSocket) -> None:
        await connection.accept()
        slack._loop = asyncio.get_running_loop()
        await connection.send_text(json.dumps({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}}))
        slack.sockets.append(connection)
        try:
            while True:
                slack.acks.append(json.loads(await connection.receive_text()))
        except WebSocketDisconnect:
            slack.sockets.remove(connection)

    for path, handler, methods in (
        ("/api/{method}", api, ["POST", "GET"]),
        ("/upload/{number}", upload, ["POST"]),
        ("/private/{name}", private, ["GET"]),
    ):
        handler.__annotations__ |= {"request": Request, "return": Response}
        app.add_api_route(path, handler, methods=methods, response_model=None)
    socket.__annotations__["connection"] = WebSocket
    app.add_api_websocket_route("/socket", socket)
    with serve(app) as url:
        slack.url = url
        yield slack


async def _arguments(request: Request) -> dict[str, Any]:
    body = (await request.body()).decode()
    if "json" in request.headers.get("content-type", ""):
        return dict(json.loads(body or "{}"))
    found = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()} | dict(request.query_params)
    return {
        name: json.loads(value) if name in ("blocks", "files", "view") and isinstance(value, str) else value
        for name, value in found.items()
    }


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "text" and isinstance(item, str):
                yield item
            elif key != "confirm":
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
