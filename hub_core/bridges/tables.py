"""Tables of the bridges to chat platforms."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base

_UNFINISHED = sa.text("due_at IS NOT NULL")


def _id() -> Mapped[int]:
    return mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


class BridgeLink(Base):
    """A person on a platform. `user_id` is the hub account that they linked themselves; None while they have not.

    `digest` is the sha256 of the one link that can do it, until `expires_at`.
    """

    __tablename__ = "bridge_links"
    __table_args__ = (sa.UniqueConstraint("platform", "workspace", "person"), sa.Index("ix_bridge_links_user", "user_id"))

    id: Mapped[int] = _id()
    platform: Mapped[str] = mapped_column(sa.String(16))
    workspace: Mapped[str] = mapped_column(sa.String(64))
    person: Mapped[str] = mapped_column(sa.String(128))
    name: Mapped[str] = mapped_column(sa.String(128), default="")  # as the platform shows them; never proof of anything
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    digest: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    expires_at: Mapped[dt.datetime | None]
    language: Mapped[str] = mapped_column(sa.String(8), default="")  # of the last thing they said
    created_at: Mapped[dt.datetime]
    linked_at: Mapped[dt.datetime | None]


class BridgeEvent(Base):
    """Something that a platform told, once. It is kept before the platform is answered, so a restart loses nothing.

    `due_at`: from when any process may take it up; while one has it, the end of its lease; None once it is over.
    `seen` is the number of the thread's last message before the turn: what is behind it tells how far a turn came that was cut off.
    """

    __tablename__ = "bridge_events"
    __table_args__ = (
        sa.UniqueConstraint("platform", "workspace", "event_id"),
        sa.Index("ix_bridge_events_due", "due_at", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
        sa.Index("ix_bridge_events_place", "place", "id", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
        sa.Index("ix_bridge_events_finished", "finished_at"),
    )

    id: Mapped[int] = _id()
    platform: Mapped[str] = mapped_column(sa.String(16))
    workspace: Mapped[str] = mapped_column(sa.String(64))
    event_id: Mapped[str] = mapped_column(sa.String(200))
    place: Mapped[str] = mapped_column(sa.String(64))  # digest; events of one place are taken up in their order
    payload: Mapped[dict[str, Any]]  # emptied when it is over
    status: Mapped[str] = mapped_column(sa.String(8), default="waiting")  # waiting | running | done | failed
    holder: Mapped[str] = mapped_column(sa.String(36), default="")
    attempts: Mapped[int] = mapped_column(default=0)
    thread_id: Mapped[str | None] = mapped_column(sa.String(36))
    seen: Mapped[int | None]
    received_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]


class BridgeThread(Base):
    """Which conversation of the hub goes on in a thread of a platform: one for each person who speaks there."""

    __tablename__ = "bridge_threads"
    __table_args__ = (sa.UniqueConstraint("place", "user_id"),)

    id: Mapped[int] = _id()
    place: Mapped[str] = mapped_column(sa.String(64))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    thread_id: Mapped[str] = mapped_column(sa.ForeignKey("threads.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]


class BridgeOutbox(Base):
    """What could not be delivered yet. An answer is kept by its message, which holds no secrets; `text` is a sentence of the bridge's own."""

    __tablename__ = "bridge_outbox"
    __table_args__ = (
        sa.Index("ix_bridge_outbox_due", "due_at", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
        sa.Index("ix_bridge_outbox_place", "place", "id", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
    )

    id: Mapped[int] = _id()
    platform: Mapped[str] = mapped_column(sa.String(16))
    place: Mapped[str] = mapped_column(sa.String(64))
    target: Mapped[dict[str, Any]]  # the place itself
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    thread_id: Mapped[str | None] = mapped_column(sa.String(36))
    message_id: Mapped[str | None] = mapped_column(sa.String(36))
    text: Mapped[str] = mapped_column(sa.Text, default="")
    done: Mapped[int] = mapped_column(default=0)  # how many parts of it were delivered
    status: Mapped[str] = mapped_column(sa.String(8), default="waiting")  # waiting | sent | given_up
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(sa.String(200), default="")
    created_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]


class BridgeCard(Base):
    """A message on a platform that shows an approval. `shown` is the state that it shows, empty before it was sent.

    `due_at` is when it may be looked at again; None once it shows how the approval ended, or was given up.
    """

    __tablename__ = "bridge_cards"
    __table_args__ = (
        sa.UniqueConstraint("approval_id", "platform", "workspace", "person"),
        sa.Index("ix_bridge_cards_due", "due_at", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
        sa.Index("ix_bridge_cards_code", "user_id", "code"),
    )

    id: Mapped[int] = _id()
    approval_id: Mapped[str] = mapped_column(sa.ForeignKey("approvals.id", ondelete="CASCADE"))
    platform: Mapped[str] = mapped_column(sa.String(16))
    workspace: Mapped[str] = mapped_column(sa.String(64))
    person: Mapped[str] = mapped_column(sa.String(128))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    target: Mapped[dict[str, Any]]  # the place; empty until it was opened
    message: Mapped[str] = mapped_column(sa.String(512), default="")  # what the channel needs to change it
    language: Mapped[str] = mapped_column(sa.String(8), default="en")
    code: Mapped[str] = mapped_column(sa.String(8), default="")  # to answer it in words where there are no buttons
    shown: Mapped[str] = mapped_column(sa.String(16), default="")
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime | None]
