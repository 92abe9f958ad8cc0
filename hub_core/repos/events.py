"""Reading the audit trail: site administrators all of it, others their own acts and the repos they can write to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from hub_core.audit import AuditEvent
from hub_core.authz import Actor, Permission, Role, require_scope
from hub_core.db import Database
from hub_core.repos.access import with_role
from hub_core.repos.tables import Repo


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Filters of the trail; `action` matches as a part (`visibility` finds `repo.visibility`), `before_id` is the paging cursor."""

    actor: str | None = None
    repo_id: int | None = None
    action: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    limit: int = 20
    before_id: int | None = None


class EventService:
    """Queries of the audit trail."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def query(self, actor: Actor, wanted: EventQuery) -> Sequence[AuditEvent]:
        """Events the caller may read, newest first."""
        require_scope(actor, Permission.AUDIT_READ)
        statement = sa.select(AuditEvent).order_by(AuditEvent.id.desc()).limit(wanted.limit)
        if not actor.is_admin or actor.repo_id is not None:
            mine = AuditEvent.repo_id.in_(sa.select(Repo.id).where(with_role(actor, Role.WRITE)))
            limited = actor.repo_id is not None
            statement = statement.where(mine if limited else sa.or_(AuditEvent.actor_id == actor.user_id, mine))
        if wanted.actor:
            statement = statement.where(AuditEvent.actor == wanted.actor.lower())
        if wanted.repo_id is not None:
            statement = statement.where(AuditEvent.repo_id == wanted.repo_id)
        if wanted.action:
            statement = statement.where(AuditEvent.action.icontains(wanted.action, autoescape=True))
        if wanted.since:
            statement = statement.where(AuditEvent.at >= wanted.since)
        if wanted.until:
            statement = statement.where(AuditEvent.at < wanted.until)
        if wanted.before_id:
            statement = statement.where(AuditEvent.id < wanted.before_id)
        with self._db.read() as session:
            return session.scalars(statement).all()
