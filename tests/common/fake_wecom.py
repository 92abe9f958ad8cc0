"""WeCom on a loopback port: the API of an application, and a member who writes to it. After developer.work.weixin.qq.com/document.

The member's side signs and encrypts with wechatpy, not with the code under test. The intelligent bot is in `fake_aibot`.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import xmltodict
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from wechatpy.crypto import _get_signature
from wechatpy.work.crypto import WeChatCrypto

from tests.common.live import serve

CORP, SECRET, AGENT, TOKEN = "ww0123456789abcdef", "corp-secret-of-the-test", 1000002, "callback-token-of-the-test"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


@dataclass
class Card:
    """A template card as its reader sees it."""

    to: str
    body: dict[str, Any]
    code: str
    changes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def now(self) -> dict[str, Any]:
        """What it shows: what it was sent with, and then what replaced it."""
        whole = [change["template_card"] for change in self.changes if "template_card" in change]
        return whole[-1] if whole else self.body

    def key(self, index: int) -> str:
        """The key of one of its buttons."""
        return str(self.now["button_list"][index]["key"])


@dataclass
class Sent:
    """A message that reached a member."""

    to: str
    kind: str
    text: str = ""
    media: str = ""


@dataclass
class FakeWeCom:
    """What happened, and what shall go wrong: see `FakeWeChat`."""

    url: str = ""
    hub: str = ""
    patience_s: float = 5.0
    down: bool = False
    members: set[str] = field(default_factory=lambda: {"alice", "bob", "carol"})
    faults: dict[str, list[Any]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    tokens_made: int = 0
    media: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    _token: str = ""
    _codes: dict[str, Card] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _arrived: threading.Condition = field(default_factory=threading.Condition)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(7_000_000_000_000_001))

    # The member's side.

    def say(self, member: str, text: str, *, again: int = 0) -> None:
        """Write to the application."""
        self.message(member, {"MsgType": "text", "Content": text, "MsgId": str(next(self._numbers))}, again=again)

    def click(self, member: str, card: Card, index: int, *, again: int = 0) -> None:
        """Press a button of a card; each press carries a code with which the card can be changed once."""
        self.message(member, self.press(card, card.key(index)), again=again)

    def press(self, card: Card, key: str) -> dict[str, str]:
        """The event of a pressed button."""
        code = f"code-{next(self._numbers)}"
        self._codes[code] = card
        return {
            "MsgType": "event",
            "Event": "template_card_event",
            "EventKey": key,
            "TaskId": str(card.body["task_id"]),
            "CardType": "button_interaction",
            "ResponseCode": code,
        }

    def message(self, member: str, fields: dict[str, str], *, again: int = 0) -> None:
        """Send a message or an event, and once more for each of `again`."""
        xml = self.xml(member, fields)
        for attempt in range(3 + again):
            try:
                answer = self.post(xml)
            except httpx.TimeoutException:
                continue
            assert answer.status_code == 200, answer.text
            if attempt >= again:
                return

    def xml(self, member: str, fields: dict[str, str]) -> str:
        """The text of a message before it is encrypted."""
        every = {"ToUserName": CORP, "FromUserName": member, "CreateTime": str(int(time.time())), **fields, "AgentID": str(AGENT)}
        return str(xmltodict.unparse({"xml": every}, full_document=False))

    def post(self, xml: str, *, signed_with: str = TOKEN, at: float | None = None, corp: str = CORP, hub: str = "") -> httpx.Response:
        """One request as WeCom makes it, to one of several processes with `hub`; the other arguments forge one."""
        timestamp, nonce = str(int(time.time() if at is None else at)), str(next(self._numbers))
        envelope = xmltodict.parse(WeChatCrypto(signed_with, AES_KEY, corp).encrypt_message(xml, nonce, timestamp))["xml"]
        query = {"msg_signature": envelope["MsgSignature"], "timestamp": timestamp, "nonce": nonce}
        body = xmltodict.unparse({"xml": {"ToUserName": CORP, "AgentID": str(AGENT), "Encrypt": envelope["Encrypt"]}}, full_document=False)
        with httpx.Client(timeout=self.patience_s) as client:
            return client.post(
                f"{hub or self.hub}/bridges/wecom?{urlencode(query)}", content=body.encode(), headers={"content-type": "text/xml"}
            )

    def verify(self, *, signed_with: str = TOKEN, echo: str = "1616140317555161061") -> httpx.Response:
        """The request that the console makes when the address is saved."""
        timestamp, nonce = str(int(time.time())), str(next(self._numbers))
        encrypted = xmltodict.parse(WeChatCrypto(TOKEN, AES_KEY, CORP).encrypt_message(echo, nonce, timestamp))["xml"]["Encrypt"]
        signed = _get_signature(signed_with, timestamp, nonce, encrypted)
        query = {"msg_signature": signed, "timestamp": timestamp, "nonce": nonce, "echostr": encrypted}
        return httpx.get(f"{self.hub}/bridges/wecom?{urlencode(query)}", timeout=10)

    def wait(self, wanted: Callable[[FakeWeCom], Any], timeout_s: float = 20.0) -> Any:
        """The first true value of `wanted`."""
        with self._arrived:
            self._arrived.wait_for(lambda: wanted(self), timeout_s)
        found = wanted(self)
        assert found, f"not sent; there is {self.sent} and {self.cards}"
        return found

    def texts(self, member: str) -> list[str]:
        """The texts that a member got."""
        return [item.text for item in self.sent if item.to == member and item.kind in ("text", "markdown")]

    def expire(self) -> None:
        """Let the token end before its time."""
        with self._lock:
            self._token = ""

    # The API's side.

    def app(self) -> FastAPI:
        """The API as an application."""
        app = FastAPI()
        app.add_api_route("/cgi-bin/gettoken", self._gettoken, methods=["GET"])
        app.add_api_route("/cgi-bin/message/send", self._send, methods=["POST"])
        app.add_api_route("/cgi-bin/message/update_template_card", self._update, methods=["POST"])
        app.add_api_route("/cgi-bin/media/upload", self._upload, methods=["POST"])
        app.add_api_route("/cgi-bin/media/get", self._download, methods=["GET"])
        return app

    def _gettoken(self, corpid: str, corpsecret: str) -> Response:
        with self._lock:
            if (fault := self._fault("gettoken")) is not None:
                return fault
            if corpid != CORP:
                return _error(40013, "invalid corpid")
            if corpsecret != SECRET:
                return _error(40001, "invalid credential")
            if not self._token:
                self.tokens_made += 1
                self._token = f"access-{self.tokens_made}"
            return JSONResponse({"errcode": 0, "errmsg": "ok", "access_token": self._token, "expires_in": 7200})

    async def _send(self, request: Request) -> Response:
        body = await request.json()
        with self._lock:
            if (refused := self._fault("send") or self._unsigned(request)) is not None:
                return refused
            if body.get("agentid") != AGENT:
                return _error(40056, "invalid agentid")
            member, kind = str(body["touser"]), str(body["msgtype"])
            if member not in self.members:
                return _error(81013, "user & party & tag all invalid")
            answer: dict[str, Any] = {"errcode": 0, "errmsg": "ok", "msgid": f"msg-{next(self._numbers)}"}
            content = body[kind]
            if kind == "template_card":
                if problem := _card_problem(content):
                    return _error(42014, problem)
                answer["response_code"] = f"code-{next(self._numbers)}"
                card = Card(member, content, answer["response_code"])
                self._codes[card.code] = card
                self.cards.append(card)
            text = str(content.get("content", ""))
            if len(text.encode()) > 2048:
                return _error(45002, "content size out of limit")
            self._add(Sent(member, kind, text, str(content.get("media_id", ""))))
        return JSONResponse(answer)

    async def _update(self, request: Request) -> Response:
        body = await request.json()
        with self._lock:
            if (refused := self._fault("update") or self._unsigned(request)) is not None:
                return refused
            card = self._codes.pop(str(body.get("response_code")), None)
            if card is None or body.get("agentid") != AGENT:
                return _error(40058, "invalid Request Parameter, response_code expired or used")
            with self._arrived:
                card.changes.append(body)
                self._arrived.notify_all()
        return JSONResponse({"errcode": 0, "errmsg": "ok"})

    async def _upload(self, request: Request) -> Response:
        if (refused := self._fault("upload") or self._unsigned(request)) is not None:
            return refused
        async with request.form() as form:
            file: Any = form["media"]
            media = f"media-{len(self.media) + 1}"
            self.media[media] = (file.filename, file.content_type, await file.read())
        kind = request.query_params["type"]
        return JSONResponse({"errcode": 0, "errmsg": "ok", "type": kind, "media_id": media, "created_at": str(int(time.time()))})

    async def _download(self, request: Request) -> Response:
        if (refused := self._fault("get") or self._unsigned(request)) is not None:
            return refused
        if (found := self.media.get(request.query_params["media_id"])) is None:
            return _error(40007, "invalid media_id")
        name, kind, content = found
        return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})

    def _add(self, sent: Sent) -> None:
        with self._arrived:
            self.sent.append(sent)
            self._arrived.notify_all()

    def _fault(self, name: str) -> Response | None:
        self.calls.append(name)
        if self.down:
            return Response("upstream is away", 502)
        waiting = self.faults.get(name)
        fault = waiting.pop(0) if waiting else None
        if isinstance(fault, int | float):
            time.sleep(fault)  # the API is slow: its thread waits, and so does everybody else
            return None
        if fault is not None and "status" in fault:
            return Response("upstream is away", fault["status"])
        return None if fault is None else JSONResponse(fault)

    def _unsigned(self, request: Request) -> Response | None:
        if self._token and request.query_params.get("access_token") == self._token:
            return None
        return _error(40014, "invalid access_token")


def _card_problem(card: dict[str, Any]) -> str:
    """What WeCom would refuse in a card with buttons: its limits are in characters of the page on sending messages (path/90236)."""
    buttons = card.get("button_list", [])
    if card.get("card_type") == "button_interaction":
        if not 1 <= len(buttons) <= 6 or not card.get("task_id"):
            return "button_list or task_id missing"
        if any(not button.get("text") or len(str(button.get("key", "")).encode()) > 1024 for button in buttons):
            return "button is wrong"
    if len(str(card.get("task_id", "")).encode()) > 128:
        return "task_id too long"
    if not card.get("main_title", {}).get("title"):
        return "main_title missing"
    return ""


def _error(code: int, message: str) -> Response:
    return JSONResponse({"errcode": code, "errmsg": f"{message}, hint: [1700000000123456789], from ip: 127.0.0.1"})


@contextmanager
def fake_wecom(**options: Any) -> Iterator[FakeWeCom]:
    """Serve until the block ends."""
    fake = FakeWeCom(**options)
    with serve(fake.app()) as url:
        fake.url = url
        yield fake
