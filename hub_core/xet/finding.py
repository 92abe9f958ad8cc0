"""Telling clients which chunks need not be sent: the xorbs of a file that has a chunk which they have too."""

from __future__ import annotations

import secrets
import struct
import time

import sqlalchemy as sa

from hub_core.authz import Actor
from hub_core.db import Database
from hub_core.lfs.tables import LfsLink
from hub_core.repos.access import readable
from hub_core.repos.tables import Repo
from hub_core.xet.hashes import HASH_BYTES, from_text, masked
from hub_core.xet.layout import Layout
from hub_core.xet.shards import TAG
from hub_core.xet.store import XorbStore
from hub_core.xet.tables import XetChunk, XetFile, XetUse
from hub_core.xet.xorbs import XorbIndex

# Well below the time for which xorbs are kept after they were last spoken of.
_VALID_S = 14 * 24 * 3600
# 12 MiB of answer at most; a file of 16 GB is found whole, of a larger one the surroundings.
_MOST_XORBS = 256
_HEADER = struct.Struct("<32sQQ")
_XORB = struct.Struct("<32sIIII")
_CHUNK = struct.Struct("<32sII8x")
_FOOTER = struct.Struct("<9Q32sQQ48x4Q")
_END = b"\xff" * HASH_BYTES + bytes(16)


class ChunkFinder:
    """Finds chunks in what a person may read; of what they may not it tells nothing, not even that it is there."""

    def __init__(self, db: Database, xorbs: XorbStore) -> None:
        self._db = db
        self._xorbs = xorbs

    def find(self, actor: Actor, hash_: str) -> bytes | None:
        """A shard about xorbs near the one with this chunk, for two weeks; None when the person may read no file with it.

        The hashes of chunks are masked: only for chunks that the client has too it can tell which they are.
        """
        query = (
            sa.select(XetChunk.xorb, XetFile.terms)
            .join(XetUse, XetUse.xorb == XetChunk.xorb)
            .join(XetFile, XetFile.oid == XetUse.oid)
            .join(LfsLink, LfsLink.oid == XetUse.oid)
            .join(Repo, Repo.id == LfsLink.repo_id)
            .where(XetChunk.hash == hash_, Repo.deleted_at.is_(None), readable(actor))
            .order_by(XetFile.created_at.desc())
            .limit(1)
        )
        with self._db.read() as session:
            found = session.execute(query).first()
        if found is None:
            return None
        xorbs = Layout(found.terms).xorbs()
        first = max(xorbs.index(found.xorb) - _MOST_XORBS // 2, 0)
        near = xorbs[first : first + _MOST_XORBS]
        self._xorbs.use(set(near))
        return _shard({hash_: self._xorbs.index(hash_) for hash_ in near})


def _shard(xorbs: dict[str, XorbIndex]) -> bytes:
    """A shard without files, as `spec/shard.md` of huggingface/xet-core describes it for this answer."""
    key, now = secrets.token_bytes(HASH_BYTES), int(time.time())
    parts = [_HEADER.pack(TAG, 2, _FOOTER.size), _END]
    for hash_, index in xorbs.items():
        parts.append(_XORB.pack(from_text(hash_), 0, len(index), index.raw_ends[-1], index.ends[-1]))
        chunks = enumerate(index.chunks())
        parts += [_CHUNK.pack(masked(chunk, key), index.raw_start(number), size) for number, (chunk, size) in chunks]
    parts.append(_END)
    end, raw, stored = sum(map(len, parts)), sum(index.raw_ends[-1] for index in xorbs.values()), sum(i.ends[-1] for i in xorbs.values())
    files, infos = _HEADER.size, _HEADER.size + len(_END)
    parts.append(_FOOTER.pack(1, files, infos, end, 0, end, 0, end, 0, key, now, now + _VALID_S, stored, 0, raw, end))
    return b"".join(parts)
