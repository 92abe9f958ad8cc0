"""Schema and column statistics of a data file, from its first rows where it is large (`sampled` says so)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hub_core.datasets.cells import json_safe
from hub_core.datasets.loaded import Budget
from hub_core.datasets.preview import type_name
from hub_core.datasets.tabular import load, required_format
from hub_core.reading import FileReader

SAMPLE_ROWS = 200_000
SAMPLE_BYTES = 64 << 20
MAX_DESCRIBED = 300
TOP = 5


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """Statistics of one column over the rows that were read. `distinct`, `top` and the like are None or empty where they make no sense."""

    name: str
    type: str
    count: int
    nulls: int
    distinct: int | None = None
    min: Any = None
    max: Any = None
    mean: float | None = None
    min_length: int | None = None
    mean_length: float | None = None
    max_length: int | None = None
    top: tuple[tuple[Any, int], ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What is in a data file. `rows` is the exact number, or None where only a full read could tell; `sample_rows` were looked at."""

    format: str
    rows: int | None
    columns: tuple[ColumnFacts, ...]
    sampled: bool
    sample_rows: int
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        columns = [asdict(column) | {"top": [list(pair) for pair in column.top]} for column in self.columns]
        return asdict(self) | {"columns": columns, "notes": list(self.notes)}


def describe(name: str, reader: FileReader, budget: Budget | None = None, *, every: int = 0) -> DatasetFacts:
    """Schema and statistics of a data file, from at most 200,000 rows and 64 MiB.

    Args:
        budget: how much to read instead.
        every: columns with at most so many values have all of them in `top`, also where none repeats.

    Raises:
        UnsupportedFormat: not a data file, empty, broken, or too wide.
    """
    loaded = load(name, reader, budget or Budget(rows=SAMPLE_ROWS, max_bytes=SAMPLE_BYTES))
    table, notes = loaded.table, list(loaded.notes)
    if table.num_columns > MAX_DESCRIBED:
        notes.append(f"Only the first {MAX_DESCRIBED} of {table.num_columns} columns are described.")
    shown = zip(table.schema.names[:MAX_DESCRIBED], table.columns, strict=False)
    facts = tuple(_column(column_name, column, every) for column_name, column in shown)
    return DatasetFacts(required_format(name).value, loaded.total_rows, facts, not loaded.complete, table.num_rows, tuple(notes))


def _column(name: str, column: Any, every: int) -> ColumnFacts:
    kind = column.type
    label = type_name(kind)
    if isinstance(kind, pa.DictionaryType):
        column = column.cast(kind.value_type)
        kind = column.type
    facts: dict[str, Any] = {}
    for compute in (_range, _mean, partial(_values, every=every), _lengths):
        try:
            facts |= compute(column, kind)
        except (pa.ArrowException, ValueError, OverflowError, TypeError, NotImplementedError, LookupError):
            # Not every kernel knows every type; what cannot be computed is left out.
            continue
    return ColumnFacts(name, label, len(column) - column.null_count, column.null_count, **facts)


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _range(column: Any, kind: Any) -> dict[str, Any]:
    if not (_is_number(kind) or pa.types.is_temporal(kind) or _is_text(kind) or pa.types.is_boolean(kind)):
        return {}
    if pa.types.is_floating(kind):
        column = column.filter(pc.is_finite(column))
    ends = pc.min_max(column)
    return {"min": json_safe(ends["min"].as_py()), "max": json_safe(ends["max"].as_py())}


def _mean(column: Any, kind: Any) -> dict[str, Any]:
    if not (_is_number(kind) or pa.types.is_boolean(kind)):
        return {}
    if pa.types.is_floating(kind):
        column = column.filter(pc.is_finite(column))
    value = pc.mean(column.cast(pa.float64()) if not pa.types.is_boolean(kind) else column).as_py()
    return {"mean": json_safe(value)}


def _values(column: Any, kind: Any, every: int) -> dict[str, Any]:
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        return {}
    counts = pc.value_counts(column.drop_null())
    values, numbers = counts.field("values"), counts.field("counts")
    facts: dict[str, Any] = {"distinct": len(counts)}
    # The most frequent values say something only where values repeat.
    if len(counts) and (len(counts) <= every or pc.max(numbers).as_py() > 1):
        shown = max(TOP, every) if len(counts) <= every else TOP
        best = pc.select_k_unstable(pa.table({"n": numbers, "v": values}), shown, [("n", "descending"), ("v", "ascending")])
        facts["top"] = tuple((json_safe(values[index.as_py()].as_py()), numbers[index.as_py()].as_py()) for index in best)
    return facts


def _lengths(column: Any, kind: Any) -> dict[str, Any]:
    if _is_text(kind):
        lengths = pc.utf8_length(column)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        lengths = pc.binary_length(column)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = pc.list_value_length(column)
    else:
        return {}
    ends, mean = pc.min_max(lengths), pc.mean(lengths).as_py()
    return {"min_length": ends["min"].as_py(), "max_length": ends["max"].as_py(), "mean_length": None if mean is None else round(mean, 2)}
