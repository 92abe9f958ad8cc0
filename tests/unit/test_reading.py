"""Reading by ranges: readers, and the file object over them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_core.errors import UnsupportedFormat
from hub_core.reading import BytesReader, PathReader, ReaderIO, read_exact

DATA = bytes(range(256)) * 20


def test_readers_agree(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(DATA)
    for reader in (BytesReader("x.bin", DATA), PathReader(path)):
        assert (reader.name, reader.size) == ("x.bin", len(DATA))
        assert reader.read(10, 5) == DATA[10:15]
        assert reader.read(len(DATA) - 2, 100) == DATA[-2:]


@pytest.mark.parametrize(("start", "length"), [(0, len(DATA) + 1), (len(DATA), 1), (-1, 1), (0, -1)])
def test_missing_bytes_are_an_error(start: int, length: int) -> None:
    with pytest.raises(UnsupportedFormat):
        read_exact(BytesReader("x", DATA), start, length)


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(-300, 6000), st.integers(0, 900)), max_size=20))
def test_file_object_behaves_like_bytes_in_memory(steps: list[tuple[int, int, int]]) -> None:
    ours, theirs = ReaderIO(BytesReader("x", DATA), block_size=64, blocks=3), io.BytesIO(DATA)
    for whence, offset, length in steps:
        if whence == 0 and offset < 0:
            continue
        assert ours.seek(offset, whence) == theirs.seek(offset, whence)
        assert ours.read(length) == theirs.read(length)
        assert ours.tell() == theirs.tell()
