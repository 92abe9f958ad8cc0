"""The parts of a question that mean something to a table: columns, values, numbers, dates and words of counting and comparing.

What is left over must be words that carry nothing; else the question is not understood.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from agent.planner import question_patterns as patterns
from agent.planner.lexicon import CJK, bounded
from agent.planner.normalise import lower
from agent.planner.question_columns import ColumnInfo, misspelt, phrases, singular
from agent.planner.question_meaning import nearest, nearest_value
from agent.planner.question_patterns import HOLE

_NUMBER = r"(?P<n>-?\d[\d,]*(?:\.\d+)?)\s?(?P<times>k\b|thousand|million|万|만|千|천)?"
_TIMES = {"k": 1e3, "thousand": 1e3, "million": 1e6, "万": 1e4, "만": 1e4, "千": 1e3, "천": 1e3}
_RANGE = r"\s*(?:and|to|-|~|到|至|和|から|부터|에서)\s*"
_AFTER_RANGE = r"(?:\s*(?:之间|の間|まで|사이|까지))?"
_PIECE_AHEAD = "(?= ?(?:个|条|家|名|件|种|款|单|项|つ|位|天|笔|张|개|건|명|곳|가지))"
_DAY = re.compile(
    r"(?<![\d-])(?P<y>(?:19|20)\d\d)(?:\s?[-/.年년]\s?(?P<m>\d{1,2})(?:\s?[-/.月월]\s?(?P<d>\d{1,2})\s?[日号일]?|\s?[月월])?|[年년]|(?![\d.,/-]))"
)
_QUOTED = re.compile(r"\"([^\"]+)\"|「([^」]+)」|『([^』]+)』|`([^`]+)`|(?<![a-z0-9])'([^']+)'(?![a-z0-9])")
_RANK = {
    "quoted": 0, "date": 1, "between": 2, "bound": 2, "value": 3, "column": 4, "super": 5, "how_much": 5, "noun": 7, "number": 8,
    "verb": 9, "most": 10, "adjective": 10, "light": 11,
}  # fmt: skip
# Marks that show that something is asked of a table, so that it is worth looking for what an unknown word may mean.
ASKING = frozenset(
    [
        "count",
        "count_days",
        "how_much",
        "avg",
        "sum",
        "median",
        "percent",
        "group_before",
        "group_after",
        "super",
        "top",
        "bottom",
        "bound",
        "between",
        "order",
        "desc",
        "asc",
        "when",
    ]
)
_LONGEST_NAME = 8


@dataclass(frozen=True, slots=True)
class Mark:
    """A part of the question. `value` depends on the kind: columns, (column, value) pairs, an operator with a number ..."""

    start: int
    end: int
    kind: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Bound:
    """A number to compare with: `unit` is a key of the lexicon's units or None."""

    op: str
    number: float
    unit: str | None


def find_marks(text: str, columns: Sequence[ColumnInfo], nouns: Sequence[str]) -> list[Mark] | None:
    """All marks of a folded question, in order, without overlaps; None when something is left that is not understood."""
    return _complete(lower(text), columns, likely_marks(text, columns, nouns))


def likely_marks(text: str, columns: Sequence[ColumnInfo], nouns: Sequence[str] = ()) -> list[Mark]:
    """The marks of any folded text, in order, without overlaps, whatever is left."""
    low = lower(text)
    found = [*_quoted(low, columns), *_dates(low), *_numbers(low), *_columns(low, columns), *_cues(low)]
    for word in nouns:
        found += [Mark(m.start(), m.end(), "noun", "own") for m in _spoken(word).finditer(low)]
    found += [Mark(m.start(), m.end(), "noun", name) for name, pattern in patterns.nouns() for m in pattern.finditer(low)]
    found += _values(text, low, columns, {c.name for mark in found if mark.kind == "column" for c in mark.value})
    found += _light(low)
    found.sort(key=lambda mark: (mark.start - mark.end, _RANK.get(mark.kind, 6), mark.start))
    kept: list[Mark] = []
    for mark in found:
        if mark.end > mark.start and all(mark.end <= other.start or mark.start >= other.end for other in kept):
            kept.append(mark)
    return sorted(kept, key=lambda mark: mark.start)


