"""The table of notifications."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Notice(Base):
    """Something that one person is told. What repeats while it is unread (pushes to a branch, say) stays one row with a `count`."""

    __tablename__ = "notices"
    __table_args__ = (
        sa.Index("ix_notices_user", "user_id", "at", "id"),
        sa.Index("ix_notices_same", "user_id", "repo_id", "action", "subject"),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    repo_id: Mapped[int | None] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), index=True)
    action: Mapped[str] = mapped_column(sa.String(64))  # of the audit trail
    subject: Mapped[str] = mapped_column(sa.String(400), default="")  # what in the repo: a discussion's number, a ref, a job's number
    reason: Mapped[str] = mapped_column(sa.String(16))  # why this person, see `hub_core.notices.rules`
    actor: Mapped[str] = mapped_column(sa.String(64))  # who did it; of several the last one
    title: Mapped[str] = mapped_column(sa.String(256), default="")
    details: Mapped[dict[str, Any]]
    count: Mapped[int] = mapped_column(default=1)
    at: Mapped[dt.datetime]
    read_at: Mapped[dt.datetime | None]
