"""The bytes of LFS objects, some kept whole and some as chunks of xorbs; readers see no difference."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.db import Database
from hub_core.errors import NotFound
from hub_core.lfs.objects import WholeObjects
from hub_core.storage import CHUNK
from hub_core.xet.layout import Layout
from hub_core.xet.store import UnknownXorbError, XorbStore
from hub_core.xet.tables import XetFile

_LAYOUTS = 16
# Asked for every file that goes through: built once, compiled once.
_CREATED = sa.select(XetFile.__table__.c.created_at).where(XetFile.__table__.c.oid == sa.bindparam("oid"))


class XetObjects:
    """An `ObjectSource` over whole objects and files of chunks."""

    def __init__(self, db: Database, whole: WholeObjects, xorbs: XorbStore) -> None:
        self._db = db
        self._whole = whole
        self._xorbs = xorbs
        # The time names the row: an object that was removed may come back as another list of terms.
        self._loaded = lru_cache(maxsize=_LAYOUTS)(self._load)

    def layout(self, oid: str) -> Layout | None:
        """The terms of an object; None when it is not kept as chunks."""
        with self._db.connection() as connection:
            created = connection.scalar(_CREATED, {"oid": oid})
        return None if created is None else self._loaded(oid, created)

    def _load(self, oid: str, _created: dt.datetime) -> Layout | None:
        with self._db.connection() as connection:
            records = connection.scalar(sa.select(XetFile.terms).where(XetFile.oid == oid))
        return None if records is None else Layout(records)

    def size(self, oid: str) -> int | None:
        """See `ObjectSource`."""
        layout = self.layout(oid)
        return self._whole.size(oid) if layout is None else layout.size

    def complete(self, oid: str, size: int) -> bool:
        """See `ObjectSource`."""
        layout = self.layout(oid)
        if layout is None:
            return self._whole.complete(oid, size)
        return layout.size == size and all(self._xorbs.complete(xorb) for xorb in layout.xorbs())

    def read(self, oid: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `ObjectSource`."""
        layout = self.layout(oid)
        if layout is None:
            return self._whole.read(oid, start, end)
        return _in_chunks(self._read(layout, start, layout.size if end is None else end))

    def _read(self, layout: Layout, start: int, end: int) -> Iterator[bytes]:
        try:
            for part in layout.parts(start, end):
                yield from self._xorbs.read(part.term.xorb, part.term.first, part.start, part.end)
        except UnknownXorbError:
            raise NotFound("A part of the stored object is not there.", hint="Run `hubtalk doctor` to check the storage.") from None

    def local_path(self, oid: str) -> Path | None:
        """See `ObjectSource`."""
        return self._whole.local_path(oid)

    def download_url(self, oid: str, *, filename: str = "") -> str | None:
        """See `ObjectSource`; chunks are put together by the hub itself."""
        url = self._whole.download_url(oid, filename=filename)  # a local store has none, and the database need not be asked
        return None if url is None or self.layout(oid) else url

    def put_file(self, oid: str, path: Path) -> None:
        """See `ObjectSource`."""
        self._whole.put_file(oid, path)

    def take_blob(self, oid: str, key: str) -> None:
        """See `ObjectSource`."""
        self._whole.take_blob(oid, key)

    def whole_before(self, shard: int, before: dt.datetime) -> Iterator[str]:
        """See `ObjectSource`."""
        return self._whole.whole_before(shard, before)

    def delete(self, session: Session, oid: str) -> None:
        """See `ObjectSource`; xorbs stay until no file needs them and no client remembers them."""
        session.execute(sa.delete(XetFile).where(XetFile.oid == oid))
        self._whole.delete(session, oid)


def _in_chunks(contents: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about 1 MiB: each piece costs its reader a step between threads."""
    held: list[bytes] = []
    size = 0
    for content in contents:
        held.append(content)
        size += len(content)
        if size >= CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
