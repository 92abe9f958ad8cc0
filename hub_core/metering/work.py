"""What runs and waits at this moment, of those who are asked about it: the other half of a console besides what was used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hub_core.accounts.lookup import fold
from hub_core.accounts.tables import User
from hub_core.authz import Actor
from hub_core.deployments.costs import price_of
from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.deployments.views import full_name
from hub_core.metering.scope import answered_for
from hub_core.repos.tables import Repo

if TYPE_CHECKING:
    from hub_core.services import Services

MAX_WORK = 100


@dataclass(frozen=True, slots=True)
class Work:
    """Something that runs or waits. `price_per_hour` is of all its copies."""

    kind: str
    name: str
    owner: str
    username: str
    status: str
    hardware: str = ""
    copies: int = 0
    price_per_hour: float = 0.0


def current_work(services: Services, actor: Actor, owner: str | None = None) -> list[Work]:
    """Deployments that run or are about to, and jobs that run or wait, as far as the caller answers for them or started them."""
    return _deployments(services, actor, owner) + _jobs(services, actor, owner)


def _deployments(services: Services, actor: Actor, owner: str | None) -> list[Work]:
    query = (
        sa.select(Deployment, Repo, DeploymentRevision.hardware, User.username)
        .join(Repo, Repo.id == Deployment.repo_id)
        .join(
            DeploymentRevision,
            sa.and_(DeploymentRevision.deployment_id == Deployment.id, DeploymentRevision.number == Deployment.revision),
        )
        .outerjoin(User, User.id == Deployment.created_by)
        .where(Deployment.stopped.is_(False), Deployment.replicas > 0, Repo.deleted_at.is_(None))
        .order_by(Repo.namespace, Deployment.key)
        .limit(MAX_WORK)
    )
    if not actor.is_admin:
        query = query.where(sa.or_(Deployment.created_by == actor.user_id, Repo.namespace_id.in_(answered_for(actor))))
    if actor.repo_id is not None:
        query = query.where(Repo.id == actor.repo_id)
    if owner:
        query = query.where(Repo.namespace == fold(owner))
    with services.db.read() as session:
        rows = session.execute(query).all()
    found = []
    for row, repo, hardware, username in rows:
        price = price_of(services.platform.hardware, hardware)
        found.append(
            Work(
                "deployment",
                full_name(row, repo),
                repo.namespace,
                username or "",
                row.status,
                hardware,
                row.replicas,
                round(price * row.replicas, 4),
            )
        )
    return found


def _jobs(services: Services, actor: Actor, owner: str | None) -> list[Work]:
    found = []
    for status in ("running", "queued"):
        for job in services.jobs.list_jobs(actor, status=status, limit=MAX_WORK).items:
            place = job.repo.partition("/")[0] or job.owner
            if owner is None or fold(owner) in (place, job.owner):
                found.append(Work("job", f"{job.kind} {job.id}" + (f" ({job.repo})" if job.repo else ""), place, job.owner, job.status))
    return found[:MAX_WORK]
