"""Which deployments run and nobody asked for a while."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from hub_core.authz import Actor, Permission, Role, require_scope
from hub_core.budgets.service import find_owner
from hub_core.db import Database, utcnow
from hub_core.deployments.tables import Deployment
from hub_core.deployments.views import full_name
from hub_core.metering.meter import UsageMeter, slot_of
from hub_core.metering.tables import TrafficSlot, UsageHour
from hub_core.repos.access import with_role
from hub_core.repos.tables import Repo

YOUNG = dt.timedelta(minutes=10)  # what was started or changed so lately may just be about to be used


@dataclass(frozen=True, slots=True)
class Idle:
    """A deployment that runs, and when it was asked last, as far as that is known."""

    name: str
    copies: int
    last_at: dt.datetime | None


def idle_deployments(db: Database, meter: UsageMeter, actor: Actor, since: dt.datetime, owner: str | None = None) -> list[Idle]:
    """What runs, may be managed by the caller and was not asked since then: their own and what they deployed, or all of an owner.

    Raises:
        UserNotFound: no such owner.
    """
    require_scope(actor, Permission.DEPLOYMENT_MANAGE)
    meter.flush()
    hour, slot = since.replace(minute=0, second=0, microsecond=0), slot_of(since)
    # The hour in which the time begins is looked at by its five minutes, as far as these are kept.
    asked = sa.exists().where(UsageHour.deployment_id == Deployment.id, UsageHour.hour > hour)
    lately = sa.exists().where(TrafficSlot.deployment_id == Deployment.id, TrafficSlot.at >= slot, TrafficSlot.requests > 0)
    # A start notes the same time in both columns: only what comes later is a request.
    under_way = sa.and_(Deployment.requested_at > since, Deployment.requested_at > Deployment.updated_at)
    last = sa.select(sa.func.max(UsageHour.hour)).where(UsageHour.deployment_id == Deployment.id).scalar_subquery()
    with db.read() as session:
        theirs = (
            Repo.namespace_id == find_owner(session, owner).id
            if owner
            else sa.or_(Repo.namespace_id == actor.user_id, Deployment.created_by == actor.user_id)
        )
        query = (
            sa.select(Deployment, Repo, last)
            .join(Repo, Repo.id == Deployment.repo_id)
            .where(theirs, with_role(actor, Role.WRITE), Repo.deleted_at.is_(None), Deployment.stopped.is_(False), Deployment.replicas > 0)
            .where(~asked, ~lately, sa.or_(Deployment.requested_at.is_(None), ~under_way), Deployment.updated_at <= utcnow() - YOUNG)
            .order_by(Repo.namespace, Deployment.key)
        )
        return [Idle(full_name(row, repo), row.replicas, at) for row, repo, at in session.execute(query)]
