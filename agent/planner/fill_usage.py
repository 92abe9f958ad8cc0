"""Slot fillers for spans of time, money, and the numbers of roll-outs and training."""

# All fillers have one signature, and not all need the slot.
# ruff: noqa: ARG001

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from typing import Any

from agent.planner.form import Form
from agent.planner.lexicon import bounded, load
from agent.planner.types import SlotSpec

_ISO = r"\d{4}-\d{2}(?:-\d{2})?"
_RANGE = re.compile(rf"(?P<from>{_ISO})\s*(?:\.\.|~|〜|–|—|to|until|till|到|至|から|부터|에서)\s*(?P<to>{_ISO})")
_DAY = re.compile(rf"(?<![\d-])(?:{_ISO})(?![\d-])")
_MONTH = re.compile(r"(?:(?P<y>\d{4})\s?[年년]\s?)?(?<!\d)(?P<m>1[0-2]|0?[1-9])\s?(?:月(?!曜|\d)|월(?!요))(?!\s?\d)")
_RATE = re.compile(r"(?<![A-Za-z0-9_.])(?:\d+(?:\.\d+)?e-?\d+|0?\.\d+)(?![A-Za-z0-9_.])")
_LINK = re.compile(r"[ =:をはに은는을를에]+(?:of )?$")
_BACK = r"(?:(?:the )?(?:last|past|previous)|最近|过去|近|直近|ここ|この|최근|지난)"
_BETWEEN = re.compile(
    r"(?P<a>\d{1,3})\s*(?:个|個|台|つ|개|대|copies|replicas)?\s*(?:-|–|~|〜|～|up to|to|and|到|至|から|と|에서|부터|and up to|、|,\s*max(?:imum)?)\s*(?:up to |最多|最大|최대 ?|max(?:imum)? )?(?P<b>\d{1,3})(?![\d.])"
)
_AT_MOST = re.compile(
    r"(?:\b(?:up to|at most|no more than|max(?:imum)?(?: of)?|never more than)|最多|至多|不超过|上限|最大|最高|최대|많아야)\s*(?:は|で|to|为|是)?\s*(?P<n>\d{1,3})(?![\d.])"
    r"|(?P<m>\d{1,3})\s*(?:台|個|つ|개|대|个)?\s*(?:まで|以下|까지|이하|以内)"
)


def period(form: Form, slot: SlotSpec) -> Any:
    """A span of time in the form that the tools take: `today`, `7d`, `2026-11`; of a budget `day`, `week` or `month`."""
    low = form.doc.low
    if form.spec.name == "set_budget":
        return next((value for value, pattern in _table("each") if pattern.search(low)), None)
    if ends := _RANGE.search(low):
        return f"{ends['from']}..{ends['to']}"
    if day := _DAY.search(low):
        return day.group()
    if span := _counted(bare=form.spec.name == "stop_idle_deployments").search(low):
        return _span(span)
    named = [(len(found.group()), value) for value, pattern in _table("periods") if (found := pattern.search(low))]
    return max(named)[1] if named else _month(low)


def _span(found: re.Match[str]) -> str:
    said = found["n"]
    count = int(said) if said.isdecimal() else int(load("usage")["numbers"][said])
    unit = next(unit for unit in load("usage")["units"] if found[unit])
    return f"{count * 30}d" if unit == "m" else f"{count}{unit}"


def _month(low: str, now: dt.datetime | None = None) -> str | None:
    """A month by its name or number: the last one of that name."""
    today = now or dt.datetime.now(dt.UTC)
    names = load("usage")["months"]
    if named := re.search(rf"(?:\b(?:in|of|for|during|since)\s+)(?P<name>{'|'.join(names)})(?:\s+(?P<y>\d{{4}}))?(?![a-z])", low):
        month, year = names.index(named["name"]) + 1, named["y"]
    elif numbered := _MONTH.search(low):
        month, year = int(numbered["m"]), numbered["y"]
    else:
        return None
    return f"{int(year) if year else today.year - (month > today.month)}-{month:02}"


