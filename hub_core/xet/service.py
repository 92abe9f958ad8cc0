"""Taking in files by Xet: xorbs first, then a shard that says which chunks make up which file."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub_core.db import Database, utcnow
from hub_core.errors import HashMismatch, InvalidInput, Unavailable
from hub_core.lfs.pointer import LfsPointer
from hub_core.lfs.service import LfsService
from hub_core.xet.ahead import ReadAhead
from hub_core.xet.finding import ChunkFinder
from hub_core.xet.hashes import HashTree, to_text
from hub_core.xet.objects import XetObjects
from hub_core.xet.reconstruct import Reconstruction
from hub_core.xet.shards import ShardFile, read_files
from hub_core.xet.store import UnknownXorbError, XorbStore, XorbUpload
from hub_core.xet.tables import XetChunk, XetFile, XetUse
from hub_core.xet.xorbs import MIB

_BATCH = 500
_TELL_BYTES = 64 * MIB


@dataclass(frozen=True, slots=True)
class Progress:
    """How many bytes of a shard's files were checked, of how many."""

    done: int
    total: int


class XetService:
    """Files that come as chunks. Whether the caller may write the repo was checked before."""

    def __init__(self, db: Database, xorbs: XorbStore, objects: XetObjects, lfs: LfsService) -> None:
        self.xorbs = xorbs
        self.files = Reconstruction(db, xorbs, objects)
        self.chunks = ChunkFinder(db, xorbs)
        self._db = db
        self._lfs = lfs

    def begin_xorb(self, hash_: str) -> XorbUpload:
        """Start taking in a xorb; use it in a `with` block.

        Raises:
            InvalidInput: this is not a hash.
        """
        return self.xorbs.begin_upload(hash_)

    def take_shard(self, repo_id: int, shard: BinaryIO) -> None:
        """Let a repo hold the files that a shard describes; raises like `taking_shard`."""
        for _ in self.taking_shard(repo_id, shard):
            pass

    def taking_shard(self, repo_id: int, shard: BinaryIO) -> Iterator[Progress]:
        """Let a repo hold the files that a shard describes, as LFS objects; tells now and then how far it is.

        The xorbs may have come from anybody, for any repo: whoever knows the hashes of all chunks has had the chunks,
        as the hub tells these hashes to nobody.

        Raises:
            InvalidInput: not a shard, or one about chunks that the hub does not have or the client does not know.
            HashMismatch: a file does not have the SHA-256 that the shard says.
            TooLarge: a file is larger than an object may be. QuotaExceeded: there is no room for the files.
        """
        files = list(read_files(shard))
        self._lfs.check_room(repo_id, {file.sha256 or to_text(file.file_hash): file.size for file in files})
        try:
            self.xorbs.use({term.xorb for file in files for term in file.terms()})
            for file in files:
                self._check(file)
            # Nothing is stored before everything is known to be right.
            taken, reader, progress = [], ReadAhead(self.xorbs), Progress(0, sum(file.size for file in files))
            for file in files:
                oid = yield from self._sha256(file, reader, progress)
                taken.append((file, LfsPointer(oid, file.size)))
                progress = replace(progress, done=progress.done + file.size)
        except UnknownXorbError:
            raise _unknown() from None
        for first in range(0, len(taken), _BATCH):
            self._keep(repo_id, taken[first : first + _BATCH])

    def _check(self, file: ShardFile) -> None:
        """Check a file's terms against the chunks that are there, without reading the chunks."""
        self._lfs.check_size(file.size)
        tree = HashTree()
        for number, term in enumerate(file.terms()):
            index = self.xorbs.index(term.xorb)
            known = term.end <= len(index) and hmac.compare_digest(index.proof(term.first, term.end), file.proof(number))
            # One answer to both: it must not tell whether somebody else's xorb is there.
            if not known:
                raise _unknown()
            if index.raw_size(term.first, term.end) != term.size:
                raise InvalidInput("The shard says another size than its chunks have.", hint="Upload the file again.")
            for hash_, size in index.chunks(term.first, term.end):
                tree.add(hash_, size)
        if tree.file_hash() != file.file_hash:
            raise InvalidInput("The shard says another Xet hash than its chunks have.", hint="Upload the file again.")

    def _sha256(self, file: ShardFile, reader: ReadAhead, progress: Progress) -> Generator[Progress, None, str]:
        """The SHA-256 of a file whose terms were checked.

        Raises:
            HashMismatch: it is not what the shard says.
        """
        known = sa.select(XetFile.oid).where(XetFile.oid == file.sha256, XetFile.file_hash == to_text(file.file_hash))
        with self._db.connection() as connection:
            if file.sha256 is not None and connection.scalar(known):
                return file.sha256  # these very chunks were read before
        check, size, told = hashlib.sha256(), 0, 0
        for term in file.terms():
            for content in reader.content(term):
                check.update(content)
            size += term.size
            if size - told >= _TELL_BYTES:
                told = size
                yield replace(progress, done=progress.done + size)
        if file.sha256 not in {None, check.hexdigest()}:
            raise HashMismatch("A file does not have the announced sha256.", hint="Upload the file again.")
        return check.hexdigest()

    def _keep(self, repo_id: int, taken: list[tuple[ShardFile, LfsPointer]]) -> None:
        for _ in range(3):
            try:
                with self._db.write() as session:
                    new = self._lfs.admit(session, repo_id, [pointer for _, pointer in taken])
                    for file, pointer in taken:
                        if pointer.oid in new:
                            new.remove(pointer.oid)
                            _add_file(session, file, pointer.oid)
                            self._add_first_chunk(session, file)
                return
            except IntegrityError:
                continue  # somebody sent the same file in this moment
        raise Unavailable("The hub is busy with the same file.", hint="Try again in a moment.")

    def _add_first_chunk(self, session: Session, file: ShardFile) -> None:
        """Let clients find the file by its beginning, which is the chunk that they ask for first."""
        for term in islice(file.terms(), 1):
            hash_, _ = next(self.xorbs.index(term.xorb).chunks(term.first))
            if session.get(XetChunk, (to_text(hash_), term.xorb)) is None:
                session.add(XetChunk(hash=to_text(hash_), xorb=term.xorb))
                session.flush()

    def gc(self) -> int:
        """Remove what nobody can need any more; returns how many xorbs."""
        return self.xorbs.gc()

    def sweep(self, shard: int) -> int:
        """Remove bytes of xorbs that nothing knows of, in one part of all; returns how many."""
        return self.xorbs.sweep(shard)


def _add_file(session: Session, file: ShardFile, oid: str) -> None:
    session.add(XetFile(oid=oid, file_hash=to_text(file.file_hash), terms=file.records, created_at=utcnow()))
    session.flush()
    session.add_all(XetUse(oid=oid, xorb=xorb) for xorb in sorted({term.xorb for term in file.terms()}))
    session.flush()


def _unknown() -> InvalidInput:
    return InvalidInput(
        "The shard refers to chunks that the hub does not have, or that this client has not shown to have.",
        hint="Empty the folder 'xet' in HF_HOME and upload again.",
    )
