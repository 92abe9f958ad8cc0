"""A WeCom application as a channel: it writes to members whenever it likes, with cards whose buttons answer approvals.

After developer.work.weixin.qq.com/document: sending messages (90236), changing cards (94888), access tokens (91039), media (90253).
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from chat_ui.bridges.port import ApprovalCard, Capabilities, FileRef, Outgoing, Place, Undeliverable
from chat_ui.bridges.tencent.api import Api, Refused
from chat_ui.bridges.tencent.tokens import Tokens
from chat_ui.bridges.text import split
from chat_ui.bridges.wecom import cards
from chat_ui.bridges.wecom.marks import wecom_markdown
from hub_core.conversations.leases import Leases
from hub_core.settings import Settings

PLATFORM = "wecom"
MAX_TEXT = 2048
MAX_MEDIA = 64 * 1024 * 1024
MAX_PICTURE, MAX_FILE, MIN_FILE = 10 * 1024 * 1024, 20 * 1024 * 1024, 5
PICTURES = frozenset({".png", ".jpg", ".jpeg"})


class WeCom:
    """The channel of an application."""

    platform = PLATFORM

    def __init__(self, settings: Settings, leases: Leases) -> None:
        self._corp, self._leases = settings.wecom_corp_id, leases
        self._agent = settings.wecom_agent_id
        self._api = Api(settings.wecom_api_url)
        self._tokens = Tokens(f"wecom:{self._corp}:{self._agent}", leases, lambda _: fetch_token(self._api, settings), can_force=False)

    @property
    def workspace(self) -> str:
        """What ids of members belong to."""
        return self._corp

    @property
    def capabilities(self) -> Capabilities:
        """Short texts with a few marks, cards with buttons, files."""
        return Capabilities(
            max_text=MAX_TEXT, counts_bytes=True, max_messages=5, tables="lists", markdown=True, buttons=True, direct=True, proactive=True,
            files_out=True, pictures=True,
        )  # fmt: skip

    def start(self) -> None:
        """WeCom calls the hub."""

    def close(self) -> None:
        """End the connections to the API."""
        self._api.close()
        self._leases.close()

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

    def direct(self, workspace: str, person: str) -> Place:
        """All conversations with an application are private."""
        return Place(PLATFORM, workspace, person)

    def send_file(self, place: Place, filename: str, content: bytes, comment: str) -> None:
        """A picture as one, everything else as a file."""
        picture = PurePosixPath(filename).suffix.lower() in PICTURES and len(content) <= MAX_PICTURE
        if not MIN_FILE <= len(content) <= MAX_FILE:
            raise Undeliverable("the file is larger than WeCom takes, or empty")
        kind = "image" if picture else "file"
        sent = (filename, content, mimetypes.guess_type(filename)[0] or "application/octet-stream")
        media = self._call("/cgi-bin/media/upload", params={"type": kind}, files={"media": sent})
        if comment:
            self._say(place, comment)
        self._send(place, kind, {"media_id": str(media.get("media_id", ""))})

    def fetch_file(self, file: FileRef) -> Iterator[bytes]:
        """What a member sent; WeCom keeps it for three days."""
        return self._api.download(self._tokens, "/cgi-bin/media/get", {"media_id": file.ref}, MAX_MEDIA)

    def _say(self, place: Place, text: str) -> None:
        for part in split(wecom_markdown(text), MAX_TEXT, counts_bytes=True):
            self._send(place, "markdown", {"content": part})

    def _send(self, place: Place, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        body = {"touser": place.conversation, "msgtype": kind, "agentid": self._agent, kind: content}
        return self._call("/cgi-bin/message/send", json=body)

    def _call(self, path: str, **options: Any) -> dict[str, Any]:
        return self._api.signed(self._tokens, "POST", path, **options)


def fetch_token(api: Api, settings: Settings) -> tuple[str, float]:
    """The token in force and the seconds that it is left; there is no way to ask for a new one before the old one ends.

    Raises:
        ChannelError: there is none, and why.
    """
    found = api.call("GET", "/cgi-bin/gettoken", params={"corpid": settings.wecom_corp_id, "corpsecret": settings.wecom_secret})
    return str(found.get("access_token", "")), float(found.get("expires_in", 0))
