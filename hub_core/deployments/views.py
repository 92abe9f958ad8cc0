"""Deployments as people see them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.repos.tables import Repo


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment. `price_per_hour` is that of the copies that shall run now; `revisions` are newest first, where asked for."""

    id: int
    name: str
    repo: str
    owner: str
    status: str
    reason: str
    visibility: str
    revision: int
    serving: int | None
    commit: str
    said: str
    hardware: str
    runtime: str
    task: str
    cluster: str
    replicas: int
    ready: int
    on_demand: bool
    stopped: bool
    memory: int
    price_per_hour: float
    currency: str
    environment: dict[str, str]
    created_at: dt.datetime
    updated_at: dt.datetime
    requested_at: dt.datetime | None
    role: str = ""
    revisions: tuple[RevisionView, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One way in which a deployment ran."""

    number: int
    commit: str
    said: str
    hardware: str
    runtime: str
    created_at: dt.datetime


def full_name(deployment: Deployment, repo: Repo) -> str:
    """`namespace/name`."""
    return f"{repo.namespace}/{deployment.name}"


def revision_view(row: DeploymentRevision) -> RevisionView:
    """A revision's row."""
    return RevisionView(row.number, row.commit, row.said, row.hardware, row.runtime, row.created_at)


def deployment_view(
    deployment: Deployment, repo: Repo, revision: DeploymentRevision, price: float, currency: str, role: str = "",
    revisions: tuple[RevisionView, ...] = (),
) -> DeploymentView:  # fmt: skip
    """The rows of a deployment as one view; `price` is per hour and copy."""
    return DeploymentView(
        id=deployment.id, name=full_name(deployment, repo), repo=repo.full_name, owner=repo.namespace, status=deployment.status,
        reason=deployment.reason, visibility=deployment.visibility, revision=deployment.revision, serving=deployment.serving,
        commit=revision.commit, said=revision.said, hardware=revision.hardware, runtime=revision.runtime, task=revision.task,
        cluster=deployment.cluster, replicas=deployment.replicas, ready=deployment.ready, on_demand=deployment.on_demand,
        stopped=deployment.stopped, memory=revision.memory, price_per_hour=round(price * running(deployment), 4), currency=currency,
        environment=dict(revision.environment), created_at=deployment.created_at, updated_at=deployment.updated_at,
        requested_at=deployment.requested_at, role=role, revisions=revisions,
    )  # fmt: skip


def running(deployment: Deployment) -> int:
    """How many copies shall run now."""
    return 0 if deployment.stopped else deployment.replicas
