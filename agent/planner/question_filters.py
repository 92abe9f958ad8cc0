"""Which rows a question is about: values, bounds, dates, empty cells and parts of texts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.planner import question_sql as sql
from agent.planner.question_columns import ColumnInfo
from agent.planner.question_marks import Bound, Mark, concepts_of
from agent.planner.question_patterns import questions, things

# Words for an empty cell that stand before their column.
_NULL_FIRST = re.compile(r"without|ha[vds]|with|left|gave|lack|did|do|没|缺|无")


_PAID = frozenset(["order", "sale", "payment", "receipt", "invoice"])


class Unsure(Exception):
    """The question is not understood with confidence."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: where the question says it, the column it is about, and its SQL."""

    at: int
    column: ColumnInfo
    sql: str


class Marks:
    """The marks of one question, and which of them are accounted for."""

    def __init__(self, text: str, marks: Sequence[Mark], columns: Sequence[ColumnInfo]) -> None:
        self.text, self.columns = text, columns
        self.all = list(marks)
        self._used: set[int] = set()

    def take(self, mark: Mark) -> None:
        """Account for one."""
        self._used.add(id(mark))

    def free(self, mark: Mark | None) -> bool:
        """True for a mark that nothing has taken yet."""
        return mark is not None and id(mark) not in self._used

    def of(self, *kinds: str) -> list[Mark]:
        """Free marks of the kinds, in order."""
        return [mark for mark in self.all if mark.kind in kinds and self.free(mark)]

    def take_all(self, *kinds: str) -> bool:
        """Account for all marks of the kinds; True when there were any."""
        found = self.of(*kinds)
        for mark in found:
            self.take(mark)
        return bool(found)

    def beside(self, mark: Mark, step: int) -> Mark | None:
        """The next mark after (1) or before (-1) one."""
        at = self.all.index(mark) + step
        return self.all[at] if 0 <= at < len(self.all) else None

    def neighbours(self, mark: Mark, *kinds: str) -> list[Mark]:
        """Free marks of the kinds right before and right after one."""
        beside = (self.beside(mark, -1), self.beside(mark, 1))
        return [other for other in beside if other is not None and other.kind in kinds and self.free(other)]


def one(columns: Iterable[ColumnInfo]) -> ColumnInfo:
    """The only column of a choice; raises Unsure."""
    found = list(columns)
    if len(found) != 1:
        raise Unsure
    return found[0]


def filters(marks: Marks) -> list[Condition]:
    """The conditions of a question in its order; the marks that say them are taken. Raises Unsure."""
    found = [*_bounds(marks), *_dates(marks), *_texts(marks), *_values(marks), *_nulls(marks), *_flags(marks)]
    return sorted(found, key=lambda condition: condition.at)


def _bounds(marks: Marks) -> list[Condition]:
    found: list[Condition] = []
    for mark in marks.of("bound", "between"):
        bound = mark.value if isinstance(mark.value, Bound) else None
        unit = bound.unit if bound else mark.value[2]
        column = _measured(marks, mark, unit)
        if column is None:
            continue  # it counts rows
        marks.take(mark)
        numbers = [bound.number] if bound else [mark.value[0], mark.value[1]]
        scaled = [value * _scale(column, unit) for value in numbers]
        said = (
            [sql.compared(column, bound.op, scaled[0])]
            if bound
            else [sql.compared(column, ">=", scaled[0]), sql.compared(column, "<=", scaled[1])]
        )
        found += [Condition(mark.start, column, condition) for condition in said]
    for mark in marks.of("number"):
        before = marks.beside(mark, -1)
        if before is not None and before.kind == "column" and marks.free(before) and mark.value[1] is None:
            numeric = [column for column in before.value if column.is_number]
            if len(numeric) == 1:
                marks.take(mark)
                marks.take(before)
                found.append(Condition(mark.start, numeric[0], sql.compared(numeric[0], "=", mark.value[0])))
    return found


def _measured(marks: Marks, mark: Mark, unit: str | None) -> ColumnInfo | None:
    """The column that is compared with a number; None when rows are counted. Raises Unsure."""
    of = things()["units"][unit]["of"] if unit else None
    before, after = marks.beside(mark, -1), marks.beside(mark, 1)
    before, told = _told_before(marks, before, of)
    if told is not None:
        return told
    # "30 likes" names its column behind the number, where none stands before it.
    sides = [before, after] if before is None or before.kind != "column" else [before]
    for side in sides:
        if side is None or side.kind != "column" or not marks.free(side):
            continue
        numeric: list[ColumnInfo] = [column for column in side.value if column.is_number]
        fitting = [column for column in numeric if of is None or _fits(column, of)]
        if len(fitting) == 1:
            marks.take(side)
            return fitting[0]
    if unit == "piece":
        return None
    if unit is None and (meant := _by_comparison(marks, mark)):
        return meant
    if of is not None:
        return one(column for column in marks.columns if column.is_measure and _fits(column, of))
    measures = [column for column in marks.columns if column.is_measure]
    if unit is None and is_paid(marks):
        # "orders above 50": what is paid for is compared by its amount.
        return paid(measures)
    return one(measures)


