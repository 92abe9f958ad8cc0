"""The words of questions over tables as patterns, compiled once from the lexicon."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from agent.planner.lexicon import load
from agent.planner.question_columns import ColumnInfo

HOLE = "\x1f"  # stands for the name of the dataset
_EDGED = r"(?<![A-Za-z0-9_])(?:{})(?![A-Za-z0-9_])"


def questions() -> dict[str, Any]:
    """How questions are put."""
    return load("questions")


def things() -> dict[str, Any]:
    """Words for things in tables."""
    return load("question_words")


def word(pattern: str, language: str = "") -> str:
    """A word that stands alone where its script has spaces."""
    first = re.sub(r"^[(?:^]+", "", pattern)[:1]
    spaced = language == "en" or (not language and first.isascii())
    return _EDGED.format(pattern) if spaced and first.isalpha() else f"(?:{pattern})"


def _compiled(by_language: Mapping[str, Sequence[str]]) -> list[re.Pattern[str]]:
    return [re.compile(word(str(item), language), re.IGNORECASE) for language, items in by_language.items() for item in items]


@cache
def cues() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each word of counting, averaging, grouping ... with its kind. One pattern a word, for the longest of all matches counts."""
    return tuple((kind, pattern) for kind, table in questions()["cues"].items() for pattern in _compiled(table))


@cache
def verbs() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Verbs with what they measure."""
    return tuple((row["of"], pattern) for row in questions()["verbs"] for pattern in _compiled({k: v for k, v in row.items() if k != "of"}))


@cache
def supers() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Superlatives with their direction and what they measure."""
    found = []
    for row in questions()["superlatives"]:
        found += [(row["to"], row["of"], p) for p in _compiled({k: v for k, v in row.items() if k not in ("to", "of")})]
    tails = {"zh": "的?", "ja": "(?:の|もの|やつ)?", "ko": "(?: ?(?:거|것|건))?"}
    for row in questions()["adjectives"]:
        for language, most in questions()["most"].items():
            if words := row.get(language):
                found.append((row["to"], row["of"], re.compile(f"{most} ?(?:{'|'.join(words)}){tails[language]}")))
    return tuple(found)


@cache
def most() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What makes a superlative of an adjective that stands elsewhere."""
    return tuple((language, re.compile(pattern)) for language, pattern in questions()["most"].items())


@cache
def adjectives() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Adjectives with their direction and what they measure."""
    found = []
    for row in questions()["adjectives"]:
        words = [item for language, items in row.items() if language not in ("to", "of") for item in items]
        found.append((row["to"], row["of"], re.compile("|".join(words))))
    return tuple(found)


@cache
def units() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Units by name."""
    return tuple((name, re.compile("|".join(word(item) for item in entry["words"]))) for name, entry in things()["units"].items())


@cache
def nouns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What rows are called, by what it means."""
    return tuple((name, re.compile("|".join(word(item) for item in items))) for name, items in things()["nouns"].items())


@cache
def side(table: str, op: str, *, before: bool) -> re.Pattern[str]:
    """A comparison that stands right before or right after what is compared."""
    entry = questions()[f"{table}_{'before' if before else 'after'}"][op]
    parts = "|".join(word(str(item), language) for language, items in entry.items() for item in sorted(items, key=lambda i: -len(str(i))))
    if before:
        return re.compile(f"(?:{parts or '(?!)'})(?: (?:the|an?|of))*\\s*$", re.IGNORECASE)
    return re.compile(f"\\s*(?:{parts or '(?!)'})", re.IGNORECASE)


@cache
def filler() -> tuple[frozenset[str], frozenset[str]]:
    """Words that carry nothing: English ones, and those that are written without spaces between."""
    table = questions()["filler"]
    return frozenset(str(table["en"]).split()), frozenset(str(item) for language in ("zh", "ja", "ko") for item in table[language])


@cache
def light() -> tuple[tuple[re.Pattern[str], ...], tuple[re.Pattern[str], ...]]:
    """Phrases that carry nothing: those of English, and those of the other languages."""
    table = questions()["light"]
    return tuple(_compiled({"en": table["en"]})), tuple(_compiled({language: table[language] for language in ("zh", "ja", "ko")}))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a date that rows can be grouped by, and what it is called."""

    column: ColumnInfo
    words: tuple[str, ...]


def calendar(columns: Sequence[ColumnInfo]) -> list[Part]:
    """Months, years and days of the week of a table's only date, where it has no column for them."""
    dates = [column for column in columns if column.is_date]
    if len(dates) != 1:
        return []
    name = '"' + dates[0].name.replace('"', '""') + '"'
    moment = f"TRY_CAST({name} AS TIMESTAMP)" if dates[0].is_text else name
    taken = {concept for column in columns for concept in column.concepts} | {column.name.lower() for column in columns}
    return [
        Part(ColumnInfo(part, "string", derived=entry["sql"].format(moment)), tuple(map(str, entry["words"])))
        for part, entry in things()["calendar"].items()
        if part not in taken and not (part == "day" and "date" in taken)
    ]


@cache
def tails() -> str:
    """What may follow the name of a column and adds nothing to it."""
    return f"(?: ?(?:{'|'.join(word(item) for item in things()['tails'])}))?"


@cache
def _around() -> tuple[re.Pattern[str], tuple[re.Pattern[str], ...]]:
    """What may stand before and after the dataset's name."""
    source = questions()["source"]
    heads = "|".join(word(item, language) for language, items in source["before"].items() for item in items)
    tails = tuple(re.compile(item, re.IGNORECASE) for items in source["after"].values() for item in items)
    return re.compile(f"(?:(?:{heads})\\s*)?{HOLE}", re.IGNORECASE), tails


def without_source(text: str) -> str:
    """The question without the dataset's name (a HOLE) and what only says that it is about it: `going by`, `を見ると`."""
    head, tails = _around()
    before, *parts = head.sub(HOLE, text).split(HOLE)
    after = [part[max((match.end() for tail in tails if (match := tail.match(part))), default=0) :] for part in parts]
    return re.sub(r"^[\s,、;:]+|[\s,、;:]+$", "", " ".join([before, *after]))


def all_empty(run: str, at: int, text: str) -> tuple[list[bool], list[bool]]:
    """For each place of a run (at `at` in the text): whether all before it, and all after it, is made of words that carry nothing.

    Looks at each place once: a regular expression would try every way to cut it.
    """
    _, glued = filler()
    longest, size = max(map(len, glued)), len(run)
    steps: list[list[int]] = [[] for _ in range(size)]
    for start in range(size):
        steps[start] = [end for end in range(start + 1, min(size, start + longest) + 1) if run[start:end] in glued]
        for pattern in light()[1]:
            if (match := pattern.match(text, at + start)) and start < match.end() - at <= size:
                steps[start].append(match.end() - at)
    ahead, behind = [True, *[False] * size], [*[False] * size, True]
    for start in range(size):
        if ahead[start]:
            for end in steps[start]:
                ahead[end] = True
    for start in range(size - 1, -1, -1):
        behind[start] = any(behind[end] for end in steps[start])
    return ahead, behind
