"""An intelligent bot of WeCom as a channel: answers that grow while they are written, cards, groups; no address that WeCom must reach.

WeCom keeps one connection per bot, so of all processes of the hub the one with the lease has it.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from chat_ui.bridges.port import ApprovalCard, Capabilities, FileRef, Outgoing, Place
from chat_ui.bridges.registry import Accept
from chat_ui.bridges.wecom import cards
from chat_ui.bridges.wecom.bot_files import download, upload
from chat_ui.bridges.wecom.bot_frames import PLATFORM, understood, welcomed
from chat_ui.bridges.wecom.connection import Connection, Frame, Refused
from hub_core.conversations.leases import Leases
from hub_core.errors import ThreadBusy, Unavailable
from hub_core.settings import Settings
from prompts import message as words

log = logging.getLogger(__name__)
MAX_TEXT = 20_480
ASK_FOR_LEASE_S = 5.0
REPLY_S = 300.0
"""How long after a message it is answered as such; later the bot writes on its own account. WeCom ends open answers after six minutes."""
KEEP_TRYING_S = 60
"""How long an event is held while the database takes nothing."""
CLICK_S = 4.5
"""How long after a press its card can be changed."""
RESPOND, UPDATE, WELCOME, PUSH = "aibot_respond_msg", "aibot_respond_update_msg", "aibot_respond_welcome_msg", "aibot_send_msg"
_SHOWN = "!"
"""At the end of a card's id: it was changed when it was pressed."""


@dataclass(slots=True)
class _Reply:
    """A message that can be answered; `stream` is the answer that is being written."""

    began: float
    stream: str = ""


