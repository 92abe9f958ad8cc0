"""Columns of a table as questions see them: what they measure, and which words name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, runtime_checkable

from rapidfuzz.distance import OSA

from agent.planner.lexicon import CJK, load
from agent.planner.normalise import fold, lower

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?")
_SUFFIXES = frozenset(
    [
        "c",
        "f",
        "usd",
        "eur",
        "krw",
        "jpy",
        "cny",
        "rmb",
        "kg",
        "cm",
        "mm",
        "ms",
        "s",
        "at",
        "on",
        "pct",
        "percent",
        "name",
        "names",
        "col",
        "column",
    ]
)
# Endings of names in Chinese characters and Hangul that say what kind of thing a column holds.
_ENDINGS = re.compile("(?:日期|时间|日付|日時|日|数|名|일자|일시|일|수|명)$")
_KEY_ENDINGS = re.compile("(?:番号|编号|編號|번호|号码|编码|コード)$")
_KEYS = frozenset(["id", "ids", "uuid", "guid", "key", "index", "idx", "no", "number", "num", "code", "zip", "postcode", "phone"])
_SECONDS = {
    "second": 1, "seconds": 1, "sec": 1, "secs": 1, "s": 1, "ms": 0.001, "msec": 0.001, "millis": 0.001, "milliseconds": 0.001, "minute": 60, "minutes": 60, "min": 60, "mins": 60, "hour": 3600, "hours": 3600,
    "hrs": 3600, "h": 3600, "day": 86400, "days": 86400, "秒": 1, "초": 1, "分": 60, "分钟": 60, "分鐘": 60, "분": 60, "小时": 3600, "時間": 3600, "시간": 3600, "天": 86400, "毫秒": 0.001, "ミリ秒": 0.001, "밀리초": 0.001,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column of a table.

    Attributes:
        type: as Arrow writes it (`int64`, `string`, `date32[day]`, `timestamp[us]` ...).
        values: all its values where they are text and few; empty where there are many.
        distinct: how many values there are, where that is known.
        derived: SQL that works it out, for what is no column of its own, such as the month of a date.
    """

    name: str
    type: str
    values: tuple[str, ...] = ()
    min: object = None
    max: object = None
    distinct: int | None = None
    derived: str = ""

    @property
    def is_number(self) -> bool:
        """Integers, floats, decimals."""
        return bool(re.match(r"u?int|float|double|half|decimal", self.type))

    @property
    def is_text(self) -> bool:
        """Text, whether or not it holds dates."""
        return bool(re.match(r"(?:large_)?string|utf8|dictionary", self.type))

    @property
    def is_bool(self) -> bool:
        """True or false."""
        return self.type.startswith("bool")

    @property
    def is_date(self) -> bool:
        """Dates and times, also where they are written as ISO text."""
        if re.match(r"date|timestamp", self.type):
            return True
        return self.is_text and all(isinstance(end, str) and _ISO_DATE.fullmatch(end) for end in (self.min, self.max))

    @property
    def is_key(self) -> bool:
        """A number or text that only tells rows apart."""
        words = _tokens(self.name)
        return bool(words) and (words[-1] in _KEYS or bool(_KEY_ENDINGS.search(words[-1])))

    @property
    def is_measure(self) -> bool:
        """A number to calculate with."""
        return self.is_number and not self.is_key and "year" not in self.concepts and not self.is_row_name

    @property
    def is_row_name(self) -> bool:
        """Whether it is called as one row is, and so only numbers the rows (`respondent`)."""
        return self.is_number and _is_row_name(self.name)

    @property
    def concepts(self) -> frozenset[str]:
        """What the column's name says it holds, as keys of the lexicon."""
        return _concepts(self.name)

    @property
    def sums(self) -> bool:
        """Whether adding its values up makes sense."""
        return self.is_measure and _sums(self.name)

    @property
    def seconds(self) -> float | None:
        """For times: how many seconds its unit has, where the name says it."""
        return next((_SECONDS[word] for word in reversed(_tokens(self.name)) if word in _SECONDS), None)


@runtime_checkable
class KnowsColumns(Protocol):
    """A world that can look into datasets."""

    def columns(self, repo: str) -> Sequence[ColumnInfo]:
        """The columns of a dataset's table; none when it cannot be read."""
        ...


@cache
def _is_row_name(name: str) -> bool:
    low = lower(fold(name))
    rows = load("question_words")["nouns"]
    return low == singular(low) and not _sums(low) and any(re.fullmatch(word, low) for words in rows.values() for word in words)


def _sums(name: str) -> bool:
    return any(load("question_words")["columns"][concept].get("sums") for concept in _concepts(name))


