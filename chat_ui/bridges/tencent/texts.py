"""Texts in the sizes that the platforms take. They count bytes of UTF-8 and cut what is longer, in the middle of a character if need be."""

from __future__ import annotations

import unicodedata

MAX_TEXT = 2048
"""Bytes of one text message, of both platforms."""
_JOINER = "\u200d"
_BREAKS = ("\n\n", "\n", "。", ". ", " ")


def split(text: str, limit: int = MAX_TEXT) -> list[str]:
    """Parts of at most `limit` bytes, cut at the end of a paragraph, line, sentence or word where one is near, else between characters.

    Nothing is lost but white space around a cut. A letter stays with its accents and an emoji with its parts, unless these alone are
    longer than a part.
    """
    parts: list[str] = []
    rest = text
    while len(rest.encode()) > limit:
        end = _cut(rest, limit)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [part for part in (*parts, rest) if part]


def _cut(text: str, limit: int) -> int:
    """How many characters come before the cut; at least one."""
    most = len(text.encode()[:limit].decode(errors="ignore"))
    if most == 0:
        return 1
    for mark in _BREAKS:
        at = text.rfind(mark, most // 2, most)
        if at > 0:
            return at + len(mark)
    end = most
    while end > 0 and _continues(text, end):
        end -= 1
    return end or most


def _continues(text: str, at: int) -> bool:
    """Whether the character at this place belongs to the one before it."""
    here = text[at]
    return (
        unicodedata.combining(here) != 0
        or unicodedata.category(here) in ("Mn", "Me", "Mc")
        or here == _JOINER
        or text[at - 1] == _JOINER
        or "\U0001f3fb" <= here <= "\U0001f3ff"
    )
