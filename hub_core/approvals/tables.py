"""The approvals table: the only authority on whether a gated act may run. And idempotency records of executed acts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Approval(Base):
    """One gated act that waits for, or got, a person's answer.

    `status` moves by compare-and-set only: pending -> approved | rejected | expired | withdrawn; approved -> executed | failed.
    """

    __tablename__ = "approvals"
    __table_args__ = (sa.Index("ix_approvals_requester", "requester_id", "status"), sa.Index("ix_approvals_thread", "thread_id", "status"))

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    requester_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    thread_id: Mapped[str | None] = mapped_column(sa.String(64))
    channel: Mapped[str] = mapped_column(sa.String(32))
    tool: Mapped[str] = mapped_column(sa.String(64))
    args: Mapped[dict[str, Any]]  # canonical, resolved
    digest: Mapped[str] = mapped_column(sa.String(64))  # sha256 of tool and canonical args
    effect: Mapped[str] = mapped_column(sa.String(16))
    plan: Mapped[dict[str, Any]]  # what was shown to the person
    status: Mapped[str] = mapped_column(sa.String(16), default="pending")
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    decided_channel: Mapped[str] = mapped_column(sa.String(32), default="")
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    decided_at: Mapped[dt.datetime | None]


class Execution(Base):
    """The record that an act with this idempotency key ran, with its result; a second try returns it instead of acting again."""

    __tablename__ = "executions"

    key: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    tool: Mapped[str] = mapped_column(sa.String(64))
    digest: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[str] = mapped_column(sa.String(16))  # running | ok | error
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    started_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime | None]
