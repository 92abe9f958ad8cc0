"""Rows of Parquet files: the footer says what is there, and only the row groups and pages that are needed are read."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

from hub_core.datasets.formats import DataFormat
from hub_core.datasets.loaded import MAX_COLUMNS, Budget, Loaded, too_wide, unreadable
from hub_core.datasets.pages import unique_names
from hub_core.reading import FileReader, ReaderIO, read_exact

MAX_FOOTER = 64 << 20
PROBE = 8
MAX_BATCH = 512
BATCH_BYTES = 8 << 20
_ERRORS = (pa.ArrowException, OSError, ValueError, LookupError, OverflowError, NotImplementedError, TypeError)


def open_parquet(reader: FileReader) -> Any:
    """The file with its footer read and checked.

    Raises:
        UnsupportedFormat: not Parquet, truncated, encrypted, or too wide.
    """
    tail = read_exact(reader, max(0, reader.size - 8), min(8, reader.size))
    if len(tail) < 8 or tail[4:] != b"PAR1" or not 0 < int.from_bytes(tail[:4], "little") <= min(MAX_FOOTER, reader.size - 8):
        raise unreadable(reader, "it is not a Parquet file, or it is truncated or encrypted")
    try:
        file = pq.ParquetFile(ReaderIO(reader), buffer_size=1 << 20, pre_buffer=False)
        if file.metadata.num_columns > MAX_COLUMNS:
            raise too_wide(reader)
        _ = file.schema_arrow.names
    except _ERRORS as error:
        raise unreadable(reader, "its Parquet footer is broken") from error
    return file


def load_parquet(reader: FileReader, _form: DataFormat, budget: Budget) -> Loaded:
    """Read rows within the budget.

    Raises:
        UnsupportedFormat: not Parquet, truncated, encrypted, broken or too wide.
    """
    file = open_parquet(reader)
    try:
        batches, groups = _batches(file, budget)
        table = pa.Table.from_batches(batches, schema=file.schema_arrow)
        table = table.rename_columns(unique_names([str(name) for name in table.schema.names]))
    except _ERRORS as error:
        raise unreadable(reader, "its Parquet pages are broken") from error
    total = max(0, file.metadata.num_rows)
    done = budget.skip + table.num_rows >= total
    notes = () if done or table.num_rows == budget.rows or not groups else ("The rows are large; fewer were read.",)
    return Loaded(table, done, total, notes)


def _batches(file: Any, budget: Budget) -> tuple[list[Any], list[int]]:
    skip = budget.skip
    groups: list[int] = []
    for index in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(index).num_rows
        if not groups and skip >= rows:
            skip -= rows
            continue
        groups.append(index)
    found: list[Any] = []
    kept = size = 0
    if not groups or budget.rows <= 0:
        return found, groups
    for batch in file.iter_batches(batch_size=_batch_rows(file, groups, budget), row_groups=groups):
        fresh = batch.slice(skip).slice(0, budget.rows - kept)
        skip = max(0, skip - batch.num_rows)
        if fresh.num_rows:
            found.append(fresh)
            kept += fresh.num_rows
            size += fresh.nbytes
        if kept >= budget.rows or size > budget.max_bytes:
            break
    return found, groups


def _batch_rows(file: Any, groups: list[int], budget: Budget) -> int:
    """Rows to decode at once. A page of few bytes can unfold into huge repeated strings, so the first rows are measured."""
    probe = next(file.iter_batches(batch_size=PROBE, row_groups=groups[:1]), None)
    each = max(1, probe.nbytes // probe.num_rows) if probe is not None and probe.num_rows else 1
    return int(max(1, min(MAX_BATCH, BATCH_BYTES // each, max(1, budget.rows))))
