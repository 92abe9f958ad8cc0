"""Template cards: an approval, and choices, as buttons. After developer.work.weixin.qq.com/document/path/90236 (sending) and 94888 (changing).

The same cards are shown by an application and by an intelligent bot.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Literal

from chat_ui.bridges.port import ApprovalCard
from prompts import message

Card = dict[str, Any]
TITLE, SUBTITLE = 36, 160
"""Characters that clients show before they cut."""
BUTTONS = 6
BLUE, RED, GREY = 1, 2, 3
_SAY, _ANSWER = "say:", "answer:"
_APPROVE, _REJECT = "approve", "reject"


def fits(card: ApprovalCard) -> bool:
    """Whether a card shows all of an approval: a person must see the whole of what they approve."""
    return len(card.title) <= TITLE and len(_lines(card)) <= SUBTITLE


def in_words(card: ApprovalCard) -> str:
    """The whole of an approval as a text, for what does not fit on its card."""
    return "\n".join([card.title, *(f"- {line}" for line in card.lines)])


def approval(card: ApprovalCard) -> Card:
    """An approval: with buttons while it waits, with how it ended afterwards."""
    body = _lines(card) if fits(card) else message(card.language, "tencent.above")
    made: Card = {
        "card_type": "button_interaction",
        "main_title": {"title": cut(card.title, TITLE)},
        "sub_title_text": body if card.pending else cut(f"{card.state}\n{body}", SUBTITLE),
        "card_action": {"type": 1, "url": card.url},
        "task_id": task_id(),
        "button_list": _buttons(card),
    }
    return made if card.pending else made | {"replace_text": cut(card.state, TITLE)}


def choices(labels: Sequence[str], language: str) -> list[Card]:
    """Answers to choose from, six on a card."""
    return [
        {
            "card_type": "button_interaction",
            "main_title": {"title": message(language, "tencent.choose")},
            "task_id": task_id(),
            "button_list": [{"text": label, "style": BLUE, "key": f"{_SAY}{label[:240]}"} for label in labels[at : at + BUTTONS]],
        }
        for at in range(0, len(labels), BUTTONS)
    ]


def pressed(key: str) -> tuple[str, Literal["", "approve", "reject"], str]:
    """What a button means: the approval and the decision, or what it says."""
    if key.startswith(_SAY):
        return "", "", key.removeprefix(_SAY)
    verb, _, approval_id = key.removeprefix(_ANSWER).partition(":") if key.startswith(_ANSWER) else ("", "", "")
    if verb == _APPROVE:
        return approval_id, "approve", ""
    if verb == _REJECT:
        return approval_id, "reject", ""
    return "", "", ""


def task_id() -> str:
    """A new id of a card; of one application none may be used twice."""
    return f"hubtalk-{secrets.token_hex(16)}"


def cut(text: str, most: int) -> str:
    """The text, or its beginning with a sign that there was more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _lines(card: ApprovalCard) -> str:
    return "\n".join(card.lines)


def _buttons(card: ApprovalCard) -> list[dict[str, Any]]:
    danger = card.effect in ("destructive", "spend")
    return [
        {"text": card.approve, "style": RED if danger else BLUE, "key": f"{_ANSWER}{_APPROVE}:{card.approval_id}"},
        {"text": card.reject, "style": GREY, "key": f"{_ANSWER}{_REJECT}:{card.approval_id}"},
    ]
