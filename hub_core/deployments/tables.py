"""Tables of deployments: what shall run (desired), its revisions, and what was last seen of it (observed)."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Status(enum.StrEnum):
    """What was last seen of a deployment."""

    QUEUED = "queued"  # nothing runs yet: its runtime or model is made ready, or there is no room
    STARTING = "starting"
    RUNNING = "running"
    SLEEPING = "sleeping"  # scaled to zero; a request wakes it
    STOPPED = "stopped"
    FAILED = "failed"


class Deployment(Base):
    """A model that is served. Its namespace and who may use it follow from the model's repo."""

    __tablename__ = "deployments"
    __table_args__ = (sa.Index("ix_deployments_repo", "repo_id"), sa.Index("ix_deployments_key", "key"))

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(96))
    key: Mapped[str] = mapped_column(sa.String(96))  # the name in lower case
    visibility: Mapped[str] = mapped_column(sa.String(10))
    cluster: Mapped[str] = mapped_column(sa.String(64))
    # -- desired
    revision: Mapped[int]
    replicas: Mapped[int]  # copies to run; 0 while it sleeps
    on_demand: Mapped[bool] = mapped_column(default=False)  # scaled to zero: a request wakes it, idleness puts it back to sleep
    stopped: Mapped[bool] = mapped_column(default=False)
    restarts: Mapped[int] = mapped_column(default=0)  # how often a person had it restarted; another number replaces what runs
    # -- observed
    status: Mapped[str] = mapped_column(sa.String(12))
    reason: Mapped[str] = mapped_column(sa.String(600), default="")
    ready: Mapped[int] = mapped_column(default=0)
    endpoints: Mapped[list[Any]] = mapped_column(default=list)  # base addresses of the copies that answer
    serving: Mapped[int | None]  # the revision that answers: an older one while the current one starts
    model_field: Mapped[str] = mapped_column(sa.String(1024), default="")  # what the server wants as `model` in a request
    observed_at: Mapped[dt.datetime | None]
    requested_at: Mapped[dt.datetime | None]  # about when the last request came
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class DeploymentRevision(Base):
    """One way in which a deployment ran; none is ever changed, so that each can be rolled back to."""

    __tablename__ = "deployment_revisions"

    deployment_id: Mapped[int] = mapped_column(sa.ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    commit: Mapped[str] = mapped_column(sa.String(40))
    said: Mapped[str] = mapped_column(sa.String(400))  # the branch or tag that was named
    hardware: Mapped[str] = mapped_column(sa.String(48))
    runtime: Mapped[str] = mapped_column(sa.String(32))
    paths: Mapped[list[Any]]  # the files of the repo that the runtime gets
    model_path: Mapped[str] = mapped_column(sa.String(1024))  # the file to load; empty for the whole folder
    task: Mapped[str] = mapped_column(sa.String(16))
    memory: Mapped[int] = mapped_column(sa.BigInteger)  # bytes that the model is estimated to take
    environment: Mapped[dict[str, Any]]
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[dt.datetime]
