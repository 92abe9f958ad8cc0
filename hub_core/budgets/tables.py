"""The table of budgets."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Budget(Base):
    """What the hardware of one owner may cost in a period. Two may be set for each: the site's and the owner's own; the lower one counts."""

    __tablename__ = "budgets"

    namespace_id: Mapped[int] = mapped_column(sa.ForeignKey("namespaces.id", ondelete="CASCADE"), primary_key=True)
    period: Mapped[str] = mapped_column(sa.String(8), primary_key=True)  # day | week | month
    level: Mapped[str] = mapped_column(sa.String(8), primary_key=True)  # site: set by an administrator of the site | own
    amount: Mapped[float] = mapped_column(sa.Double)  # in the currency of the hardware catalogue
    set_by: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    set_at: Mapped[dt.datetime]
    warned_at: Mapped[dt.datetime | None]  # when people were last told that most of it is used up
    ended_at: Mapped[dt.datetime | None]  # when they were last told that all of it is