def _told_before(marks: Marks, before: Mark | None, of: str | None) -> tuple[Mark | None, ColumnInfo | None]:
    """What stands before a comparison, beyond nouns and verbs; and the column that these tell: `people over 40`, `products priced over 40`."""
    ages = [column for column in marks.columns if "age" in column.concepts]
    if of is None and before is not None and before.kind == "noun" and before.value == "person" and len(ages) == 1:
        return before, ages[0]
    while before is not None and before.kind in ("noun", "verb", "how_much") and marks.beside(before, -1) is not None:
        if before.kind == "verb":
            fitting = [column for column in marks.columns if column.is_measure and column.concepts & set(before.value)]
            if len(fitting) == 1 and (of is None or _fits(fitting[0], of)):
                return before, fitting[0]
        before = marks.beside(before, -1)
    return before, None


def is_paid(marks: Marks) -> bool:
    """Whether the rows are called as what is paid for: orders, invoices."""
    return bool(_PAID & concepts_of([marks.text[mark.start : mark.end].lower() for mark in marks.all if mark.kind == "noun"]))


def paid(measures: Sequence[ColumnInfo]) -> ColumnInfo:
    """The column that says how much was paid. Raises Unsure."""
    return one(measures if len(measures) == 1 else (column for column in measures if "amount" in column.concepts))


def _by_comparison(marks: Marks, mark: Mark) -> ColumnInfo | None:
    """The column that `older than`, `より長い` speak of; None where they speak of any, or the table has none."""
    said = marks.text[mark.start : mark.end].lower()
    for concept, pattern in questions()["comparatives"].items():
        if re.search(pattern, said):
            fitting = [column for column in marks.columns if column.is_measure and concept in column.concepts]
            return fitting[0] if len(fitting) == 1 else None
    return None


def _fits(column: ColumnInfo, of: str) -> bool:
    if of == "amount":
        return not column.concepts & {"duration", "temperature", "age"}
    if of == "ratio":
        return True
    if of == "score":
        return bool(column.concepts & {"score", "satisfaction"})
    if of == "rows":
        return not column.concepts & {"duration", "temperature", "amount", "price"}
    return of in column.concepts


def _scale(column: ColumnInfo, unit: str | None) -> float:
    base = things()["units"][unit].get("base") if unit else None
    if base is None or "duration" not in column.concepts:
        return 1
    if column.seconds is None:
        raise Unsure
    return float(base) / column.seconds


def _dates(marks: Marks) -> list[Condition]:
    found: list[Condition] = []
    for mark in marks.of("date"):
        beside = [column for side in marks.neighbours(mark, "column") for column in side.value if column.is_date]
        column = beside[0] if len(beside) == 1 else one(column for column in marks.columns if column.is_date)
        for side in marks.neighbours(mark, "column"):
            if column in side.value:
                marks.take(side)
        marks.take(mark)
        op, begin, until = mark.value if isinstance(mark.value[1], dt.date) else (mark.value[0], *_this_year(column, *mark.value[1:]))
        found.append(Condition(mark.start, column, sql.dated(column, "=" if op == ".." else op, begin, until)))
    for condition in found:
        # "joined since 2020": the verb names the column whose date is compared.
        for mark in marks.of("column"):
            if condition.column in mark.value and all(column.is_date for column in mark.value) and not _grouped(marks, mark):
                marks.take(mark)
    return found


