"""What a question wants to know of its rows: how many, an average, the largest, which values, or the rows themselves."""

from __future__ import annotations

import re

from agent.planner import question_sql as sql
from agent.planner.question_columns import ColumnInfo
from agent.planner.question_filters import Marks, Unsure, filters, one
from agent.planner.question_marks import Bound, Mark
from agent.planner.question_sql import Query

MAX_GROUPS = 200
_CONNECTED = re.compile(r"\s*(?:,|and|&|and by|和|与|と|及び|와|과|랑|、|,\s*and)?\s*", re.IGNORECASE)
_TOTAL = re.compile(r"totals?|sum|total (?:amount|sales)|合計(?:金額)?|합계|총액|总额|总金额", re.IGNORECASE)
_LIGHT = (
    "which",
    "show",
    "noun",
    "distinct",
    "break_down",
    "compare",
    "order",
    "desc",
    "asc",
    "group_after",
    "sum",
    "count",
    "how_much",
    "top",
    "bottom",
)


class Shape:
    """Reads one question. `build` answers the query or raises Unsure."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.query = Query()
        self.filtered = False

    def build(self) -> Query:
        """The query."""
        marks = self.marks
        self._totals()
        self._groups()
        self._order()
        self.query.where = filters(marks)
        self.filtered = bool(self.query.where)
        self._choose()
        for kind in _LIGHT:
            marks.take_all(kind)
        if marks.of(*{mark.kind for mark in marks.all}):
            raise Unsure
        return self.query

    # -- columns and their roles --------------------------------------------------------------------------------------

    def _measures(self) -> list[ColumnInfo]:
        """Columns to calculate with that are said and free; they are taken."""
        return self._pick(lambda column: column.is_measure)

    def _things(self) -> list[ColumnInfo]:
        return self._pick(lambda column: not column.is_measure)

    def _pick(self, fits: object) -> list[ColumnInfo]:
        found: list[ColumnInfo] = []
        for mark in self.marks.of("column"):
            fitting = [column for column in mark.value if fits(column)]  # type: ignore[operator]
            if len(fitting) == 1:
                self.marks.take(mark)
                if fitting[0] not in found:
                    found.append(fitting[0])
        return found

    def _sole(self) -> ColumnInfo:
        return one(column for column in self.marks.columns if column.is_measure)

    def _totals(self) -> None:
        """`total minutes` is a sum also where a column is called total."""
        for at, mark in enumerate(self.marks.all):
            after = self.marks.beside(mark, 1)
            if mark.kind == "column" and _TOTAL.fullmatch(self.marks.text[mark.start : mark.end]):
                if after is not None and after.kind == "column" and any(c.is_measure and c not in mark.value for c in after.value):
                    self.marks.all[at] = Mark(mark.start, mark.end, "sum")

    def _groups(self) -> None:
        marks = self.marks
        ordering = marks.of("order", "desc", "asc", "top", "bottom", "super")
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
            column = next(
                (side for side in (marks.beside(word, 1 if word.kind == "order" and word.value.isascii() else -1),) if side), None
            )
            if column is not None and column.kind == "column" and marks.free(column) and len(column.value) == 1 and not self.query.groups:
                marks.take(column)
                self.query.order = [(sql.identifier(column.value[0].name), down)]
                return

    # -- what is asked ------------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        marks = self.marks
        pure = self._extremes()
        if marks.of("percent"):
            return self._percent()
        if self._counted_rows():
            return self._having()
        if pure:
            return None
        if marks.of("count_days"):
            return self._count_days()
        if marks.of("super", "top", "bottom"):
            return self._superlative()
        if marks.of("avg", "median") or (marks.of("sum") and self._sums_something()):
            return self._aggregate()
        if marks.of("count", "how_much"):
            return self._count()
        if self.query.groups:
            return self._grouped()
        return self._rows()

    def _sums_something(self) -> bool:
        """A total of a column, rather than `how many in total`."""
        if any(column.is_measure for mark in self.marks.of("column") for column in mark.value):
            return True
        return not self.marks.of("count", "noun")

    def _counted_rows(self) -> bool:
        return any(isinstance(mark.value, Bound) for mark in self.marks.of("bound"))

    def _percent(self) -> None:
        self.marks.take_all("percent", "count", "noun", "which", "how_much")
        if not self.filtered or self.query.groups and len(self.query.groups) > 1:
            raise Unsure
        condition = " AND ".join(self.query.where)
        self.query.where = []
        self.query.outputs.append((f"round(100.0 * count(*) FILTER (WHERE {condition}) / count(*), 2)", "percent"))
        self.query.order_groups()

    def _having(self) -> None:
        """Groups with more than so many rows."""
        marks = self.marks
        mark = marks.of("bound")[0]
        things = self._things()
        groups = [*self.query.groups, *(column for column in things if column not in self.query.groups)]
        if len(groups) != 1 or marks.of("super", "top", "avg", "sum", "median") or len(marks.of("bound")) != 1:
            raise Unsure
        asked = marks.of("count")
        if asked and things and things[0] in groups and self._next_to(asked[0], groups[0]):
            raise Unsure
        marks.take(mark)
        self.query.groups = groups
        self.query.count()
        self.query.having = f"count(*) {mark.value.op} {sql.number(mark.value.number)}"
        self.query.order_groups()

    def _extremes(self) -> bool:
        """`the highest temperature`, `min and max of minutes`: the number itself, for all rows or per group."""
        marks = self.marks
        supers = marks.of("super")
        if not supers or marks.of("top", "bottom", "number", "avg", "sum", "median", "percent", "bound", "order", "count_days"):
            return False
        grouped = bool(self.query.groups)
        if marks.of("noun") or (marks.of("which") and not grouped):
            return False
        if any(not column.is_measure and not column.is_date for mark in marks.of("column") for column in mark.value):
            return False
        said = [mark for mark in marks.of("column") if len(mark.value) == 1]
        if not said and grouped and all(mark.value[1] not in ("any",) for mark in supers):
            columns = [self._meant(supers[0])]
        elif said and (grouped or any(self._is_value(mark) for mark in supers)):
            columns = [mark.value[0] for mark in said]
            if not all(_speaks_of(mark.value[1], column) for mark in supers for column in columns):
                return False
        else:
            return False
        for mark in (*said, *supers):
            marks.take(mark)
        for column in dict.fromkeys(columns):
            for function in dict.fromkeys("max" if mark.value[0] == "desc" else "min" for mark in supers):
                self.query.aggregate(function, column)
        self.query.order_groups(down=supers[0].value[0] == "desc")
        return True

    def _is_value(self, mark: Mark) -> bool:
        """A superlative that stands before its column (`highest total`), or is a noun of its own (`最大值`)."""
        said = self.marks.text[mark.start : mark.end].lower()
        if re.fullmatch(r"max(?:imum)?|min(?:imum)?|最[大小](?:值|値)の?的?|최[대소솟댓](?:값|치)", said):
            return True
        after = self.marks.beside(mark, 1)
        joined = after is not None and after.kind in ("column", "super")
        return joined and (after.kind == "column" or self._is_value(after))  # type: ignore[union-attr]

    def _meant(self, mark: Mark) -> ColumnInfo:
        """The column a superlative speaks of by itself: `longest`, `latest`."""
        of = mark.value[1]
        if of == "any":
            raise Unsure
        if of == "date":
            return one(column for column in self.marks.columns if column.is_date)
        return one(column for column in self.marks.columns if column.is_measure and _speaks_of(of, column))

    def _limit(self, default: int) -> int:
        numbers = self.marks.of("number")
        for mark in numbers:
            if mark.value[1] not in (None, "piece", "day") or mark.value[0] != int(mark.value[0]) or not 1 <= mark.value[0] <= 1000:
                raise Unsure
            self.marks.take(mark)
        if len(numbers) > 1:
            raise Unsure
        return int(numbers[0].value[0]) if numbers else default

    def _superlative(self) -> None:
        marks, query = self.marks, self.query
        words = marks.of("super", "top", "bottom")
        tops = [mark for mark in words if mark.kind in ("top", "bottom")]
        supers = [mark for mark in words if mark.kind == "super"]
        if len({mark.value for mark in supers}) > 1:
            raise Unsure
        down = not (any(mark.kind == "bottom" for mark in tops) or any(mark.value[0] == "asc" for mark in supers))
        for mark in words:
            marks.take(mark)
        query.limit = self._limit(10 if tops or (supers and self._is_top(supers[0])) else 1)
        measures = self._measures()
        things = [column for column in self._things() if column not in query.groups]
        if things and len(things) == 1 and things[0].is_date and supers and supers[0].value[1] in ("date", "any") and not marks.of("which"):
            measures, things = things, []
        if len(measures) > 1 or len(things) + len(query.groups) > 1:
            raise Unsure
        entity = (things or query.groups or [None])[0]
        if entity is not None:
            query.groups = [entity]
            self._rank(supers[0] if supers else None, measures, down=down)
        else:
            self._rank_rows(supers[0] if supers else None, measures, down=down)

    def _is_top(self, mark: Mark) -> bool:
        return self.marks.text[mark.start : mark.end].lower() == "top"

    def _rank(self, said: Mark | None, measures: list[ColumnInfo], *, down: bool) -> None:
        marks, query = self.marks, self.query
        functions = [kind for kind in ("avg", "sum", "median") if marks.take_all(kind)]
        if len(functions) > 1:
            raise Unsure
        if not measures and said is not None and said.value[1] != "any":
            measures = [self._meant(said)]
            if measures[0].sums and not functions:
                raise Unsure
        if functions:
            query.aggregate(functions[0], measures[0] if measures else self._sole())
        elif measures and not (marks.of("count") and not measures[0].is_measure):
            function = "sum" if measures[0].sums else "max" if down else "min"
            query.aggregate(function, measures[0])
        else:
            query.count()
        marks.take_all("count", "how_much")
        query.order = [(query.outputs[0][0], down), (sql.identifier(query.groups[0].name), False)]

    def _rank_rows(self, said: Mark | None, measures: list[ColumnInfo], *, down: bool) -> None:
        if self.marks.of("avg", "sum", "median"):
            raise Unsure
        if measures:
            column = measures[0]
        elif said is not None:
            column = self._meant(said)
        elif self.query.order:
            self.query.order = [(self.query.order[0][0], down)]
            return
        else:
            raise Unsure
        if self.marks.of("count") or (self.query.order and self.query.order[0][0] != sql.identifier(column.name)):
            raise Unsure
        self.query.order = [(sql.identifier(column.name), down)]

    def _aggregate(self) -> None:
        marks, query = self.marks, self.query
        functions = [mark.kind for mark in marks.of("avg", "sum", "median")]
        if "avg" in functions or "median" in functions:
            # "how long in total on average" says one thing.
            functions = [kind for kind in functions if kind != "sum"] if marks.of("how_much", "count") else functions
        functions = list(dict.fromkeys(functions))
        marks.take_all("avg", "sum", "median", "how_much")
        measures = self._measures() or [self._sole()]
        counted = bool(marks.take_all("count"))
        if len(measures) > 1 and len(functions) > 1 or (counted and len(functions) > 1):
            raise Unsure
        self._compared()
        things = self._things()
        if things and not query.groups and len(things) == 1 and marks.of("which"):
            raise Unsure
        if things:
            raise Unsure
        for column in measures:
            for function in functions:
                query.aggregate(function, column)
        if counted and marks.of("noun") and re.search(r"(?i)\b(?:number|count)\b", marks.text):
            query.count()
        self._ordered()

    def _compared(self) -> None:
        """`compare billing and shipping`: each for itself."""
        if not self.marks.of("compare") or self.query.groups:
            return
        for column in self.marks.columns:
            if any(condition.startswith(f"{sql.identifier(column.name)} IN (") for condition in self.query.where):
                self.query.groups.append(column)

    def _ordered(self) -> None:
        """Groups in the order that was asked for."""
        query = self.query
        if query.groups and self.marks.of("asc", "desc"):
            query.order = [(query.outputs[0][0], bool(self.marks.of("desc")))]
        query.order_groups()

    def _next_to(self, word: Mark, column: ColumnInfo) -> bool:
        """A column right beside a word, or with only values between ("how many rainy days")."""
        for step in (1, -1):
            side = self.marks.beside(word, step)
            while side is not None and side.kind == "value":
                side = self.marks.beside(side, step)
            if side is not None and side.kind == "column" and column in side.value:
                return True
        return False

    def _count(self) -> None:
        marks, query = self.marks, self.query
        asked = marks.of("count", "how_much")
        measures, things = self._measures(), self._things()
        marks.take_all("count", "how_much", "sum")
        self._compared()
        if measures:
            if len(measures) > 1 or things or not measures[0].sums:
                raise Unsure
            query.aggregate("sum", measures[0])
        elif things:
            if len(things) > 1 or query.groups or not any(self._next_to(word, things[0]) for word in asked) and not marks.of("distinct"):
                raise Unsure
            query.outputs.append((f"count(DISTINCT {sql.identifier(things[0].name)})", f"count_{things[0].name}"))
        elif any(mark.kind == "how_much" for mark in asked) and not any(mark.kind == "count" for mark in asked):
            column = self._sole()
            if not column.sums:
                raise Unsure
            query.aggregate("sum", column)
        else:
            query.count()
        self._ordered()

    def _count_days(self) -> None:
        """On how many days something was so."""
        marks = self.marks
        column = one(column for column in marks.columns if column.is_date)
        marks.take_all("count_days")
        if marks.of("super", "avg", "sum", "median", "top") or any(thing is not column for thing in self._things()):
            raise Unsure
        self.query.outputs.append((f"count(DISTINCT {sql.identifier(column.name)})", f"count_{column.name}"))
        self._ordered()

    def _grouped(self) -> None:
        measures = self._measures()
        if self._things() or len(measures) > 1:
            raise Unsure
        if measures:
            self.query.aggregate("sum" if measures[0].sums else "avg", measures[0])
        else:
            self.query.count()
        self._ordered()

    def _rows(self) -> None:
        """Values of a column, some columns of some rows, or the rows."""
        marks, query = self.marks, self.query
        asked = bool(marks.of("show", "which"))
        listed = bool(marks.of("distinct"))
        noun, spread = bool(marks.of("noun")), bool(marks.of("break_down", "compare"))
        numbers = bool(marks.of("number"))
        limit = self._limit(sql.MAX_ROWS)
        totalled = any(mark.kind == "column" and _TOTAL.fullmatch(marks.text[mark.start : mark.end]) for mark in marks.all)
        measures, things = self._measures(), self._things()
        if totalled and len(measures) == 1 and not things and measures[0].sums and not asked:
            query.aggregate("sum", measures[0])
        elif spread and not query.order and len(things) == 1 and not measures:
            query.groups = things
            query.count()
            query.order_groups()
        elif len(things) == 1 and not measures and (listed or asked) and not query.order and not (noun and not listed):
            query.outputs, query.distinct = [(sql.identifier(things[0].name), "")], True
            query.order = [(sql.identifier(things[0].name), False)]
            query.limit = limit if numbers else None
        elif (things or measures) and (asked or self.filtered) and not noun:
            query.outputs = [(sql.identifier(column.name), "") for column in [*things, *measures]]
            query.limit = limit
        elif measures or things:
            raise Unsure
        elif query.order or (self.filtered and (asked or noun)):
            query.limit = limit
        else:
            raise Unsure


def _speaks_of(of: str, column: ColumnInfo) -> bool:
    """Whether a superlative can be about a column: `longest` about times, `latest` about dates, `highest` about any number."""
    if of == "any":
        return column.is_measure
    if of == "date":
        return column.is_date
    return bool(column.concepts & ({"amount", "price", "salary"} if of == "amount" else {of}))
