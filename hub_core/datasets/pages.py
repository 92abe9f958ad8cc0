"""What the look inside a dataset answers: pages of rows, query results, and their columns. Plain data; everything is JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """Name and type (`int64`, `string`, `list<double>` …) of a column."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class TablePage:
    """Some rows of a data file. `total_rows` is None where counting would mean to read the whole file; `truncated` says that more rows follow."""

    columns: tuple[Column, ...]
    rows: list[list[Any]]
    total_rows: int | None
    truncated: bool
    format: str = ""
    notes: tuple[str, ...] = ()

    def records(self) -> list[dict[str, Any]]:
        """The rows as one object each."""
        return _records(self.columns, self.rows)

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        return asdict(self) | {"columns": [asdict(column) for column in self.columns], "notes": list(self.notes)}


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The rows of a query. `truncated` says that a limit on rows or bytes cut them off."""

    columns: tuple[Column, ...]
    rows: list[list[Any]]
    truncated: bool
    elapsed_ms: float
    notes: tuple[str, ...] = field(default=())

    def records(self) -> list[dict[str, Any]]:
        """The rows as one object each."""
        return _records(self.columns, self.rows)

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        return asdict(self) | {"columns": [asdict(column) for column in self.columns], "notes": list(self.notes)}


def unique_names(names: list[str]) -> list[str]:
    """Column names without doubles or empty ones: `a`, `a_2`, `column_3`."""
    taken: set[str] = set()
    found = []
    for index, raw in enumerate(names):
        base = name = raw.strip() or f"column_{index + 1}"
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        found.append(name)
    return found


def _records(columns: tuple[Column, ...], rows: list[list[Any]]) -> list[dict[str, Any]]:
    names = unique_names([column.name for column in columns])
    return [dict(zip(names, row, strict=True)) for row in rows]
