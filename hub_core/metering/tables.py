"""The table of use."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class UsageHour(Base):
    """What one person asked of one deployment in one hour. Without foreign keys: the numbers outlive what they are about."""

    __tablename__ = "usage_hours"
    __table_args__ = (sa.Index("ix_usage_deployment", "deployment_id", "hour"), sa.Index("ix_usage_user", "user_id", "hour"))

    hour: Mapped[dt.datetime] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True)  # 0: nobody was signed in
    deployment_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    deployment: Mapped[str] = mapped_column(sa.String(140))
    repo_id: Mapped[int]
    requests: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    prompt_tokens: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    completion_tokens: Mapped[int] = mapped_column(sa.BigInteger, default=0)
