"""Xorbs in the blob store: taken in as a stream, kept as a body and its index in one blob, removed when nothing needs them."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub_core.db import Database, utcnow
from hub_core.errors import InvalidInput, NotFound, TooLarge, Unavailable
from hub_core.lfs.objects import SHARDS
from hub_core.storage import BlobStore
from hub_core.storage.local import disk_errors
from hub_core.xet.hashes import from_text, is_landmark, to_text, valid_text
from hub_core.xet.tables import XetChunk, XetUse, XetXorb
from hub_core.xet.xorbs import MAX_UPLOAD, MIB, XorbCheck, XorbIndex, contents, index_bytes

# Clients refer for three weeks to what they once sent, and keep such notes for a fourth.
REMEMBERED = dt.timedelta(days=35)
_TAIL = struct.Struct("<8sI")
_MAGIC = b"xorbidx1"
_INDEXES = 64
_TOUCH_AFTER = dt.timedelta(days=1)


def xorb_key(hash_: str) -> str:
    """Where a xorb is in the blob store."""
    return f"xet/{hash_[:2]}/{hash_[2:4]}/{hash_}"


class UnknownXorbError(Exception):
    """A xorb that the hub does not hold; callers tell it in a way that does not show who holds what."""


class _CleanedUpError(Exception):
    """The bytes were removed between being stored and being registered."""


class XorbUpload:
    """A xorb that comes in: checked as it is written, moved into the store only when it is what was announced."""

    def __init__(self, store: XorbStore, hash_: str) -> None:
        self._store = store
        self._hash = hash_
        self._check = XorbCheck(from_text(hash_))
        self._size = 0
        self._path = store.staging / f"xorb-{uuid.uuid4().hex}"
        with disk_errors():
            self._file = self._path.open("xb")

    def write(self, chunk: bytes) -> None:
        """Add bytes.

        Raises:
            InvalidInput: not a xorb.
            TooLarge: more than a xorb may have.
            StorageFull: the disk is full.
        """
        self._size += len(chunk)
        if self._size > MAX_UPLOAD:
            raise TooLarge(f"A xorb has at most {MAX_UPLOAD // MIB} MiB.", hint="Send several xorbs.")
        self._check.feed(chunk)
        with disk_errors():
            self._file.write(chunk)

    def finish(self) -> bool:
        """Check the hash and store; returns whether it was new.

        Raises:
            InvalidInput: it ended within a chunk.
            HashMismatch: another hash than announced; nothing is left.
        """
        index = self._check.finish()
        with disk_errors():
            # A client may have sent a footer after the body; the hub keeps an index of its own there.
            self._file.truncate(index.ends[-1])
            self._file.seek(index.ends[-1])
            self._file.write(index.pack() + _TAIL.pack(_MAGIC, len(index)))
            self._file.close()
        return self._store.keep(self._hash, self._path, index)

    def abort(self) -> None:
        """Forget what came so far; fine after `finish`."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