def _complete(low: str, columns: Sequence[ColumnInfo], marks: list[Mark]) -> list[Mark] | None:
    """The marks with mistyped and otherwise named columns added; None when other words are left."""
    chars = list(low)
    for mark in marks:
        chars[mark.start : mark.end] = HOLE * (mark.end - mark.start)
    rest = "".join(chars)
    asks = any(mark.kind in ASKING for mark in marks)
    for run in re.finditer(rf"[{CJK}々ー]+", rest):
        ahead, behind = patterns.all_empty(run.group(), run.start(), rest)
        if ahead[-1]:
            continue
        meant = _meant(run.group(), run.start(), columns, ahead, behind) if asks else None
        if meant is None and asks:
            meant = _with_neighbour(rest, low, run.span(), marks, columns)
        if meant is None:
            return None
        marks.append(meant)
    words, _ = patterns.filler()
    for run in re.finditer(r"[^\W_][\w']*", re.sub(rf"[{CJK}々ー]", " ", rest)):
        word = run.group()
        if word in words or word.removesuffix("'s") in words:
            continue
        column = misspelt(word, columns)
        if column is None and asks and (found := nearest(word, columns)):
            column = found[0]
        if column is not None:
            marks.append(Mark(run.start(), run.end(), "column", (column,)))
        elif asks and (pair := nearest_value(word, columns)):
            marks.append(Mark(run.start(), run.end(), "value", (pair[0],)))
        else:
            return None
    told = [mark for mark in marks if mark.kind != "light"]
    return _superlatives(sorted(told, key=lambda mark: mark.start))


def _light(low: str) -> Iterator[Mark]:
    """Phrases that carry nothing; the short ones are looked for only where nothing else is."""
    for pattern in (*patterns.light()[0], *patterns.light()[1]):
        yield from (Mark(m.start(), m.end(), "light") for m in pattern.finditer(low) if m.end() - m.start() > 1)


def _with_neighbour(rest: str, low: str, run: tuple[int, int], marks: list[Mark], columns: Sequence[ColumnInfo]) -> Mark | None:
    """What a run means together with a single character beside it that was taken for a word of its own: 德[国]. That mark is dropped."""
    for mark in marks:
        if mark.kind not in ("column", "noun") or mark.end - mark.start > 1 or (mark.end != run[0] and mark.start != run[1]):
            continue
        start, end = min(mark.start, run[0]), max(mark.end, run[1])
        whole = rest[:start] + low[start:end] + rest[end:]
        ahead, behind = patterns.all_empty(low[start:end], start, whole)
        if (meant := _meant(low[start:end], start, columns, ahead, behind)) and meant.start <= mark.start < meant.end:
            marks.remove(mark)
            return meant
    return None


def _meant(run: str, at: int, columns: Sequence[ColumnInfo], ahead: list[bool], behind: list[bool]) -> Mark | None:
    """A column that a part of a run means, where the rest of the run carries nothing."""
    best: tuple[float, Mark] | None = None
    for start, end in itertools.combinations(range(len(run) + 1), 2):
        if not (ahead[start] and behind[end] and 2 <= end - start <= _LONGEST_NAME):
            continue
        for kind, found in (("column", nearest(run[start:end], columns)), ("value", nearest_value(run[start:end], columns))):
            if found and (best is None or found[1] > best[0]):
                best = found[1], Mark(at + start, at + end, kind, (found[0],))
    return best[1] if best else None


def _cues(low: str) -> Iterator[Mark]:
    quoted = _QUOTED.search(low)
    for kind, pattern in patterns.cues():
        if kind == "contains" and not quoted:
            continue
        for match in pattern.finditer(low):
            yield Mark(match.start(), match.end(), kind, match.group())
    for to, of, pattern in patterns.supers():
        for match in pattern.finditer(low):
            yield Mark(match.start(), match.end(), "super", (to, of))
    said: dict[tuple[int, int], tuple[str, ...]] = {}
    for of, pattern in patterns.verbs():
        for match in pattern.finditer(low):
            said[match.span()] = (*said.get(match.span(), ()), of)
    yield from (Mark(start, end, "verb", of) for (start, end), of in said.items())
    bare = [Mark(m.start(), m.end(), "most", language) for language, pattern in patterns.most() for m in pattern.finditer(low)]
    yield from bare
    if bare or any(pattern.search(low) for kind, pattern in patterns.cues() if kind in ("top", "bottom")):
        for to, of, pattern in patterns.adjectives():
            for match in pattern.finditer(low):
                yield Mark(match.start(), match.end(), "adjective", (to, of))


