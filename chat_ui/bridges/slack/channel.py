"""The channel over Slack's Web API. One client for all threads; nothing that it is told is ever logged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import httpx
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from chat_ui.bridges.port import ApprovalCard, Capabilities, ChannelError, FileRef, Outgoing, Place, Undeliverable
from chat_ui.bridges.slack import PLATFORM
from chat_ui.bridges.slack.blocks import card_blocks, message_blocks, notice

TIMEOUT_S = 10
CAPABILITIES = Capabilities(
    max_text=8000, max_messages=2, tables="markdown", buttons=True, update=True, streaming=True, stream_every_s=1.2, ephemeral=True,
    direct=True, proactive=True, files_out=True, pictures=True,
)  # fmt: skip
# What trying again does not change. A wrong token is not among them: an operator mends it, and what was kept is delivered.
FINAL = frozenset({
    "channel_not_found", "not_in_channel", "is_archived", "user_not_found", "user_not_in_channel", "users_not_found", "cannot_dm_bot",
    "message_not_found", "cant_update_message", "edit_window_closed", "msg_too_long", "no_text", "missing_scope", "no_permission",
    "restricted_action", "user_disabled", "invalid_arguments", "invalid_blocks", "as_user_not_supported", "not_allowed_token_type",
})  # fmt: skip
_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "only_one_table_allowed"})
_NOT_THERE = frozenset({"not_in_channel", "channel_not_found", "user_not_in_channel"})


class SlackChannel:
    """Speaks through one bot token, in one workspace. `begin` and `end` are called by `start` and `close`, for what listens."""

    platform = PLATFORM
    capabilities = CAPABILITIES

    def __init__(self, token: str, api_url: str) -> None:
        self.client = WebClient(token=token, base_url=f"{api_url.rstrip('/')}/", timeout=TIMEOUT_S)
        self.begin: Callable[[], None] = lambda: None
        self.end: Callable[[], None] = lambda: None
        self._token = token
        self._file_hosts = {urlsplit(api_url).netloc}
        self._private: dict[str, str] = {}
        self._bot_user = ""
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to listen."""
        self.begin()

    def close(self) -> None:
        """Stop listening."""
        self.end()

    @property
    def bot_user(self) -> str:
        """The bot's own user id."""
        if not self._bot_user:
            self._bot_user = str(call(self.client.auth_test)["user_id"])
        return self._bot_user

    def name_of(self, person: str) -> tuple[str, str]:
        """How a person is called, and their language tag; the id where Slack does not tell."""
        try:
            user = call(lambda: self.client.users_info(user=person, include_locale=True))["user"]
        except ChannelError:
            return person, ""
        profile = user.get("profile") or {}
        return str(profile.get("real_name") or user.get("real_name") or user.get("name") or person), str(user.get("locale") or "")

    def send(self, place: Place, message: Outgoing) -> str:
        """chat.postMessage, or chat.postEphemeral to one person."""
        where: dict[str, Any] = {"channel": place.conversation, "text": notice(message.text), **_in_thread(place)}
        if message.only_for:
            self._whisper(place, message, where)
            return ""
        answer = self._with_blocks(self.client.chat_postMessage, message_blocks(message), unfurl_links=False, unfurl_media=False, **where)
        return f"{answer['channel']}:{answer['ts']}"

    def update(self, place: Place, message_id: str, message: Outgoing) -> str:
        """chat.update."""
        channel, _, stamp = message_id.partition(":")
        self._with_blocks(
            self.client.chat_update, message_blocks(message), channel=channel or place.conversation, ts=stamp, text=notice(message.text)
        )
        return message_id

    def ask_approval(self, place: Place, card: ApprovalCard) -> str:
        """A message with buttons."""
        where: dict[str, Any] = {"channel": place.conversation, **_in_thread(place)}
        answer = call(lambda: self.client.chat_postMessage(text=notice(f"{card.title}: {card.state}"), blocks=card_blocks(card), **where))
        return f"{answer['channel']}:{answer['ts']}"

    def update_approval(self, place: Place, message_id: str, card: ApprovalCard) -> str:
        """The same message, without buttons once it is settled."""
        channel, _, stamp = message_id.partition(":")
        text, blocks = notice(f"{card.title}: {card.state}"), card_blocks(card)
        call(lambda: self.client.chat_update(channel=channel or place.conversation, ts=stamp, text=text, blocks=blocks))
        return message_id

    def direct(self, workspace: str, person: str) -> Place:
        """conversations.open; asked once for each person."""
        with self._lock:
            known = self._private.get(person)
        if known is None:
            known = str(call(lambda: self.client.conversations_open(users=person))["channel"]["id"])
            with self._lock:
                self._private[person] = known
        return Place(PLATFORM, workspace, known)

    def send_file(self, place: Place, filename: str, content: bytes, comment: str) -> None:
        """files.getUploadURLExternal and files.completeUploadExternal."""
        where: dict[str, Any] = {"channel": place.conversation, **_in_thread(place)}
        call(lambda: self.client.files_upload_v2(content=content, filename=filename, title=filename, initial_comment=comment, **where))

    def fetch_file(self, file: FileRef) -> Iterator[bytes]:
        """The file by its private address, with the bot's token, which only Slack's own hosts ever get."""
        parts = urlsplit(file.ref)
        own = parts.netloc in self._file_hosts or (parts.scheme == "https" and (parts.hostname or "").endswith(".slack.com"))
        if not own:
            raise Undeliverable("the file is not on Slack")
        try:
            with httpx.stream("GET", file.ref, headers={"authorization": f"Bearer {self._token}"}, timeout=TIMEOUT_S) as answer:
                if answer.status_code == 429:
                    raise ChannelError("rate limited", _seconds(answer.headers.get("retry-after")))
                if answer.status_code != 200 or answer.headers.get("content-type", "").startswith("text/html"):
                    raise Undeliverable("Slack does not give the file; the bot needs the scope files:read")
                yield from answer.iter_bytes()
        except httpx.HTTPError as error:
            raise ChannelError(type(error).__name__) from error

    def publish_home(self, person: str, view: dict[str, Any]) -> None:
        """views.publish: the app's home of one person."""
        call(lambda: self.client.views_publish(user_id=person, view=view))

    def _whisper(self, place: Place, message: Outgoing, where: dict[str, Any]) -> None:
        """To one person; by the address that came with the event where the bot itself is not in the conversation."""
        try:
            self._with_blocks(self.client.chat_postEphemeral, message_blocks(message), user=message.only_for, **where)
        except Undeliverable as error:
            if str(error) not in _NOT_THERE:
                raise
            private = self.direct(place.workspace, message.only_for)
            self.send(private, Outgoing(message.text, message.language, message.choices))

    def _with_blocks(self, method: Callable[..., Any], blocks: list[dict[str, Any]], **arguments: Any) -> Any:
        """Send blocks; where Slack does not take them, the text alone."""
        try:
            return call(lambda: method(blocks=blocks, **arguments))
        except Undeliverable as error:
            if str(error) not in _BLOCKS:
                raise
            return call(lambda: method(**arguments))


def _in_thread(place: Place) -> dict[str, str]:
    return {"thread_ts": place.thread} if place.thread else {}


def call(act: Callable[[], Any]) -> Any:
    """Call Slack; its errors are the port's. Their texts are Slack's codes, which hold nothing private."""
    try:
        return act()
    except SlackApiError as error:
        code = str(error.response.get("error") or "error")
        if error.response.status_code == 429 or code in ("ratelimited", "rate_limited"):
            headers = {name.lower(): value for name, value in (error.response.headers or {}).items()}
            raise ChannelError("ratelimited", _seconds(headers.get("retry-after")) or 1.0) from error
        raise (Undeliverable if code in FINAL or code in _BLOCKS else ChannelError)(code) from error
    except (SlackClientError, OSError, HTTPException) as error:
        raise ChannelError(type(error).__name__) from error


def _seconds(value: Any) -> float | None:
    first = value[0] if isinstance(value, list) and value else value
    return float(first) if str(first or "").isdecimal() else None
