"""Real data files for tests."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

from hub_core.reading import BytesReader

PEOPLE = "id,name,score,joined\n" + "".join(f"{n},name {n % 7},{n / 4},2024-01-{n % 28 + 1:02}\n" for n in range(1000))


def csv_file(text: str = PEOPLE, encoding: str = "utf-8", name: str = "people.csv") -> BytesReader:
    return BytesReader(name, text.encode(encoding))


def parquet_file(columns: dict[str, Any] | None = None, name: str = "data.parquet", **options: Any) -> BytesReader:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns or {"id": range(1000), "label": ["yes", "no"] * 500}), buffer, **options)
    return BytesReader(name, buffer.getvalue())
