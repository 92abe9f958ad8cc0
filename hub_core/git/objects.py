"""Reading objects of a snapshot with dulwich, and a pool of open readers."""

from __future__ import annotations

import mmap
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dulwich.errors import ObjectFormatException
from dulwich.object_store import BaseObjectStore, DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, RawObjectID, ShaFile, Tag, Tree
from dulwich.pack import OFS_DELTA, REF_DELTA, Pack

from hub_core.errors import CorruptStorage, RevisionNotFound
from hub_core.git.cache import NodeCache
from hub_core.git.types import ZERO, RepoState
from hub_core.lfs.pointer import MAX_POINTER, LfsPointer, parse_pointer
from hub_core.memo import Memo

if TYPE_CHECKING:
    from dulwich.pack import PackIndex

_BLOB = 3
_CHUNK = 1024 * 1024
_PACKED = 256 * 1024
_MAX_IDLE = 96
_MAX_FACTS = 200_000
Folder = dict[bytes, tuple[int, ObjectID]]
_MAX_TAG_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of objects before, of any repo: an id never means other bytes. Sizes and pointers of blobs, trees of commits, folders."""

    facts: dict[str, tuple[int, LfsPointer | None]] = field(default_factory=dict)
    roots: Memo[str, str] = field(default_factory=lambda: Memo(10_000))
    folders: Memo[str, Folder] = field(default_factory=lambda: Memo(100_000, weight=lambda folder: len(folder) + 1))


class CheckedPack(Pack):
    """A pack of the node cache: its checksum was compared when it came here, once is enough."""

    def check_length_and_checksum(self) -> None:
        """Do nothing: hashing the whole pack at each opening would make large repos slow."""


class SnapshotStore(DiskObjectStore):
    """The objects of one snapshot, or of a quarantine with the snapshot behind it."""

    def __init__(self, path: Path, behind: SnapshotStore | None = None, known: Known | None = None) -> None:
        super().__init__(path)
        self._known = known or Known()
        self._use_midx = False
        self._use_commit_graph = False
        self._behind = [behind] if behind else []

    @property
    def alternates(self) -> list[BaseObjectStore]:
        """The snapshot behind a quarantine."""
        return list(self._behind)

    def contains_loose(self, sha: ObjectID) -> bool:  # noqa: ARG002
        """Whether there is a loose object: never."""
        return False

    def _get_loose_object(self, sha: ObjectID) -> ShaFile | None:  # noqa: ARG002
        return None

    def _update_pack_cache(self) -> list[Pack]:
        if self._pack_cache and not self._behind:
            return []  # a snapshot has all its packs from the beginning; only a quarantine gets more
        try:
            names = {path.stem for path in Path(os.fspath(self.pack_dir)).iterdir() if path.suffix == ".idx"}
        except FileNotFoundError:
            return []
        added: list[Pack] = []
        for name in names - set(self._pack_cache):
            pack = CheckedPack(str(Path(os.fspath(self.pack_dir)) / name), object_format=self.object_format)
            self._pack_cache[name] = pack
            added.append(pack)
        return added

    # The typed forms below are what the hub uses.

    def commit(self, sha: str) -> Commit:
        """The commit of that id.

        Raises:
            RevisionNotFound: no such object, or not a commit.
        """
        found = self.load(sha)
        if not isinstance(found, Commit):
            raise RevisionNotFound(f"There is no commit '{sha[:12]}' in this repo.", hint="List the commits to find one.")
        return found

    def tree(self, sha: str | ObjectID) -> Tree:
        """The tree of that id.

        Raises:
            CorruptStorage: it is not there.
        """
        found = self.load(sha if isinstance(sha, str) else sha.decode())
        if not isinstance(found, Tree):
            raise CorruptStorage("A folder of this repo is missing in the storage.", hint="Run `hubtalk doctor`.")
        return found

    def root(self, commit: str) -> str:
        """The id of a commit's tree; raises like `commit`."""
        return self._known.roots.get(commit, lambda: self.commit(commit).tree.decode())

    def folder(self, sha: str) -> Folder:
        """Mode and id of each name in a tree; raises like `tree`."""
        return self._known.folders.get(sha, lambda: {item.path: (item.mode, item.sha) for item in self.tree(sha).iteritems()})

    def blob(self, sha: str) -> bytes:
        """The content of that id.

        Raises:
            CorruptStorage: it is not there.
        """
        found = self.load(sha)
        if not isinstance(found, Blob):
            raise CorruptStorage("A file of this repo is missing in the storage.", hint="Run `hubtalk doctor`.")
        return found.data

    def blob_chunks(self, sha: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes `[start, end)` of a blob in pieces of at most 1 MiB; one that Git keeps as a delta is made whole in memory.

        Raises:
            CorruptStorage: it is not there.
        """
        found = self._find(sha)
        if found is not None:
            data = found[0].data._buffer()
            kind, size, position = header_at(data, found[1])
            if kind == _BLOB and size > _CHUNK:
                yield from _inflated(data, position, start, end)
                return
        whole = memoryview(self.blob(sha))[start:end]
        for first in range(0, len(whole), _CHUNK):
            yield bytes(whole[first : first + _CHUNK])

    def load(self, sha: str) -> ShaFile | None:
        """Any object, or None.

        Raises:
            CorruptStorage: its bytes cannot be read.
        """
        try:
            return self[ObjectID(sha.encode())]
        except KeyError:
            return None
        except (zlib.error, ObjectFormatException, ValueError, AssertionError) as error:
            raise CorruptStorage("An object of this repo is damaged.", hint="Run `hubtalk doctor`.") from error

    def behind_tags(self, sha: str) -> str | None:
        """Follow annotated tags to the object behind them; None when it is not there."""
        for _ in range(_MAX_TAG_DEPTH):
            found = self.load(sha)
            if not isinstance(found, Tag):
                return None if found is None else sha
            sha = found.object[1].decode()
        return None

    def file_at(self, commit: str, path: str) -> bytes | None:
        """The content of a path at a commit; None when there is none, or it is a folder."""
        if commit == ZERO:
            return None
        sha = self.commit(commit).tree.decode()
        for part in path.split("/"):
            found = self.load(sha)
            if not isinstance(found, Tree) or part.encode() not in found:
                return None
            sha = found[part.encode()][1].decode()
        blob = self.load(sha)
        return blob.data if isinstance(blob, Blob) else None

    def close_own(self) -> None:
        """Close the packs of a quarantine, but not the snapshot behind it."""
        self._behind = []
        self.close()

    def blob_facts(self, sha: str) -> tuple[int, LfsPointer | None]:
        """The size of a blob, and the pointer that it is, if it is one; remembered, since an id never means other bytes."""
        known = self._known.facts.get(sha)
        if known is None:
            size = self.blob_size(sha)
            known = size, parse_pointer(self.blob(sha)) if 100 < size < MAX_POINTER else None
            if len(self._known.facts) > _MAX_FACTS:
                self._known.facts.clear()
            self._known.facts[sha] = known
        return known

    def blob_size(self, sha: str) -> int:
        """The size of a blob, from its header alone.

        Raises:
            CorruptStorage: it is not there.
        """
        found = self._find(sha)
        if found is None:
            raise CorruptStorage("A file of this repo is missing in the storage.", hint="Run `hubtalk doctor`.")
        return _size_at(*found)

    def kind_of(self, sha: str) -> int | None:
        """Git's number of the object's type (1 commit, 2 tree, 3 blob, 4 tag), from headers alone; None when absent."""
        found = self._find(sha)
        while found is not None:
            pack, offset = found
            kind, _, position = header_at(pack.data._buffer(), offset)
            if kind == OFS_DELTA:
                found = pack, offset - base_distance(pack.data._buffer(), position)[0]
            elif kind == REF_DELTA:
                found = self._find(pack.data._buffer()[position : position + 20].hex())
            else:
                return kind
        return None

    def _find(self, sha: str) -> tuple[Pack, int] | None:
        name = RawObjectID(bytes.fromhex(sha))
        for store in (self, *self._behind):
            for pack in store.packs:
                try:
                    return pack, pack.index.object_offset(name)
                except KeyError:
                    continue
        return None

    def by_prefix(self, prefix: str) -> list[str]:
        """Ids of all objects that begin with a prefix (even or odd number of digits)."""
        found: set[str] = set()
        for pack in self.packs:
            found.update(_prefixed(pack.index, prefix))
        return sorted(found)


def _prefixed(index: PackIndex, prefix: str) -> Iterator[str]:
    whole = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
    for raw in index.iter_prefix(whole):
        text = raw.hex()
        if text.startswith(prefix):
            yield text


def header_at(data: bytes | mmap.mmap, offset: int) -> tuple[int, int, int]:
    """Read the header of a packed object: type, size, where it ends.

    Raises:
        IndexError: the data ends before.
    """
    byte = data[offset]
    kind, size, shift, offset = (byte >> 4) & 7, byte & 15, 4, offset + 1
    while byte & 0x80:
        byte = data[offset]
        size |= (byte & 0x7F) << shift
        shift, offset = shift + 7, offset + 1
    return kind, size, offset


def base_distance(data: bytes | mmap.mmap, offset: int) -> tuple[int, int]:
    """Read how far before an offset delta its base begins, and where that number ends.

    Raises:
        IndexError: the data ends before.
    """
    byte = data[offset]
    distance, offset = byte & 0x7F, offset + 1
    while byte & 0x80:
        byte = data[offset]
        distance, offset = ((distance + 1) << 7) | (byte & 0x7F), offset + 1
    return distance, offset


def _size_at(pack: Pack, offset: int) -> int:
    data = pack.data._buffer()
    kind, size, offset = header_at(data, offset)
    if kind == OFS_DELTA:
        offset = base_distance(data, offset)[1]
    elif kind == REF_DELTA:
        offset += 20
    else:
        return size
    return delta_sizes(zlib.decompressobj().decompress(data[offset : offset + 64], 32))[1]


def _inflated(data: bytes | mmap.mmap, position: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes `[start, end)` of what is compressed at a position."""
    decoder, done, packed = zlib.decompressobj(), 0, b""
    while done < end and not decoder.eof:
        if not packed:
            packed = data[position : position + _PACKED]
            position += len(packed)
            if not packed:
                return
        piece = decoder.decompress(packed, _CHUNK)
        packed = decoder.unconsumed_tail
        wanted = piece[max(start - done, 0) : end - done]
        done += len(piece)
        if wanted:
            yield wanted


def delta_sizes(delta: bytes) -> tuple[int, int]:
    """The sizes of source and result that a delta announces in its first bytes.

    Raises:
        ValueError: they are cut off.
    """
    sizes, position = [], 0
    for _ in range(2):
        size = shift = 0
        while True:
            if position >= len(delta):
                raise ValueError("delta cut off")
            byte = delta[position]
            size |= (byte & 0x7F) << shift
            shift, position = shift + 7, position + 1
            if not byte & 0x80:
                break
        sizes.append(size)
    return sizes[0], sizes[1]


class ObjectPool:
    """Open readers, each used by one thread at a time; dulwich's packs are not safe to share."""

    def __init__(self, cache: NodeCache) -> None:
        self._cache = cache
        self._idle: list[tuple[Path, SnapshotStore]] = []
        self._known = Known()
        self._lock = threading.Lock()

    @contextmanager
    def open(self, state: RepoState) -> Iterator[SnapshotStore]:
        """A reader of the repo at `state`."""
        folder = self._cache.snapshot(state)
        store = self._take(folder) or SnapshotStore(folder / "objects", known=self._known)
        try:
            yield store
        finally:
            self._give(folder, store)

    def _take(self, folder: Path) -> SnapshotStore | None:
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index][0] == folder:
                    return self._idle.pop(index)[1]
        return None

    def _give(self, folder: Path, store: SnapshotStore) -> None:
        with self._lock:
            # Readers of older states of the same repo are of no use any more.
            stale = [item for item in self._idle if item[0].parent == folder.parent and item[0] != folder]
            kept = [item for item in self._idle if item not in stale]
            kept.append((folder, store))
            stale += kept[:-_MAX_IDLE]
            self._idle = kept[-_MAX_IDLE:]
        for _, old in stale:
            old.close()

    def close(self) -> None:
        """Close all idle readers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, store in idle:
            store.close()
