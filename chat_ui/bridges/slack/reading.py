"""What Slack tells, as events of the bridges (docs.slack.dev/apis/events-api, .../interactivity)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chat_ui.bridges.port import FileRef, Incoming, Place
from chat_ui.bridges.slack import PLATFORM
from chat_ui.bridges.slack.blocks import APPROVE, CHOICE

Json = Mapping[str, Any]
# Messages of people; all other subtypes tell of edits, joins and bots.
SPOKEN = frozenset({None, "file_share", "thread_broadcast"})
_LINK = re.compile(r"<(?P<target>[^<>|]+)(?:\|(?P<label>[^<>]*))?>")


def read_message(body: Json, event: Json, bot_user: str) -> Incoming | None:
    """A message to the bot: said in its private conversation, or mentioning it; None for all else.

    A message is the same event however often and by however many kinds of events it is told.
    """
    person, stamp, channel = event.get("user"), event.get("ts"), event.get("channel")
    if not (isinstance(person, str) and isinstance(stamp, str) and isinstance(channel, str)):
        return None
    if event.get("bot_id") or event.get("subtype") not in SPOKEN or person == bot_user:
        return None
    private = event.get("channel_type") == "im" or channel.startswith("D")
    thread = str(event.get("thread_ts") or ("" if private else stamp))
    text = read_text(str(event.get("text") or ""), bot_user)
    files = tuple(_file(item) for item in event.get("files") or [] if isinstance(item, dict) and item.get("url_private_download"))
    if not text and not files:
        text = "help"
    return Incoming(f"message:{channel}:{stamp}", Place(PLATFORM, _team(body), channel, thread, not private), person, text, files=files)


def read_command(body: Json, bot_user: str) -> Incoming:
    """A slash command: answered to its person alone."""
    channel, team = str(body["channel_id"]), str(body["team_id"])
    place = Place(PLATFORM, team, channel, group=not channel.startswith("D"), reply=str(body.get("response_url") or ""))
    text = read_text(str(body.get("text") or ""), bot_user) or "help"
    event = f"command:{body.get('trigger_id') or body.get('response_url')}"
    return Incoming(event[:200], place, str(body["user_id"]), text, name=str(body.get("user_name") or ""), ephemeral=place.group)


def read_action(body: Json, action: Json, private: Place | None) -> Incoming | None:
    """A pressed button; None for one that is not ours to follow.

    Args:
        private: where to answer a button of the home page, which is no conversation.
    """
    container = body.get("container") or {}
    channel = str((body.get("channel") or {}).get("id") or container.get("channel_id") or "")
    person = body["user"]
    if channel:
        thread = str(container.get("thread_ts") or (body.get("message") or {}).get("thread_ts") or "")
        group = not channel.startswith("D")
        place = Place(PLATFORM, _team(body), channel, thread, group, str(body.get("response_url") or ""))
    elif private is not None:
        place = private
    else:
        return None
    name, value = str(action.get("action_id") or ""), str(action.get("value") or "")
    event = f"action:{place.conversation}:{container.get('message_ts') or 'home'}:{person['id']}:{action.get('action_ts')}:{name}"
    known = Incoming(
        event[:200], place, str(person["id"]), name=str(person.get("username") or person.get("name") or ""),
        ephemeral=bool(container.get("is_ephemeral")),
    )  # fmt: skip
    if name.startswith(CHOICE):
        return Incoming(**{**_fields(known), "text": value})
    return Incoming(**{**_fields(known), "approval_id": value, "decision": "approve" if name == APPROVE else "reject"})


def read_text(text: str, bot_user: str) -> str:
    """What was said, as it was typed: without the mention of the bot, links as addresses, escapes undone."""

    def plain(match: re.Match[str]) -> str:
        target, label = match["target"], match["label"]
        if target == f"@{bot_user}":
            return " "
        if target[0] in "@#!":
            return f"{target[0] if target[0] != '!' else '@'}{label or target[1:]}"
        address = target.removeprefix("mailto:")
        # Slack makes a link of what only looks like one ("acme.com"): then the label is what was typed.
        return label if label and label in address else address

    text = _LINK.sub(plain, text)
    for code, char in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(code, char)
    return re.sub(r"[ \t]+", " ", text).strip()


def _file(item: Json) -> FileRef:
    return FileRef(str(item["url_private_download"]), str(item.get("name") or item.get("title") or "file"), int(item.get("size") or 0))


def _team(body: Json) -> str:
    team = body.get("team")
    return str(body.get("team_id") or (team.get("id") if isinstance(team, dict) else team) or "")


def _fields(known: Incoming) -> dict[str, Any]:
    return {name: getattr(known, name) for name in known.__slots__}
