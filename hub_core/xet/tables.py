"""Tables of xorbs."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class XetXorb(Base):
    """A verified xorb in the blob store (`xet/aa/bb/<hash>`): its body of `size` bytes, then its index.

    `used_at` is when a client last sent it or referred to it: clients refer for weeks to what they once sent.
    """

    __tablename__ = "xet_xorbs"

    hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    size: Mapped[int] = mapped_column(sa.Integer)
    chunks: Mapped[int] = mapped_column(sa.Integer)
    created_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime] = mapped_column(index=True)
