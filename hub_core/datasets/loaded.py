"""The shape of what the readers of each format return, and the limits that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub_core.errors import UnsupportedFormat
from hub_core.reading import FileReader

MAX_COLUMNS = 2000


@dataclass(frozen=True, slots=True)
class Budget:
    """How much to read: rows after the first `skip` ones, and bytes of data in memory."""

    rows: int
    skip: int = 0
    max_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows that were read. `complete` says that the file ends with them; `total_rows` is known from a footer or because the end was reached."""

    table: Any
    complete: bool
    total_rows: int | None
    notes: tuple[str, ...] = ()


def unreadable(reader: FileReader, why: str) -> UnsupportedFormat:
    """The error for a file that is broken."""
    return UnsupportedFormat(f"'{reader.name}' cannot be read as data: {why}.", hint="Check the file, or convert it to Parquet.")


def too_wide(reader: FileReader) -> UnsupportedFormat:
    """The error for a file with more columns than are handled."""
    return UnsupportedFormat(
        f"'{reader.name}' has more than {MAX_COLUMNS:,} columns.", hint="Split the table, or store the values as lists."
    )
