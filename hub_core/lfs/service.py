"""LFS objects: verified while they stream in, stored once, readable only where a repo holds them."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub_core.db import Base, Database, utcnow
from hub_core.errors import HashMismatch, InvalidInput, NotFound, QuotaExceeded, TooLarge, Unavailable
from hub_core.lfs.objects import ObjectSource, WholeObjects
from hub_core.lfs.pointer import LfsPointer, valid_oid
from hub_core.lfs.tables import LfsLink, LfsObject
from hub_core.quotas import Quotas
from hub_core.storage import BlobStore
from hub_core.storage.local import write_staged

MAX_BATCH = 1000
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class BatchItem:
    """The answer for one object: what the client is to do, or why it cannot (`error` is an HTTP-like number and a sentence)."""

    oid: str
    size: int
    action: Literal["upload", "download"] | None = None
    error: tuple[int, str] | None = None


class _CleanedUpError(Exception):
    """The bytes were removed between being stored and being registered."""


class Upload:
    """An object that comes in: hashed as it is written, moved into the store only when it is what was announced."""

    def __init__(self, service: LfsService, repo_id: int, oid: str | None, size: int | None, max_bytes: int) -> None:
        self._service = service
        self._repo_id = repo_id
        self._oid = oid
        self._announced = size
        self._room = service.room(repo_id)
        self._max_bytes = max_bytes
        self._size = 0
        self._hash = hashlib.sha256()
        self._path = service.staging / f"lfs-{uuid.uuid4().hex}"
        self._file = self._path.open("xb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Add bytes.

        Raises:
            HashMismatch: more bytes than announced.
            TooLarge: more than an object may have. QuotaExceeded: more than fits.
            StorageFull: the disk is full.
        """
        self._size += len(chunk)
        if self._announced is not None and self._size > self._announced:
            raise HashMismatch("More bytes came than were announced.", hint="Upload the file again.")
        if self._size > self._max_bytes:
            raise TooLarge(f"A file may have {self._max_bytes // GIB} GiB.", hint="Split the file.")
        if self._announced is None and self._room is not None and self._size > self._room:
            self._service.check_room(self._repo_id, {"": self._size})
        self._hash.update(chunk)
        write_staged(self._file, chunk)

    def finish(self) -> LfsPointer:
        """Check digest and size, store, and link to the repo.

        Raises:
            HashMismatch: the bytes are not what was announced; nothing is left.
        """
        oid = self._hash.hexdigest()
        if (self._oid is not None and oid != self._oid) or (self._announced is not None and self._size != self._announced):
            self.abort()
            raise HashMismatch("The bytes do not have the announced sha256 and size.", hint="Upload the file again.")
        self._file.close()
        try:
            self._service.keep(self._path, self._repo_id, LfsPointer(oid, self._size))
        finally:
            self._path.unlink(missing_ok=True)
        return LfsPointer(oid, self._size)

    def abort(self) -> None:
        """Forget what came so far; fine after `finish`."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


class LfsService:
    """Objects and who holds them. Whether the caller may read or write the repo was checked before."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        max_object_bytes: int = 200 * GIB,
        source: ObjectSource | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self._db = db
        self.quotas = quotas or Quotas()
        self._max_bytes = max_object_bytes
        self.staging = blobs.staging
        self.source = source or WholeObjects(blobs)

    def batch(self, repo_id: int, operation: str, objects: Sequence[LfsPointer]) -> list[BatchItem]:
        """What a client is to do for each object.

        An object that other repos hold is asked for again: only who sends the bytes proves to have them.

        Raises:
            InvalidInput: an unknown operation, or too many objects.
        """
        if operation not in {"upload", "download"}:
            raise InvalidInput("The operation is 'upload' or 'download'.")
        if len(objects) > MAX_BATCH:
            raise InvalidInput(f"A batch has at most {MAX_BATCH} objects.", hint="Send several batches.")
        held = self._held(repo_id, [item.oid for item in objects])
        decided = [self._decide(operation, item, held.get(item.oid)) for item in objects]
        return decided if operation == "download" else self._fitting(repo_id, decided)

    def _fitting(self, repo_id: int, decided: list[BatchItem]) -> list[BatchItem]:
        """The answers, with an error for all that are to be uploaded where there is no room for all of them."""
        try:
            self.check_room(repo_id, {item.oid: item.size for item in decided if item.action})
        except QuotaExceeded as error:
            refusal = (413, f"{error.message} {error.hint}")
            return [replace(item, action=None, error=refusal) if item.action else item for item in decided]
        return decided

    def _decide(self, operation: str, item: LfsPointer, held: int | None) -> BatchItem:
        if not valid_oid(item.oid) or item.size < 0:
            return BatchItem(item.oid, item.size, error=(422, "The object id is not a sha256, or the size is not a number."))
        if held is not None and held != item.size:
            return BatchItem(item.oid, item.size, error=(422, f"The object has {held} bytes, not {item.size}."))
        if operation == "download":
            if held is None:
                return BatchItem(item.oid, item.size, error=(404, "This repo has no such object."))
            return BatchItem(item.oid, item.size, "download")
        if held is not None:
            return BatchItem(item.oid, item.size)
        if item.size > self._max_bytes:
            return BatchItem(item.oid, item.size, error=(413, f"A file may have {self._max_bytes // GIB} GiB."))
        return BatchItem(item.oid, item.size, "upload")

    def _held(self, repo_id: int, oids: Sequence[str]) -> dict[str, int]:
        with self._db.connection() as connection:
            return _linked(connection, repo_id, [oid for oid in oids if valid_oid(oid)])

    def has(self, repo_id: int, oid: str) -> int | None:
        """The size of an object that the repo holds, or None."""
        return self._held(repo_id, [oid]).get(oid)

    def sizes(self, repo_id: int, oids: Sequence[str]) -> dict[str, int]:
        """The sizes of those objects that the repo holds."""
        return self._held(repo_id, oids)

    def missing(self, repo_id: int, oids: Iterable[str]) -> set[str]:
        """Those of the objects that the repo does not hold."""
        wanted = sorted(set(oids))
        return set(wanted) - set(self._held(repo_id, wanted))

    def begin_upload(self, repo_id: int, oid: str | None = None, size: int | None = None) -> Upload:
        """Start taking in an object; use it in a `with` block.

        Raises:
            InvalidInput: the id is not a sha256.
            TooLarge: the size is more than an object may have. QuotaExceeded: there is no room for it.
        """
        if oid is not None and not valid_oid(oid):
            raise InvalidInput("The object id is not a sha256.", hint="Send 64 lower-case hex digits.")
        self.check_size(size or 0)
        self.check_room(repo_id, {oid or "": size or 0})
        return Upload(self, repo_id, oid, size, self._max_bytes)

    def check_size(self, size: int) -> None:
        """Check that an object may be so large.

        Raises:
            TooLarge: it may not.
        """
        if size > self._max_bytes:
            raise TooLarge(f"A file may have {self._max_bytes // GIB} GiB.", hint="Split the file.")

    def room(self, repo_id: int) -> int | None:
        """How many bytes more the repo may take; None for any number."""
        if not self.quotas.limited:
            return None
        with self._db.read() as session:
            return self.quotas.left(session, repo_id)

    def check_room(self, repo_id: int, sizes: Mapping[str, int]) -> None:
        """Check that there is room for objects, by their ids; what the repo holds needs none. Meant for before they are sent.

        Raises:
            QuotaExceeded: there is none.
        """
        if self.quotas.limited and any(sizes.values()):
            with self._db.read() as session:
                self._reserve(session, repo_id, sizes)

    def _reserve(self, session: Session, repo_id: int, sizes: Mapping[str, int]) -> None:
        if not self.quotas.limited:
            return
        there = _linked(session, repo_id, list(sizes))
        incoming = sum(size for oid, size in sizes.items() if oid not in there)
        if incoming:
            self.quotas.check(session, repo_id, incoming)

    def upload(self, repo_id: int, oid: str | None, size: int | None, chunks: Iterable[bytes]) -> LfsPointer:
        """Take in an object from chunks.

        Raises:
            HashMismatch: the bytes are not what was announced; nothing is left.
        """
        with self.begin_upload(repo_id, oid, size) as upload:
            for chunk in chunks:
                upload.write(chunk)
            return upload.finish()

    def store(self, repo_id: int, chunks: Iterable[bytes]) -> LfsPointer:
        """Take in an object whose digest is not known yet."""
        return self.upload(repo_id, None, None, chunks)

    def keep(self, path: Path, repo_id: int, pointer: LfsPointer) -> None:
        """Move a verified file into the store and link it; used by `Upload`."""
        self._keep(repo_id, pointer, lambda: self.source.put_file(pointer.oid, path), path.exists)

    def keep_blob(self, key: str, repo_id: int, pointer: LfsPointer) -> None:
        """Move a verified blob into the store and link it; nobody may be able to change it any more."""
        self._keep(repo_id, pointer, lambda: self.source.take_blob(pointer.oid, key), lambda: False)

    def _keep(self, repo_id: int, pointer: LfsPointer, store: Callable[[], None], have: Callable[[], bool]) -> None:
        for _ in range(3):
            if self.source.size(pointer.oid) != pointer.size:
                store()
            try:
                with self._db.write() as session:
                    self.admit(session, repo_id, [pointer])
                    # `gc` removes rows and bytes under the same row lock, so what is there now stays.
                    if self.source.size(pointer.oid) is None:
                        raise _CleanedUpError
                    return
            except (IntegrityError, _CleanedUpError):
                # Somebody uploaded or cleaned up the same object in this moment.
                if self.source.size(pointer.oid) is None and not have():
                    break
        raise Unavailable("The object was cleaned up while it came in.", hint="Upload the file again.")

    def admit(self, session: Session, repo_id: int, pointers: Sequence[LfsPointer]) -> set[str]:
        """Let a repo hold objects whose bytes were verified, in the caller's transaction; returns which of them the hub did not have.

        Of these it is the caller who sees to it that the bytes are there when the transaction ends.

        Raises:
            QuotaExceeded: there is no room for them.
        """
        sizes = {pointer.oid: pointer.size for pointer in pointers}
        self._reserve(session, repo_id, sizes)
        new = set(sizes)
        for part in _parts(sorted(sizes)):
            new.difference_update(session.scalars(_LOCKED, {"oids": part}))
        if new:
            session.execute(_NEW_OBJECT, [{"oid": oid, "size": sizes[oid], "created_at": utcnow()} for oid in new])
        _link(session, repo_id, list(sizes), new)
        return new

    def link(self, session: Session, repo_id: int, source_repo_id: int, oids: Iterable[str]) -> None:
        """Let a repo hold objects of another one, in the caller's transaction; the caller may read the other one.

        Raises:
            NotFound: the other repo does not hold one of them. QuotaExceeded: there is no room for them.
        """
        wanted = sorted(set(oids))
        sizes = _linked(session, source_repo_id, wanted)
        if len(sizes) < len(wanted):
            raise NotFound("The other repo does not hold this LFS object.", hint="Upload the file.")
        self._reserve(session, repo_id, sizes)
        _link(session, repo_id, wanted)

    def link_from(self, repo_id: int, source_repo_id: int, oids: Iterable[str]) -> None:
        """`link` in a transaction of its own."""
        with self._db.write() as session:
            self.link(session, repo_id, source_repo_id, oids)

    def copy_links(self, source_repo_id: int, repo_id: int, session: Session | None = None) -> None:
        """Let a repo hold all objects of another one (a fork)."""
        if session is None:
            with self._db.write() as own:
                self.copy_links(source_repo_id, repo_id, own)
            return
        held = sa.select(LfsObject.oid, LfsObject.size).join(LfsLink, LfsLink.oid == LfsObject.oid).where(LfsLink.repo_id == source_repo_id)
        sizes = dict(session.execute(held).all())
        self._reserve(session, repo_id, sizes)
        _link(session, repo_id, sorted(sizes))

    def verify(self, repo_id: int, oid: str, size: int) -> None:
        """Confirm that an object arrived.

        Raises:
            NotFound: the repo does not hold it.
            HashMismatch: it has another size.
        """
        held = self.has(repo_id, oid)
        if held is None or self.source.size(oid) is None:
            raise NotFound("This repo has no such object.", hint="Upload it.")
        if held != size:
            raise HashMismatch(f"The object has {held} bytes, not {size}.", hint="Upload the file again.")

    def read(self, repo_id: int, oid: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes `[start, end)` in chunks of 1 MiB.

        Raises:
            NotFound: the repo does not hold the object.
        """
        self._require(repo_id, oid)
        return self.source.read(oid, start, end)

    def local_path(self, repo_id: int, oid: str) -> Path | None:
        """The object's file on this machine, if there is one.

        Raises:
            NotFound: the repo does not hold the object.
        """
        self._require(repo_id, oid)
        return self.source.local_path(oid)

    def download_url(self, repo_id: int, oid: str, filename: str = "") -> str | None:
        """A presigned URL, where the store has such a thing.

        Raises:
            NotFound: the repo does not hold the object.
        """
        self._require(repo_id, oid)
        return self.source.download_url(oid, filename=filename)

    def _require(self, repo_id: int, oid: str) -> None:
        if not valid_oid(oid) or self.has(repo_id, oid) is None:
            raise NotFound("This repo has no such object.", hint="Push it with git-lfs.")

    def gc(self, grace: dt.timedelta = dt.timedelta(days=1)) -> int:
        """Remove objects that no repo holds and that are older than the grace; returns how many."""
        removed = 0
        with self._db.read() as session:
            held = sa.exists().where(LfsLink.oid == LfsObject.oid)
            oids = list(session.execute(sa.select(LfsObject.oid).where(~held, LfsObject.created_at < utcnow() - grace)).scalars())
        for oid in oids:
            with self._db.write() as session:
                row = session.get(LfsObject, oid, with_for_update=True)
                if row is not None and session.execute(sa.select(LfsLink.repo_id).where(LfsLink.oid == oid).limit(1)).first() is None:
                    self.source.delete(session, oid)
                    session.delete(row)
                    removed += 1
        return removed

    def sweep(self, shard: int, grace: dt.timedelta = dt.timedelta(days=1)) -> int:
        """Remove bytes that were stored and never registered, as when a node dies in between, in one of `SHARDS` parts; returns how many."""
        removed = 0
        found = list(self.source.whole_before(shard, utcnow() - grace))
        for oid in self._unknown(found):
            # Whoever registers the object in this moment waits until this row has come and gone, and looks for the bytes after that.
            with suppress(IntegrityError), self._db.write() as session:
                row = LfsObject(oid=oid, size=0, created_at=utcnow())
                session.add(row)
                session.flush()
                self.source.delete(session, oid)
                session.delete(row)
                removed += 1
        return removed

    def _unknown(self, oids: Sequence[str]) -> list[str]:
        known: set[str] = set()
        with self._db.read() as session:
            for part in _parts(oids):
                known.update(session.scalars(sa.select(LfsObject.oid).where(LfsObject.oid.in_(part))))
        return [oid for oid in oids if oid not in known]

    def damaged(self, *, hashes: bool = True) -> Iterator[str]:
        """Ids of objects whose bytes are missing or, with `hashes`, not what their id says (reads everything)."""
        with self._db.read() as session:
            rows = session.execute(sa.select(LfsObject.oid, LfsObject.size)).all()
        for oid, size in rows:
            if not self.source.complete(oid, size) or (hashes and not self._matches(oid)):
                yield oid

    def _matches(self, oid: str) -> bool:
        check = hashlib.sha256()
        try:
            for chunk in self.source.read(oid):
                check.update(chunk)
        except (NotFound, InvalidInput):
            return False
        return check.hexdigest() == oid


def _link(session: Session, repo_id: int, oids: Sequence[str], new: Collection[str] = ()) -> None:
    """Link what is not linked; nobody can have linked what is new."""
    there = _linked(session, repo_id, [oid for oid in oids if oid not in new])
    if links := [{"repo_id": repo_id, "oid": oid, "created_at": utcnow()} for oid in oids if oid not in there]:
        session.execute(_NEW_LINK, links)


def _linked(session: Session | sa.Connection, repo_id: int, oids: Sequence[str]) -> dict[str, int]:
    """Those of the objects that a repo holds, and their sizes."""
    found: dict[str, int] = {}
    for part in _parts(oids):
        found.update(session.execute(_LINKED, {"repo_id": repo_id, "oids": part}).all())
    return found


def _parts(oids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at a time as a statement may name."""
    return (oids[first : first + 500] for first in range(0, len(oids), 500))


# What is asked for every file that goes through: plain Core, built once, compiled once.
_objects, _links = (Base.metadata.tables[table.__tablename__] for table in (LfsObject, LfsLink))
_LINKED = (
    sa.select(_objects.c.oid, _objects.c.size)
    .join(_links, _links.c.oid == _objects.c.oid)
    .where(_links.c.repo_id == sa.bindparam("repo_id"), _objects.c.oid.in_(sa.bindparam("oids", expanding=True)))
)
_LOCKED = (
    sa.select(_objects.c.oid).where(_objects.c.oid.in_(sa.bindparam("oids", expanding=True))).order_by(_objects.c.oid).with_for_update()
)
_NEW_OBJECT, _NEW_LINK = sa.insert(_objects), sa.insert(_links)