def _superlatives(marks: list[Mark]) -> list[Mark]:
    """`一番` and `低い` with words between them are one superlative, and so is `一番` before a verb."""
    if not any(mark.kind == "most" for mark in marks):
        return marks
    found: list[Mark] = []
    waiting: Mark | None = None
    for mark in marks:
        if mark.kind == "most":
            waiting = mark
        elif mark.kind == "adjective" and waiting is not None:
            found.append(Mark(mark.start, mark.end, "super", mark.value))
            waiting = None
            continue
        found.append(mark)
    if waiting is not None and waiting.value != "zh":
        found[found.index(waiting)] = Mark(waiting.start, waiting.end, "super", ("desc", "many"))
    return [mark for mark in found if mark.kind != "most" or (mark is waiting and mark.value == "zh")]


@lru_cache(maxsize=16384)
def _spoken(form: str, *, tails: bool = False) -> re.Pattern[str]:
    """A name in a text, and what may follow it and adds nothing."""
    return re.compile(bounded(form, literal=True) + (patterns.tails() if tails else ""))


def _columns(low: str, columns: Sequence[ColumnInfo]) -> list[Mark]:
    """Where columns are named; the tightest way of naming wins, and several columns may share a word."""
    by_form: dict[str, list[tuple[int, ColumnInfo]]] = {}
    for column in columns:
        for form, level in phrases(column).items():
            by_form.setdefault(form, []).append((level, column))
    found = []
    for part in patterns.calendar(columns):
        for form in part.words:
            by_form.setdefault(form, []).append((3, part.column))
    for form, named in by_form.items():
        best = min(level for level, _ in named)
        chosen = tuple(column for level, column in named if level == best)
        if is_noun(form):
            # What only tells rows apart is not meant by a word for the rows.
            chosen = tuple(column for column in chosen if not (column.is_row_name or (best == 3 and column.is_key)))
        if chosen:
            found += [Mark(m.start(), m.end(), "column", chosen) for m in _spoken(form, tails=True).finditer(low)]
    return found


def _values(text: str, low: str, columns: Sequence[ColumnInfo], named: set[str]) -> list[Mark]:
    """Where known values are said. Values that are plain words of questions count only where their column is named."""
    by_form: dict[str, list[tuple[ColumnInfo, str]]] = {}
    for column in columns:
        for value in column.values:
            form = value.lower().strip()
            if not form:
                continue
            for word in dict.fromkeys([form, *sorted(_forms(form)), *map(str, patterns.things()["values"].get(form, ()))]):
                if (not _plain(word) or column.name in named or (word == form and _shouted(value, text))) and (
                    column,
                    value,
                ) not in by_form.setdefault(word, []):
                    by_form[word].append((column, value))
    return [
        Mark(m.start(), m.end(), "value", tuple(pairs)) for form, pairs in by_form.items() if pairs for m in _spoken(form).finditer(low)
    ]


def _shouted(value: str, text: str) -> bool:
    """Whether a value that is a plain word otherwise is said as it is written: `GET` is no `get`."""
    return len(value) > 1 and value.isupper() and not text.isupper() and bool(re.search(bounded(value, literal=True), text))


def _forms(value: str) -> set[str]:
    """One and many of an English value: `book` and `books`."""
    if len(value) < 4 or not re.fullmatch(r"[a-z]+", value):
        return set()
    return {singular(value), value if value.endswith("s") else value + "s"}


