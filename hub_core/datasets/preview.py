"""The first rows (or a page) of a data file."""

from __future__ import annotations

from typing import Any

from hub_core.datasets.cells import column_values
from hub_core.datasets.loaded import Budget
from hub_core.datasets.pages import Column, TablePage
from hub_core.datasets.tabular import load, required_format
from hub_core.reading import FileReader

MAX_LIMIT = 1000
MAX_TYPE = 200


def preview(name: str, reader: FileReader, limit: int = 20, offset: int = 0) -> TablePage:
    """Rows `offset` to `offset + limit` of a data file, as JSON.

    Raises:
        UnsupportedFormat: not a data file, empty, broken, or too wide.
    """
    limit = max(0, min(limit, MAX_LIMIT))
    offset = max(0, offset)
    loaded = load(name, reader, Budget(rows=limit, skip=offset, max_bytes=32 << 20))
    table = loaded.table
    cells = [column_values(column) for column in table.columns]
    rows = [list(row) for row in zip(*cells, strict=True)]
    return TablePage(columns(table.schema), rows, loaded.total_rows, not loaded.complete, required_format(name).value, loaded.notes)


def columns(schema: Any) -> tuple[Column, ...]:
    """The columns of an Arrow schema."""
    return tuple(Column(field.name, type_name(field.type)) for field in schema)


def type_name(kind: Any) -> str:
    """A type as it is shown."""
    text = str(kind).replace("large_", "").replace("_view", "")
    return text if len(text) <= MAX_TYPE else text[: MAX_TYPE - 1] + "…"
