"""WeChat on a loopback port: the API of an Official Account, and a person who writes to it. After developers.weixin.qq.com/doc/offiaccount.

The person's side signs and encrypts with wechatpy, not with the code under test, sends a message again as WeChat does when no answer
came in time, and reads the answer as strictly.
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
from wechatpy.crypto import WeChatCrypto, _get_signature

from tests.common.live import serve

APP, SECRET, TOKEN = "wxa1b2c3d4e5f60718", "app-secret-of-the-test", "callback-token-of-the-test"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ACCOUNT = "gh_0123456789ab"
MESSAGES_AFTER_ONE = 5
ATTEMPTS = 3


@dataclass
class Sent:
    """A message that reached a person."""

    to: str
    kind: str
    text: str = ""
    media: str = ""


@dataclass
class FakeWeChat:
    """What happened, and what shall go wrong.

    `faults`: answers of the API before it works again, by path: `{"errcode": 45015}`, or a number of seconds to wait first.
    `verified`: whether the account may send customer-service messages (48001 otherwise).
    """

    url: str = ""
    hub: str = ""
    aes: bool = False
    verified: bool = True
    patience_s: float = 5.0
    token_life_s: float = 7200.0
    down: bool = False
    faults: dict[str, list[Any]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    tokens_made: int = 0
    forced: int = 0
    media: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    _token: str = ""
    _token_ends: float = 0.0
    _left: dict[str, int] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _arrived: threading.Condition = field(default_factory=threading.Condition)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(24_000_000_000_000_001))

    # The person's side.

    def say(self, person: str, text: str, **also: Any) -> str | None:
        """Write to the account; what it answers at once, None when it says "success" and nothing else."""
        return self.message(person, {"MsgType": "text", "Content": text, "MsgId": str(next(self._numbers))}, **also)

    def message(self, person: str, fields: dict[str, str], *, again: int = 0, created: int | None = None) -> str | None:
        """Send a message or an event, and once more for each of `again` (WeChat repeats what it takes for lost); the last answer."""
        self._left[person] = MESSAGES_AFTER_ONE
        xml = self.xml(person, fields, created)
        for attempt in range(ATTEMPTS + again):
            try:
                answer = self.post(xml)
            except httpx.TimeoutException:
                continue
            if attempt >= again:
                return self.read(answer, person)
        return None

    def xml(self, person: str, fields: dict[str, str], created: int | None = None) -> str:
        every = {"ToUserName": ACCOUNT, "FromUserName": person, "CreateTime": str(created or int(time.time())), **fields}
        return str(xmltodict.unparse({"xml": every}, full_document=False))

    def post(
        self, xml: str, *, signed_with: str = TOKEN, at: float | None = None, patience_s: float | None = None, hub: str = ""
    ) -> httpx.Response:
        """One request as WeChat makes it, to one of several processes with `hub`; `signed_with` and `at` forge one."""
        timestamp, nonce = str(int(time.time() if at is None else at)), str(next(self._numbers))
        query = {"signature": _get_signature(signed_with, timestamp, nonce, ""), "timestamp": timestamp, "nonce": nonce}
        if self.aes:
            query["encrypt_type"] = "aes"
            whole = WeChatCrypto(signed_with, AES_KEY, APP).encrypt_message(xml, nonce, timestamp)
            envelope = xmltodict.parse(whole)["xml"]
            query["msg_signature"] = envelope["MsgSignature"]
            xml = xmltodict.unparse({"xml": {"ToUserName": ACCOUNT, "Encrypt": envelope["Encrypt"]}}, full_document=False)
        with httpx.Client(timeout=patience_s or self.patience_s) as client:
            headers = {"content-type": "text/xml", "user-agent": "Mozilla/4.0"}
            return client.post(f"{hub or self.hub}/bridges/wechat?{urlencode(query)}", content=xml.encode(), headers=headers)

    def verify(self, *, signed_with: str = TOKEN, echo: str = "5882012345") -> httpx.Response:
        """The request that the console makes when the address is saved."""
        timestamp, nonce = str(int(time.time())), str(next(self._numbers))
        query = {"signature": _get_signature(signed_with, timestamp, nonce, ""), "timestamp": timestamp, "nonce": nonce, "echostr": echo}
        return httpx.get(f"{self.hub}/bridges/wechat?{urlencode(query)}", timeout=10)

    def read(self, answer: httpx.Response, person: str) -> str | None:
        """The text that WeChat shows for an answer; an answer that it would not take is an error here."""
        assert answer.status_code == 200, answer.text
        if answer.text in ("", "success"):
            return None
        body = answer.text
        if self.aes:
            envelope = xmltodict.parse(body)["xml"]
            body = WeChatCrypto(TOKEN, AES_KEY, APP).decrypt_message(
                body, envelope["MsgSignature"], envelope["TimeStamp"], envelope["Nonce"]
            )
        found = xmltodict.parse(body)["xml"]
        assert (found["ToUserName"], found["FromUserName"], found["MsgType"]) == (person, ACCOUNT, "text")
        assert len(found["Content"].encode()) <= 2048
        return str(found["Content"])

    def wait(self, wanted: Callable[[list[Sent]], Any], timeout_s: float = 20.0) -> Any:
        """The first true value of `wanted` over all that was sent."""
        with self._arrived:
            self._arrived.wait_for(lambda: wanted(self.sent), timeout_s)
        found = wanted(self.sent)
        assert found, f"not sent; there is {self.sent}"
        return found

    def texts(self, person: str) -> list[str]:
        """The texts that a person got outside of answers at once."""
        return [item.text for item in self.sent if item.to == person and item.kind == "text"]

    def follows(self, person: str, messages: int = MESSAGES_AFTER_ONE) -> None:
        """A person wrote a moment ago, and may be sent so many messages."""
        self._left[person] = messages

    def expire(self) -> None:
        """Let the token end before its time, as another program with the same secret can make it."""
        with self._lock:
            self._token = ""

    # The API's side.

    def app(self) -> FastAPI:
        """The API as an application."""
        app = FastAPI()
        app.add_api_route("/cgi-bin/stable_token", self._stable_token, methods=["POST"])
        app.add_api_route("/cgi-bin/message/custom/send", self._send, methods=["POST"])
        app.add_api_route("/cgi-bin/media/upload", self._upload, methods=["POST"])
        app.add_api_route("/cgi-bin/media/get", self._download, methods=["GET"])
        return app

    async def _stable_token(self, request: Request) -> Response:
        body = await request.json()
        with self._lock:
            if (fault := self._fault("stable_token")) is not None:
                return fault
            if body.get("grant_type") != "client_credential" or body.get("appid") != APP:
                return _error(40013, "invalid appid")
            if body.get("secret") != SECRET:
                return _error(40125, "invalid appsecret")
            self.forced += bool(body.get("force_refresh"))
            if body.get("force_refresh") or not self._token or time.monotonic() > self._token_ends:
                self.tokens_made += 1
                self._token, self._token_ends = f"access-{self.tokens_made}", time.monotonic() + self.token_life_s
            return JSONResponse({"access_token": self._token, "expires_in": int(self._token_ends - time.monotonic())})

    async def _send(self, request: Request) -> Response:
        body = await request.json()
        with self._lock:
            refused = self._fault("send") or self._unsigned(request) or (None if self.verified else _error(48001, "api unauthorized"))
            if refused is not None:
                return refused
            person, kind = str(body["touser"]), str(body["msgtype"])
            if person not in self._left:
                return _error(45015, "response out of time limit or subscription is canceled")
            if self._left[person] == 0:
                return _error(45047, "out of response count limit")
            text = str(body.get("text", {}).get("content", ""))
            if len(text.encode()) > 2048:
                return _error(45002, "content size out of limit")
            self._left[person] -= 1
            self._add(Sent(person, kind, text, str(body.get(kind, {}).get("media_id", ""))))
        return JSONResponse({"errcode": 0, "errmsg": "ok"})

    async def _upload(self, request: Request) -> Response:
        if (refused := self._fault("upload") or self._unsigned(request)) is not None:
            return refused
        async with request.form() as form:
            file: Any = form["media"]
            media = f"media-{len(self.media) + 1}"
            self.media[media] = (file.filename, file.content_type, await file.read())
        return JSONResponse({"type": request.query_params["type"], "media_id": media, "created_at": int(time.time())})

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
        if self._token and request.query_params.get("access_token") == self._token and time.monotonic() <= self._token_ends:
            return None
        return _error(40001, "invalid credential, access_token is invalid or not latest")


def _error(code: int, message: str) -> Response:
    return JSONResponse({"errcode": code, "errmsg": f"{message} rid: 6561-0a1b2c3d"})


@contextmanager
def fake_wechat(**options: Any) -> Iterator[FakeWeChat]:
    """Serve until the block ends."""
    fake = FakeWeChat(**options)
    with serve(fake.app()) as url:
        fake.url = url
        yield fake
