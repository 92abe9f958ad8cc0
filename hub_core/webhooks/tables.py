"""Tables of webhooks. A delivery is a job (`hub_core.webhooks.deliver`)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Webhook(Base):
    """An address that is told of events. With `repo_id` it belongs to that repo, and every administrator of it manages it."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(sa.String(24), unique=True)  # its id outside: random, in the shape that clients know
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    repo_id: Mapped[int | None] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(sa.Text)
    secret: Mapped[bytes | None] = mapped_column(sa.LargeBinary)  # sealed
    domains: Mapped[list[Any]]
    disabled: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(sa.String(200), default="")  # why the hub disabled it
    failures: Mapped[int] = mapped_column(default=0)  # attempts that failed since the last one that did not
    last_at: Mapped[dt.datetime | None]
    last_status: Mapped[int | None]  # of the last answer
    last_error: Mapped[str] = mapped_column(sa.String(200), default="")
    created_at: Mapped[dt.datetime]


class WebhookWatch(Base):
    """What a webhook is told about: one repo, or all repos of a user or organisation."""

    __tablename__ = "webhook_watches"

    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int] = mapped_column(sa.ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    repo_id: Mapped[int | None] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), index=True)
    namespace_id: Mapped[int | None] = mapped_column(sa.ForeignKey("namespaces.id", ondelete="CASCADE"), index=True)
