"""Tables of what scans found. A secret's value is in none of them."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class RepoScan(Base):
    """The last scan of a repo: of which commit, by which rules, with which outcome."""

    __tablename__ = "repo_scans"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    commit: Mapped[str] = mapped_column(sa.String(40))
    rules: Mapped[int]
    level: Mapped[str] = mapped_column(sa.String(12))  # safe | suspicious | unsafe
    files: Mapped[int]
    skipped: Mapped[int]  # too large or of a kind that nothing is looked for in
    scanned_at: Mapped[dt.datetime]


class ScanFinding(Base):
    """One thing that a scan found in a file of the scanned commit."""

    __tablename__ = "scan_findings"
    __table_args__ = (sa.Index("ix_scan_findings_file", "repo_id", "path"),)

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(sa.String(1024))
    blob: Mapped[str] = mapped_column(sa.String(40))  # Git id of the file's content (of the pointer, for LFS)
    kind: Mapped[str] = mapped_column(sa.String(8))  # secret | pickle
    level: Mapped[str] = mapped_column(sa.String(12))
    rule: Mapped[str] = mapped_column(sa.String(40))  # kind of secret; import, unreadable, too large
    detail: Mapped[str] = mapped_column(sa.String(200))  # the masked secret, or the import
    line: Mapped[int]  # 0 for none
    found_at: Mapped[dt.datetime]
