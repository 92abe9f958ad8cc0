"""The planner's localised words, read from `lexicon/*.yaml` and compiled once."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

from prompts import own_yaml

CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_ASCII_EDGE = re.compile(r"[A-Za-z0-9]")


@cache
def load(topic_file: str) -> dict[str, Any]:
    """The content of one lexicon file."""
    text = resources.files("agent.planner").joinpath("lexicon", f"{topic_file}.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = own_yaml(text)
    return data


def bounded(pattern: str, *, literal: bool) -> str:
    """A regex for a word: ASCII words stand alone, CJK words may be glued to others."""
    body = re.escape(pattern).replace(r"\ ", r"\s+") if literal else f"(?:{pattern})"
    # A lookahead at the end says by itself what may follow: the word's own last letter is the one before it.
    bare = re.sub(r"\(\?[:=!<]+|[\\^$()\[\]]", "", pattern if literal else _without_lookahead(pattern))
    head = r"(?<![A-Za-z0-9_])" if bare and _ASCII_EDGE.match(bare[0]) else ""
    tail = r"(?![A-Za-z0-9_])" if bare and _ASCII_EDGE.match(bare[-1].replace("?", "a")) else ""
    return f"{head}{body}{tail}"


def _without_lookahead(pattern: str) -> str:
    """The pattern without a lookahead that ends it."""
    if not pattern.endswith(")"):
        return pattern
    depth = 0
    for at in range(len(pattern) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(pattern[at], 0)
        if depth == 0:
            return pattern[:at] if pattern[at : at + 3] in ("(?=", "(?!") else pattern
    return pattern


@cache
def cue(topic: str, lang: str | None = None) -> re.Pattern[str]:
    """A topic of `cues.yaml` as one pattern, over all languages or one."""
    return _compile(load("cues")[topic], lang)


@cache
def talk(topic: str, lang: str | None = None) -> re.Pattern[str]:
    """A topic of `talk.yaml` as one pattern, over all languages or one."""
    return _compile(load("talk")[topic], lang)


@cache
def follow(topic: str) -> re.Pattern[str]:
    """A topic of `follow.yaml` as one pattern over all languages."""
    return _compile(load("follow")[topic], None)


def compiled(table: dict[str, list[str]]) -> re.Pattern[str]:
    """Words by language as one pattern."""
    return _compile(table, None)


def _compile(table: dict[str, list[str]], lang: str | None) -> re.Pattern[str]:
    verbs = {
        "{verbs}": "|".join(load("talk")["en_verbs"]),
        "{who}": r"\w+",
        "{ident}": r"\w+",
        "{{": "{",
        "}}": "}",
    }
    patterns: list[str] = []
    for key, words in table.items():
        if lang is not None and key != lang:
            continue
        for word in words:
            text = str(word)
            if key == "zh":
                text = text.replace("{verbs}", "|".join(load("talk")["zh_verbs"]))
            for name, value in verbs.items():
                text = text.replace(name, value)
            patterns.append(text if key == "any" else bounded(text, literal=False))
    if not patterns:
        return re.compile(r"(?!)")
    patterns.sort(key=len, reverse=True)
    return re.compile("|".join(patterns), re.IGNORECASE)


@cache
def _spotter(topic: str, weak: bool) -> tuple[re.Pattern[str], dict[str, str]]:
    """All words of a topic as one pattern, longest first, and the value of each."""
    table = load("values")[topic]
    table = table.get("weak", {}) if weak else table
    value_of: dict[str, str] = {}
    for value, by_lang in table.items():
        if value != "weak":
            value_of.update(
                {str(word).lower(): str(value) for words in by_lang.values() for word in words if str(word).lower() not in value_of}
            )
    words = sorted(value_of, key=len, reverse=True)
    return re.compile("|".join(bounded(word, literal=True) for word in words), re.IGNORECASE), value_of


# Words for the thing that is set, which hold the word for one of its values.
_CONCEPTS = {
    "visibility": re.compile(
        r"公開(?:範囲|設定|状態|レベル|区分)|公开(?:范围|程度|状态|级别|性)|可见(?:性|范围|度)|공개 ?(?:범위|설정|여부|상태|수준)"
    )
}


def spot(topic: str, text: str, *, weak: bool = False) -> list[tuple[int, int, str]]:
    """Where values of a topic are named in the text: (start, end, value), longer words first."""
    if topic in _CONCEPTS:
        text = _CONCEPTS[topic].sub(lambda match: " " * len(match.group()), text)
    pattern, value_of = _spotter(topic, weak)
    return [(m.start(), m.end(), value_of[" ".join(m.group().lower().split())]) for m in pattern.finditer(text)]
