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
    base: Mapped[int | None]  # the older revision that keeps the rest of the requests while `revision` is rolled out bit by bit
    traffic: Mapped[int] = mapped_column(default=100, server_default="100")  # per cent of the requests for `revision`; 100 without a base
    replicas: Mapped[int]  # copies to run; 0 while it sleeps
    min_replicas: Mapped[int | None]  # with `max_replicas`, `replicas` follows the demand between the two; without, people set it
    max_replicas: Mapped[int | None]
    needed_at: Mapped[dt.datetime | None]  # about when so many copies were last needed
    on_demand: Mapped[bool] = mapped_column(default=False)  # scaled to zero: a request wakes it, idleness puts it back to sleep
    stopped: Mapped[bool] = mapped_column(default=False)
    stopped_why: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")  # as `reasons`, where the hub itself stopped it
    restarts: Mapped[int] = mapped_column(default=0)  # how often a person had it restarted; another number replaces what runs
    # -- observed
    status: Mapped[str] = mapped_column(sa.String(12))
    reason: Mapped[str] = mapped_column(sa.String(600), default="")
    reasons: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")  # codes and values of `reason`, sentence by sentence
    ready: Mapped[int] = mapped_column(default=0)
    endpoints: Mapped[list[Any]] = mapped_column(default=list)  # base addresses of the copies that answer
    routes: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")  # while two revisions answer: a `Share` for each
    serving: Mapped[int | None]  # the revision that answers: an older one while the current one starts
    model_field: Mapped[str] = mapped_column(sa.String(1024), default="")  # what the server wants as `model` in a request
    observed_at: Mapped[dt.datetime | None]
    requested_at: Mapped[dt.datetime | None]  # about when the last request came
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class DeploymentRevision(Base):
    """One way in which a deployment ran; none is ever changed, so that each can be rolled back to (its image is noted once it is built)."""

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
    options: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")  # of a Space: packages, port, image
    after: Mapped[int | None]  # the revision that it was to take the place of
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[dt.datetime]


class DeploymentLoad(Base):
    """How many requests one process of the hub had under way at a deployment, on average over its last seconds."""

    __tablename__ = "deployment_loads"

    deployment_id: Mapped[int] = mapped_column(sa.ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True)
    process: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    under_way: Mapped[float]
    at: Mapped[dt.datetime]
