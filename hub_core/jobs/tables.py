"""The table of jobs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base

_UNFINISHED = sa.text("due_at IS NOT NULL")


class Job(Base):
    """One piece of background work.

    `due_at` is when a worker may take it: a queued job's time to run, the end of a running job's lease; None once it is over.
    A worker that dies stops renewing its lease, so its job becomes due again by itself.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        sa.Index("ix_jobs_due", "lane", "due_at", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
        sa.Index("uq_jobs_unfinished_key", "key", unique=True, sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
        sa.Index("ix_jobs_owner", "owner_id", "id"),
        sa.Index("ix_jobs_repo", "repo_id", "id"),
        sa.Index("ix_jobs_finished", "finished_at"),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(48))
    lane: Mapped[str] = mapped_column(sa.String(8))
    args: Mapped[dict[str, Any]]
    key: Mapped[str | None] = mapped_column(sa.String(200))
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))  # None: the hub itself
    acting: Mapped[dict[str, Any]]  # the credential that asked for it, see `hub_core.jobs.acting`
    repo_id: Mapped[int | None] = mapped_column(sa.ForeignKey("repos.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(sa.String(12))  # queued | running | succeeded | failed | cancelled
    attempts: Mapped[int] = mapped_column(default=0)
    cancel: Mapped[bool] = mapped_column(default=False)  # somebody asked a running job to stop
    lease: Mapped[str] = mapped_column(sa.String(36), default="")  # of the attempt that runs; another one's writes count for nothing
    progress: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str] = mapped_column(sa.String(200), default="")
    result: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    created_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime | None]
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]


class JobTrace(Base):
    """What a long job tells while it runs: the last lines of its log, and measures over its steps, thinned."""

    __tablename__ = "job_traces"

    job_id: Mapped[int] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    log: Mapped[str] = mapped_column(sa.Text, default="")
    series: Mapped[list[Any]] = mapped_column(default=list)
    updated_at: Mapped[dt.datetime]
