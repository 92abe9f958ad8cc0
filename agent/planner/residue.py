"""What is left of a sentence when the words that only steer it are taken away: search words and tags."""

from __future__ import annotations

import re
from functools import cache

from agent.planner.document import Document
from agent.planner.lexicon import load

_HOLE = "\x1f"
_APART = re.compile(
    r"\s*(?:[,;、，·]|\band\b|\bor\b|\bplus\b|&|\+|和|与|以及|跟|(?<=[A-Za-z一-龠ァ-ヶー])と(?=[A-Za-z一-龠ァ-ヶー])|\s(?:및|그리고|하고|이랑|랑)\s|(?<=\S)(?:이랑|랑|하고)\s)\s*"
)

# Particles and structure words that cling to a piece.
_EDGES = re.compile(
    r"^(?:[のをがはにでともな]|から|より|という|的|把|给|에|의)+\s*|\s*(?:[のをがはにでとも]|から|という|って|的|を|을|를|로|으로)+$"
)


@cache
def _stops(topic: str) -> frozenset[str]:
    return frozenset(str(load("residue")[topic]["en"]).split())


@cache
def _cuts(topic: str, lang: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in load("residue")[topic].get(lang, ())) if lang != "en" else ()


def stop_words(topic: str) -> frozenset[str]:
    """English words of a topic."""
    return _stops(topic)


def chunks(doc: Document, topic: str, masked: str | None = None) -> list[str]:
    """The pieces of text that are left, as said, in order."""
    text = doc.masked if masked is None else masked
    text = re.sub(r"[?!。.「」『』\"“”()]+(?=\s|$|[^\x00-\x7f])|[?!。「」『』\"“”()~]", _HOLE, text)
    for pattern in _cuts(topic, doc.language):
        text = pattern.sub(lambda match: _HOLE * len(match.group()), text)
    text = re.sub(r"[a-z][a-z'’]*(?:-[a-z]+)*", lambda m: _HOLE * len(m.group()) if m.group() in _stops(topic) else m.group(), text)
    found = []
    for match in re.finditer(rf"[^{_HOLE}]+", text):
        piece = (
            _EDGES.sub("", doc.text[match.start() : match.end()].strip(" ,、;:.-\n"))
            if doc.language != "en"
            else doc.text[match.start() : match.end()].strip(" ,;:.-\n")
        )
        if doc.language == "zh" and len(piece) == 1 and not piece.isascii():
            continue
        if piece and not re.fullmatch(r"[\W_]+|'s|s", piece):
            found.append(piece)
    return found


def words_left(doc: Document, topic: str, masked: str | None = None) -> str:
    """All that is left as one phrase."""
    pieces = [piece for piece in chunks(doc, topic, masked) if not re.fullmatch(r"[ぁ-ん]{1,2}|[은는이가을를의에로와과도]", piece)]
    return re.sub(r"\s+", " ", " ".join(pieces)).strip(" ,、")


def listed(pieces: list[str]) -> list[str]:
    """Pieces split at commas and conjunctions."""
    return [part.strip(" ,、'\"") for piece in pieces for part in _APART.split(piece) if part.strip(" ,、'\"")]
