"""A WeChat Official Account as a channel: plain texts, without buttons, in answer to a message or for 48 hours after one.

After developers.weixin.qq.com/doc/offiaccount: "passive replies" (被动回复), "customer-service messages" (客服消息), "stable access token".
"""

from __future__ import annotations

from chat_ui.bridges.port import ApprovalCard, Capabilities, Outgoing, Place, Undeliverable
from chat_ui.bridges.tencent.account import Account
from chat_ui.bridges.tencent.api import Api, Closed
from chat_ui.bridges.text import split
from chat_ui.bridges.wechat.slots import Slots
from hub_core.conversations.leases import Leases
from hub_core.settings import Settings
from prompts import message

PLATFORM = "wechat"
MAX_TEXT = 2048
"""Bytes of UTF-8 in one text."""
HINT_ROOM = 160
"""Bytes that are kept free for the hint that there is more."""
MESSAGES = 4
"""A message of a person allows five in answer; one is left for what waits for approval."""
UNTIL_WRITTEN_S = 3600.0


class WeChat(Account):
    """The channel.

    Attributes:
        slots: messages that can still be answered at once; the address that WeChat calls opens and sends them.
    """

    platform = PLATFORM

    def __init__(self, settings: Settings, leases: Leases) -> None:
        app = settings.wechat_app_id
        super().__init__(app, settings.wechat_api_url, app, leases, lambda api, force: fetch_token(api, settings, force), can_force=True)
        self.verified = settings.wechat_verified
        self.slots = Slots(MAX_TEXT - HINT_ROOM)

    @property
    def capabilities(self) -> Capabilities:
        """Short plain texts."""
        return Capabilities(
            max_text=MAX_TEXT - HINT_ROOM,
            counts_bytes=True,
            max_messages=MESSAGES,
            tables="lists",
            markdown=False,
            direct=True,
            proactive=self.verified,  # for 48 hours after a message; what comes later waits for the next one
            pictures=self.verified,
        )

    def send(self, place: Place, message: Outgoing) -> str:
        """Say something: at once where an answer is waited for, else as a customer-service message."""
        self._say(place, message.text)
        return ""

    def update(self, place: Place, message_id: str, message: Outgoing) -> str:
        """Messages cannot be changed."""
        raise Undeliverable("messages of WeChat cannot be changed")

    def ask_approval(self, place: Place, card: ApprovalCard) -> str:
        """The act in words, and the code that answers it."""
        lines = [card.title, *(f"- {line}" for line in card.lines), "", card.how, card.url]
        self._say(place, "\n".join(lines))
        return ""

    def update_approval(self, place: Place, message_id: str, card: ApprovalCard) -> str:
        """Messages cannot be changed."""
        raise Undeliverable("messages of WeChat cannot be changed")

    def send_file(self, place: Place, filename: str, content: bytes, comment: str) -> None:
        """A picture, behind what was said before it. Its comment is left out: each message counts. Other files cannot be sent."""
        if not self.verified or not filename.endswith(".png"):
            raise Undeliverable("files cannot be sent on WeChat")
        slot = self.slots.of(place.reply)
        if slot is not None:
            slot.close()
            slot.wait_sent()
        self._send(place.conversation, "image", {"media_id": self._upload("image", filename, content, "image/png")})

    def _say(self, place: Place, text: str) -> None:
        slot = self.slots.of(place.reply)
        for part in split(text, MAX_TEXT - HINT_ROOM, counts_bytes=True):
            if slot is not None and slot.put(part):
                continue
            if self.verified:
                if slot is not None:
                    slot.wait_sent()
                self._send(place.conversation, "text", {"content": part})
            elif not self.slots.put_anywhere(place.conversation, part):
                raise Closed("the person has to write first", UNTIL_WRITTEN_S)

    def _send(self, person: str, kind: str, content: dict[str, str]) -> None:
        self._call("/cgi-bin/message/custom/send", json={"touser": person, "msgtype": kind, kind: content})


def fetch_token(api: Api, settings: Settings, force: bool) -> tuple[str, float]:
    """The token in force, or a new one, and the seconds that it is left.

    Raises:
        ChannelError: there is none, and why.
    """
    body = {
        "grant_type": "client_credential", "appid": settings.wechat_app_id, "secret": settings.wechat_app_secret, "force_refresh": force,
    }  # fmt: skip
    found = api.call("POST", "/cgi-bin/stable_token", json=body)
    return str(found.get("access_token", "")), float(found.get("expires_in", 0))


def passive(fields: dict[str, str], text: str, now: int) -> dict[str, str | int]:
    """The fields of an answer to a message."""
    return {
        "ToUserName": fields.get("FromUserName", ""), "FromUserName": fields.get("ToUserName", ""), "CreateTime": now, "MsgType": "text",
        "Content": text,
    }  # fmt: skip


def hint(language: str, name: str) -> str:
    """A sentence about answers that come later."""
    return message(language, f"tencent.{name}")