def _tokens(name: str) -> tuple[str, ...]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", fold(name))
    return tuple(re.findall(rf"[a-z0-9]+|[{CJK}]+", lower(spaced)))


def singular(word: str) -> str:
    """An English word without its plural ending."""
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word.removesuffix("s")


@cache
def _concepts(name: str) -> frozenset[str]:
    tokens = list(_tokens(name))
    while len(tokens) > 1 and (tokens[-1] in _SUFFIXES or tokens[-1] in _KEYS):
        tokens.pop()
    if not tokens:
        return frozenset()
    head, whole = singular(tokens[-1]), singular(" ".join(tokens))
    found = set()
    for concept, entry in load("question_words")["columns"].items():
        for word in entry["words"]:
            low = str(word)
            if (
                low in (tokens[-1], " ".join(tokens))
                or (low.isascii() and singular(low) in (head, whole))
                or (not low.isascii() and len(low) > 1 and any(low in token for token in tokens))
            ):
                found |= {concept, entry.get("is", concept)}
    return frozenset(found)


def phrases(column: ColumnInfo) -> dict[str, int]:
    """What the column may be called, in lower case, with how loosely (0: its name; 1: its words; 2: its last word; 3: a word for what it holds)."""
    tokens, name = _tokens(column.name), lower(fold(column.name))
    spaced = " ".join(tokens)
    found = {name: 0}
    for form in (spaced, singular(spaced), _plural(spaced), "".join(tokens), name + "s", _plural(name)):
        found.setdefault(form, 1)
    for form in sorted(_core_forms(tokens)):
        found.setdefault(form, 2)
    words = {str(word) for concept in column.concepts for word in load("question_words")["columns"][concept]["words"]}
    if column.is_bool or column.is_date:
        flags = {form for token in tokens for form in _of_flags(token)}
        words |= flags if column.is_bool else {form for form in flags if not form.isascii() or form.endswith(("ed", "ing"))}
    for form in sorted(words | {_plural(word) for word in words}):
        found.setdefault(form, 3)
    found.pop("", None)
    return found


def _core_forms(tokens: Sequence[str]) -> set[str]:
    """What is left of a name without its unit, and its last word."""
    core = [token for token in tokens if token not in _SUFFIXES]
    found = {" ".join(core), _ENDINGS.sub("", tokens[-1] if tokens else "")} - {"", " ".join(tokens)}
    if len(core) > 1 and core[-1] not in _KEYS and len(core[-1]) > 2:
        found |= {core[-1], singular(core[-1]), _plural(core[-1])}
    return {form for form in found if len(form) > 1}


def _of_flags(word: str) -> set[str]:
    """What a true-or-false column, or the date of an act, may be called: `refund`, `refunding`, 退款 for `refunded`."""
    if word in _SUFFIXES or word in ("is", "has", "was", "date", "time", "day"):
        return set()
    known = load("question_words")["values"]
    stem = re.sub(r"e?d$|ing$|s$", "", word) if word.isascii() and len(word) > 5 else word
    forms = {stem, f"{stem}e", f"{stem}ed", f"{stem}ing", f"{stem}s", f"{stem}es"} if stem.isascii() and len(stem) > 3 else {word}
    return forms | {str(other) for form in {word, *forms} for other in known.get(form, ())}


def core_words(column: ColumnInfo) -> str:
    """The column's name as words, without units and keys."""
    tokens = [token for token in _tokens(column.name) if token not in _SUFFIXES]
    return " ".join(tokens) or column.name


def _plural(word: str) -> str:
    if not word.isascii() or not word or word.endswith("s"):
        return word
    if word.endswith("y") and not word.endswith(("ay", "ey", "oy", "uy")):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("ch", "sh", "x")) else "s")


def misspelt(word: str, columns: Sequence[ColumnInfo]) -> ColumnInfo | None:
    """The only column whose name is one typing error away (two from eight letters on)."""
    if len(word) < 5 or not word.isascii() or singular(word) in _known_words():
        return None
    near = [column for column in columns if any(level < 3 and _near(word, form) for form, level in phrases(column).items())]
    return near[0] if len(near) == 1 else None


def _near(word: str, form: str) -> bool:
    """One error away, two for long words. Short words with one other letter are other words: `store` is no `score`."""
    if len(form) < 5 or form[0] != word[0]:
        return False
    distance = OSA.distance(word, form, score_cutoff=2)
    if len(word) >= 8:
        return distance <= 2
    return distance <= 1 and (len(word) != len(form) or sorted(word) == sorted(form))


@cache
def _known_words() -> frozenset[str]:
    return frozenset(singular(str(word)) for entry in load("question_words")["columns"].values() for word in entry["words"])
