"""Scans and checks as jobs, and the events that ask for a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from hub_core.audit import AuditEvent
from hub_core.jobs.context import JobContext
from hub_core.jobs.kinds import JobKind, Lane
from hub_core.repos.tables import Repo
from hub_core.scanning.scan import scan
from hub_core.scanning.service import summary
from hub_core.scanning.verify import verify

if TYPE_CHECKING:
    from hub_core.services import Services

_MOVES = frozenset({"branch.create", "branch.update"})


def follow(session: Session, services: Services, event: AuditEvent) -> None:
    """Scan after a push to the default branch, and what a fork or a new default branch brought there."""
    repo = session.get(Repo, event.repo_id) if event.repo_id is not None else None
    if repo is None or repo.deleted_at is not None or not _brings(event, repo):
        return
    commit = event.details.get("after") if event.action in _MOVES else event.id
    services.jobs.queue.enqueue(session, SCAN.name, {"repo": repo.id}, repo_id=repo.id, key=f"scan:{repo.id}:{commit}")


def _brings(event: AuditEvent, repo: Repo) -> bool:
    if event.action in _MOVES:
        return bool(event.details.get("ref") == f"refs/heads/{repo.default_branch}")
    return event.action == "repo.fork" or (event.action == "repo.update" and "default_branch" in event.details.get("after", {}))


def run_scan(ctx: JobContext) -> Mapping[str, Any]:
    """Scan the repo as it is now."""
    repo_id = int(ctx.args["repo"])
    scan(ctx.services, repo_id, ctx.progress, anew=bool(ctx.args.get("anew")))
    with ctx.services.db.read() as session:
        return summary(session, repo_id)


def run_verify(ctx: JobContext) -> Mapping[str, Any]:
    """Check everything that the repo stores."""
    return asdict(verify(ctx.services, int(ctx.args["repo"]), ctx.progress))


SCAN = JobKind("scan", run_scan, lane=Lane.HEAVY)
VERIFY = JobKind("verify", run_verify, lane=Lane.HEAVY)
