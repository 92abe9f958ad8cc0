"""The hashes of the Xet protocol: BLAKE3 with a key for each use, and a tree over the hashes of chunks.

Source: the Xet protocol specification of huggingface/xet-core, `spec/hashing.md`; checked against hf-xet by the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from blake3 import blake3

HASH_BYTES = 32
_CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
_RANGE_KEY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")
_FILE_KEY = bytes(HASH_BYTES)
_HEX = re.compile(r"[0-9a-f]{64}")
# A group of the tree ends after a child whose hash is divisible by 4, but has 3 children at least and 9 at most.
_CUT, _LEAST, _MOST = 4, 3, 9


def to_text(raw: bytes) -> str:
    """A hash as the protocol prints it: each 8 bytes as one little-endian number."""
    return b"".join(raw[start : start + 8][::-1] for start in range(0, HASH_BYTES, 8)).hex()


def from_text(text: str) -> bytes:
    """The bytes of a printed hash; the inverse of `to_text`."""
    return bytes.fromhex(to_text(bytes.fromhex(text)))


def valid_text(text: str) -> bool:
    """Whether this is a printed hash: 64 lower-case hex digits."""
    return _HEX.fullmatch(text) is not None


def chunk_hash(data: bytes) -> bytes:
    """The hash of one chunk's content."""
    return blake3(data, key=_CHUNK_KEY).digest()


def range_hash(hashes: bytes) -> bytes:
    """What proves to know the chunks of a range: a keyed hash of their hashes, one after the other."""
    return blake3(hashes, key=_RANGE_KEY).digest()


def is_landmark(hash_: bytes) -> bool:
    """Whether clients ask for this chunk when they look for what need not be sent: about one in a thousand."""
    return int.from_bytes(hash_[24:], "little") % 1024 == 0


def masked(hash_: bytes, key: bytes) -> bytes:
    """A chunk's hash hidden by a key: only who knows the hash can tell that it is this one."""
    return blake3(hash_, key=key).digest()


class HashTree:
    """The hash over a sequence of chunks, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self._levels: list[_Level] = [_Level()]

    def add(self, hash_: bytes, size: int) -> None:
        """The next chunk."""
        self._add(0, hash_, size)

    def _add(self, depth: int, hash_: bytes, size: int) -> None:
        if depth == len(self._levels):
            self._levels.append(_Level())
        level = self._levels[depth]
        level.nodes.append((hash_, size))
        level.count += 1
        # The last of the four little-endian numbers; its lowest byte decides about divisibility by 4.
        divisible = hash_[24] % _CUT == 0
        if len(level.nodes) == _MOST or (len(level.nodes) >= _LEAST and divisible):
            self._close(depth)

    def _close(self, depth: int) -> None:
        nodes = self._levels[depth].nodes
        self._levels[depth].nodes = []
        text = "".join(f"{to_text(hash_)} : {size}\n" for hash_, size in nodes)
        self._add(depth + 1, blake3(text.encode(), key=_NODE_KEY).digest(), sum(size for _, size in nodes))

    def root(self) -> bytes:
        """The hash over all chunks (a xorb's hash); 32 zero bytes for none. Nothing may be added afterwards."""
        depth = 0
        while True:
            level = self._levels[depth]
            if level.count == 0:
                return bytes(HASH_BYTES)
            if level.count == 1:
                return level.nodes[0][0]
            if level.nodes:
                self._close(depth)
            depth += 1

    def file_hash(self) -> bytes:
        """The hash of a file that consists of these chunks; 32 zero bytes for an empty file."""
        root = self.root()
        return root if self._levels[0].count == 0 else blake3(root, key=_FILE_KEY).digest()


class _Level:
    """One level of the tree: how many nodes it had, and those that wait for their group to end."""

    def __init__(self) -> None:
        self.nodes: list[tuple[bytes, int]] = []
        self.count = 0


def tree_of(chunks: Iterable[tuple[bytes, int]]) -> HashTree:
    """A tree over chunks, each with its hash and size in bytes."""
    tree = HashTree()
    for hash_, size in chunks:
        tree.add(hash_, size)
    return tree
