"""Clauses that only state an attribute of what the clause before them makes ("…, password is X", "、中身は「X」で").

They belong to that clause: nothing is split off there, and the classifier does not see them, as `password` alone
would make a reset of the making of an account.
"""

from __future__ import annotations

import re
from functools import cache

from agent.planner.document import Document
from agent.planner.lexicon import compiled, load
from agent.planner.types import SlotSpec, ToolSpec

# A new clause begins after these.
_EDGE = re.compile(r"[,;、。.!?:]\s*|(?<=[てでたけ])\s*|(?<=고)\s+|(?<=줘)\s+|\s(?:and|with)\s")
# Contents may hold anything, so they go on to the end.
_TO_THE_END = ("content",)
REASON = "reason"
_TEXTS = ("content", "description")


@cache
def _attributes() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, compiled(table)) for name, table in load("attributes").items())


@cache
def _reason() -> re.Pattern[str]:
    return compiled(load("follow")["reason"])


def attribute_at(doc: Document, at: int) -> str | None:
    """The attribute that a clause which begins there states, if it states one."""
    masked = doc.masked
    while at < len(masked) and masked[at] in " ,、。;.!":
        at += 1
    return next((name for name, pattern in _attributes() if pattern.match(masked, at)), None)


def takes(spec: ToolSpec | None, attribute: str) -> bool:
    """Whether a tool has a slot for the attribute; a reason goes with every tool."""
    return spec is not None and (attribute == REASON or any(_is_for(slot, attribute) for slot in spec.slots))


def _is_for(slot: SlotSpec, attribute: str) -> bool:
    return slot.name == attribute if attribute in _TEXTS else slot.type == attribute


def find(doc: Document) -> list[tuple[int, int, str]]:
    """Ranges that only state an attribute, and which; never at the very start."""
    masked = doc.masked
    found: list[tuple[int, int, str]] = []
    if (why := _reason().match(masked)) and "\x1f" not in why.group():
        found.append((0, why.end(), REASON))
    for edge in _EDGE.finditer(masked):
        at = edge.end()
        if not masked[: edge.start()].strip() or (found and at < found[-1][1]):
            continue
        name = attribute_at(doc, at)
        if name is None:
            continue
        stop = re.compile(r"[,;、。]|[.!?](?=\s|$)").search(masked, at)
        found.append((edge.start(), len(masked) if stop is None or name in _TO_THE_END else stop.start(), name))
    return found


def without(doc: Document, ranges: list[tuple[int, int, str]]) -> Document:
    """The document with the ranges blanked out."""
    text, low = list(doc.text), list(doc.low)
    for start, end, _ in ranges:
        text[start:end] = low[start:end] = " " * (end - start)
    spans = [span for span in doc.spans if not any(start < span.end and span.start < end for start, end, _ in ranges)]
    return Document("".join(text), "".join(low), spans, list(doc.weak), doc.language)
