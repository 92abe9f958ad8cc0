"""A WeCom application as a channel: it writes to members whenever it likes, with cards whose buttons answer approvals.

After developer.work.weixin.qq.com/document: sending messages (90236), changing cards (94888), access tokens (91039), media (90253).
"""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import Any

from chat_ui.bridges.port import ApprovalCard, Capabilities, Outgoing, Place, Undeliverable
from chat_ui.bridges.tencent.account import Account
from chat_ui.bridges.tencent.api import Api, Refused
from chat_ui.bridges.text import split
from chat_ui.bridges.wecom import cards
from chat_ui.bridges.wecom.marks import wecom_markdown
from hub_core.conversations.leases import Leases
from hub_core.settings import Settings

PLATFORM = "wecom"
MAX_TEXT = 2048
MAX_PICTURE, MAX_FILE, MIN_FILE = 10 * 1024 * 1024, 20 * 1024 * 1024, 5
PICTURES = frozenset({".png", ".jpg", ".jpeg"})


class WeCom(Account):
    """The channel of an application."""

    platform = PLATFORM

    def __init__(self, settings: Settings, leases: Leases) -> None:
        corp, self._agent = settings.wecom_corp_id, settings.wecom_agent_id
        name = f"{corp}:{self._agent}"
        super().__init__(corp, settings.wecom_api_url, name, leases, lambda api, _: fetch_token(api, settings), can_force=False)

    @property
    def capabilities(self) -> Capabilities:
        """Short texts with a few marks, cards with buttons, files."""
        return Capabilities(
            max_text=MAX_TEXT, counts_bytes=True, max_messages=5, tables="lists", markdown=True, buttons=True, direct=True, proactive=True,
            files_out=True, pictures=True,
        )  # fmt: skip

    def send(self, place: Place, message: Outgoing) -> str:
        """Say something, and offer choices on cards after it."""
        self._say(place, message.text)
        for card in cards.choices(message.choices, message.language):
            self._send(place, "template_card", card)
        return ""

    def update(self, place: Place, message_id: str, message: Outgoing) -> str:
        """Texts cannot be changed."""
        raise Undeliverable("texts of WeCom cannot be changed")

    def ask_approval(self, place: Place, card: ApprovalCard) -> str:
        """A card with two buttons; returns the code with which it can be changed once, within three days."""
        if not cards.fits(card):
            self._say(place, cards.in_words(card))
        return str(self._send(place, "template_card", cards.approval(card)).get("response_code", ""))

    def update_approval(self, place: Place, message_id: str, card: ApprovalCard) -> str:
        """Show how it ended. There is one change for a card, so what is on its way ("approved; it is being done") does not take it."""
        if card.status in ("pending", "approved"):
            return message_id
        body = {"userids": [place.conversation], "agentid": self._agent, "response_code": message_id, "template_card": cards.approval(card)}
        try:
            self._call("/cgi-bin/message/update_template_card", json=body)
        except Refused as error:
            raise Undeliverable(f"the card was changed already, or it is too old: {error}") from error
        return ""

    def send_file(self, place: Place, filename: str, content: bytes, comment: str) -> None:
        """A picture as one, everything else as a file."""
        picture = PurePosixPath(filename).suffix.lower() in PICTURES and len(content) <= MAX_PICTURE
        if not MIN_FILE <= len(content) <= MAX_FILE:
            raise Undeliverable("the file is larger than WeCom takes, or empty")
        kind = "image" if picture else "file"
        media = self._upload(kind, filename, content, mimetypes.guess_type(filename)[0] or "application/octet-stream")
        if comment:
            self._say(place, comment)
        self._send(place, kind, {"media_id": media})

    def _say(self, place: Place, text: str) -> None:
        for part in split(wecom_markdown(text), MAX_TEXT, counts_bytes=True):
            self._send(place, "markdown", {"content": part})

    def _send(self, place: Place, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        body = {"touser": place.conversation, "msgtype": kind, "agentid": self._agent, kind: content}
        return self._call("/cgi-bin/message/send", json=body)


def fetch_token(api: Api, settings: Settings) -> tuple[str, float]:
    """The token in force and the seconds that it is left; there is no way to ask for a new one before the old one ends.

    Raises:
        ChannelError: there is none, and why.
    """
    found = api.call("GET", "/cgi-bin/gettoken", params={"corpid": settings.wecom_corp_id, "corpsecret": settings.wecom_secret})
    return str(found.get("access_token", "")), float(found.get("expires_in", 0))
