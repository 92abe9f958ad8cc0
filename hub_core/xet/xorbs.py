"""Xorbs: up to 64 MiB of compressed chunks, one after the other. Taken in as a stream and checked to the last byte.

Source: the Xet protocol specification of huggingface/xet-core, `spec/xorb.md`.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import lz4.frame

from hub_core.errors import HashMismatch, InvalidInput, TooLarge
from hub_core.xet.hashes import HASH_BYTES, chunk_hash, range_hash, tree_of

MIB = 1024 * 1024
MAX_RAW = 64 * MIB
MAX_CHUNKS = 8192
MAX_CHUNK = 128 * 1024
HEADER_BYTES = 8
MAX_BODY = MAX_RAW + MAX_CHUNKS * HEADER_BYTES
# What a client may send: old ones append a footer, which has a hash and two numbers for each chunk.
MAX_UPLOAD = MAX_BODY + MIB
_FOOTER = b"XETBLOB"
_PLAIN, _LZ4, _GROUPED = 0, 1, 2
_ENTRY = struct.Struct("<32sII")
_BROKEN_HINT = "Upload the file again; a client that keeps sending this is broken."


@dataclass(frozen=True, slots=True)
class XorbIndex:
    """Where the chunks of a xorb are.

    Attributes:
        hashes: 32 bytes for each chunk.
        ends: for each chunk the offset after it in the xorb's body.
        raw_ends: for each chunk the offset after it in the content of all chunks.
    """

    hashes: bytes
    ends: tuple[int, ...]
    raw_ends: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ends)

    def start(self, chunk: int) -> int:
        """The offset of a chunk in the body."""
        return self.ends[chunk - 1] if chunk else 0

    def raw_start(self, chunk: int) -> int:
        """The offset of a chunk in the content of all chunks."""
        return self.raw_ends[chunk - 1] if chunk else 0

    def raw_size(self, first: int, end: int) -> int:
        """Bytes of content in the chunks `[first, end)`."""
        return self.raw_start(end) - self.raw_start(first)

    def chunk_at(self, raw_offset: int) -> int:
        """The chunk that holds an offset of the content."""
        return bisect_right(self.raw_ends, raw_offset)

    def chunks(self, first: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int]]:
        """Hash and size of the chunks `[first, end)`."""
        for chunk in range(first, len(self) if end is None else end):
            yield self.hashes[chunk * HASH_BYTES : (chunk + 1) * HASH_BYTES], self.raw_size(chunk, chunk + 1)

    def proof(self, first: int, end: int) -> bytes:
        """What a client that knows the chunks `[first, end)` says about them."""
        return range_hash(self.hashes[first * HASH_BYTES : end * HASH_BYTES])

    def pack(self) -> bytes:
        """The index as bytes, 40 for each chunk; `unpack` reads it."""
        rows = zip(range(0, len(self.hashes), HASH_BYTES), self.ends, self.raw_ends, strict=True)
        return b"".join(_ENTRY.pack(self.hashes[at : at + HASH_BYTES], end, raw_end) for at, end, raw_end in rows)

    @classmethod
    def unpack(cls, data: bytes) -> XorbIndex:
        """The index from its bytes."""
        rows = list(_ENTRY.iter_unpack(data))
        return cls(b"".join(row[0] for row in rows), tuple(row[1] for row in rows), tuple(row[2] for row in rows))


def index_bytes(chunks: int) -> int:
    """Bytes of the packed index of a xorb."""
    return chunks * _ENTRY.size


class XorbReader:
    """Reads chunks out of a stream of a xorb's body; at most one of them is held at a time."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._done = False

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take in more of the stream; gives each finished chunk's size in the body and its content.

        Raises:
            InvalidInput: not a chunk, or one that does not decompress to the announced size.
        """
        if self._done:
            return
        self._held += data
        position = 0
        while len(self._held) - position >= HEADER_BYTES:
            if self._held.startswith(_FOOTER, position):
                self._done = True
                break
            header = bytes(self._held[position : position + HEADER_BYTES])
            scheme, size, raw_size = _header(header)
            end = position + HEADER_BYTES + size
            if end > len(self._held):
                break
            content = _content(scheme, bytes(self._held[position + HEADER_BYTES : end]), raw_size)
            yield end - position, content
            position = end
        del self._held[:position]

    def finish(self) -> None:
        """Check that the stream ended after a chunk.

        Raises:
            InvalidInput: it ended within one.
        """
        if self._held and not self._done:
            raise InvalidInput("The xorb ends within a chunk.", hint=_BROKEN_HINT)


def _header(header: bytes) -> tuple[int, int, int]:
    version, scheme = header[0], header[4]
    size, raw_size = int.from_bytes(header[1:4], "little"), int.from_bytes(header[5:8], "little")
    if version != 0 or scheme not in {_PLAIN, _LZ4, _GROUPED}:
        raise InvalidInput("The xorb has a chunk of an unknown format.", hint="Use a client that speaks version 1 of the Xet protocol.")
    if not 0 < raw_size <= MAX_CHUNK or not 0 < size <= MAX_CHUNK + 64:
        raise InvalidInput("The xorb has a chunk of an impossible size.", hint=_BROKEN_HINT)
    return scheme, size, raw_size


def _content(scheme: int, data: bytes, raw_size: int) -> bytes:
    if scheme != _PLAIN:
        data = _unpressed(data, raw_size)
    if len(data) != raw_size:
        raise InvalidInput("A chunk of the xorb does not have the size that it announces.", hint=_BROKEN_HINT)
    return _ungrouped(data) if scheme == _GROUPED else data


def _unpressed(data: bytes, raw_size: int) -> bytes:
    decoder: Any = lz4.frame.LZ4FrameDecompressor()
    try:
        # One byte more than announced tells a frame that goes on from one that ends.
        content: bytes = decoder.decompress(data, max_length=raw_size + 1)
    except (RuntimeError, EOFError) as error:
        raise InvalidInput("A chunk of the xorb cannot be decompressed.", hint=_BROKEN_HINT) from error
    if not decoder.eof or decoder.unused_data:
        raise InvalidInput("A chunk of the xorb cannot be decompressed.", hint=_BROKEN_HINT)
    return content


def _ungrouped(data: bytes) -> bytes:
    """Undo the grouping of bytes: four planes, where plane `j` has the bytes at `j`, `j + 4`, `j + 8` ..."""
    content, position = bytearray(len(data)), 0
    for plane in range(4):
        size = (len(data) - plane + 3) // 4
        content[plane::4] = data[position : position + size]
        position += size
    return bytes(content)


class XorbCheck:
    """Checks a xorb that comes in against its hash, and learns where its chunks are."""

    def __init__(self, expected: bytes) -> None:
        self._expected = expected
        self._reader = XorbReader()
        self._hashes = bytearray()
        self._ends: list[int] = []
        self._raw_ends: list[int] = []

    def feed(self, data: bytes) -> None:
        """The next bytes.

        Raises:
            InvalidInput: not a xorb.
            TooLarge: more chunks or bytes than a xorb may have.
        """
        for size, content in self._reader.feed(data):
            self._hashes += chunk_hash(content)
            self._ends.append((self._ends or [0])[-1] + size)
            self._raw_ends.append((self._raw_ends or [0])[-1] + len(content))
            if len(self._ends) > MAX_CHUNKS or self._raw_ends[-1] > MAX_RAW:
                raise TooLarge(f"A xorb has {MAX_CHUNKS} chunks and {MAX_RAW // MIB} MiB at most.", hint=_BROKEN_HINT)

    def finish(self) -> XorbIndex:
        """The index.

        Raises:
            InvalidInput: it ended too early, or is empty.
            HashMismatch: the content has another hash.
        """
        self._reader.finish()
        if not self._ends:
            raise InvalidInput("The xorb is empty.", hint=_BROKEN_HINT)
        index = XorbIndex(bytes(self._hashes), tuple(self._ends), tuple(self._raw_ends))
        if tree_of(index.chunks()).root() != self._expected:
            raise HashMismatch("The xorb does not have the announced hash.", hint="Upload the file again.")
        return index


def contents(body: Iterable[bytes]) -> Iterator[bytes]:
    """The content of the chunks in a part of a xorb's body that begins and ends between chunks."""
    reader = XorbReader()
    for data in body:
        for _, content in reader.feed(data):
            yield content
    reader.finish()