class WeComBot:
    """The channel.

    Args:
        accept: takes events in.
    """

    platform = PLATFORM

    def __init__(self, settings: Settings, leases: Leases, accept: Accept) -> None:
        self._bot = settings.wecom_bot_id
        self._plain = settings.wecom_bot_url.startswith("ws:")
        self._leases = leases
        self._accept = accept
        self._lease = f"bridge:{PLATFORM}:{self._bot}"[:64]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._replies: dict[str, _Reply] = {}
        self._presses: dict[str, tuple[str, float]] = {}
        self.connection = Connection(settings.wecom_bot_url, self._bot, settings.wecom_bot_secret, self._heard)
        self._thread = threading.Thread(target=self._run, name="wecom-bot", daemon=True)

    @property
    def workspace(self) -> str:
        """What ids of members belong to."""
        return self._bot

    @property
    def capabilities(self) -> Capabilities:
        """Long Markdown, streams, cards, files."""
        return Capabilities(
            max_text=MAX_TEXT, counts_bytes=True, tables="markdown", buttons=True, update=True, streaming=True, direct=True, proactive=True,
            files_out=True, pictures=True,
        )  # fmt: skip

    def start(self) -> None:
        """Connect, once no other process is."""
        self._thread.start()

    def close(self) -> None:
        """Disconnect."""
        self._stop.set()
        self.connection.close()
        if self._thread.ident is not None:
            self._thread.join(10)
        self._leases.close()

    def send(self, place: Place, message: Outgoing) -> str:
        """Say something: in answer to a message for some minutes, else on the bot's own account."""
        sent = self._say(place, message.text, message.final)
        for card in cards.choices(message.choices, message.language):
            self._show(place, card)
        return sent

    def update(self, place: Place, message_id: str, message: Outgoing) -> str:
        """Go on with an answer that is being written, or end it."""
        request, _, stream = message_id.partition(" ")
        reply = self._reply(request)
        if reply is None or reply.stream != stream:
            return (
                self.send(Place(place.platform, place.workspace, place.conversation, group=place.group), message) if message.final else ""
            )
        self._stream(request, reply, _uncalled(message.text), message.final)
        for card in cards.choices(message.choices, message.language):
            self._show(place, card)
        return message_id

    def ask_approval(self, place: Place, card: ApprovalCard) -> str:
        """A card with two buttons; what does not fit on it is said before."""
        reply = self._reply(place.reply)
        if not cards.fits(card) or (reply is not None and reply.stream):
            self._say(place, cards.in_words(card), True)
        made = cards.approval(card)
        self._show(place, made)
        return str(made["task_id"])

    def update_approval(self, place: Place, message_id: str, card: ApprovalCard) -> str:
        """Change the card in answer to the press of its button; a card that was decided elsewhere cannot be changed, so that is said."""
        task = message_id.removesuffix(_SHOWN)
        with self._lock:
            request, pressed_at = self._presses.pop(task, ("", 0.0))
        if request and time.monotonic() - pressed_at < CLICK_S and not card.pending:
            made = cards.approval(card) | {"task_id": task}
            try:
                self.connection.request(UPDATE, {"response_type": "update_template_card", "template_card": made}, request)
                return f"{task}{_SHOWN}"
            except Refused as error:
                log.info("a card of the WeCom bot could not be changed: %s", error)
        if card.status not in ("pending", "approved") and not message_id.endswith(_SHOWN):
            self._push(place, {"msgtype": "markdown", "markdown": {"content": f"{card.title}\n{card.state}"}})
            return f"{task}{_SHOWN}"
        return message_id

    def direct(self, workspace: str, person: str) -> Place:
        """The private conversation with a member, who has to have written to the bot before."""
        return Place(PLATFORM, workspace, person)

    def send_file(self, place: Place, filename: str, content: bytes, comment: str) -> None:
        """A picture as one, everything else as a file."""
        kind, media = upload(self.connection, filename, content)
        if comment:
            self._say(place, comment, True)
        self._respond(place, {"msgtype": kind, kind: {"media_id": media}})

    def fetch_file(self, file: FileRef) -> Iterator[bytes]:
        """What a member sent; WeCom keeps it for five minutes."""
        return download(file.ref, plain=self._plain)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._leases.hold(self._lease):
                    self.connection.run(self._stop, lambda: self._leases.holds(self._lease))
            except ThreadBusy:
                self._stop.wait(ASK_FOR_LEASE_S)

    def _heard(self, frame: Frame) -> None:
        """Take in what members do. A message is answered as such from then on."""
        request = str(frame["headers"]["req_id"])
        if welcomed(frame):
            self.connection.request(WELCOME, {"msgtype": "text", "text": {"content": words("zh", "tencent.welcome")}}, request)
            return
        heard = understood(frame, self._bot)
        if heard is None:
            return
        now = time.monotonic()
        with self._lock:
            self._replies = {key: reply for key, reply in self._replies.items() if now - reply.began < REPLY_S}
            self._presses = {key: press for key, press in self._presses.items() if now - press[1] < CLICK_S}
            if heard.task:
                self._presses[heard.task] = (request, now)
            else:
                self._replies[request] = _Reply(now)
        for _ in range(KEEP_TRYING_S):
            try:
                self._accept(heard.incoming)
            except Unavailable:  # over a connection nothing is sent again
                if not self._stop.wait(1.0):
                    continue
            return
        log.error("an event of the WeCom bot is lost: the database took nothing for %s seconds", KEEP_TRYING_S)

    def _reply(self, request: str) -> _Reply | None:
        with self._lock:
            reply = self._replies.get(request)
        return reply if reply is not None and time.monotonic() - reply.began < REPLY_S else None

    def _say(self, place: Place, text: str, final: bool) -> str:
        text = _uncalled(text)
        reply = self._reply(place.reply)
        if reply is not None:
            try:
                reply.stream = reply.stream or secrets.token_hex(8)
                stream = reply.stream
                self._stream(place.reply, reply, text, final)
                return f"{place.reply} {stream}"
            except Refused as error:
                log.info("the WeCom bot answers on its own account: %s", error)
        if final:
            self._push(place, {"msgtype": "markdown", "markdown": {"content": text}})
        return ""

    def _stream(self, request: str, reply: _Reply, text: str, final: bool) -> None:
        stream = {"id": reply.stream, "finish": final, "content": text}
        self.connection.request(RESPOND, {"msgtype": "stream", "stream": stream}, request)
        if final:
            reply.stream = ""

    def _show(self, place: Place, card: cards.Card) -> None:
        self._respond(place, {"msgtype": "template_card", "template_card": card})

    def _respond(self, place: Place, body: Frame) -> None:
        if self._reply(place.reply) is not None:
            try:
                self.connection.request(RESPOND, body, place.reply)
                return
            except Refused as error:
                log.info("the WeCom bot answers on its own account: %s", error)
        self._push(place, body)

    def _push(self, place: Place, body: Frame) -> None:
        self.connection.request(PUSH, {"chatid": place.conversation} | body)


def _uncalled(text: str) -> str:
    """The text without what would notify members of a group: it may be from a repo, and so anybody's."""
    return text.replace("<@", "<\u200b@")