def _this_year(column: ColumnInfo, month: int, day: int | None) -> tuple[dt.date, dt.date]:
    """A month, or a day of it, of the only year that a column's dates are in. Raises Unsure."""
    years = {str(end)[:4] for end in (column.min, column.max)}
    if len(years) != 1 or not (year := years.pop()).isdigit():
        raise Unsure
    try:
        first = dt.date(int(year), month, day or 1)
    except ValueError:
        raise Unsure from None
    after = first + dt.timedelta(days=1) if day else dt.date(int(year) + month // 12, month % 12 + 1, 1)
    return first, after


def _texts(marks: Marks) -> list[Condition]:
    """Quoted words: a part of a text, or a value of the column said before."""
    found: list[Condition] = []
    for mark in marks.of("quoted"):
        said = marks.text[mark.value[0] : mark.value[1]].strip()
        near = marks.neighbours(mark, "contains", "column")
        part = next((other for other in marks.of("contains")), None)
        columns = [other for other in near if other.kind == "column"]
        if not columns and part is not None:
            columns = marks.neighbours(part, "column")
        if columns:
            column = one(column for column in columns[0].value if column.is_text)
            marks.take(columns[0])
        elif part is not None:
            column = one(column for column in marks.columns if column.is_text and not column.is_date and not column.is_key)
        else:
            raise Unsure
        marks.take(mark)
        if part is not None:
            marks.take(part)
        condition = sql.containing(column, said) if part is not None else sql.among(column, [said], negated=False)
        found.append(Condition(mark.start, column, condition))
    return found


def _values(marks: Marks) -> list[Condition]:
    """Known values, several of one column together, with what denies them."""
    wanted: dict[str, tuple[ColumnInfo, list[str], list[bool]]] = {}
    starts: dict[str, int] = {}
    runs: list[tuple[ColumnInfo, list[Mark]]] = []
    for mark in marks.of("value"):
        column, _ = _pair(marks, mark)
        last = runs[-1] if runs else None
        if last is not None and last[0] is column and _adjacent(marks, last[1][-1], mark, column):
            last[1].append(mark)
        else:
            runs.append((column, [mark]))
    for column, run in runs:
        denied = _denied(marks, column, run)
        entry = wanted.setdefault(column.name, (column, [], []))
        starts.setdefault(column.name, run[0].start)
        entry[1].extend(_pair(marks, mark)[1] for mark in run)
        entry[2].append(denied)
    for mark in marks.of("value"):
        column, _ = _pair(marks, mark)
        before, after = marks.beside(mark, -1), marks.beside(mark, 1)
        if before is not None and before.kind == "not_before":
            before = marks.beside(before, -1)
        for side in (before, after):
            if side is not None and side.kind == "column" and column in side.value and not _grouped(marks, side):
                marks.take(side)
    marks.take_all("value")
    for _, _, denials in wanted.values():
        if len(set(denials)) > 1:
            raise Unsure
    return [
        Condition(starts[name], column, sql.among(column, values, negated=denials[0])) for name, (column, values, denials) in wanted.items()
    ]


def _grouped(marks: Marks, column: Mark) -> bool:
    before, after = marks.beside(column, -1), marks.beside(column, 1)
    return bool((before and before.kind in ("group_before", "which")) or (after and after.kind == "group_after"))


def _adjacent(marks: Marks, first: Mark, second: Mark, column: ColumnInfo) -> bool:
    between = marks.all[marks.all.index(first) + 1 : marks.all.index(second)]
    return all((mark.kind == "column" and column in mark.value) or mark.kind == "not_before" for mark in between)


def _pair(marks: Marks, mark: Mark) -> tuple[ColumnInfo, str]:
    """The column and value that are meant: where several columns have the value, the one named beside it."""
    pairs: Sequence[tuple[ColumnInfo, str]] = mark.value
    if len(pairs) == 1:
        return pairs[0]
    sides = [side for side in (marks.beside(mark, -1), marks.beside(mark, 1)) if side is not None and side.kind == "column"]
    near = [pair for pair in pairs if any(pair[0] in side.value for side in sides)]
    exact = (
        [pair for pair in near or pairs if pair[1] == marks.text[mark.start : mark.end]]
        if len({id(c) for c, _ in near or pairs}) == 1
        else near
    )
    if len(exact or near) != 1:
        raise Unsure
    return (exact or near)[0]


def _denied(marks: Marks, column: ColumnInfo, run: list[Mark]) -> bool:
    """Whether a word before or after a run of values says that they are not meant."""
    denied = False
    for edge, step, kind in ((run[0], -1, "not_before"), (run[-1], 1, "not_after")):
        other = marks.beside(edge, step)
        if other is not None and other.kind == "column" and column in other.value:
            other = marks.beside(other, step)
        if other is not None and (other.kind == kind or (other.kind == "null" and kind == "not_before")) and marks.free(other):
            marks.take(other)
            denied = True
    inner = marks.all[marks.all.index(run[0]) : marks.all.index(run[-1])]
    for mark in inner:
        if mark.kind == "not_before":
            if not denied:
                raise Unsure
            marks.take(mark)
    if denied:
        return True
    # "priority is not high": the word stands between the column and its value.
    before = marks.beside(run[0], -1)
    if before is not None and before.kind == "not_before" and marks.free(before):
        marks.take(before)
        return True
    return False


def _nulls(marks: Marks) -> list[Condition]:
    found: list[Condition] = []
    for mark in marks.of("null"):
        beside = marks.neighbours(mark, "column")
        if len(beside) > 1:
            said = marks.text[mark.start : mark.end].lower()
            beside = beside[1:] if _NULL_FIRST.match(said) else beside[:1]
        beside = [side for side in beside if not any(column.is_bool for column in side.value)]
        if not beside:
            continue
        marks.take(mark)
        marks.take(beside[0])
        column = one(beside[0].value)
        found.append(Condition(mark.start, column, sql.empty(column)))
    return found


def _flags(marks: Marks) -> list[Condition]:
    """`resolved tickets` where the table has a true-or-false column `resolved`."""
    found: list[Condition] = []
    for mark in marks.of("column"):
        if len(mark.value) != 1 or not mark.value[0].is_bool or _grouped(marks, mark):
            continue
        denied = [
            side
            for side in (marks.beside(mark, -1), marks.beside(mark, 1))
            if side is not None and marks.free(side) and _denies(side, before=side.start < mark.start)
        ]
        for side in denied:
            marks.take(side)
        marks.take(mark)
        name = sql.identifier(mark.value[0].name)
        found.append(Condition(mark.start, mark.value[0], f"NOT {name}" if denied else name))
    return found


def _denies(mark: Mark, *, before: bool) -> bool:
    """Whether a mark before or after a true-or-false column denies it."""
    return mark.kind in (("not_before", "null") if before else ("not_after", "null"))
