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


class ComputeHour(Base):
    """Hardware that one thing was given in one hour. Names and prices are those of then; without foreign keys, as above."""

    __tablename__ = "compute_hours"
    __table_args__ = (sa.Index("ix_compute_owner", "owner_id", "hour"), sa.Index("ix_compute_user", "user_id", "hour"))

    hour: Mapped[dt.datetime] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)  # deployment | job | space
    target_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    hardware: Mapped[str] = mapped_column(sa.String(48), primary_key=True)
    owner_id: Mapped[int] = mapped_column(primary_key=True)  # the namespace that pays
    user_id: Mapped[int] = mapped_column(primary_key=True)  # who started it; 0: nobody that is known
    name: Mapped[str] = mapped_column(sa.String(140))
    owner: Mapped[str] = mapped_column(sa.String(64))
    repo_id: Mapped[int | None]
    seconds: Mapped[float] = mapped_column(sa.Double, default=0.0)  # of all copies together
    cost: Mapped[float] = mapped_column(sa.Double, default=0.0)


class ComputeCursor(Base):
    """Until when something that runs has been counted: what comes again is not counted again."""

    __tablename__ = "compute_cursors"

    key: Mapped[str] = mapped_column(sa.String(160), primary_key=True)
    until: Mapped[dt.datetime] = mapped_column(index=True)


class TrafficSlot(Base):
    """What a deployment did in five minutes. Kept for days, for plots; the hours above are kept."""

    __tablename__ = "traffic_slots"

    at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    requests: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    prompt_tokens: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    completion_tokens: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    copies: Mapped[int] = mapped_column(default=0)  # the most that were seen to answer
    memory: Mapped[int] = mapped_column(sa.BigInteger, default=0)  # the most bytes that all of them together were seen to take
    cpus: Mapped[float] = mapped_column(sa.Double, default=0.0)  # the most processors that they were seen to keep busy


class LatencySlot(Base):
    """How many requests of a deployment took how long in five minutes, by the buckets of `hub_core.metering.latency`."""

    __tablename__ = "latency_slots"

    at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    bucket: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    requests: Mapped[int] = mapped_column(default=0)


class GatewayCount(Base):
    """What one process of the hub let in for one caller or deployment in one minute: for the others, who forget it after some minutes."""

    __tablename__ = "gateway_counts"

    minute: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)  # since 1970
    key: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    node: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    requests: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    parallel: Mapped[int] = mapped_column(default=0)
    at: Mapped[float] = mapped_column(sa.Double)
