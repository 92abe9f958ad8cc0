"""Superlatives: the largest number, the rows or groups that have it, and when it was."""

from __future__ import annotations

import re

from agent.planner import question_sql as sql
from agent.planner.question_columns import ColumnInfo
from agent.planner.question_filters import Unsure, is_paid, one, paid
from agent.planner.question_marks import Mark
from agent.planner.question_patterns import things
from agent.planner.question_roles import FAMILIES, OPEN, Roles


class Ranking(Roles):
    """Reads superlatives."""

    def _extremes(self) -> bool:
        """`the highest temperature`, `min and max of minutes`: the number itself, for all rows or per group."""
        marks = self.marks
        supers = marks.of("super")
        if not supers or marks.of("top", "bottom", "number", "avg", "sum", "median", "percent", "bound", "order", "count_days", "who"):
            return False
        grouped = bool(self.query.groups)
        if grouped and marks.of("noun") and not marks.of("count", "how_much", "which", "where") and self._each():
            return True
        asked = bool(marks.of("how_much"))
        if (marks.of("noun") and not (grouped or asked)) or (marks.of("which", "where") and not grouped):
            return False
        if any(not column.is_measure and not column.is_date for mark in marks.of("column") for column in mark.value):
            return False
        said = [mark for mark in marks.of("column") if len(mark.value) == 1]
        if not said and (grouped or asked) and all(mark.value[1] not in OPEN for mark in supers):
            columns = [self._meant(supers[0])]
        elif said and (grouped or asked or any(self._is_value(mark) for mark in supers)):
            columns = [mark.value[0] for mark in said]
            if not all(_speaks_of(mark.value[1], column) for mark in supers for column in columns):
                return False
        else:
            return False
        for mark in (*said, *supers):
            marks.take(mark)
        marks.take_all("verb", "how_much")
        for column in dict.fromkeys(columns):
            for function in dict.fromkeys("max" if mark.value[0] == "desc" else "min" for mark in supers):
                self.query.aggregate(function, column)
        self.query.order_groups(down=supers[0].value[0] == "desc")
        return True

    def _each(self) -> bool:
        """`the longest ticket of each team`: rows, not numbers."""
        marks, query = self.marks, self.query
        supers = marks.of("super")
        said = [mark for mark in marks.of("column") if len(mark.value) == 1]
        if len(supers) != 1 or len(said) > 1 or supers[0].value[1] == "many" or any(group.derived for group in query.groups):
            return False
        column = said[0].value[0] if said else self._meant(supers[0])
        if not (column.is_measure or column.is_date):
            return False
        for mark in (*supers, *said):
            marks.take(mark)
        marks.take_all("verb", "noun", "group_before", "group_after")
        down = supers[0].value[0] == "desc"
        query.within, query.groups, query.each = query.groups, [], (column, down, 1)
        query.order = [*((sql.identifier(group.name), False) for group in query.within), (sql.identifier(column.name), down)]
        return True

    def _is_value(self, mark: Mark) -> bool:
        """A superlative that stands before its column (`highest total`), or is a noun of its own (`最大值`)."""
        said = self.marks.text[mark.start : mark.end].lower()
        if re.fullmatch(r"max(?:imum)?|min(?:imum)?|最[大小高低](?:值|値)の?的?|최[대소솟댓고저](?:값|치)", said):
            return True
        after = self.marks.beside(mark, 1)
        return after is not None and (after.kind == "column" or (after.kind == "super" and self._is_value(after)))

    def _meant(self, mark: Mark) -> ColumnInfo:
        """The column a superlative speaks of by itself: `longest`, `latest`."""
        of = mark.value[1]
        if of == "level" and is_paid(self.marks):
            return paid([column for column in self.marks.columns if column.is_measure])
        if of in ("many", "level"):
            raise Unsure
        dates = [column for column in self.marks.columns if column.is_date]
        if of == "date":
            return one(dates)
        fitting = [column for column in self.marks.columns if column.is_measure and _speaks_of(of, column)]
        return one(dates if of == "fast" and not fitting else fitting)

    def _limit(self, default: int) -> int:
        numbers = self.marks.of("number")
        for mark in numbers:
            if mark.value[1] not in (None, "piece", "day") or mark.value[0] != int(mark.value[0]) or not 1 <= mark.value[0] <= 1000:
                raise Unsure
            self.marks.take(mark)
        if len(numbers) > 1:
            raise Unsure
        return int(numbers[0].value[0]) if numbers else default

    def _of_verbs(self) -> list[ColumnInfo]:
        """The column that the verbs of the question measure: `spent`, `걸린`; none when they measure nothing that the table has."""
        measures = [column for column in self.marks.columns if column.is_measure]
        for mark in self.marks.of("verb"):
            for wanted in (set(mark.value), {kind for of in mark.value for kind in FAMILIES.get(of, {of})}):
                fitting = [column for column in measures if column.concepts & wanted]
                if len(fitting) == 1:
                    return fitting
                if fitting:
                    raise Unsure
        return []

    def _superlative(self) -> None:
        marks, query = self.marks, self.query
        words = marks.of("super", "top", "bottom")
        tops = [mark for mark in words if mark.kind in ("top", "bottom")]
        supers = [mark for mark in words if mark.kind == "super"]
        if len({mark.value[0] for mark in supers}) > 1:
            raise Unsure
        down = not (any(mark.kind == "bottom" for mark in tops) or any(mark.value[0] == "asc" for mark in supers))
        for mark in words:
            marks.take(mark)
        marks.take_all("adjective")
        query.limit = self._limit(10 if tops else 1)
        measures = self._measures()
        ranked = self._ranked(supers)
        if (
            len(ranked) == 1
            and ranked[0].is_date
            and supers
            and supers[0].value[1] in ("date", "fast", *OPEN)
            and not marks.of("which", "when")
        ):
            measures, ranked = ranked, []
        if len(measures) > 1 or (query.groups and ranked) or len(query.groups) > 1:
            raise Unsure
        counted = bool(marks.of("count", "noun")) and not marks.of("avg", "sum", "median")
        if not measures and not (counted and supers and supers[0].value[1] == "many"):
            measures = self._of_verbs() if not supers or supers[0].value[1] in OPEN else []
        marks.take_all("verb")
        asked = self._person_or_place() if not ranked and not query.groups else None
        worked_out = bool(marks.of("avg", "sum", "median"))
        if asked is not None and (worked_out or ((not measures or measures[0].sums) and (not supers or supers[0].value[1] in OPEN))):
            ranked = [asked]
        said = self._said(supers)
        telling = said is not None and said.value[1] not in OPEN
        if said is not None and telling and measures and not _speaks_of(said.value[1], measures[0]) and self._has(said):
            raise Unsure  # "the oldest ... salary" speaks of two things
        if ranked or query.groups:
            query.groups = ranked or query.groups
            self._rank(said, measures, down=down)
        else:
            self._rank_rows(said, measures, down=down)

    def _has(self, mark: Mark) -> bool:
        """Whether some column is of the kind that a superlative speaks of."""
        return any(_speaks_of(mark.value[1], column) for column in self.marks.columns)

    def _said(self, supers: list[Mark]) -> Mark | None:
        """The superlative that says most of what is measured."""
        telling = [mark for mark in supers if mark.value[1] not in OPEN]
        if len({mark.value[1] for mark in telling}) > 1:
            raise Unsure
        return next(iter(telling or supers), None)

    def _ranked(self, supers: list[Mark]) -> list[ColumnInfo]:
        """What is ranked. Of two things (`the warehouse with the most products`) one is ranked by how many it has of the other."""
        marks = [mark for mark in self.marks.of("column") if any(not column.is_measure for column in mark.value)]
        found = [column for column in self._things() if column not in self.query.groups]
        if len(found) + len(self.query.groups) < 2 or len(found) > 2:
            if len(found) + len(self.query.groups) > 1:
                raise Unsure
            return found
        if self.query.groups:
            many = any(mark.value[1] == "many" for mark in supers)
            if len(found) != 1 or len(self.query.groups) != 1 or not many or not self.marks.of("which", "who", "where", "count"):
                raise Unsure  # "top 2 categories per country" ranks within each
            self.counted = found[0]
            return []
        places = {column.name: mark for mark in marks for column in mark.value}
        asked = [column for column in found if self._asked_for(places[column.name])]
        if len(asked) != 1:
            after = [column for column in found if supers and places[column.name].start > supers[0].start]
            asked = after if len(after) == 1 and not self.marks.text.isascii() else []
        if len(asked) != 1 or self.marks.of("avg", "sum", "median"):
            raise Unsure
        self.counted = next(column for column in found if column is not asked[0])
        return asked

    def _asked_for(self, mark: Mark) -> bool:
        """A column that `which` stands beside."""
        return any(
            side is not None and side.kind in ("which", "who", "where")
            for side in (self.marks.beside(mark, -1), self.marks.beside(mark, 1))
        )

    def _person_or_place(self) -> ColumnInfo | None:
        """The column that `who` or `where` asks for, where the table has one."""
        for kind in ("who", "where"):
            if self.marks.of(kind):
                known = {name for name, entry in things()["columns"].items() if entry.get(kind)}
                fitting = [column for column in self.marks.columns if column.concepts & known and not column.is_number]
                return fitting[0] if len(fitting) == 1 else None
        return None

    def _rank(self, said: Mark | None, measures: list[ColumnInfo], *, down: bool) -> None:
        marks, query = self.marks, self.query
        functions = [kind for kind in ("avg", "sum", "median") if marks.take_all(kind)]
        if len(functions) > 1:
            functions = [kind for kind in functions if kind != "sum"]
        if not measures and said is not None and said.value[1] not in ("many", "level"):
            measures = [self._meant(said)]
            if measures[0].sums and not functions:
                raise Unsure
        if self.counted is not None and not measures:
            query.outputs.append(self.distinct(self.counted))
        elif functions:
            if not measures and functions == ["sum"] and said is not None and said.value[1] == "many" and marks.of("noun"):
                query.count()  # "the most tickets in total"
            else:
                query.aggregate(functions[0], measures[0] if measures else self._sole())
        elif measures and not (marks.of("count") and not measures[0].is_measure):
            function = "sum" if measures[0].sums else "max" if down else "min"
            query.aggregate(function, measures[0])
        elif said is not None and said.value[1] == "level" and not marks.of("count"):
            raise Unsure
        else:
            query.count()
        marks.take_all("count", "how_much", "who", "where")
        query.order = [(query.outputs[0][0], down), (sql.identifier(query.groups[0].name), False)]

    def _rank_rows(self, said: Mark | None, measures: list[ColumnInfo], *, down: bool) -> None:
        if self.marks.of("avg", "sum", "median") or self.counted is not None:
            raise Unsure
        self.marks.take_all("who")
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

    def _when(self) -> None:
        """When something was first, last, largest, or at all."""
        marks, query = self.marks, self.query
        column = one(column for column in marks.columns if column.is_date)
        marks.take_all("when")
        supers, measures = marks.of("super"), self._measures()
        if any(thing is not column for thing in self._things()) or query.groups or len(measures) > 1:
            raise Unsure
        marks.take_all("super", "verb", "noun")
        if supers and not measures and supers[0].value[1] not in ("date", "fast", "many"):
            measures = [self._meant(supers[0])]
        if marks.of("avg", "sum", "median", "count") or (supers and supers[0].value[1] == "many" and not measures):
            if not supers:
                raise Unsure
            query.groups, query.limit = [column], 1
            self._rank(supers[0], measures, down=supers[0].value[0] == "desc")
        elif measures:
            if not supers:
                raise Unsure
            query.outputs = [(sql.identifier(column.name), ""), (sql.identifier(measures[0].name), "")]
            query.order, query.limit = [(sql.identifier(measures[0].name), supers[0].value[0] == "desc")], 1
        elif supers:
            for function in dict.fromkeys("max" if mark.value[0] == "desc" else "min" for mark in supers):
                query.aggregate(function, column)
        elif self.filtered:
            query.outputs, query.distinct = [(sql.identifier(column.name), "")], True
            query.order, query.limit = [(sql.identifier(column.name), False)], sql.MAX_ROWS
        else:
            raise Unsure


def _speaks_of(of: str, column: ColumnInfo) -> bool:
    """Whether a superlative can be about a column: `longest` about times, `latest` about dates, `highest` about any number."""
    if of in ("many", "level"):
        return column.is_measure
    if of == "date":
        return column.is_date
    return bool(column.concepts & FAMILIES.get(of, {of}))
