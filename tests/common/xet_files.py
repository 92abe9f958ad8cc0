"""Xorbs and shards as a client would write them, and as none should."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import lz4.frame

from hub_core.xet.hashes import chunk_hash, from_text, range_hash, to_text, tree_of
from hub_core.xet.shards import TAG

END = b"\xff" * 32 + bytes(16)


def grouped(data: bytes) -> bytes:
    """Bytes in the four planes of scheme 2."""
    return b"".join(data[plane::4] for plane in range(4))


def packed_chunk(data: bytes, scheme: int = 0, *, raw_size: int | None = None) -> bytes:
    """A chunk in a xorb's body; `raw_size` where it is to lie about it."""
    content = data if scheme == 0 else lz4.frame.compress(grouped(data) if scheme == 2 else data)
    size = len(data) if raw_size is None else raw_size
    return b"\0" + len(content).to_bytes(3, "little") + bytes([scheme]) + size.to_bytes(3, "little") + content


@dataclass(frozen=True)
class Xorb:
    """Chunks, and what a client makes of them."""

    chunks: Sequence[bytes]
    scheme: int = 0

    @property
    def body(self) -> bytes:
        """What is sent."""
        return b"".join(packed_chunk(chunk, self.scheme) for chunk in self.chunks)

    @property
    def hashes(self) -> list[bytes]:
        """The hashes of its chunks."""
        return [chunk_hash(chunk) for chunk in self.chunks]

    @property
    def raw_hash(self) -> bytes:
        """Its hash."""
        return tree_of(zip(self.hashes, map(len, self.chunks), strict=True)).root()

    @property
    def hash(self) -> str:
        """Its hash in print."""
        return to_text(self.raw_hash)


@dataclass
class ShardFile:
    """A file of chunk ranges `(xorb, first, end)`; the other fields replace what would be right."""

    terms: Sequence[tuple[Xorb, int, int]]
    sha256: str | None = ""
    file_hash: bytes = b""
    proofs: Sequence[bytes] = ()
    sizes: Sequence[int] = ()
    flags: int = 0xC000_0000
    count: int | None = None
    data: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.data = b"".join(b"".join(xorb.chunks[first:end]) for xorb, first, end in self.terms)

    @property
    def oid(self) -> str:
        """Its SHA-256."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def hash(self) -> str:
        """Its Xet hash in print."""
        parts = [part for xorb, first, end in self.terms for part in zip(xorb.hashes[first:end], xorb.chunks[first:end], strict=True)]
        return to_text(tree_of((hash_, len(chunk)) for hash_, chunk in parts).file_hash())

    def pack(self) -> bytes:
        """Its records."""
        file_hash = self.file_hash or from_text(self.hash)
        count = len(self.terms) if self.count is None else self.count
        records = [file_hash + struct.pack("<II8x", self.flags, count)]
        for number, (xorb, first, end) in enumerate(self.terms):
            size = self.sizes[number] if self.sizes else sum(map(len, xorb.chunks[first:end]))
            records.append(xorb.raw_hash + struct.pack("<IIII", 0, size, first, end))
        if self.flags & 1 << 31:
            for number, (xorb, first, end) in enumerate(self.terms):
                proof = self.proofs[number] if self.proofs else range_hash(b"".join(xorb.hashes[first:end]))
                records.append(proof + bytes(16))
        if self.flags & 1 << 30:
            records.append(from_text(self.sha256 or self.oid) + bytes(16))
        return b"".join(records)


def shard(*files: ShardFile, tag: bytes = TAG, version: int = 2) -> bytes:
    """A shard with files and no xorbs."""
    return tag + struct.pack("<QQ", version, 0) + b"".join(file.pack() for file in files) + END + END
