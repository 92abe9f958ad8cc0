"""Deployments as people see them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.deployments.traffic import copies_in_all, shares
from hub_core.repos.tables import Repo


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment.

    `price_per_hour` is that of all copies that shall run now; `revisions` are newest first, where asked for. While a revision is rolled
    out bit by bit, `split` has it and then the older one, and `traffic` is its per cent; otherwise it is empty, and `traffic` is 100.
    """

    id: int
    name: str
    repo: str
    owner: str
    status: str
    reason: str
    reason_code: str
    reasons: tuple[dict[str, Any], ...]
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
    min_replicas: int | None
    max_replicas: int | None
    traffic: int
    split: tuple[SplitView, ...]
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
class SplitView:
    """One of two revisions that run side by side: what it shall take of the requests and what it takes now, in per cent."""

    revision: int
    percent: int
    takes: int
    replicas: int
    ready: int
    commit: str
    said: str
    hardware: str
    price_per_hour: float


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


def split_views(
    row: Deployment, newer: DeploymentRevision, older: DeploymentRevision | None, prices: tuple[float, float]
) -> tuple[SplitView, ...]:
    """The two revisions of a roll-out, the newer one first; `prices` are per hour and copy."""
    if older is None:
        return ()
    taken = {share.revision: share for share in shares(row)}
    copies = copies_in_all(row)
    views = []
    for at, (revision, percent) in enumerate(((newer, row.traffic), (older, 100 - row.traffic))):
        share = taken.get(revision.number)
        takes, ready = (share.percent, len(share.endpoints)) if share else (0, 0)
        price = round(prices[at] * copies[at], 4)
        views.append(
            SplitView(revision.number, percent, takes, copies[at], ready, revision.commit, revision.said, revision.hardware, price)
        )
    return tuple(views)


def deployment_view(
    deployment: Deployment, repo: Repo, revision: DeploymentRevision, price: float, currency: str, role: str = "",
    revisions: tuple[RevisionView, ...] = (), split: tuple[SplitView, ...] = (),
) -> DeploymentView:  # fmt: skip
    """The rows of a deployment as one view; `price` is per hour and copy."""
    reasons = tuple(deployment.reasons or ())
    return DeploymentView(
        id=deployment.id, name=full_name(deployment, repo), repo=repo.full_name, owner=repo.namespace, status=deployment.status,
        reason=deployment.reason, reason_code=str(reasons[0]["code"]) if reasons else "", reasons=reasons,
        visibility=deployment.visibility, revision=deployment.revision, serving=deployment.serving,
        commit=revision.commit, said=revision.said, hardware=revision.hardware, runtime=revision.runtime, task=revision.task,
        cluster=deployment.cluster, replicas=deployment.replicas, ready=deployment.ready, on_demand=deployment.on_demand,
        min_replicas=deployment.min_replicas, max_replicas=deployment.max_replicas, traffic=deployment.traffic, split=split,
        stopped=deployment.stopped, memory=revision.memory,
        price_per_hour=round(sum(one.price_per_hour for one in split) if split else price * sum(copies_in_all(deployment)), 4),
        currency=currency, environment=dict(revision.environment), created_at=deployment.created_at, updated_at=deployment.updated_at,
        requested_at=deployment.requested_at, role=role, revisions=revisions,
    )  # fmt: skip
