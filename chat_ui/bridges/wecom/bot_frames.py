"""What members of WeCom do with an intelligent bot, as events of the hub."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from chat_ui.bridges.port import FileRef, Incoming, Place
from chat_ui.bridges.wecom.cards import pressed
from chat_ui.bridges.wecom.connection import Frame

PLATFORM = "wecom_bot"
_MENTION = re.compile(r"^@\S+\s+")
_NAMES = {"image": "picture.jpg", "file": "file", "video": "video.mp4"}


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, and the card that was pressed if it is one."""

    incoming: Incoming
    task: str = ""


def welcomed(frame: Frame) -> bool:
    """Whether somebody opened the conversation for the first time on a day, and waits for a word."""
    return bool(_part(_part(frame, "body"), "event").get("eventtype") == "enter_chat")


def understood(frame: Frame, bot: str) -> Heard | None:
    """A frame as an event; None where there is nothing for the hub to do."""
    body = _part(frame, "body")
    person = str(_part(body, "from").get("userid") or "")
    event_id = str(body.get("msgid") or _part(frame, "headers").get("req_id") or "")[:200]
    if not person or not event_id or len(person) > 128:
        return None
    group = body.get("chattype") == "group"
    place = Place(PLATFORM, bot, str(body.get("chatid") if group else person), group=group)
    if body.get("msgtype") == "event":
        return _press(_part(body, "event"), event_id, place, person)
    mixed = _part(body, "mixed").get("msg_item")
    said = [body, *(item for item in (mixed if isinstance(mixed, list) else ()) if isinstance(item, dict))]
    texts = [str(_part(item, kind).get("content") or "") for item in said if (kind := item.get("msgtype")) in ("text", "voice")]
    text = _MENTION.sub("", "\n".join(texts).strip()) if group else "\n".join(texts).strip()
    files = tuple(_file(item) for item in said if item.get("msgtype") in _NAMES and _part(item, item["msgtype"]).get("url"))
    if not text and not files:
        return None
    replying = Place(
        place.platform, place.workspace, place.conversation, group=group, reply=str(_part(frame, "headers").get("req_id") or "")
    )
    return Heard(Incoming(event_id, replying, person, text=text, files=files))


def _press(event: dict[str, Any], event_id: str, place: Place, person: str) -> Heard | None:
    if event.get("eventtype") != "template_card_event":
        return None
    card = _part(event, "template_card_event")
    approval_id, decision, text = pressed(str(card.get("event_key") or ""))
    if not decision and not text:
        return None
    return Heard(Incoming(event_id, place, person, text=text, approval_id=approval_id, decision=decision), str(card.get("task_id") or ""))


def _file(item: dict[str, Any]) -> FileRef:
    """A file is encrypted with a key of its own, which only this message has."""
    kind = str(item["msgtype"])
    found = _part(item, kind)
    ref = json.dumps({"url": str(found["url"]), "key": str(found.get("aeskey") or "")})
    return FileRef(ref, str(found.get("name") or found.get("filename") or _NAMES[kind]))


def _part(tree: Any, name: str) -> dict[str, Any]:
    found = tree.get(name) if isinstance(tree, dict) else None
    return found if isinstance(found, dict) else {}
