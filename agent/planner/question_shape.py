"""What a question wants to know of its rows: how many, an average, the largest, which values, or the rows themselves."""

from __future__ import annotations

import re

from agent.planner import question_sql as sql
from agent.planner.question_columns import ColumnInfo, phrases
from agent.planner.question_filters import Condition, Unsure, filters, one
from agent.planner.question_marks import Bound, Mark
from agent.planner.question_ranking import Ranking
from agent.planner.question_roles import TOTAL
from agent.planner.question_sql import Query

_LIGHT = (
    "which",
    "show",
    "noun",
    "distinct",
    "break_down",
    "compare",
    "group_after",
    "verb",
    "who",
    "sum",
    "count",
    "how_much",
    "top",
    "bottom",
)


# Between the whole and its part: "of people from Leeds [are] happy", "Leedsの人[のうち]"; and between the part and the whole: "failed runs [in] dev".
_OF_WHICH = re.compile(
    r"\b(?:is|are|was|were|has|have|had|got|get|gets|do|does|did|would|will|can|that|who|which)\b|里|中|当中|うち|なか|では|で(?=[^す])|중|가운데|에서|에는",
    re.IGNORECASE,
)
_AMONG = re.compile(r"\b(?:in|from|among|within|for|at|on|across)\b", re.IGNORECASE)


# Words that want a number for each value that is named: "大阪和东京各有多少人".
_EACH = re.compile(r"\b(?:each|respectively|separately)\b|各|分别|それぞれ|각각|각자", re.IGNORECASE)
# Conditions that are said as such, so that the rows are asked for also where nobody says to show them.
_TELLING = ("bound", "between", "date", "contains", "not_before", "not_after", "null")