@cache
def _plain(word: str) -> bool:
    """A word that is said in questions anyway, a single letter, or a number."""
    words, glued = patterns.filler()
    if len(word) < 2 or word in words or word in glued or re.fullmatch(r"[\d.,\s-]+", word):
        return True
    return any(p.fullmatch(word) for _, p in patterns.cues()) or any(p.fullmatch(word) for *_, p in patterns.supers())


def _quoted(low: str, columns: Sequence[ColumnInfo]) -> Iterator[Mark]:
    for match in _QUOTED.finditer(low):
        inner = match[match.lastindex or 0].strip()
        pairs = tuple((column, value) for column in columns for value in column.values if value.lower().strip() == inner)
        meant = tuple(column for column in columns if column.name.lower() == inner)
        if pairs:
            yield Mark(match.start(), match.end(), "value", pairs)
        elif meant:
            yield Mark(match.start(), match.end(), "column", meant)
        else:
            yield Mark(match.start(), match.end(), "quoted", (match.start(match.lastindex or 0), match.end(match.lastindex or 0)))


def _side(table: str, low: str, start: int, end: int) -> tuple[str, int, int] | None:
    """The comparison that stands right before or right after, and how far the two reach together."""
    found: list[tuple[int, str, int, int]] = []
    before, after = low[:start], low[end:]
    for op in patterns.questions()[f"{table}_before"]:
        if match := patterns.side(table, op, before=True).search(before):
            found.append((start - match.start(), op, match.start(), end))
    for op in patterns.questions()[f"{table}_after"]:
        if match := patterns.side(table, op, before=False).match(after):
            found.append((match.end(), op, start, end + match.end()))
    if not found:
        return None
    _, op, first, last = max(found)
    return op, first, last


def _numbers(low: str) -> Iterator[Mark]:
    """Numbers with their units: alone, compared, or as a range."""
    for match in re.finditer(rf"(?<![A-Za-z0-9_.-]){_NUMBER}", low):
        unit, end = _unit(low, match.end())
        number = _value(match)
        yield Mark(match.start(), end, "number", (number, unit))
        if side := _side("compare", low, match.start(), end):
            yield Mark(side[1], side[2], "bound", Bound(side[0], number, unit))
    for match in re.finditer(rf"(?:\b(?:between|from)\s+)?(?<![A-Za-z0-9_.-]){_NUMBER}", low):
        unit, end = _unit(low, match.end())
        if (joint := re.compile(_RANGE).match(low, end)) and (other := re.compile(_NUMBER).match(low, joint.end())):
            last_unit, end = _unit(low, other.end())
            closing = re.compile(_AFTER_RANGE).match(low, end)
            yield Mark(match.start(), closing.end() if closing else end, "between", (_value(match), _value(other), last_unit or unit))
    spelled = patterns.questions()["numbers"]
    words = "|".join(word for word in spelled if word.isascii() and spelled[word] > 1)
    glued = "|".join(word for word in spelled if not word.isascii())
    for match in re.finditer(rf"(?<![\w'])(?:{words})(?![\w'])|(?:{glued}){_PIECE_AHEAD}|(?<=前)(?:{glued})|(?<=上位)(?:{glued})", low):
        unit, end = _unit(low, match.end())
        yield Mark(match.start(), end, "number", (float(spelled[match.group()]), unit))
    for match in re.finditer(r"(?<![\w'])(?:an?|one) (?=hour|minute|day|second)|一个?(?=小时|時間|分钟|天)|한 ?(?=시간)", low):
        unit, end = _unit(low, match.end())
        if side := _side("compare", low, match.start(), end):
            yield Mark(side[1], side[2], "bound", Bound(side[0], 1.0, unit))


def _value(match: re.Match[str]) -> float:
    return float(match["n"].replace(",", "")) * _TIMES.get(match["times"] or "", 1)


def _unit(low: str, at: int) -> tuple[str | None, int]:
    """The unit after a number, else the rows it counts; and where it ends."""
    start = at + (1 if low[at : at + 1] == " " else 0)
    hits = [(m.end(), name) for name, pattern in patterns.units() if (m := pattern.match(low, start))]
    if not hits:
        hits = [(m.end(), "piece") for name, pattern in patterns.nouns() if (m := pattern.match(low, start))]
    end, name = max(hits, default=(at, ""))
    return (name or None), end


