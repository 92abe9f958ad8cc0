"""What scans found, and asking for a scan or a check: at once where there is little to read, else as a job."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.authz import Actor, Permission
from hub_core.repos.access import require_repo
from hub_core.repos.tables import Repo
from hub_core.scanning.scan import scan, targets
from hub_core.scanning.tables import RepoScan, ScanFinding
from hub_core.scanning.verify import Verified, stored, verify

if TYPE_CHECKING:
    from hub_core.services import Services

AT_ONCE_FILES = 200
AT_ONCE_BYTES = 32 << 20
SHOWN = 200


@dataclass(frozen=True, slots=True)
class ScanView:
    """The last scan of a repo. `level` is safe, suspicious or unsafe; `job` is the number of the job that is to scan, None when it is done."""

    commit: str
    level: str
    files: int
    skipped: int
    scanned_at: dt.datetime | None
    findings: list[ScanFinding] = field(default_factory=list)
    more: int = 0
    job: int | None = None


def summary(session: Session, repo_id: int) -> dict[str, Any]:
    """The outcome of the last scan in a few numbers."""
    row = session.get(RepoScan, repo_id)
    count = session.scalar(sa.select(sa.func.count()).select_from(ScanFinding).where(ScanFinding.repo_id == repo_id)) or 0
    return {"commit": row.commit, "level": row.level, "files": row.files, "findings": count} if row else {}


def scan_repo(services: Services, actor: Actor, repo: Repo) -> ScanView:
    """Scan a repo anew.

    Raises:
        PermissionDenied: the caller's role is smaller than write. RevisionNotFound: there is no commit.
    """
    _require(services, actor, repo)
    with services.db.write() as session:
        audit.record(session, actor, "scan.ask", repo.full_name, repo_id=repo.id)
    _, files = targets(services, repo.id)
    if len(files) <= AT_ONCE_FILES and sum(entry.size for entry in files) <= AT_ONCE_BYTES:
        scan(services, repo.id, lambda _share, _what: None, anew=True)
        return last_scan(services, repo)
    return last_scan(services, repo, job=_enqueue(services, actor, repo, "scan"))


def verify_repo(services: Services, actor: Actor, repo: Repo) -> tuple[Verified | None, int | None]:
    """Check everything that a repo stores: what came of it, or the number of the job that does it. Raises like `scan_repo`."""
    _require(services, actor, repo)
    objects, _, pack_bytes = stored(services, repo.id)
    if len(objects) <= AT_ONCE_FILES and pack_bytes + sum(size for _, size in objects) <= AT_ONCE_BYTES:
        return verify(services, repo.id, lambda _share, _what: None), None
    return None, _enqueue(services, actor, repo, "verify")


def last_scan(services: Services, repo: Repo, job: int | None = None) -> ScanView:
    """What the last scan found, the worst first. Whether the caller may see it was checked before."""
    worst_first = sa.case((ScanFinding.level == "unsafe", 0), else_=1)
    query = (
        sa.select(ScanFinding)
        .where(ScanFinding.repo_id == repo.id)
        .order_by(worst_first, ScanFinding.path, ScanFinding.line, ScanFinding.id)
    )
    with services.db.read() as session:
        row = session.get(RepoScan, repo.id)
        rows = list(session.scalars(query.limit(SHOWN)))
        count = session.scalar(sa.select(sa.func.count()).select_from(ScanFinding).where(ScanFinding.repo_id == repo.id)) or 0
    if row is None:
        return ScanView("", "unknown", 0, 0, None, job=job)
    return ScanView(row.commit, row.level, row.files, row.skipped, row.scanned_at, rows, count - len(rows), job)


def _require(services: Services, actor: Actor, repo: Repo) -> None:
    with services.db.read() as session:
        require_repo(session, actor, Permission.REPO_WRITE, repo)


def _enqueue(services: Services, actor: Actor, repo: Repo, kind: str) -> int:
    with services.db.write() as session:
        args = {"repo": repo.id, "anew": True}
        return services.jobs.queue.enqueue(session, kind, args, actor=actor, repo_id=repo.id, key=f"{kind}:{repo.id}:asked")
