"""Shards: what a client says about files it has sent. Read as a stream, since a shard can describe very many chunks.

Source: the Xet protocol specification of huggingface/xet-core, `spec/shard.md`. Every record has 48 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from hub_core.errors import InvalidInput, TooLarge
from hub_core.xet.hashes import HASH_BYTES, to_text
from hub_core.xet.xorbs import MAX_CHUNKS, MAX_RAW, MIB

MAX_SHARD = 80 * MIB
MAX_FILES = 100_000
RECORD = 48
TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
_VERSION = 2
_HEADER = struct.Struct("<32sQQ")
_FILE = struct.Struct("<32sII8x")
_TERM = struct.Struct("<32sIIII")
_END = b"\xff" * HASH_BYTES
_HAS_PROOFS, _HAS_SHA256 = 1 << 31, 1 << 30
_BROKEN = "This is not a complete shard."
_HINT = "Upload the file again; a client that keeps sending this is broken."


@dataclass(frozen=True, slots=True)
class Term:
    """A run of chunks `[first, end)` of a xorb, with `size` bytes of content in all."""

    xorb: str
    first: int
    end: int
    size: int


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A file that a client describes.

    Attributes:
        file_hash: what the client says its Xet hash is, as bytes.
        sha256: what the client says its SHA-256 is, in hex; None when it does not say.
        records: its terms, packed as in the shard, 48 bytes each.
        proofs: what shows for each term that the client knows its chunks, 48 bytes each.
        size: bytes of the file, the sum of its terms.
    """

    file_hash: bytes
    sha256: str | None
    records: bytes
    proofs: bytes
    size: int

    def terms(self) -> Iterator[Term]:
        """Its terms, in order."""
        return unpack_terms(self.records)

    def proof(self, number: int) -> bytes:
        """The proof for a term."""
        return self.proofs[number * RECORD : number * RECORD + HASH_BYTES]


def unpack_terms(records: bytes) -> Iterator[Term]:
    """Terms from 48 bytes each."""
    for xorb, _, size, first, end in _TERM.iter_unpack(records):
        yield Term(to_text(xorb), first, end, size)


def read_files(shard: BinaryIO) -> Iterator[ShardFile]:
    """The files of a shard; what follows them is of no use here and is not read.

    Raises:
        InvalidInput: not a shard, or cut off, or a term that cannot be.
        TooLarge: more files than a shard may have.
    """
    tag, version, _ = _HEADER.unpack(_exactly(shard, RECORD))
    if tag != TAG or version != _VERSION:
        raise InvalidInput("This is not a shard of version 2.", hint="Use a client that speaks version 1 of the Xet protocol.")
    for number in range(MAX_FILES + 1):
        file_hash, flags, terms = _FILE.unpack(_exactly(shard, RECORD))
        if file_hash == _END:
            return
        if number == MAX_FILES:
            break
        yield _file(shard, file_hash, flags, terms)
    raise TooLarge(f"A shard has at most {MAX_FILES} files.", hint="Send several shards.")


def _file(shard: BinaryIO, file_hash: bytes, flags: int, terms: int) -> ShardFile:
    if terms > MAX_SHARD // RECORD:
        raise InvalidInput(_BROKEN, hint=_HINT)
    records = _exactly(shard, terms * RECORD)
    if terms and not flags & _HAS_PROOFS:
        raise InvalidInput("The shard does not show that the client has the chunks.", hint="Use a newer client.")
    proofs = _exactly(shard, terms * RECORD) if flags & _HAS_PROOFS else b""
    sha256 = to_text(_exactly(shard, RECORD)[:HASH_BYTES]) if flags & _HAS_SHA256 else None
    size = 0
    for term in unpack_terms(records):
        if not term.first < term.end <= MAX_CHUNKS or not 0 < term.size <= MAX_RAW:
            raise InvalidInput("The shard names chunks that no xorb can have.", hint=_HINT)
        size += term.size
    return ShardFile(file_hash, sha256, records, proofs, size)


def _exactly(shard: BinaryIO, size: int) -> bytes:
    data = shard.read(size)
    if len(data) != size:
        raise InvalidInput(_BROKEN, hint=_HINT)
    return data
