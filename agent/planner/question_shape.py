"""What a question wants to know of its rows: how many, an average, the largest, which values, or the rows themselves."""

from __future__ import annotations

import re

from agent.planner import question_sql as sql
from agent.planner.question_columns import ColumnInfo
from agent.planner.question_filters import Unsure, filters, one
from agent.planner.question_marks import Bound, Mark
from agent.planner.question_roles import TOTAL, Roles
from agent.planner.question_sql import Query

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


class Shape(Roles):
    """Reads one question. `build` answers the query or raises Unsure."""

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
        if not self.filtered or len(self.query.groups) > 1:
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
        return after is not None and (after.kind == "column" or (after.kind == "super" and self._is_value(after)))

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
        if things or query.groups:
            query.groups = things or query.groups
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
        if len(functions) > 1 and (len(measures) > 1 or counted):
            raise Unsure
        self._compared()
        if self._things():
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
        if all(word.kind == "count" for word in asked):
            measures = [column for column in measures if not self._is_rows(column)]
        if measures:
            if len(measures) > 1 or things or not measures[0].sums:
                raise Unsure
            query.aggregate("sum", measures[0])
        elif things:
            beside = marks.of("distinct") or any(self._next_to(word, things[0]) for word in asked)
            if len(things) > 1 or query.groups or not beside:
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
        totalled = any(mark.kind == "column" and TOTAL.fullmatch(marks.text[mark.start : mark.end]) for mark in marks.all)
        measures, things = self._measures(), self._things()
        rows = [column for column in measures if self._is_rows(column)]
        if not totalled and rows:
            measures, noun = [column for column in measures if column not in rows], True
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
        elif (things or measures) and (asked or self.filtered) and ((self.filtered and asked) or not noun):
            query.outputs = [(sql.identifier(column.name), "") for column in [*things, *measures]]
            query.limit = limit
        elif measures or things:
            raise Unsure
        elif query.order or (self.filtered and (asked or noun or any(mark.kind in ("bound", "between") for mark in marks.all))):
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
