"""Tables of conversations: threads, their messages (our own transcript), attachments, and what can be undone."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Thread(Base):
    """One conversation of one person."""

    __tablename__ = "threads"
    __table_args__ = (sa.Index("ix_threads_user", "user_id", "updated_at"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(sa.String(200), default="")
    channel: Mapped[str] = mapped_column(sa.String(32))
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class Message(Base):
    """One message. `payload` holds the whole answer of a turn (steps, outcome, pending), `elements` what the page draws."""

    __tablename__ = "messages"
    __table_args__ = (sa.UniqueConstraint("thread_id", "seq"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    thread_id: Mapped[str] = mapped_column(sa.ForeignKey("threads.id", ondelete="CASCADE"))
    seq: Mapped[int]
    role: Mapped[str] = mapped_column(sa.String(16))  # user | assistant
    text: Mapped[str] = mapped_column(sa.Text)
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[dt.datetime]


class Attachment(Base):
    """A file a person put into the conversation; its bytes are in the blob store until it is committed or expires."""

    __tablename__ = "attachments"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    filename: Mapped[str] = mapped_column(sa.String(255))
    size: Mapped[int] = mapped_column(sa.BigInteger)
    sha256: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[dt.datetime]


class UndoEntry(Base):
    """A change made in a thread and the call that reverts it."""

    __tablename__ = "undo_entries"
    __table_args__ = (sa.Index("ix_undo_thread", "thread_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    thread_id: Mapped[str] = mapped_column(sa.String(64))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    tool: Mapped[str] = mapped_column(sa.String(64))
    args: Mapped[dict[str, Any]]
    inverse_tool: Mapped[str] = mapped_column(sa.String(64))
    inverse_args: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime]
    undone_at: Mapped[dt.datetime | None]


class RetoldTurn(Base):
    """A turn of a conversation that its client sends as a whole each time. `asked` and `after` are digests of it before and after the answer."""

    __tablename__ = "retold_turns"
    __table_args__ = (
        sa.Index("ix_retold_asked", "user_id", "asked"),
        sa.Index("ix_retold_after", "user_id", "after"),
        sa.Index("ix_retold_thread", "thread_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    thread_id: Mapped[str] = mapped_column(sa.ForeignKey("threads.id", ondelete="CASCADE"))
    message_id: Mapped[str | None] = mapped_column(sa.String(36))
    asked: Mapped[str] = mapped_column(sa.String(64))
    after: Mapped[str | None] = mapped_column(sa.String(64))
    created_at: Mapped[dt.datetime]


class ThreadLease(Base):
    """Says which process runs the turn of a thread right now; one that expired may be taken over."""

    __tablename__ = "thread_leases"

    thread_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(sa.String(64))
    expires_at: Mapped[dt.datetime]