def amount(form: Form, slot: SlotSpec) -> Any:
    """Money as it was said, with its currency; a plain number where there is no currency; 0 to take a budget away."""
    if found := _money().search(form.doc.low):
        form.used.extend(span for span in form.free("number") if found.start() <= span.start < found.end())
        return form.doc.text[found.start() : found.end()].strip()
    if numbers := form.free("number"):
        return form.use(numbers[0])
    return 0 if _words("no_budget").search(form.doc.low) else None


def traffic(form: Form, slot: SlotSpec) -> Any:
    """A share of the requests in per cent."""
    for span in form.free("number"):
        if _words("percent").match(form.doc.low, span.end + (form.doc.low[span.end : span.end + 1] == " ")) and 0 <= span.value <= 100:
            return form.use(span)
    if form.free("number"):
        return None
    return next((share for share, pattern in _table("shares") if pattern.search(form.doc.masked)), None)


def most(form: Form, slot: SlotSpec) -> Any:
    """The largest number of copies of a deployment that follows demand."""
    if both := _between(form):
        _take(form, both.span("b"))
        return int(both["b"])
    if found := _AT_MOST.search(form.doc.low):
        name = "n" if found["n"] else "m"
        _take(form, found.span(name))
        return int(found[name])
    return None


def least(form: Form) -> int | None:
    """The smaller number of a range of copies."""
    if both := _between(form):
        _take(form, both.span("a"))
        return int(both["a"])
    if (limit := _AT_MOST.search(form.doc.low)) and (
        others := [span for span in form.free("number") if not limit.start() <= span.start < limit.end()]
    ):
        return int(form.use(others[0]))
    return None


def _between(form: Form) -> re.Match[str] | None:
    both = _BETWEEN.search(form.doc.low)
    return both if both and int(both["a"]) < int(both["b"]) else None


def learning_rate(form: Form, slot: SlotSpec) -> Any:
    """A learning rate: a small number, `2e-4` or `0.0002`."""
    found = [match for match in _RATE.finditer(form.doc.low) if 0 < float(match.group()) < 1]
    if not found:
        return None
    _take(form, found[0].span())
    return float(found[0].group())


def counted(topic: str) -> Any:
    """A filler for a number that stands beside a word of a topic: epochs, steps, rank."""

    def beside(form: Form, slot: SlotSpec) -> Any:
        for span in form.free("number"):
            after, before = form.after(span, 14).lstrip(" -"), _LINK.sub("", form.before(span, 14))
            named = _words(topic).match(after) or any(match.end() == len(before) for match in _words(topic).finditer(before))
            if named and span.value > 0:
                return form.use(span)
        return None

    return beside


def _take(form: Form, place: tuple[int, int]) -> None:
    form.used.extend(span for span in form.doc.spans if span.start < place[1] and place[0] < span.end and span not in form.used)


@cache
def _counted(*, bare: bool) -> re.Pattern[str]:
    """`the last 3 days`, `最近三天`; with `bare` also `3 days` alone."""
    table = load("usage")
    number = r"\d{1,4}|" + "|".join(sorted(map(re.escape, table["numbers"]), key=len, reverse=True))
    units = "|".join(rf"(?P<{name}>{'|'.join(words)})" for name, words in table["units"].items())
    lead = rf"(?:{_BACK}\s?)?" if bare else rf"{_BACK}\s?"
    return re.compile(rf"(?<![a-z0-9.]){lead}(?P<n>{number})\s?(?:{units})(?![a-z])")


@cache
def _money() -> re.Pattern[str]:
    words = {name: "|".join(sorted(table, key=len, reverse=True)) for name, table in load("usage")["money"].items()}
    number = rf"\d[\d,]*(?:\.\d+)?\s?(?:(?:{words['factor']})(?![a-z]))?"
    after = rf"\s?(?:{words['after']})(?![a-z])(?!\s?(?:a10|a100|h100|t4|l4|gpu))"
    return re.compile(rf"(?<![a-z0-9_.])(?:{words['before']})\s?{number}(?:{after})?|(?<![a-z0-9_.]){number}{after}")


@cache
def _words(topic: str) -> re.Pattern[str]:
    return re.compile("|".join(bounded(word, literal=False) for word in load("usage")[topic]))


@cache
def _table(topic: str) -> tuple[tuple[Any, re.Pattern[str]], ...]:
    table = load("usage")[topic]
    return tuple((value, re.compile("|".join(bounded(word, literal=False) for word in words))) for value, words in table.items())