class Shape(Ranking):
    """Reads one question. `build` answers the query or raises Unsure."""

    def build(self) -> Query:
        """The query."""
        marks = self.marks
        self._totals()
        self._groups()
        self._order()
        self.conditions = filters(marks)
        self.query.where = [condition.sql for condition in self.conditions]
        self.filtered = bool(self.query.where)
        self._choose()
        self._arrange()
        for kind in _LIGHT:
            marks.take_all(kind)
        if marks.of(*{mark.kind for mark in marks.all}):
            raise Unsure
        return self.query

    def _arrange(self) -> None:
        """An order that was asked for: of the groups it is settled, of the rows it is by what they were picked by."""
        marks = self.marks
        words = marks.of("order", "desc", "asc")
        if words and not self.query.order:
            column = one({c.column.name: c.column for c in self.conditions if c.column.is_measure or c.column.is_date}.values())
            self.query.order = [(sql.identifier(column.name), any(word.kind == "desc" for word in words))]
        if self.query.order:
            marks.take_all("order", "desc", "asc", "adjective")
        if self.query.order and not self.query.groups and any("(" in shown for shown, _ in self.query.outputs):
            raise Unsure  # one number has no order

    def _choose(self) -> None:
        marks = self.marks
        if marks.of("percent"):
            return self._percent()
        if marks.of("when"):
            return self._when()
        pure = self._extremes()
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
        """The share of some rows in all, or in those of a kind; or of each group in all."""
        marks, query = self.marks, self.query
        said = marks.of("percent")[0]
        measures, things = self._measures(), self._things()
        marks.take_all("percent", "count", "noun", "which", "how_much", "who", "verb", "avg", "sum")
        if len(measures) > 1 or (measures and not measures[0].sums):
            raise Unsure
        what = f"sum({sql.identifier(measures[0].name)})" if measures else "count(*)"
        if not self.filtered and len([*query.groups, *things]) == 1:
            query.groups = [*query.groups, *things]
            query.outputs.append((f"round(100.0 * {what} / sum({what}) OVER (), 2)", "percent"))
            query.order_groups()
            return
        if things or not self.filtered or len(query.groups) > 1:
            raise Unsure
        base, wanted = self._parts(said)
        condition = " AND ".join(part.sql for part in wanted)
        query.where = [part.sql for part in base]
        query.outputs.append((f"round(100.0 * {what} FILTER (WHERE {condition}) / {what}, 2)", "percent"))
        query.order_groups()

    def _parts(self, said: Mark) -> tuple[list[Condition], list[Condition]]:
        """Of several conditions those that say whose share is asked for, and those of whole it is. Raises Unsure."""
        conditions = self.conditions
        if len({condition.column.name for condition in conditions}) == 1:
            return [], conditions
        for at in range(len(conditions) - 1, 0, -1):
            between = self.marks.text[conditions[at - 1].at : conditions[at].at]
            if _OF_WHICH.search(between):
                return conditions[:at], conditions[at:]
            if conditions[0].at > said.start and _AMONG.search(between):
                return conditions[at:], conditions[:at]
        raise Unsure

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

    def _aggregate(self) -> None:
        marks, query = self.marks, self.query
        functions = [mark.kind for mark in marks.of("avg", "sum", "median")]
        if "avg" in functions or "median" in functions:
            # "how long in total on average" says one thing.
            functions = [kind for kind in functions if kind != "sum"] if marks.of("how_much", "count", "verb") else functions
        functions = list(dict.fromkeys(functions))
        marks.take_all("avg", "sum", "median", "how_much")
        measures = self._measures() or self._of_verbs() or [self._sole()]
        counted = bool(marks.take_all("count"))
        if len(functions) > 1 and (len(measures) > 1 or counted):
            raise Unsure
        self._compared()
        if any(not self._is_rows(column) for column in self._things()):
            raise Unsure
        for column in measures:
            for function in functions:
                query.aggregate(function, column)
        if counted and marks.of("noun") and re.search(r"(?i)\b(?:number|count)\b", marks.text):
            query.count()
        self._ordered()

    def _compared(self) -> None:
        """`compare billing and shipping`: each for itself."""
        if self.query.groups or not (self.marks.of("compare") or _EACH.search(self.marks.text)):
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

    def _acts(self) -> list[ColumnInfo]:
        """Dates named only by what happened then, which counts the rows: "how many joined each year"."""
        said = [
            (column, self.marks.text[mark.start : mark.end].lower())
            for mark in self.marks.of("column")
            for column in mark.value
            if column.is_date and not column.derived
        ]
        return [column for column, word in said if phrases(column).get(word, 3) > 1 and not self.marks.of("distinct", "when")]

    def _count(self) -> None:
        marks, query = self.marks, self.query
        asked = marks.of("count", "how_much")
        acts = {column.name for column in self._acts()}
        measures, things = self._measures(), [column for column in self._things() if column.name not in acts]
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
            if len(things) > 1 or not (beside or query.groups):
                raise Unsure
            query.outputs.append(self.distinct(things[0]))
        elif any(mark.kind == "how_much" for mark in asked) and not any(mark.kind == "count" for mark in asked):
            column = (self._of_verbs() or [self._sole()])[0]
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
        self.query.outputs.append(self.distinct(column))
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
        asked = bool(marks.of("show", "which", "who", "where"))
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
        elif spread and not query.order and len(things) == 1 and len(measures) < 2:
            query.groups = things
            if measures:
                query.aggregate("sum" if measures[0].sums else "avg", measures[0])
            else:
                query.count()
            query.order_groups()
        elif len(things) == 1 and not measures and (listed or asked) and not query.order and not (noun and not listed):
            query.outputs, query.distinct = [(sql.identifier(things[0].name), "")], True
            query.order = [(sql.identifier(things[0].name), False)]
            query.limit = limit if numbers else None
        elif (things or measures) and (asked or self.filtered) and ((self.filtered and asked) or not noun):
            query.outputs = [(sql.identifier(column.name), "") for column in [*things, *measures]]
            query.limit = limit
            if len(things) == 1 and not measures and not query.order:
                query.distinct, query.order = True, [(sql.identifier(things[0].name), False)]
        elif measures or things:
            raise Unsure
        elif query.order or (self.filtered and (asked or noun or any(mark.kind in _TELLING for mark in marks.all))):
            query.limit = limit
        else:
            raise Unsure
