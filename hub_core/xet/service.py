"""Taking in files by Xet: xorbs first, then a shard that says which chunks make up which file."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import BinaryIO

from hub_core.db import Database
from hub_core.errors import InvalidInput
from hub_core.lfs.service import LfsService
from hub_core.storage import BlobStore
from hub_core.xet.hashes import HashTree
from hub_core.xet.shards import ShardFile, Term, read_files
from hub_core.xet.store import UnknownXorbError, XorbStore, XorbUpload


class XetService:
    """Files that come as chunks. Whether the caller may write the repo was checked before."""

    def __init__(self, db: Database, blobs: BlobStore, lfs: LfsService) -> None:
        self.xorbs = XorbStore(db, blobs)
        self._lfs = lfs

    def begin_xorb(self, hash_: str) -> XorbUpload:
        """Start taking in a xorb; use it in a `with` block.

        Raises:
            InvalidInput: this is not a hash.
        """
        return self.xorbs.begin_upload(hash_)

    def take_shard(self, repo_id: int, shard: BinaryIO) -> bool:
        """Let a repo hold the files that a shard describes, as LFS objects; returns whether one of them is new to it.

        The xorbs may have come from anybody, for any repo: whoever knows the hashes of all chunks has had the chunks,
        as the hub tells these hashes to nobody.

        Raises:
            InvalidInput: not a shard, or one about chunks that the hub does not have or the client does not know.
            HashMismatch: a file does not have the SHA-256 or Xet hash that the shard says.
            TooLarge: a file is larger than an object may be.
        """
        files = list(read_files(shard))
        try:
            self.xorbs.use({term.xorb for file in files for term in file.terms()})
            for file in files:
                self._check(file)
            new = [self._take(repo_id, file) for file in files]
            return any(new)
        except UnknownXorbError:
            raise _unknown() from None

    def _check(self, file: ShardFile) -> None:
        """Check a file's terms against the chunks that are there, without reading the chunks."""
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

    def _take(self, repo_id: int, file: ShardFile) -> bool:
        if file.sha256 is not None and self._lfs.has(repo_id, file.sha256) == file.size:
            return False
        self._lfs.upload(repo_id, file.sha256, file.size, self._content(file.terms()))
        return True

    def _content(self, terms: Iterator[Term]) -> Iterator[bytes]:
        for term in terms:
            yield from self.xorbs.read(term.xorb, term.first, term.end)

    def gc(self) -> int:
        """Remove what nobody can need any more; returns how many xorbs."""
        return self.xorbs.gc()


def _unknown() -> InvalidInput:
    return InvalidInput(
        "The shard refers to chunks that the hub does not have, or that this client has not shown to have.",
        hint="Empty the folder 'xet' in HF_HOME and upload again.",
    )
