"""Rows of a data file as an Arrow table, read from its beginning (or an offset) and no further than a budget of rows and bytes."""

from __future__ import annotations

from hub_core.datasets.csv_rows import load_csv
from hub_core.datasets.formats import DataFormat, data_format
from hub_core.datasets.json_rows import load_json, load_jsonl
from hub_core.datasets.loaded import Budget, Loaded
from hub_core.datasets.parquet_rows import load_parquet
from hub_core.errors import UnsupportedFormat
from hub_core.reading import FileReader

_LOADERS = {
    DataFormat.CSV: load_csv,
    DataFormat.TSV: load_csv,
    DataFormat.JSONL: load_jsonl,
    DataFormat.JSON: load_json,
    DataFormat.PARQUET: load_parquet,
}


def required_format(name: str) -> DataFormat:
    """The format of a data file by its name.

    Raises:
        UnsupportedFormat: the file is no data.
    """
    found = data_format(name)
    if found is None:
        raise UnsupportedFormat(
            f"'{name}' is not a data file that can be read.", hint="Supported are CSV, TSV, JSON Lines, JSON and Parquet."
        )
    return found


def load(name: str, reader: FileReader, budget: Budget) -> Loaded:
    """Read rows within the budget.

    Raises:
        UnsupportedFormat: not a data file, empty, broken, or too wide.
    """
    form = required_format(name)
    if reader.size == 0:
        raise UnsupportedFormat(f"'{name}' is empty.", hint="Upload a file with rows.")
    return _LOADERS[form](reader, form, budget)
