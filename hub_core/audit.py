"""The audit trail: append-only events, written in the transaction of the change they tell of. Reading it is in `hub_core.repos.events`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from hub_core.authz import Actor
from hub_core.db import Base, utcnow

# Nouns of actions that something else follows from; likes, watches and tags are nobody else's business.
RELAYED = frozenset({"repo", "branch", "tag", "discussion", "pull_request", "access", "job", "scan", "webhook", "budget"})
_QUIET = frozenset({"repo.like", "repo.unlike", "repo.watch", "repo.tags", "budget.set"})
_WAITING = sa.text("relay IS NOT NULL")


class AuditEvent(Base):
    """One change: who, by which credential and channel, what, on what."""

    __tablename__ = "audit_events"
    __table_args__ = (
        sa.Index("ix_audit_repo", "repo_id", "id"),
        sa.Index("ix_audit_actor", "actor_id", "id"),
        sa.Index("ix_audit_relay", "relay", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    at: Mapped[dt.datetime]
    actor_id: Mapped[int | None]
    actor: Mapped[str] = mapped_column(sa.String(64))
    credential: Mapped[str] = mapped_column(sa.String(16))
    channel: Mapped[str] = mapped_column(sa.String(32))
    action: Mapped[str] = mapped_column(sa.String(64), index=True)
    target: Mapped[str] = mapped_column(sa.String(256))
    repo_id: Mapped[int | None]
    details: Mapped[dict[str, Any]]
    relay: Mapped[int | None]  # set while `hub_core.jobs.relay` has not passed it on: how often that went wrong


def record(session: Session, actor: Actor, action: str, target: str, *, repo_id: int | None = None, **details: Any) -> None:
    """Add an event to the caller's transaction. `action` is `noun.verb`, e.g. `repo.visibility`; never put secrets in `details`."""
    session.add(AuditEvent(**_event(actor, action, target, repo_id, details)))


def record_each(session: Session, actor: Actor, target: str, repo_id: int, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Add events of one repo, each an action and its details: thousands of them, as a push may bring, at the cost of few."""
    rows = [_event(actor, action, target, repo_id, details) for action, details in events]
    if rows:
        session.execute(sa.insert(AuditEvent), rows)


def _event(actor: Actor, action: str, target: str, repo_id: int | None, details: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": utcnow(),
        "actor_id": actor.user_id,
        "actor": actor.username or "anonymous",
        "credential": str(actor.credential),
        "channel": actor.channel,
        "action": action,
        "target": target[:256],
        "repo_id": repo_id,
        "details": details,
        "relay": 0 if action.partition(".")[0] in RELAYED and action not in _QUIET else None,
    }
