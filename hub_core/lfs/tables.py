"""Tables of LFS objects, who refers to them, and locks."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class LfsObject(Base):
    """A verified object in the blob store (`lfs/aa/bb/<oid>`); `oid` is its sha256."""

    __tablename__ = "lfs_objects"

    oid: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[dt.datetime]


class LfsLink(Base):
    """A repo holds an object: only then can its readers download it."""

    __tablename__ = "lfs_links"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    oid: Mapped[str] = mapped_column(sa.ForeignKey("lfs_objects.oid"), primary_key=True, index=True)
    created_at: Mapped[dt.datetime]


class LfsLock(Base):
    """A file lock (`git lfs lock`)."""

    __tablename__ = "lfs_locks"
    __table_args__ = (sa.UniqueConstraint("repo_id", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(sa.String(1024))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    locked_at: Mapped[dt.datetime]
