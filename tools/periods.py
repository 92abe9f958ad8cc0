"""Spans of time and amounts of money as people give them to tools.

A period has one canonical form, which is what plans and results carry: `today`, `yesterday`, `week`, `last-week`, `month`,
`last-month`, `year`, `last-year`, `24h`, `7d`, `4w`, `2026-11-03`, `2026-11`, `2026`, `2026-11-01..2026-11-15`. All in UTC.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import Any

from hub_core.budgets.states import BudgetPeriod, window
from hub_core.db import utcnow
from hub_core.errors import InvalidInput

DAY = dt.timedelta(days=1)
MOST_DAYS = 3660
_NAMED = frozenset({"today", "yesterday", "week", "last-week", "month", "last-month", "year", "last-year"})
_SPAN = re.compile(r"(\d{1,5})([hdw])")
_BACK = re.compile(r"(?:the )?(?:last|past) (?:(\d{1,4}) )?(hour|day|week)s?")
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_RANGE = re.compile(r"(\d{4}(?:-\d{2}(?:-\d{2})?)?)\s*(?:\.\.|/|to|until|–|—)\s*(\d{4}(?:-\d{2}(?:-\d{2})?)?)")
_SAID = {
    "this week": "week",
    "this month": "month",
    "this year": "year",
    "last week": "last-week",
    "last month": "last-month",
    "last year": "last-year",
}
_UNIT_HOURS = {"h": 1, "d": 24, "w": 24 * 7}


@dataclass(frozen=True, slots=True)
class Period:
    """A span of time: `begin` belongs to it, `end` does not. `said` is its canonical form."""

    said: str
    begin: dt.datetime
    end: dt.datetime

    @property
    def days(self) -> float:
        """How long it is."""
        return (self.end - self.begin) / DAY


def canonical(text: str) -> str:
    """The canonical form of a period.

    Raises:
        ValueError: it is none.
    """
    said = " ".join(text.strip().lower().split())
    found = _SAID.get(said, said)
    if back := _BACK.fullmatch(said):
        # "the last 7 days"; "the last week" and "the last day" are so many hours back from now.
        found = f"{back[1] or 1}{back[2][0]}"
    elif pair := _RANGE.fullmatch(said):
        found = f"{pair[1]}..{pair[2]}"
    try:
        _bounds(found, utcnow())
    except (ValueError, OverflowError):
        raise ValueError("is not a period; give today, month, 7d, 2026-11 or 2026-11-01..2026-11-15") from None
    return found


def parse_period(text: str, now: dt.datetime | None = None) -> Period:
    """A period in any form that `canonical` takes.

    Raises:
        InvalidInput: it is none.
    """
    try:
        said = canonical(text)
    except ValueError as error:
        raise InvalidInput(f"'{text[:40]}' {error}.", hint="For example: month") from error
    return Period(said, *_bounds(said, now or utcnow()))


def _bounds(said: str, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    if said in _NAMED:
        return _named(said, now)
    if span := _SPAN.fullmatch(said):
        hours = int(span[1]) * _UNIT_HOURS[span[2]]
        if not 0 < hours <= MOST_DAYS * 24:
            raise ValueError
        return now - dt.timedelta(hours=hours), now
    first, dots, last = said.partition("..")
    begin, end = _day(first)[0], _day(last if dots else first)[1]
    if not begin < end or (end - begin) / DAY > MOST_DAYS:
        raise ValueError
    return begin, end


def _named(said: str, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    today = window(BudgetPeriod.DAY, now)[0]
    if said in ("today", "yesterday"):
        return (today, today + DAY) if said == "today" else (today - DAY, today)
    last, name = said.startswith("last-"), said.removeprefix("last-")
    if name == "year":
        year = now.year - last
        return _day(str(year))
    begin, end = window(BudgetPeriod(name), now)
    return (window(BudgetPeriod(name), begin - DAY)[0], begin) if last else (begin, end)


def _day(text: str) -> tuple[dt.datetime, dt.datetime]:
    """A day, month or year."""
    if not _DATE.fullmatch(text):
        raise ValueError
    year, month, day = (*map(int, text.split("-")), 0, 0)[:3]
    begin = dt.datetime(year, month or 1, day or 1, tzinfo=dt.UTC)
    if day:
        return begin, begin + DAY
    return begin, begin.replace(year=year + 1) if not month else (begin + 32 * DAY).replace(day=1)


_BUDGET_WORDS = {
    **dict.fromkeys(("day", "daily", "today", "1d", "24h", "per day", "a day"), BudgetPeriod.DAY),
    **dict.fromkeys(("week", "weekly", "1w", "7d", "this week", "per week", "a week"), BudgetPeriod.WEEK),
    **dict.fromkeys(("month", "monthly", "30d", "4w", "this month", "per month", "a month"), BudgetPeriod.MONTH),
}  # fmt: skip


def budget_period(said: Any) -> Any:
    """What a budget is for, from words as `canonical` gives them; anything else as it is, for the schema to refuse."""
    return _BUDGET_WORDS.get(said.strip().lower(), said) if isinstance(said, str) else said


# A mark names the currencies that it can mean.
_CURRENCIES: dict[str, tuple[str, ...]] = {
    "$": ("USD", "CAD", "AUD", "SGD", "HKD", "TWD"), "us$": ("USD",), "usd": ("USD",), "dollar": ("USD", "CAD", "AUD", "SGD", "HKD", "TWD"),
    "dollars": ("USD", "CAD", "AUD", "SGD", "HKD", "TWD"), "bucks": ("USD",), "€": ("EUR",), "eur": ("EUR",), "euro": ("EUR",), "euros": ("EUR",),
    "£": ("GBP",), "gbp": ("GBP",), "pound": ("GBP",), "pounds": ("GBP",), "¥": ("JPY", "CNY"), "\uffe5": ("JPY", "CNY"), "jpy": ("JPY",), "yen": ("JPY",),
    "円": ("JPY",), "日元": ("JPY",), "엔": ("JPY",), "cny": ("CNY",), "rmb": ("CNY",), "yuan": ("CNY",), "元": ("CNY",), "块": ("CNY",), "人民币": ("CNY",),
    "위안": ("CNY",), "₩": ("KRW",), "krw": ("KRW",), "won": ("KRW",), "원": ("KRW",), "韩元": ("KRW",), "ウォン": ("KRW",), "美元": ("USD",),
    "美金": ("USD",), "ドル": ("USD",), "달러": ("USD",), "欧元": ("EUR",), "ユーロ": ("EUR",), "유로": ("EUR",), "英镑": ("GBP",), "ポンド": ("GBP",), "파운드": ("GBP",),
}  # fmt: skip
_FACTORS = {
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "million": 1e6,
    "千": 1e3,
    "万": 1e4,
    "萬": 1e4,
    "천": 1e3,
    "만": 1e4,
    "百万": 1e6,
    "백만": 1e6,
}
_AMOUNT = re.compile(
    rf"(?P<before>[^\d\s.,]*)\s*(?P<number>\d[\d,_ ]*(?:\.\d+)?)\s*(?P<factor>{'|'.join(sorted(_FACTORS, key=len, reverse=True))})?\s*(?P<after>[^\d]*)"
)


def parse_amount(said: float | str, currency: str) -> float:
    """An amount in the hub's currency.

    Raises:
        InvalidInput: no amount, or another currency.
    """
    if isinstance(said, str):
        found = _AMOUNT.fullmatch(said.strip().lower())
        if found is None:
            raise InvalidInput(f"'{said[:40]}' is not an amount.", hint=f"For example: 200 {currency}")
        for mark in (found["before"].strip(), found["after"].strip()):
            if mark and currency not in _CURRENCIES.get(mark, (mark.upper(),)):
                raise InvalidInput(f"Prices of this hub are in {currency}, not in '{mark[:12]}'.", hint=f"Give the amount in {currency}.")
        said = float(re.sub(r"[,_ ]", "", found["number"])) * _FACTORS.get(found["factor"] or "", 1)
    if not math.isfinite(said) or said < 0:
        raise InvalidInput("An amount is a number from 0 on.", hint="0 removes a budget.")
    return float(said)
