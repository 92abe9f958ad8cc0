"""Data files, laid where a query child can read them: linked where that is possible, else copied, as UTF-8."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from hub_core.datasets.csv_rows import csv_dialect
from hub_core.datasets.formats import SAMPLE, DataFormat, detect_encoding
from hub_core.datasets.json_rows import json_list
from hub_core.datasets.parquet_rows import open_parquet
from hub_core.datasets.tabular import required_format
from hub_core.errors import QueryLimit, UnsupportedFormat
from hub_core.reading import FileReader, PathReader

CHUNK = 4 << 20


def bind_file(path: str, reader: FileReader, folder: Path, index: int, room: int) -> dict[str, Any]:
    """Lay out one file; answers what the child needs to know about it, and `copied` bytes.

    Raises:
        UnsupportedFormat: no data, empty or broken.
        QueryLimit: copying it takes more than `room` bytes.
    """
    form = required_format(path)
    if reader.size == 0:
        raise UnsupportedFormat(f"'{path}' is empty.", hint="Upload a file with rows.")
    target = folder / f"f{index}.{form.value}"
    facts: dict[str, Any] = {"file": target.name, "format": form.value, "copied": 0, "delimiter": ","}
    encoding = "utf-8"
    match form:
        case DataFormat.PARQUET:
            open_parquet(reader)
        case DataFormat.JSON:
            facts |= {"format": "jsonl", "copied": _write_rows(reader, target), "bytes": target.stat().st_size}
            return facts
        case DataFormat.JSONL:
            encoding = detect_encoding(reader.read(0, SAMPLE))
        case _:
            dialect = csv_dialect(reader, form)
            encoding, facts["delimiter"] = dialect.encoding, dialect.delimiter
    if isinstance(reader, PathReader) and encoding == "utf-8":
        target.symlink_to(reader.path.resolve())
    elif reader.size > room:
        raise QueryLimit("The data files are too large to be queried from this storage.", hint="Query fewer or smaller files.")
    else:
        facts["copied"] = _copy(reader, target, encoding)
    facts["bytes"] = reader.size
    return facts


def _copy(reader: FileReader, target: Path, encoding: str) -> int:
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("replace")
    with target.open("wb") as file:
        for start in range(0, reader.size, CHUNK):
            piece = reader.read(start, CHUNK)
            file.write(piece if decoder is None else decoder.decode(piece).encode("utf-8", "replace"))
        if decoder is not None:
            file.write(decoder.decode(b"", final=True).encode("utf-8", "replace"))
        return file.tell()


def _write_rows(reader: FileReader, target: Path) -> int:
    with target.open("w", encoding="utf-8") as file:
        for row in json_list(reader):
            file.write(json.dumps(row if isinstance(row, dict) else {"value": row}))
            file.write("\n")
        return file.tell()
