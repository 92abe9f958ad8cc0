"""LFS objects that come in parts, each on its own way: a broken connection costs one part, not the whole file.

Parts wait as blobs, so any node can take any of them; where the store takes parts from clients itself (S3), the hub only
hands out addresses. The object is made of them when all are there, and kept only when it has the announced sha256.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hub_core.db import utcnow
from hub_core.errors import HashMismatch, InvalidInput, NotFound
from hub_core.lfs.pointer import LfsPointer
from hub_core.lfs.service import LfsService
from hub_core.storage import BlobStore
from hub_core.storage.local import write_staged

MIB = 1024 * 1024
PART = 64 * MIB
MAX_PARTS = 1000
_FOLDER = "uploads/"


@dataclass(frozen=True, slots=True)
class PartedUpload:
    """One object on its way in. `direct` names the upload where clients send its parts to the store itself."""

    repo_id: int
    user_id: int | None
    oid: str
    size: int
    part_bytes: int
    direct: str = ""

    @property
    def count(self) -> int:
        """How many parts there are."""
        return max(1, -(-self.size // self.part_bytes))

    def length(self, number: int) -> int:
        """The bytes of a part; the first has number 1.

        Raises:
            InvalidInput: there is no part of that number.
        """
        if not 1 <= number <= self.count:
            raise InvalidInput(f"The parts have the numbers 1 to {self.count}.")
        return min(self.part_bytes, self.size - (number - 1) * self.part_bytes)

    @property
    def direct_key(self) -> str:
        """Where the whole waits; every direct upload has its own place, so that none can change what another one is checked by."""
        return f"{_FOLDER}{self.repo_id}-{self.user_id or 0}-{self.oid}.{self.direct.partition('.')[0]}"

    @property
    def direct_name(self) -> str:
        """What the store calls a direct upload."""
        return self.direct.partition(".")[2]

    def part_key(self, number: int) -> str:
        """Where a part waits; the same object sent again by the same person takes the same place."""
        return f"{_FOLDER}{self.repo_id}-{self.user_id or 0}-{self.oid}.{number}"


class Part:
    """A part that comes in through the hub."""

    def __init__(self, blobs: BlobStore, key: str, length: int) -> None:
        self._blobs = blobs
        self._key = key
        self._left = length
        self._sum = 0
        self._path: Path = blobs.staging / f"lfs-{uuid.uuid4().hex}"
        self._file = self._path.open("xb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Add bytes.

        Raises:
            HashMismatch: more than the part has. StorageFull: the disk is full.
        """
        self._left -= len(chunk)
        if self._left < 0:
            raise HashMismatch("More bytes came than the part has.", hint="Send the part again.")
        self._sum = zlib.crc32(chunk, self._sum)
        write_staged(self._file, chunk)

    def finish(self) -> str:
        """Keep the part, in place of an earlier one of its number; returns its tag.

        Raises:
            HashMismatch: bytes are missing.
        """
        if self._left:
            raise HashMismatch("The part is shorter than announced.", hint="Send the part again.")
        self._file.close()
        self._blobs.put_file(self._key, self._path, move=True)
        return f"{self._sum:08x}"

    def abort(self) -> None:
        """Forget what came so far; fine after `finish`."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class PartsService:
    """Takes in objects part by part. Whether the caller may write to the repo was checked before."""

    def __init__(self, lfs: LfsService, blobs: BlobStore) -> None:
        self._lfs = lfs
        self._blobs = blobs

    def plan(self, repo_id: int, user_id: int | None, pointer: LfsPointer) -> PartedUpload:
        """How an object is to be cut: into one part when it is small, never into more than 1,000."""
        least = -(-pointer.size // MAX_PARTS)
        return PartedUpload(repo_id, user_id, pointer.oid, pointer.size, max(PART, -(-least // MIB) * MIB))

    def begin(self, upload: PartedUpload) -> PartedUpload:
        """The upload, made a direct one where there are several parts and the store takes them."""
        direct = self._blobs.direct_parts if upload.count > 1 else None
        if direct is None:
            return upload
        placed = replace(upload, direct=uuid.uuid4().hex)
        return replace(placed, direct=f"{placed.direct}.{direct.begin(placed.direct_key)}")

    def address(self, upload: PartedUpload, number: int, *, expires_s: int) -> str | None:
        """Where a client sends a part to the store itself; None where the hub takes it."""
        direct = self._blobs.direct_parts if upload.direct else None
        return direct.address(upload.direct_key, upload.direct_name, number, expires_s=expires_s) if direct else None

    def receive(self, upload: PartedUpload, number: int) -> Part:
        """Start taking in a part; `abort` it in the end."""
        return Part(self._blobs, upload.part_key(number), upload.length(number))

    def complete(self, upload: PartedUpload, tags: Sequence[tuple[int, str]]) -> None:
        """Make the object of its parts. Asking again after it worked is fine.

        Args:
            tags: number and tag of each part that the client sent.

        Raises:
            InvalidInput: not every part once.
            NotFound: a part never came.
            HashMismatch: the whole is not what was announced; all parts are dropped.
        """
        if self._lfs.has(upload.repo_id, upload.oid) == upload.size:
            self._drop(upload)
            return
        if sorted(number for number, _ in tags) != list(range(1, upload.count + 1)):
            raise InvalidInput(f"The parts 1 to {upload.count} are wanted, each once.", hint="Complete with all parts.")
        if upload.direct:
            self._complete_direct(upload, tags)
            return
        try:
            self._lfs.upload(upload.repo_id, upload.oid, upload.size, self._chunks(upload))
        except HashMismatch:
            self._drop(upload)
            raise
        except NotFound as error:
            if self._lfs.has(upload.repo_id, upload.oid) == upload.size:
                # The same request, sent twice, was quicker.
                return
            raise NotFound("A part did not come.", hint="Send it, and complete again.") from error
        self._drop(upload)

    def _complete_direct(self, upload: PartedUpload, tags: Sequence[tuple[int, str]]) -> None:
        direct, key = self._blobs.direct_parts, upload.direct_key
        if direct is None:
            raise NotFound("The storage of the hub has changed since this upload began.", hint="Upload the file again.")
        try:
            direct.finish(key, upload.direct_name, tags)
        except NotFound:
            if self._blobs.size(key) is None:
                raise
            # The same request came before and was cut off.
        self._keep_direct(key, upload)

    def _keep_direct(self, key: str, upload: PartedUpload) -> None:
        check, size = hashlib.sha256(), 0
        for chunk in self._blobs.get(key):
            check.update(chunk)
            size += len(chunk)
        if (check.hexdigest(), size) != (upload.oid, upload.size):
            self._blobs.delete(key)
            raise HashMismatch("The bytes do not have the announced sha256 and size.", hint="Upload the file again.")
        self._lfs.keep_blob(key, upload.repo_id, LfsPointer(upload.oid, upload.size))
        self._blobs.delete(key)

    def _chunks(self, upload: PartedUpload) -> Iterator[bytes]:
        for number in range(1, upload.count + 1):
            yield from self._blobs.get(upload.part_key(number))

    def _drop(self, upload: PartedUpload) -> None:
        for number in range(1, upload.count + 1):
            self._blobs.delete(upload.part_key(number))


def sweep_parts(blobs: BlobStore, older_than: dt.timedelta) -> int:
    """Remove parts of uploads that nobody completed; returns how many."""
    limit = utcnow() - older_than
    stale = [info.key for info in blobs.list(_FOLDER) if info.modified < limit]
    for key in stale:
        blobs.delete(key)
    # The hub's own uploads in parts too: one that was cut off has parts that no listing shows.
    return len(stale) + (blobs.direct_parts.abandon("", limit) if blobs.direct_parts else 0)
