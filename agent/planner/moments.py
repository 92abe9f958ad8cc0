"""Times said in words (`yesterday`, `先週`, `3일 전`, `2026-01-05`) as ISO dates."""

from __future__ import annotations

import datetime as dt
import re
from functools import cache

from agent.planner import patterns as pat
from agent.planner.lexicon import bounded, load

_ENGLISH_NUMBERS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "ten": 10,
    "few": 3,
    "couple of": 2,
}
_HAN_NUMBERS = {
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
    "几": 3,
    "한": 1,
    "두": 2,
    "세": 3,
    "네": 4,
    "이": 2,
    "삼": 3,
    "며칠": 3,
}


def find_moments(low: str, now: dt.datetime | None = None) -> list[tuple[int, int, str]]:
    """(start, end, ISO date) of every moment named in the lower-case text."""
    today = (now or dt.datetime.now(dt.UTC)).date()
    found: list[tuple[int, int, str]] = []

    def keep(start: int, end: int, day: dt.date) -> None:
        if all(end <= a or start >= b for a, b, _ in found):
            found.append((start, end, day.isoformat()))

    for match in pat.DATE.finditer(low):
        if day := _date(int(match["y"]), int(match["m"]), int(match["d"] or 1)):
            keep(match.start(), match.end(), day)
    for match in pat.MONTH_DAY.finditer(low):
        day = _date(today.year, int(match["m"]), int(match["d"]))
        if day:
            keep(
                match.start(),
                match.end(),
                day if day <= today else day.replace(year=day.year - 1) if day.month != 2 or day.day != 29 else today,
            )
    for match in _ago().finditer(low):
        keep(match.start(), match.end(), today - dt.timedelta(days=_span_days(match)))
    for back, pattern in _words():
        for match in pattern.finditer(low):
            keep(match.start(), match.end(), today - dt.timedelta(days=back))
    for weekday, pattern in _weekdays():
        for match in pattern.finditer(low):
            keep(match.start(), match.end(), today - dt.timedelta(days=(today.weekday() - weekday) % 7 or 7))
    return sorted(found)


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _span_days(match: re.Match[str]) -> int:
    groups = {key: value for key, value in match.groupdict().items() if value}
    raw = next(value for key, value in groups.items() if key.startswith("n"))
    count = int(raw) if raw.isdigit() else _ENGLISH_NUMBERS.get(raw) or _HAN_NUMBERS.get(raw, 1)
    unit = next(int(key[1:].split("_")[0]) for key in groups if key.startswith("u"))
    return min(count * unit, 36500)


@cache
def _ago() -> re.Pattern[str]:
    number = r"\d{1,4}|" + "|".join(re.escape(word) for word in sorted((*_ENGLISH_NUMBERS, *_HAN_NUMBERS), key=len, reverse=True))
    units = load("times")["units"]

    def group(side: str) -> str:
        return "|".join(f"(?P<u{days}_{side}>{'|'.join(words)})" for days, words in units.items())

    ago = "|".join(load("times")["ago"])
    return re.compile(
        rf"(?:(?<![a-z0-9])|(?<=[^\x00-\x7f]))(?:(?P<n1>{number})\s?(?:{group('a')})\s?(?:{ago})|(?:the )?(?:last|past)\s(?P<n2>{number})\s(?:{group('b')})"
        rf"|(?:最近|过去|近|ここ|直近|지난|최근)(?P<n3>{number})\s?(?:{group('c')})(?:間|间)?)"
    )


@cache
def _words() -> tuple[tuple[int, re.Pattern[str]], ...]:
    rows = [(int(days), word) for days, words in load("times")["days"].items() for word in words]
    rows.sort(key=lambda row: -len(row[1]))
    return tuple((days, re.compile(bounded(word, literal=True))) for days, word in rows)


@cache
def _weekdays() -> tuple[tuple[int, re.Pattern[str]], ...]:
    return tuple(
        (int(day), re.compile("|".join(rf"(?:last |this |on )?{bounded(word, literal=False)}" for word in words)))
        for day, words in load("times")["weekdays"].items()
    )
