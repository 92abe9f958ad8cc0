"""Rows of CSV and TSV files with Arrow's streaming reader."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import csv as pa_csv

from hub_core.datasets.formats import SAMPLE, DataFormat, detect_encoding
from hub_core.datasets.loaded import MAX_COLUMNS, Budget, Loaded, too_wide, unreadable
from hub_core.datasets.pages import unique_names
from hub_core.reading import FileReader, ReaderIO

BLOCKS = (1 << 20, 16 << 20)
MAX_RETRIES = 40
NULLS = ["", "null", "NULL"]
_IN_COLUMN = re.compile(r"In CSV column #(\d+)")


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a CSV file is written."""

    encoding: str
    delimiter: str
    columns: int


@dataclass(slots=True)
class _Attempt:
    """What is learnt from a try that failed: columns that are text after all, and that rows are longer than a block."""

    text_columns: set[int] = field(default_factory=set)
    block: int = BLOCKS[0]
    bad_rows: int = 0


def csv_dialect(reader: FileReader, form: DataFormat) -> CsvDialect:
    """Encoding and delimiter, judged by the first 64 KiB.

    Raises:
        UnsupportedFormat: the header has too many columns, or the bytes are no text.
    """
    sample = reader.read(0, SAMPLE)
    encoding = detect_encoding(sample)
    text = sample.decode(encoding, "replace")
    if "\0" in text:
        raise unreadable(reader, "it is not text")
    header = text.split("\n", 1)[0]
    outside = re.sub(r'"[^"]*"', "", header)
    delimiter = "\t" if form is DataFormat.TSV else max(",;\t|", key=outside.count)
    delimiter = delimiter if outside.count(delimiter) else ","
    columns = outside.count(delimiter) + 1
    if columns > MAX_COLUMNS:
        raise too_wide(reader)
    return CsvDialect(encoding, delimiter, columns)


def load_csv(reader: FileReader, form: DataFormat, budget: Budget) -> Loaded:
    """Read rows within the budget. Types come from the first block; a column that breaks its type later becomes text.

    Raises:
        UnsupportedFormat: empty, no text, broken or too wide.
    """
    dialect = csv_dialect(reader, form)
    attempt = _Attempt()
    for _ in range(MAX_RETRIES):
        attempt.bad_rows = 0
        try:
            return _read(reader, dialect, budget, attempt)
        except pa.ArrowInvalid as error:
            _learn(reader, attempt, dialect, str(error))
        except (UnicodeError, LookupError, OSError, pa.ArrowException) as error:
            raise unreadable(reader, f"it is not {dialect.encoding} text") from error
    raise unreadable(reader, "its columns change their types too often")


def _learn(reader: FileReader, attempt: _Attempt, dialect: CsvDialect, message: str) -> None:
    match = _IN_COLUMN.search(message)
    if match and int(match.group(1)) not in attempt.text_columns:
        attempt.text_columns.add(int(match.group(1)))
        if len(attempt.text_columns) > 20:
            attempt.text_columns.update(range(dialect.columns))
    elif "straddl" in message and attempt.block < BLOCKS[-1]:
        attempt.block = BLOCKS[-1]
    else:
        raise unreadable(reader, "its rows are not well-formed CSV")


def _read(reader: FileReader, dialect: CsvDialect, budget: Budget, attempt: _Attempt) -> Loaded:
    def bad_row(_row: Any) -> str:
        attempt.bad_rows += 1
        return "skip"

    types: dict[str, Any] = {}
    if attempt.text_columns:
        with _open(reader, dialect, attempt.block, {}, bad_row) as opened:
            types = {name: pa.string() for index, name in enumerate(opened.schema.names) if index in attempt.text_columns}
    batches: list[Any] = []
    seen = kept = size = 0
    complete = True
    with _open(reader, dialect, attempt.block, types, bad_row) as opened:
        schema = opened.schema
        for batch in opened:
            fresh = batch.slice(max(0, budget.skip - seen))
            seen += batch.num_rows
            if fresh.num_rows:
                batches.append(fresh.slice(0, budget.rows - kept))
                kept += batches[-1].num_rows
                size += fresh.nbytes
            if kept < seen - budget.skip or size > budget.max_bytes:
                complete = False
                break
            if kept >= budget.rows and seen > budget.skip + budget.rows:
                break
    table = pa.Table.from_batches(batches, schema=schema)
    table = table.rename_columns(unique_names([str(name) for name in schema.names]))
    return Loaded(table, complete, seen if complete else None, _notes(dialect, attempt))


def _notes(dialect: CsvDialect, attempt: _Attempt) -> tuple[str, ...]:
    notes = []
    if dialect.encoding != "utf-8":
        notes.append(f"The text was read as {dialect.encoding}.")
    if attempt.bad_rows:
        notes.append(f"{attempt.bad_rows} row(s) have another number of cells than the header and were left out.")
    return tuple(notes)


def _open(reader: FileReader, dialect: CsvDialect, block: int, types: dict[str, Any], bad_row: Any) -> Any:
    encoding = "utf8" if dialect.encoding.startswith("utf-8") else dialect.encoding
    return pa_csv.open_csv(
        ReaderIO(reader),
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=block, encoding=encoding),
        parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=bad_row),
        convert_options=pa_csv.ConvertOptions(
            column_types=types, null_values=NULLS, strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
