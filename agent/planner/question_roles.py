"""The roles of columns in a question: what it groups by, what it orders by, what it calculates with."""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.planner import question_sql as sql
from agent.planner.question_columns import ColumnInfo, phrases
from agent.planner.question_filters import Condition, Marks, Unsure, one
from agent.planner.question_marks import Mark, is_noun
from agent.planner.question_patterns import adjectives, supers
from agent.planner.question_sql import Query

MAX_GROUPS = 200
_CONNECTED = re.compile(r"\s*(?:,|and|&|and by|和|与|と|及び|와|과|랑|、|,\s*and)?\s*", re.IGNORECASE)
TOTAL = re.compile(r"totals?|sum|total (?:amount|sales)|合計(?:金額)?|합계|총액|总额|总金额", re.IGNORECASE)


class Roles:
    """Which columns a question groups by, orders by and calculates with."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.query = Query()
        self.filtered = False
        self.conditions: list[Condition] = []
        self.counted: ColumnInfo | None = None

    def distinct(self, column: ColumnInfo) -> tuple[str, str]:
        """How many different values a column has, as an output."""
        return f"count(DISTINCT {column.derived or sql.identifier(column.name)})", f"count_{column.name}"

    def _measures(self) -> list[ColumnInfo]:
        """Columns to calculate with that are said and free; they are taken."""
        return self._pick(lambda column: column.is_measure)

    def _things(self) -> list[ColumnInfo]:
        return self._pick(lambda column: not column.is_measure)

    def _pick(self, fits: Callable[[ColumnInfo], bool]) -> list[ColumnInfo]:
        found: list[ColumnInfo] = []
        for mark in self.marks.of("column"):
            fitting = [column for column in mark.value if fits(column)]
            if len(fitting) == 1:
                self.marks.take(mark)
                if fitting[0] not in found:
                    found.append(fitting[0])
        return found

    def _is_rows(self, column: ColumnInfo) -> bool:
        """A column named only by a word that may mean the rows: "how many sales" of a table with amounts."""
        said = [self.marks.text[mark.start : mark.end].lower() for mark in self.marks.all if mark.kind == "column" and column in mark.value]
        return bool(said) and all(is_noun(word) and phrases(column).get(word, 3) == 3 for word in said)

    def _sole(self) -> ColumnInfo:
        return one(column for column in self.marks.columns if column.is_measure)

    def _totals(self) -> None:
        """`total minutes` is a sum also where a column is called total."""
        for at, mark in enumerate(self.marks.all):
            after = self.marks.beside(mark, 1)
            if mark.kind != "column" or not TOTAL.fullmatch(self.marks.text[mark.start : mark.end]):
                continue
            called = any(phrases(column).get(self.marks.text[mark.start : mark.end].lower(), 3) < 3 for column in mark.value)
            if after is None or after.kind != "column":
                continue
            if any(column.is_measure and not (called and column in mark.value) for column in after.value):
                self.marks.all[at] = Mark(mark.start, mark.end, "sum")

    def _groups(self) -> None:
        marks = self.marks
        ordering = marks.of("order", "desc", "asc", "top", "bottom", "super", "compare")
        for word in marks.of("group_before"):
            column = marks.beside(word, 1)
            if column is None or column.kind != "column":
                continue
            if ordering and any(c.is_measure for c in column.value) and not any(not c.is_measure for c in column.value):
                marks.take(word)
                continue  # "top 3 stores by amount": left for the ordering
            if marks.of("order") and not marks.of("count", "avg", "sum") and self._sorts(column):
                marks.take(word)
                continue
            marks.take(word)
            self._group(column)
            self._more_groups(column)
        for word in marks.of("group_after"):
            column = marks.beside(word, -1)
            if column is not None and column.kind == "column" and marks.free(column):
                marks.take(word)
                self._group(column)
        for word in marks.of("group_before"):
            # "by count", "by the number of tickets"
            after = marks.beside(word, 1)
            if after is not None and after.kind in ("count", "avg", "sum", "super", "median"):
                marks.take(word)
            elif after is not None and after.kind == "noun" and after.value != "day" and marks.of("avg"):
                marks.take(word)  # "per ticket on average": an average is always per row
            elif (after is not None and after.kind == "value" and word.value == "by") or (
                word.value in ("every", "each") and marks.of("show")
            ):
                marks.take(word)  # "spent by Ann", "show me every billing ticket"

    def _sorts(self, column: Mark) -> bool:
        """Chinese says `by` before a column and `sort` after it."""
        after = self.marks.beside(column, 1)
        return after is not None and after.kind in ("order", "desc", "asc")

    def _group(self, mark: Mark) -> None:
        things = [column for column in mark.value if not column.is_measure]
        column = one(things or mark.value)
        if column.is_measure and (column.distinct is None or column.distinct > MAX_GROUPS):
            raise Unsure
        self.marks.take(mark)
        if column not in self.query.groups:
            self.query.groups.append(column)

    def _more_groups(self, column: Mark) -> None:
        after = self.marks.beside(column, 1)
        while after is not None and after.kind == "column" and self.marks.free(after):
            between = self.marks.text[column.end : after.start]
            if not between.strip() or not _CONNECTED.fullmatch(between) or all(c.is_measure for c in after.value):
                return
            self._group(after)
            column, after = after, self.marks.beside(after, 1)

    def _order(self) -> None:
        marks = self.marks
        words = marks.of("order", "desc", "asc")
        if not words:
            return
        down = bool(marks.of("desc")) or (
            not marks.of("asc") and bool(marks.of("top", "super") or re.search(r"(?i)\brank|排名|ランキング|랭킹", marks.text))
        )
        for word in words:
            if not self.query.groups and (of := self._by_adjective(word)):
                marks.take(word)
                self.query.order = [of]
                for side in marks.neighbours(word, "column"):
                    if any(sql.identifier(column.name) == of[0] for column in side.value):
                        marks.take(side)
                return
            column = next(
                (side for side in (marks.beside(word, 1 if word.kind == "order" and word.value.isascii() else -1),) if side), None
            )
            if column is not None and column.kind == "column" and marks.free(column) and len(column.value) == 1 and not self.query.groups:
                marks.take(column)
                self.query.order = [(sql.identifier(column.value[0].name), down)]
                return

    def _by_adjective(self, word: Mark) -> tuple[str, bool] | None:
        """The order that an adjective says by itself: `若い順`, `hottest first`; None where it speaks of any number."""
        said = re.sub(r"\bfirst\b", "", self.marks.text[word.start : word.end].lower())
        for to, of, pattern in (*supers(), *adjectives()):
            if of in OPEN or not pattern.search(said):
                continue
            columns = [column for column in self.marks.columns if (column.is_date if of == "date" else of_kind(of, column))]
            if len(columns) == 1:
                return sql.identifier(columns[0].name), to == "desc"
            if not any(side is not None and side.kind == "column" for side in (self.marks.beside(word, -1), self.marks.beside(word, 1))):
                raise Unsure
        return None


# Superlatives and adjectives that say nothing of what they measure, and what the others may measure.
OPEN = ("many", "level", "costly")
FAMILIES = {"amount": {"amount", "price", "salary"}, "fast": {"duration"}, "costly": {"price", "amount"}}


def of_kind(of: str, column: ColumnInfo) -> bool:
    """Whether a column is a number of the kind that an adjective measures."""
    return column.is_measure and bool(column.concepts & FAMILIES.get(of, {of}))
