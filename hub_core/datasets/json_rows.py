"""Rows of JSON Lines and JSON files.

Python's parser reads them line by line: Arrow's own JSON reader fixes the schema by the first block and fails on the mixed types
that such files are full of. A column whose values do not share a type becomes text.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from hub_core.datasets.formats import SAMPLE, DataFormat, detect_encoding
from hub_core.datasets.loaded import MAX_COLUMNS, Budget, Loaded, too_wide, unreadable
from hub_core.datasets.pages import unique_names
from hub_core.reading import FileReader, read_exact

CHUNK = 1 << 20
MAX_LINE = 16 << 20
MAX_JSON = 32 << 20
MAX_CONTAINERS = 1_000_000
MAX_CELLS = 20_000_000
MAX_NESTED_KEYS = 200
MAX_NESTING = 16


def load_jsonl(reader: FileReader, _form: DataFormat, budget: Budget) -> Loaded:
    """Read rows of JSON Lines within the budget; lines that are no JSON are left out and counted.

    Raises:
        UnsupportedFormat: no line is JSON, a line is too long, or there are too many columns.
    """
    rows: list[dict[str, Any]] = []
    seen = bad = size = 0
    complete = True
    keys: dict[str, None] = {}
    for line in _lines(reader):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except (ValueError, RecursionError):
            bad += 1
            if bad > 100 and not seen:
                break
            continue
        seen += 1
        if seen <= budget.skip:
            continue
        if len(rows) >= budget.rows or size > budget.max_bytes or len(rows) * len(keys) > MAX_CELLS:
            complete = False
            break
        size += len(line)
        rows.append(_row(value))
        keys.update(dict.fromkeys(rows[-1]))
        if len(keys) > MAX_COLUMNS:
            raise too_wide(reader)
    if not seen:
        raise unreadable(reader, "no line of it is JSON")
    notes = (f"{bad} line(s) are not JSON and were left out.",) if bad else ()
    return Loaded(to_table(rows, list(keys)), complete, seen if complete else None, notes)


def load_json(reader: FileReader, _form: DataFormat, budget: Budget) -> Loaded:
    """Read rows of a JSON file: a list, or an object with one list in it.

    Raises:
        UnsupportedFormat: too large, no JSON, no list, or too many columns.
    """
    rows = [_row(value) for value in json_list(reader)]
    keys: dict[str, None] = {}
    for row in rows:
        keys.update(dict.fromkeys(row))
        if len(keys) > MAX_COLUMNS:
            raise too_wide(reader)
    most = min(budget.rows, max(1, MAX_CELLS // max(1, len(keys))))
    shown = rows[budget.skip : budget.skip + most]
    return Loaded(to_table(shown, list(keys)), budget.skip + most >= len(rows), len(rows))


def json_list(reader: FileReader) -> list[Any]:
    """The list of rows in a JSON file.

    Raises:
        UnsupportedFormat: too large, no JSON, or no list.
    """
    if reader.size > MAX_JSON:
        raise unreadable(reader, f"a JSON file of more than {MAX_JSON >> 20} MiB has to be read as a whole; use JSON Lines or Parquet")
    data = read_exact(reader, 0, reader.size)
    try:
        value = parse_json(data.decode(detect_encoding(data[:SAMPLE])))
    except (ValueError, RecursionError) as error:
        raise unreadable(reader, "it is not JSON") from error
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if len(lists) == 1 else value
    if not isinstance(value, list):
        raise unreadable(reader, "it has no list of rows")
    return value


def parse_json(text: str) -> Any:
    """JSON of reasonable shape. Millions of empty lists in a few MiB would take gigabytes, and stop every other thread meanwhile.

    Raises:
        ValueError: no JSON, or more than a million lists and objects.
    """
    if len(text) > MAX_CONTAINERS and text.count("[") + text.count("{") > MAX_CONTAINERS:
        raise ValueError("too many lists and objects")
    return json.loads(text)


def to_table(rows: list[dict[str, Any]], keys: list[str]) -> Any:
    """Rows as an Arrow table."""
    arrays = [_array([row.get(key) for row in rows]) for key in keys]
    names = [key.encode("utf-8", "replace").decode() for key in keys]
    return pa.Table.from_arrays(arrays, names=unique_names(names))


def _row(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"value": value}


def _lines(reader: FileReader) -> Iterator[str]:
    encoding = detect_encoding(reader.read(0, SAMPLE))
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    rest: list[str] = []
    held = 0
    for start in range(0, reader.size, CHUNK):
        first, newline, tail = decoder.decode(reader.read(start, CHUNK)).partition("\n")
        rest.append(first)
        held += len(first)
        if held > MAX_LINE:
            raise unreadable(reader, f"a line is longer than {MAX_LINE >> 20} MiB")
        if newline:
            yield "".join(rest)
            *whole, last = tail.split("\n")
            yield from whole
            rest, held = [last], len(last)
    yield "".join(rest) + decoder.decode(b"", final=True)


def _array(values: list[Any]) -> Any:
    keys: set[str] = set()
    if all(_simple(value, keys, 0) for value in values) and len(keys) <= MAX_NESTED_KEYS:
        try:
            return pa.array(values)
        except (pa.ArrowException, ValueError, OverflowError, TypeError):
            pass
    return pa.array([_text(value) for value in values], pa.string())


def _simple(value: Any, keys: set[str], depth: int) -> bool:
    """Whether a value can become an Arrow cell without blowing up: a struct has every key that any row has."""
    if isinstance(value, dict):
        keys.update(value)
        return (
            bool(value)
            and depth < MAX_NESTING
            and len(keys) <= MAX_NESTED_KEYS
            and all(_simple(item, keys, depth + 1) for item in value.values())
        )
    if isinstance(value, list):
        return depth < MAX_NESTING and all(_simple(item, keys, depth + 1) for item in value)
    return True


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
