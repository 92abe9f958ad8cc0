"""Cells of Arrow data as JSON: dates as ISO text, decimals as numbers where those are exact and else as text, bytes as a short marker, NaN as null, long values clipped.

Imported by the query child process too, so it depends on nothing of the hub.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import math
from typing import Any

import pyarrow as pa

MAX_TEXT = 2000
MAX_ITEMS = 100
MAX_DEPTH = 8
SHOWN_BYTES = 24
MAX_SAFE_INTEGER = 1 << 63


def column_values(column: Any) -> list[Any]:
    """The cells of an Arrow array, made safe for JSON."""
    try:
        values = column.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, OverflowError, TypeError, LookupError, NotImplementedError, pa.ArrowException):
        # Dates that Python cannot hold, unknown time zones: Arrow can still write them.
        values = _as_text(column)
    return [json_safe(value) for value in values]


def json_safe(value: Any, depth: int = 0) -> Any:
    """One value as JSON; clipped where it is long."""
    match value:
        case None | bool():
            return value
        case int():
            return value if -MAX_SAFE_INTEGER <= value < 2 * MAX_SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else None
        case str():
            return clip(value)
        case bytes() | bytearray() | memoryview():
            return bytes_marker(bytes(value))
        case decimal.Decimal():
            return _decimal(value)
        case pa.MonthDayNano():
            return f"{value.months} months {value.days} days {value.nanoseconds / 1e9:g} seconds"
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return str(value)
        case dict() | list() | tuple():
            return "…" if depth >= MAX_DEPTH else _nested(value, depth + 1)
        case _:
            return clip(str(value))


def clip(text: str) -> str:
    """Text up to 2,000 characters; beyond, its beginning and how long it is."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text):,} characters)"


def bytes_marker(data: bytes) -> str:
    """Bytes as `base64:…`, with the length where they are cut."""
    shown = base64.b64encode(data[:SHOWN_BYTES]).decode()
    return f"base64:{shown}" if len(data) <= SHOWN_BYTES else f"base64:{shown}… ({len(data):,} bytes)"


def _decimal(value: decimal.Decimal) -> Any:
    """A number where JSON's numbers hold it exactly enough (sums of integers are decimals in DuckDB), else text."""
    if not value.is_finite():
        return None
    if value == value.to_integral_value():
        return json_safe(int(value)) if value.adjusted() < 40 else str(value)
    return float(value) if len(value.as_tuple().digits) <= 15 else str(value)


def _nested(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return {clip(str(key)): json_safe(item, depth) for key, item in list(value.items())[:MAX_ITEMS]}
    shown = [json_safe(item, depth) for item in value[:MAX_ITEMS]]
    return shown if len(value) <= MAX_ITEMS else [*shown, f"… ({len(value):,} items)"]


def _as_text(column: Any) -> list[Any]:
    try:
        return list(column.cast(pa.string()).to_pylist())
    except (ValueError, pa.ArrowException):
        return ["(not shown)"] * len(column)
