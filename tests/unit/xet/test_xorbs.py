"""Xorbs that come in: taken as they should be, refused in every other shape."""

from __future__ import annotations

import contextlib
import os

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_core.errors import HashMismatch, HubError, InvalidInput, TooLarge
from hub_core.xet.xorbs import MAX_CHUNK, MAX_CHUNKS, XorbCheck, XorbIndex, contents
from tests.common.xet_files import Xorb, packed_chunk

chunks = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=12)
xorbs = st.builds(Xorb, chunks, st.integers(0, 2))


def check(body: bytes, raw_hash: bytes, step: int = 1 << 20) -> XorbIndex:
    checker = XorbCheck(raw_hash)
    for start in range(0, len(body), step):
        checker.feed(body[start : start + step])
    return checker.finish()


@given(xorbs, st.integers(1, 50), st.booleans())
def test_a_xorb_is_taken_in_pieces_of_any_size(xorb: Xorb, step: int, footer: bool) -> None:
    index = check(xorb.body + (b"XETBLOB and more" if footer else b""), xorb.raw_hash, step)
    assert len(index) == len(xorb.chunks)
    assert index.ends[-1] == len(xorb.body)
    assert list(contents([xorb.body])) == list(xorb.chunks)
    assert XorbIndex.unpack(index.pack()) == index
    for number in range(len(index)):
        assert list(contents([xorb.body[index.start(number) : index.ends[number]]])) == [xorb.chunks[number]]
        assert index.chunk_at(index.raw_start(number)) == number


@given(xorbs, st.data())
def test_a_xorb_that_is_cut_off_is_refused(xorb: Xorb, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(xorb.body) - 1))
    with pytest.raises(InvalidInput):
        check(xorb.body[:end], xorb.raw_hash)


@given(xorbs, st.data())
def test_a_changed_byte_never_changes_the_content_unseen(xorb: Xorb, data: st.DataObject) -> None:
    body = bytearray(xorb.body)
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(HubError):
        check(bytes(body), xorb.raw_hash)
        assert list(contents([bytes(body)])) == list(xorb.chunks)


@given(st.binary(max_size=400), st.integers(1, 100))
def test_arbitrary_bytes_are_refused_in_the_hubs_own_words(body: bytes, step: int) -> None:
    with pytest.raises(HubError):
        check(body, bytes(32), step)


@pytest.mark.parametrize(
    "body",
    [
        packed_chunk(bytes(5000), 1, raw_size=100),
        packed_chunk(bytes(100), 1, raw_size=5000),
        packed_chunk(b"abc", raw_size=4),
        packed_chunk(b"", raw_size=0),
        packed_chunk(bytes(MAX_CHUNK + 1)),
        packed_chunk(bytes(1 << 20), 1, raw_size=MAX_CHUNK),
        b"\1" + packed_chunk(b"abc")[1:],
        packed_chunk(b"abc")[:4] + b"\3" + packed_chunk(b"abc")[5:],
        b"\0\5\0\0\1\5\0\0hello",
        b"\0" + (15 + 5).to_bytes(3, "little") + b"\1\1\0\0" + lz4.frame.compress(b"a")[:20],
    ],
    ids=["longer", "shorter", "plain-longer", "empty", "large", "bomb", "version", "scheme", "no-frame", "cut-frame"],
)
def test_chunks_that_lie_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        check(body, bytes(32))


def test_what_follows_a_frame_in_its_chunk_is_refused() -> None:
    frame = lz4.frame.compress(b"abc") + b"more"
    with pytest.raises(InvalidInput):
        check(b"\0" + len(frame).to_bytes(3, "little") + b"\1\3\0\0" + frame, bytes(32))


def test_many_small_chunks_cannot_expand_without_end() -> None:
    bomb = packed_chunk(bytes(MAX_CHUNK), 1)
    checker = XorbCheck(bytes(32))
    with pytest.raises(TooLarge):
        for _ in range(513):
            checker.feed(bomb)
    checker = XorbCheck(bytes(32))
    with pytest.raises(TooLarge):
        checker.feed(packed_chunk(b"x") * (MAX_CHUNKS + 1))


def test_another_hash_is_refused() -> None:
    xorb = Xorb([os.urandom(1000)])
    with pytest.raises(HashMismatch):
        check(xorb.body, bytes(32))
