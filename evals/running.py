"""What runs in the seeded hub: deployments, fine-tunes and evaluations, budgets. Nothing really runs; the rows say that it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Namespace
from hub_core.authz import Actor, Visibility
from hub_core.budgets.tables import Budget
from hub_core.deployments.specs import Asked
from hub_core.deployments.tables import Deployment, DeploymentRevision, Status
from hub_core.jobs.tables import Job
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.training.service import EVALUATE, FINETUNE


class DeploymentSpec(BaseModel):
    """A deployment of a repo."""

    model_config = ConfigDict(extra="forbid")

    name: str
    hardware: str = "cpu-small"
    replicas: int = 1
    visibility: Visibility = Visibility.PRIVATE
    stopped: bool = False


def seed_deployment(services: Services, owner: Actor, repo: Repo, spec: DeploymentSpec) -> None:
    """Make a deployment that looks as if it had been running for a while."""
    name, planned = services.deployments.plan_deploy(owner, repo, spec.name, Asked(hardware=spec.hardware))
    view = services.deployments.deploy(owner, repo, name, planned, spec.replicas, spec.visibility)
    if spec.stopped:
        services.deployments.stop(owner, services.deployments.find(owner, view.name))
        return
    running = sa.update(Deployment).where(Deployment.id == view.id)
    with services.db.write() as session:
        session.execute(running.values(status=Status.RUNNING, ready=spec.replicas, serving=1, reason=""))


def running_state(session: Session, prefixes: Mapping[int, str]) -> Iterator[tuple[str, Any]]:
    """State paths of what runs; `prefixes` has the path of each repo."""
    current = sa.and_(DeploymentRevision.deployment_id == Deployment.id, DeploymentRevision.number == Deployment.revision)
    query = sa.select(Deployment, DeploymentRevision, Repo).join(DeploymentRevision, current).join(Repo, Repo.id == Deployment.repo_id)
    for row, revision, repo in session.execute(query):
        prefix = f"deployments/{repo.namespace}/{row.name}"
        yield f"{prefix}/repo", prefixes[repo.id].removeprefix("repos/")
        yield f"{prefix}/visibility", row.visibility
        yield f"{prefix}/hardware", revision.hardware
        yield f"{prefix}/replicas", row.replicas
        yield f"{prefix}/stopped", row.stopped
        yield f"{prefix}/restarts", row.restarts
    for job in session.scalars(sa.select(Job).where(Job.kind.in_((FINETUNE, EVALUATE)))):
        yield f"jobs/{job.kind}/{job.id}/status", job.status
        yield f"jobs/{job.kind}/{job.id}/cancel", job.cancel
    for budget, namespace in session.execute(sa.select(Budget, Namespace).join(Namespace, Namespace.id == Budget.namespace_id)):
        yield f"budgets/{namespace.name}/{budget.period}", budget.amount
