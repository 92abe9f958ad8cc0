"""Shards that come in, read as a stream."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_core.errors import HubError, InvalidInput, TooLarge
from hub_core.xet import shards
from hub_core.xet.shards import read_files
from tests.common.xet_files import END, ShardFile, Xorb, shard

XORB = Xorb([b"one", b"two", b"three"])
GOOD = shard(ShardFile([(XORB, 0, 2), (XORB, 2, 3)]), ShardFile([(XORB, 1, 2)], flags=1 << 31))


def test_files_are_read_with_their_terms() -> None:
    first, second = read_files(io.BytesIO(GOOD))
    assert [(term.xorb, term.first, term.end, term.size) for term in first.terms()] == [(XORB.hash, 0, 2, 6), (XORB.hash, 2, 3, 5)]
    assert (first.size, second.size) == (11, 3)
    assert first.sha256 == ShardFile([(XORB, 0, 3)]).oid
    assert second.sha256 is None


@given(st.integers(0, len(GOOD) - len(END) - 1))
def test_a_shard_that_is_cut_off_is_refused(end: int) -> None:
    with pytest.raises(InvalidInput):
        list(read_files(io.BytesIO(GOOD[:end])))


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_read_or_refused_in_the_hubs_own_words(position: int, change: int) -> None:
    changed = bytearray(GOOD)
    changed[position] ^= change
    try:
        list(read_files(io.BytesIO(changed)))
    except HubError:
        return


@given(st.binary(max_size=300))
def test_arbitrary_bytes_after_the_header_are_refused_or_read(data: bytes) -> None:
    with pytest.raises(HubError):
        list(read_files(io.BytesIO(GOOD[:48] + data.replace(b"\xff", b"\0"))))
    with pytest.raises(HubError):
        list(read_files(io.BytesIO(data)))


@pytest.mark.parametrize(
    "file",
    [
        ShardFile([(XORB, 0, 1)], count=0xFFFF_FFFF),
        ShardFile([(XORB, 0, 1)], count=1000),
        ShardFile([(XORB, 1, 1)]),
        ShardFile([(XORB, 2, 1)]),
        ShardFile([(XORB, 0, 100_000)]),
        ShardFile([(XORB, 0, 1)], sizes=[0]),
        ShardFile([(XORB, 0, 1)], sizes=[0xFFFF_FFFF]),
        ShardFile([(XORB, 0, 1)], flags=1 << 30),
    ],
    ids=["huge-count", "count", "empty-range", "backwards", "beyond", "no-size", "huge-size", "no-proofs"],
)
def test_impossible_files_are_refused(file: ShardFile) -> None:
    with pytest.raises(InvalidInput):
        list(read_files(io.BytesIO(shard(file))))


def test_other_formats_and_versions_are_refused() -> None:
    for wrong in (shard(version=3), shard(tag=bytes(32))):
        with pytest.raises(InvalidInput):
            list(read_files(io.BytesIO(wrong)))
    assert list(read_files(io.BytesIO(shard()))) == []


def test_a_shard_has_a_limit_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_FILES", 2)
    file = ShardFile([(XORB, 0, 1)])
    assert len(list(read_files(io.BytesIO(shard(file, file))))) == 2
    with pytest.raises(TooLarge):
        list(read_files(io.BytesIO(shard(file, file, file))))