class XorbStore:
    """All xorbs of the hub. Who may refer to which one is not its business."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs
        # Xorbs never change, so an index that was read once is right for ever.
        self.index = lru_cache(maxsize=_INDEXES)(self._load)

    @property
    def staging(self) -> Path:
        """Where uploads wait."""
        return self._blobs.staging

    def begin_upload(self, hash_: str) -> XorbUpload:
        """Start taking in a xorb; use it in a `with` block.

        Raises:
            InvalidInput: this is not a hash.
        """
        if not valid_text(hash_):
            raise InvalidInput("A xorb is named by 64 lower-case hex digits.")
        return XorbUpload(self, hash_)

    def keep(self, hash_: str, path: Path, index: XorbIndex) -> bool:
        """Move a verified file into the store; used by `XorbUpload`. Returns whether it was new."""
        key = xorb_key(hash_)
        for _ in range(3):
            if self._blobs.size(key) is None and path.exists():
                self._blobs.put_file(key, path, move=True)
            try:
                with self._db.write() as session:
                    known = self._touch(session, {hash_})
                    if not known:
                        self._add(session, _row(hash_, index.ends[-1], len(index)), index)
                    # `gc` removes rows and bytes under the same row lock, so what is there now stays.
                    if self._blobs.size(key) is None:
                        raise _CleanedUpError
                    return not known
            except (IntegrityError, _CleanedUpError):
                continue  # somebody uploaded or cleaned up the same xorb in this moment
        raise Unavailable("The xorb was cleaned up while it came in.", hint="Upload the file again.")

    def use(self, hashes: set[str]) -> None:
        """Note that a client refers to xorbs, so that they stay.

        Raises:
            UnknownXorbError: one of them is not there.
        """
        wanted = sorted(hashes)
        for first in range(0, len(wanted), 500):
            part = set(wanted[first : first + 500])
            with self._db.write() as session:
                for hash_ in part - self._touch(session, part):
                    row, index = self._found(hash_)
                    self._add(session, row, index)

    def _add(self, session: Session, row: XetXorb, index: XorbIndex) -> None:
        session.add(row)
        session.flush()
        hashes = {to_text(hash_) for hash_, _ in index.chunks() if is_landmark(hash_)}
        session.add_all(XetChunk(hash=hash_, xorb=row.hash) for hash_ in sorted(hashes))
        session.flush()

    def _touch(self, session: Session, hashes: set[str]) -> set[str]:
        """Those that are there, noted as used now."""
        query = sa.select(XetXorb).where(XetXorb.hash.in_(hashes)).order_by(XetXorb.hash).with_for_update()
        now, known = utcnow(), set()
        for row in session.scalars(query):
            known.add(row.hash)
            if row.used_at < now - _TOUCH_AFTER:
                row.used_at = now
        return known

    def _found(self, hash_: str) -> tuple[XetXorb, XorbIndex]:
        """A xorb whose bytes are there without a row, as after going back to an older copy of the database."""
        key = xorb_key(hash_)
        size = self._blobs.size(key)
        if size is None:
            raise UnknownXorbError
        magic, chunks = _TAIL.unpack(self._blobs.read(key, size - _TAIL.size))
        body = size - _TAIL.size - index_bytes(chunks)
        if magic != _MAGIC or body <= 0:
            raise UnknownXorbError
        return _row(hash_, body, chunks), XorbIndex.unpack(self._blobs.read(key, body, index_bytes(chunks)))

    def _load(self, hash_: str) -> XorbIndex:
        """Where the chunks of a xorb are.

        Raises:
            UnknownXorbError: it is not there.
        """
        with self._db.read() as session:
            row = session.get(XetXorb, hash_)
        if row is None:
            raise UnknownXorbError
        try:
            return XorbIndex.unpack(self._blobs.read(xorb_key(hash_), row.size, index_bytes(row.chunks)))
        except NotFound:
            raise UnknownXorbError from None

    def read(self, hash_: str, first: int, start: int, end: int) -> Iterator[bytes]:
        """Content from chunk `first` on: its bytes `[start, end)`, in pieces of at most a chunk.

        Raises:
            UnknownXorbError: the xorb is not there.
            InvalidInput: the stored bytes are damaged.
        """
        if start >= end:
            return
        index = self.index(hash_)
        start, end = start + index.raw_start(first), end + index.raw_start(first)
        chunk, last = index.chunk_at(start), index.chunk_at(end - 1)
        position = index.raw_start(chunk)
        try:
            body = self._blobs.get(xorb_key(hash_), index.start(chunk), index.ends[last])
        except NotFound:
            raise UnknownXorbError from None
        for content in contents(body):
            yield content if start <= position and position + len(content) <= end else content[max(start - position, 0) : end - position]
            position += len(content)

    def body(self, hash_: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes `[start, stop)` of a xorb as they are stored.

        Raises:
            NotFound: the xorb is not there.
        """
        return self._blobs.get(xorb_key(hash_), start, stop)

    def address(self, hash_: str, start: int, stop: int, *, expires_s: int) -> str | None:
        """Where the store itself serves the bytes `[start, stop)` of a xorb, and no others; None where the hub has to do it."""
        return self._blobs.range_url(xorb_key(hash_), start, stop, expires_s=expires_s)

    def complete(self, hash_: str) -> bool:
        """Whether all bytes of a xorb are there, by their number."""
        with self._db.connection() as connection:
            row = connection.execute(sa.select(XetXorb.size, XetXorb.chunks).where(XetXorb.hash == hash_)).first()
        return row is not None and self._blobs.size(xorb_key(hash_)) == row.size + index_bytes(row.chunks) + _TAIL.size

    def sweep(self, shard: int, grace: dt.timedelta = REMEMBERED) -> int:
        """Remove bytes of xorbs that no row knows and no client can remember, in one of `SHARDS` parts; returns how many."""
        removed, before = 0, utcnow() - grace
        found = [info.key.rpartition("/")[2] for info in self._blobs.list(f"xet/{shard % SHARDS:02x}/") if info.modified < before]
        for hash_ in found:
            # Whoever registers the xorb in this moment waits until this row has come and gone, and looks for the bytes after that.
            with suppress(IntegrityError), self._db.write() as session:
                if session.get(XetXorb, hash_) is None:
                    row = _row(hash_, 0, 0)
                    session.add(row)
                    session.flush()
                    self._blobs.delete(xorb_key(hash_))
                    session.delete(row)
                    removed += 1
        return removed

    def gc(self, grace: dt.timedelta = REMEMBERED) -> int:
        """Remove xorbs that no file needs and no client can remember; returns how many."""
        removed = 0
        old = sa.and_(XetXorb.used_at < utcnow() - grace, ~sa.exists().where(XetUse.xorb == XetXorb.hash))
        with self._db.read() as session:
            hashes = list(session.scalars(sa.select(XetXorb.hash).where(old).limit(10_000)))
        for hash_ in hashes:
            with self._db.write() as session:
                row = session.scalar(sa.select(XetXorb).where(XetXorb.hash == hash_, old).with_for_update())
                if row is not None:
                    session.execute(sa.delete(XetChunk).where(XetChunk.xorb == hash_))
                    session.delete(row)
                    self._blobs.delete(xorb_key(hash_))
                    removed += 1
        return removed


def _row(hash_: str, size: int, chunks: int) -> XetXorb:
    now = utcnow()
    return XetXorb(hash=hash_, size=size, chunks=chunks, created_at=now, used_at=now)
