"""A question's answer as one SELECT over `data`: identifiers and literals quoted, nothing of the question copied unquoted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.planner.question_columns import ColumnInfo

MAX_ROWS = 100
_NAMES = {"avg": "average", "sum": "total", "max": "highest", "min": "lowest", "median": "median", "count": "count"}


@dataclass(slots=True)
class Query:
    """Parts of a SELECT. `outputs` are (expression, alias); without any, all columns are shown. `order` are (expression, descending).

    Attributes:
        within, each: the rows of each group that come first by a column (the column, descending, how many).
    """

    outputs: list[tuple[str, str]] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    groups: list[ColumnInfo] = field(default_factory=list)
    having: str = ""
    order: list[tuple[str, bool]] = field(default_factory=list)
    limit: int | None = None
    distinct: bool = False
    within: list[ColumnInfo] = field(default_factory=list)
    each: tuple[ColumnInfo, bool, int] | None = None

    def sql(self) -> str:
        """The statement."""
        shown = [named(column) for column in self.groups]
        shown += [expression if not alias else f"{expression} AS {identifier(alias)}" for expression, alias in self.outputs]
        parts = ["SELECT DISTINCT" if self.distinct else "SELECT", ", ".join(shown) or "*", "FROM data"]
        if self.where:
            parts.append("WHERE " + " AND ".join(self.where))
        if self.groups:
            parts.append("GROUP BY " + ", ".join(identifier(column.name) for column in self.groups))
        if self.having:
            parts.append("HAVING " + self.having)
        if self.each is not None:
            column, down, most = self.each
            order = f"{identifier(column.name)} DESC NULLS LAST" if down else f"{identifier(column.name)} NULLS LAST"
            within = ", ".join(identifier(group.name) for group in self.within)
            parts.append(f"QUALIFY row_number() OVER (PARTITION BY {within} ORDER BY {order}) <= {most}")
        if self.order:
            parts.append("ORDER BY " + ", ".join(f"{name} DESC NULLS LAST" if down else f"{name} NULLS LAST" for name, down in self.order))
        if self.limit is not None:
            parts.append(f"LIMIT {self.limit}")
        return " ".join(parts)

    def count(self) -> None:
        """Show how many rows."""
        self.outputs.append(("count(*)", "count"))

    def aggregate(self, function: str, column: ColumnInfo) -> None:
        """Show one number of a column; sums of text make no sense and are never asked for."""
        named = _NAMES[function]
        alias = column.name if column.name.lower().startswith(named) else f"{named}_{column.name}"
        self.outputs.append((f"{function}({identifier(column.name)})", alias))

    def order_groups(self, *, down: bool = True) -> None:
        """Groups in time's order, else the largest first."""
        if not self.groups or self.order:
            return
        keys = [(identifier(column.name), False) for column in self.groups]
        if any(column.is_date or column.is_number or column.derived for column in self.groups) or not self.outputs:
            self.order = keys
        else:
            self.order = [(self.outputs[0][0], down), *keys]


def named(column: ColumnInfo) -> str:
    """A column as it is shown."""
    return f"{column.derived} AS {identifier(column.name)}" if column.derived else identifier(column.name)


def identifier(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted text."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'"


def number(value: float) -> str:
    """A number without a needless fraction."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def among(column: ColumnInfo, values: Sequence[str], *, negated: bool) -> str:
    """A condition on a column's values; rows without a value are not among them."""
    name, listed = identifier(column.name), [literal(value) for value in dict.fromkeys(values)]
    if negated:
        return f"({name} IS NULL OR {name} NOT IN ({', '.join(listed)}))"
    return f"{name} = {listed[0]}" if len(listed) == 1 else f"{name} IN ({', '.join(listed)})"


def compared(column: ColumnInfo, op: str, value: float) -> str:
    """A condition on a number."""
    return f"{identifier(column.name)} {op} {number(value)}"


def dated(column: ColumnInfo, op: str, begin: dt.date, until: dt.date) -> str:
    """A condition on a date: `begin` is the first day meant, `until` the first one after."""
    name = f"TRY_CAST({identifier(column.name)} AS TIMESTAMP)" if column.is_text else identifier(column.name)
    first, after = f"DATE '{begin.isoformat()}'", f"DATE '{until.isoformat()}'"
    match op:
        case ">":
            return f"{name} >= {after}"
        case ">=":
            return f"{name} >= {first}"
        case "<":
            return f"{name} < {first}"
        case "<=":
            return f"{name} < {after}"
        case _:
            return f"{name} >= {first} AND {name} < {after}"


def containing(column: ColumnInfo, text: str) -> str:
    """A condition on a part of a text, in any case."""
    return f"contains(lower({identifier(column.name)}), {literal(text.lower())})"


def empty(column: ColumnInfo) -> str:
    """A condition that there is no value."""
    name = identifier(column.name)
    return f"({name} IS NULL OR {name} = '')" if column.is_text else f"{name} IS NULL"
