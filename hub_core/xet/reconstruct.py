"""Telling clients how to put a file together from chunks that they fetch themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from hub_core.db import Database
from hub_core.errors import NotFound
from hub_core.lfs.tables import LfsLink
from hub_core.xet.layout import Layout
from hub_core.xet.objects import XetObjects
from hub_core.xet.store import UnknownXorbError, XorbStore
from hub_core.xet.tables import XetFile


@dataclass(frozen=True, slots=True)
class Chunks:
    """Chunks `[first, end)` of a xorb, which are the bytes `[start, stop)` of its body."""

    xorb: str
    first: int
    end: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a file: `size` bytes of content, out of these chunks."""

    chunks: Chunks
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Pieces, one after the other; the wanted bytes begin `skip` bytes after the beginning of the first."""

    skip: int
    pieces: list[Piece]

    def fetched(self) -> list[Chunks]:
        """What has to be fetched, each chunk once: chunks of a xorb that overlap or touch as one.

        A client looks a piece up by the chunk it begins with, so no two of them may begin with the same one.
        """
        found: list[Chunks] = []
        for chunks in sorted((piece.chunks for piece in self.pieces), key=lambda chunks: (chunks.xorb, chunks.first)):
            last = found[-1] if found else None
            if last is None or last.xorb != chunks.xorb or chunks.first > last.end:
                found.append(chunks)
            elif chunks.end > last.end:
                found[-1] = replace(last, end=chunks.end, stop=chunks.stop)
        return found


class Reconstruction:
    """Answers for files that a repo holds; whether the caller may read the repo was checked before."""

    def __init__(self, db: Database, xorbs: XorbStore, objects: XetObjects) -> None:
        self._db = db
        self._xorbs = xorbs
        self._objects = objects

    def hashes(self, repo_id: int, oids: Sequence[str]) -> dict[str, str]:
        """The Xet hashes of those LFS objects of the repo that are kept as chunks."""
        found: dict[str, str] = {}
        with self._db.connection() as connection:
            for first in range(0, len(oids), 500):
                held = sa.select(XetFile.oid, XetFile.file_hash).join(LfsLink, LfsLink.oid == XetFile.oid)
                query = held.where(LfsLink.repo_id == repo_id, XetFile.oid.in_(oids[first : first + 500]))
                found.update((oid, hash_) for oid, hash_ in connection.execute(query))
        return found

    def open(self, repo_id: int, file_hash: str) -> Layout:
        """A file of the repo by its Xet hash.

        Raises:
            NotFound: the repo holds no such file.
        """
        query = (
            sa.select(XetFile.oid)
            .join(LfsLink, LfsLink.oid == XetFile.oid)
            .where(XetFile.file_hash == file_hash, LfsLink.repo_id == repo_id)
            .limit(1)
        )
        with self._db.connection() as connection:
            oid = connection.scalar(query)
        layout = None if oid is None else self._objects.layout(oid)
        if layout is None:
            raise NotFound("This repo has no such file.", hint="Ask for the file's hash again.")
        return layout

    def plan(self, layout: Layout, start: int, end: int) -> Plan:
        """How to make the bytes `[start, end)` of a file, out of whole chunks.

        Raises:
            NotFound: a part of the stored file is gone.
        """
        skip = 0
        pieces: list[Piece] = []
        try:
            for part in layout.parts(start, end):
                index = self._xorbs.index(part.term.xorb)
                base = index.raw_start(part.term.first)
                first, last = index.chunk_at(base + part.start), index.chunk_at(base + part.end - 1)
                if not pieces:
                    skip = base + part.start - index.raw_start(first)
                size = index.raw_size(first, last + 1)
                pieces.append(Piece(Chunks(part.term.xorb, first, last + 1, index.start(first), index.ends[last]), size))
        except UnknownXorbError:
            raise NotFound("A part of the stored file is not there.", hint="Run `hubtalk doctor` to check the storage.") from None
        return Plan(skip, pieces)

    def body(self, xorb: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes `[start, stop)` of a xorb's body, as they are stored.

        Raises:
            NotFound: the xorb is gone.
        """
        return self._xorbs.body(xorb, start, stop)