def _dates(low: str) -> Iterator[Mark]:
    """Days, months and years, with what is said about before and after; two of them as a range."""
    found = [(match.start(), match.end(), span) for match in _DAY.finditer(low) if (span := _span(match))]
    months = "|".join(patterns.questions()["months"])
    for match in re.finditer(rf"(?<![a-z])({months})(?: of)?,? ((?:19|20)\d\d)(?!\d)", low):
        found.append((match.start(), match.end(), _month(int(match[2]), patterns.questions()["months"].index(match[1]) + 1)))
    found.sort()
    for first, second in itertools.pairwise(found):
        if re.fullmatch(_RANGE, low[first[1] : second[0]]):
            opening = re.search(r"(?:between|from|在|从)?\s*$", low[: first[0]])
            closing = re.compile(_AFTER_RANGE).match(low, second[1])
            yield Mark(
                opening.start() if opening else first[0], closing.end() if closing else second[1], "date", ("..", first[2][0], second[2][1])
            )
    for start, end, month, day in _yearless(low):
        side = _side("date", low, start, end)
        op, first_at, last_at = side or ("=", start, end)
        yield Mark(first_at, last_at, "date", (op, month, day))
    for start, end, (begin, until) in found:
        side = _side("date", low, start, end)
        op, first_at, last_at = side or ("=", start, end)
        yield Mark(first_at, last_at, "date", (op, begin, until))


def _yearless(low: str) -> Iterator[tuple[int, int, int, int | None]]:
    """Months, and days of a month, that are said without a year."""
    months = patterns.questions()["months"]
    for match in re.finditer(r"(?<![\d年년])(?<!年 )(?<!년 )(\d{1,2})\s?[月월](?!间|間)(?:份|中)?(?:\s?(\d{1,2})\s?[日号일])?", low):
        if 1 <= int(match[1]) <= 12:
            yield match.start(), match.end(), int(match[1]), int(match[2]) if match[2] else None
    for match in re.finditer(r"(?<![一二三四五六七八九十年个])(十[一二]?|[一二三四五六七八九])月(?:份)?(?!间|間)", low):
        yield match.start(), match.end(), sum("一二三四五六七八九十".index(digit) + 1 for digit in match[1]), None
    for match in re.finditer(
        rf"(?<![a-z])({'|'.join(months)})(?![a-z])(?: (\d{{1,2}})(?:st|nd|rd|th)?(?!\d))?(?!,? (?:of )?(?:19|20)\d\d)", low
    ):
        if match[1] != "may" or match[2] or re.search(r"\b(?:in|since|of|during|before|after|from|until) $", low[: match.start()]):
            yield match.start(), match.end(), months.index(match[1]) + 1, int(match[2]) if match[2] else None


def _span(match: re.Match[str]) -> tuple[dt.date, dt.date] | None:
    year, month, day = int(match["y"]), match["m"], match["d"]
    try:
        if day:
            first = dt.date(year, int(month), int(day))
            return first, first + dt.timedelta(days=1)
        return _month(year, int(month)) if month else (dt.date(year, 1, 1), dt.date(year + 1, 1, 1))
    except ValueError:
        return None


def _month(year: int, month: int) -> tuple[dt.date, dt.date]:
    return dt.date(year, month, 1), dt.date(year + month // 12, month % 12 + 1, 1)


def table_nouns(*names: str) -> tuple[str, ...]:
    """Words that rows may be called, from the names of a dataset and its files."""
    words = {word for name in names for word in re.findall(r"[a-z]{3,}", name.lower())}
    return tuple(sorted(words | {singular(word) for word in words}, key=len, reverse=True))


@lru_cache(maxsize=8192)
def is_noun(word: str) -> bool:
    """Whether a word may name the rows of some table."""
    return any(pattern.fullmatch(word.lower()) for _, pattern in patterns.nouns())


def concepts_of(nouns: Sequence[str]) -> set[str]:
    """What a table's own words for its rows stand for, as keys of the lexicon."""
    return {name for name, pattern in patterns.nouns() for noun in nouns if pattern.fullmatch(noun)}
