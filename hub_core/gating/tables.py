"""The gate of a repo, and the table of those who asked for access."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Gating(enum.StrEnum):
    """How a repo's files are opened to people who see it: at once, on request to whoever asks, or when a person agrees."""

    OFF = "off"
    AUTO = "auto"
    MANUAL = "manual"

    @property
    def rank(self) -> int:
        """0 (open) to 2 (every request waits for a person)."""
        return ("off", "auto", "manual").index(self.value)


class RequestStatus(enum.StrEnum):
    """How a request stands. Who was rejected cannot ask again; who withdrew can."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class AccessRequest(Base):
    """A person asks for access to a repo: for its files (`role` read; accepted, it opens the gate), or for the role write.

    The role write, once accepted, is a collaborator's as any other; `held` is what the person had before, to give back.
    """

    __tablename__ = "access_requests"
    __table_args__ = (
        sa.UniqueConstraint("repo_id", "user_id", "role"),
        sa.Index("ix_access_requests_status", "repo_id", "status", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(sa.String(8))
    status: Mapped[str] = mapped_column(sa.String(12))
    held: Mapped[str | None] = mapped_column(sa.String(8))
    reason: Mapped[str] = mapped_column(sa.Text, default="")
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what a client's form sent
    answer: Mapped[str] = mapped_column(sa.Text, default="")  # what the person who decided had to say
    requested_at: Mapped[dt.datetime]
    decided_at: Mapped[dt.datetime | None]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
