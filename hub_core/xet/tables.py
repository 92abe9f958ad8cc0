"""Tables of xorbs, and of files that are kept as chunks of them."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class XetXorb(Base):
    """A verified xorb in the blob store (`xet/aa/bb/<hash>`): its body of `size` bytes, then its index.

    `used_at` is when a client last sent it or referred to it: clients refer for weeks to what they once sent.
    """

    __tablename__ = "xet_xorbs"

    hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    size: Mapped[int] = mapped_column(sa.Integer)
    chunks: Mapped[int] = mapped_column(sa.Integer)
    created_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime] = mapped_column(index=True)


class XetChunk(Base):
    """A chunk by which clients may find a xorb that has it: of all chunks about one in a thousand, and the first of each file."""

    __tablename__ = "xet_chunks"

    hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    xorb: Mapped[str] = mapped_column(sa.ForeignKey("xet_xorbs.hash", ondelete="CASCADE"), primary_key=True, index=True)


class XetFile(Base):
    """An LFS object that is kept as chunks of xorbs; one without such a row is kept whole. `terms` are records as in a shard."""

    __tablename__ = "xet_files"

    oid: Mapped[str] = mapped_column(sa.ForeignKey("lfs_objects.oid"), primary_key=True)
    file_hash: Mapped[str] = mapped_column(sa.String(64), index=True)
    terms: Mapped[bytes] = mapped_column(sa.LargeBinary)
    created_at: Mapped[dt.datetime]


class XetUse(Base):
    """A file needs a xorb: it stays as long as one does."""

    __tablename__ = "xet_uses"

    oid: Mapped[str] = mapped_column(sa.ForeignKey("xet_files.oid", ondelete="CASCADE"), primary_key=True)
    xorb: Mapped[str] = mapped_column(sa.ForeignKey("xet_xorbs.hash"), primary_key=True, index=True)
