"""The words above the pictures: a composed reply without the tables, listings and code blocks that components draw."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chat_ui.presenter import PLAIN, step_views
from chat_ui.texts import language_of, texts

_NUMBERED = re.compile(r"\d+\. ")
_CURVE = re.compile(r"[:：]?\s*[▁▂▃▄▅▆▇█]{2,}")  # a curve in a line of blocks, which is drawn below


def lead(answer: Mapping[str, Any]) -> str:
    """What to say of an answer when its views are drawn below it.

    Only for replies that the agent composed itself: a language model's own words may hold more than the views show.
    Nothing is left out unless every step that was read is drawn.
    """
    reply = str(answer.get("reply") or "")
    words = texts(language_of(answer.get("language")))
    steps = [step for step in answer.get("steps") or [] if step.get("status") == "ok"]
    read = [step for step in steps if step.get("effect") == "read"]
    if any(step.get("tool") in PLAIN or not step_views(step, words) for step in read):
        return reply
    offered = answer.get("outcome") == "needs_input" and bool(answer.get("choices"))
    if not read and not answer.get("pending") and not offered:
        return reply
    blocks = _blocks(reply)
    if offered:
        blocks = ["\n".join(line for line in block.split("\n") if not _NUMBERED.match(line)) for block in blocks]
    if answer.get("pending"):
        listed = [index for index, block in enumerate(blocks) if _is_listing(block)]
        if listed:
            del blocks[listed[-1]]
    if read:
        blocks = [_CURVE.sub("", _without_listing(block)) for block in _without_tables(blocks)]
    return "\n\n".join(block for block in blocks if block) or reply


def _blocks(text: str) -> list[str]:
    """The paragraphs of a Markdown text; a code block is one, whatever is in it."""
    blocks: list[list[str]] = [[]]
    fence = ""
    for line in text.split("\n"):
        mark = line[: len(line) - len(line.lstrip("`"))]
        if fence:
            blocks[-1].append(line)
            if line.strip() == fence:
                fence = ""
                blocks.append([])
        elif len(mark) >= 3:
            fence = mark
            blocks.append([line])
        elif line:
            blocks[-1].append(line)
        else:
            blocks.append([])
    return ["\n".join(block) for block in blocks if block]


def _without_tables(blocks: list[str]) -> list[str]:
    """Without tables and code, and without the line that leads to one of them."""
    drawn = [block.startswith(("|", "```")) for block in blocks] + [False]
    return [block for at, block in enumerate(blocks) if not drawn[at] and not (drawn[at + 1] and at and block.endswith((":", "：")))]


def _is_listing(block: str) -> bool:
    return any(line.startswith("- ") for line in block.split("\n"))


def _without_listing(block: str) -> str:
    lines = [line for line in block.split("\n") if not line.lstrip().startswith("- ")]
    return "\n".join(lines).rstrip().rstrip(":：") if len(lines) < len(block.split("\n")) else block
