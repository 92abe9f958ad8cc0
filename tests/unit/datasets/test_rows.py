"""Rows and statistics of data files: types, paging, encodings, dirt, and hostile bytes."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import json
import struct

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_core.datasets.describe import describe
from hub_core.datasets.preview import preview
from hub_core.errors import HubError, UnsupportedFormat
from hub_core.reading import BytesReader
from tests.common.data_files import csv_file, parquet_file
from tests.unit.datasets.test_formats import TEXTS


def _lines(*rows: object) -> BytesReader:
    return BytesReader("x.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())


def test_csv_preview_has_types_and_says_that_more_follows() -> None:
    page = preview("people.csv", csv_file(), limit=2)
    assert [(column.name, column.type) for column in page.columns] == [
        ("id", "int64"), ("name", "string"), ("score", "double"), ("joined", "date32[day]"),
    ]  # fmt: skip
    assert page.rows == [[0, "name 0", 0.0, "2024-01-01"], [1, "name 1", 0.25, "2024-01-02"]]
    assert page.truncated
    assert page.records()[1]["name"] == "name 1"


@pytest.mark.parametrize("name", ["people.csv", "data.parquet", "x.jsonl"])
def test_pages_follow_each_other(name: str) -> None:
    reader = {
        "people.csv": csv_file(),
        "data.parquet": parquet_file(row_group_size=300),
        "x.jsonl": _lines(*({"id": n} for n in range(1000))),
    }[name]
    page = preview(name, reader, limit=3, offset=599)
    assert [row[0] for row in page.rows] == [599, 600, 601]
    assert page.truncated
    last = preview(name, reader, limit=10, offset=998)
    assert [row[0] for row in last.rows] == [998, 999]
    assert not last.truncated
    assert last.total_rows == 1000
    assert preview(name, reader, limit=10, offset=5000).rows == []


@pytest.mark.parametrize(
    ("language", "encoding"), [("zh", "gb18030"), ("ja", "shift_jis"), ("ko", "euc_kr"), ("zh", "utf-16"), ("ja", "utf-8-sig")]
)
def test_csv_in_east_asian_encodings(language: str, encoding: str) -> None:
    text = TEXTS[language].replace(",推荐", "")
    page = preview("x.csv", csv_file(text, encoding))
    expected = [line.split(",") for line in text.splitlines()]
    assert [column.name for column in page.columns] == expected[0]
    assert page.rows == expected[1:]


@pytest.mark.parametrize(("delimiter", "name"), [(",", "x.csv"), (";", "x.csv"), ("\t", "x.csv"), ("\t", "x.tsv"), ("|", "x.csv")])
def test_delimiters(delimiter: str, name: str) -> None:
    page = preview(name, csv_file(f'a{delimiter}b\n1{delimiter}"x{delimiter}\ny"\n'))
    assert page.rows == [[1, f"x{delimiter}\ny"]]


def test_column_that_changes_its_type_late_becomes_text() -> None:
    text = "a,b\n" + "1,2\n" * 400_000 + "x,2\n"
    facts = describe("x.csv", csv_file(text))
    page = preview("x.csv", csv_file(text), limit=2, offset=399_999)
    assert page.rows == [["1", 2], ["x", 2]]
    assert facts.sampled


def test_dirty_csv_is_read_as_far_as_it_goes() -> None:
    page = preview("x.csv", csv_file("a,a,\n1,2,3\n1,2\n,,\n"))
    assert [column.name for column in page.columns] == ["a", "a_2", "column_3"]
    assert page.rows == [[1, 2, 3], [None, None, None]]
    assert "1 row(s)" in page.notes[0]


def test_jsonl_of_mixed_types() -> None:
    reader = BytesReader(
        "x.jsonl", b'{"a": 1, "n": {"x": [1]}}\nnot json\n{"a": "two", "b": true}\n[1, 2]\n{"big": 123456789012345678901234567890}\n'
    )
    page = preview("x.jsonl", reader)
    assert [column.name for column in page.columns] == ["a", "n", "b", "value", "big"]
    assert page.rows[0] == ["1", {"x": [1]}, None, None, None]
    assert page.rows[1][:3] == ["two", None, True]
    assert page.rows[3][4] == "123456789012345678901234567890"
    assert "1 line(s)" in page.notes[0]


@pytest.mark.parametrize("value", [[{"a": 1}, {"a": 2}], {"version": 1, "data": [{"a": 1}, {"a": 2}]}])
def test_json_list_and_list_in_an_object(value: object) -> None:
    page = preview("x.json", BytesReader("x.json", json.dumps(value).encode()))
    assert page.rows == [[1], [2]]
    assert page.total_rows == 2


def test_parquet_cells_are_json_safe() -> None:
    reader = parquet_file(
        {
            "when": [dt.datetime(2024, 1, 2, 3, 4, tzinfo=dt.UTC)],
            "day": [dt.date(2024, 1, 2)],
            "money": pa.array([decimal.Decimal("12345678901234567.89")]),
            "nan": [float("nan")],
            "blob": [b"\x00" * 100],
            "nested": [{"list": [1, None], "map": {"k": 1}}],
            "long": ["x" * 5000],
            "far": pa.array([9_000_000_000_000_000], pa.timestamp("ms")),
            "many": [list(range(500))],
        }
    )
    page = preview("x.parquet", reader)
    row = page.records()[0]
    assert row["when"] == "2024-01-02T03:04:00+00:00"
    assert row["day"] == "2024-01-02"
    assert row["money"] == "12345678901234567.89"
    assert row["nan"] is None
    assert row["blob"].startswith("base64:AAAA")
    assert "100 bytes" in row["blob"]
    assert row["nested"]["list"] == [1, None]
    assert row["long"].endswith("(5,000 characters)")
    assert isinstance(row["far"], str)
    assert len(row["many"]) == 101
    assert json.dumps(page.to_json(), allow_nan=False)


def test_parquet_rows_are_counted_by_the_footer() -> None:
    class Counting(BytesReader):
        total = 0

        def read(self, start: int, length: int) -> bytes:
            data = super().read(start, length)
            self.total += len(data)
            return data

    source = parquet_file({"x": [str(n) * 50 for n in range(200_000)]}, row_group_size=10_000, compression="none", use_dictionary=False)
    reader = Counting(source.name, source.read(0, source.size))
    page = preview("x.parquet", reader, limit=5)
    assert page.total_rows == 200_000
    assert reader.total < reader.size / 4


def test_description_of_columns() -> None:
    facts = describe("people.csv", csv_file())
    by_name = {column.name: column for column in facts.columns}
    assert (facts.rows, facts.sampled) == (1000, False)
    assert (by_name["id"].min, by_name["id"].max, by_name["id"].mean, by_name["id"].distinct) == (0, 999, 499.5, 1000)
    assert by_name["id"].top == ()
    assert by_name["name"].distinct == 7
    assert by_name["name"].top[0] == ("name 0", 143)
    assert (by_name["name"].min_length, by_name["name"].max_length) == (6, 6)
    assert by_name["joined"].max == "2024-01-28"


def test_description_counts_nulls_and_survives_odd_types() -> None:
    reader = parquet_file(
        {
            "n": [None, None],
            "f": [float("nan"), 1.5],
            "l": [[1], None],
            "s": [{"a": 1}, None],
            "b": [True, None],
            "d": pa.array(["x", "x"]).dictionary_encode(),
        }
    )
    facts = {column.name: column for column in describe("x.parquet", reader).columns}
    assert (facts["n"].count, facts["n"].nulls) == (0, 2)
    assert (facts["f"].min, facts["f"].max) == (1.5, 1.5)
    assert facts["l"].max_length == 1
    assert facts["b"].mean == 1.0
    assert facts["d"].top == (("x", 2),)
    assert json.dumps(describe("x.parquet", reader).to_json(), allow_nan=False)


def test_large_file_is_described_from_a_sample() -> None:
    facts = describe("x.parquet", parquet_file({"x": pa.array(range(250_000))}))
    assert facts.sampled
    assert facts.rows == 250_000
    assert facts.sample_rows == 200_000


BROKEN = {
    "empty.csv": b"",
    "binary.csv": b"\x00\x01\x02" * 100,
    "wide.csv": b"a," * 100_000,
    "git.parquet": b"version https://git-lfs.github.com/spec/v1\n",
    "short.parquet": b"PAR1",
    "footer.parquet": b"PAR1" + b"\0" * 100 + struct.pack("<I", 50) + b"PAR1",
    "liar.parquet": b"PAR1" + struct.pack("<I", 0xFFFFFFF0) + b"PAR1",
    "deep.json": b"[" * 100_000,
    "object.json": b'{"a": 1}',
    "text.jsonl": b"hello\nworld\n",
    "deep.jsonl": b'{"a":' * 50_000 + b"\n",
    "line.jsonl": b'{"a": "' + b"x" * (20 << 20),
    "wide.jsonl": json.dumps({str(n): n for n in range(5000)}).encode(),
    "note.txt": b"x",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_give_one_clear_error(name: str) -> None:
    for read in (preview, describe):
        with pytest.raises(UnsupportedFormat):
            read(name, BytesReader(name, BROKEN[name]))


def test_nested_keys_do_not_multiply_into_columns() -> None:
    reader = _lines(*({"a": {f"k{n}": n}} for n in range(2000)))
    page = preview("x.jsonl", reader, limit=1000)
    assert page.columns[0].type == "string"
    assert page.rows[7] == ['{"k7": 7}']


@settings(deadline=None)
@given(
    st.sampled_from(["x.csv", "x.tsv", "x.json", "x.jsonl", "x.parquet"]),
    st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))),
)
def test_readers_only_raise_hub_errors(name: str, data: bytes) -> None:
    for read in (preview, describe):
        with contextlib.suppress(HubError):
            json.dumps(read(name, BytesReader(name, data)).to_json(), allow_nan=False).encode()


@settings(deadline=None)
@given(st.integers(min_value=4, max_value=3000), st.binary(min_size=1, max_size=12))
def test_changed_parquet_bytes_only_raise_hub_errors(at: int, patch: bytes) -> None:
    data = PARQUET[:at] + patch + PARQUET[at + len(patch) :]
    for read in (preview, describe):
        with contextlib.suppress(HubError):
            read("x.parquet", BytesReader("x.parquet", data))


def _small_parquet() -> bytes:
    reader = parquet_file({"a": range(50), "s": ["text"] * 50})
    return reader.read(0, reader.size)


PARQUET = _small_parquet()
