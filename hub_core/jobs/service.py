"""Jobs as people see them: their own, and those of repos where they have the role write; site administrators see all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.lookup import fold
from hub_core.accounts.tables import User
from hub_core.accounts.views import Page
from hub_core.authz import Actor, CredentialKind, Permission, Role, require_scope
from hub_core.db import Database, utcnow
from hub_core.errors import Conflict, JobNotFound, JobSettled
from hub_core.jobs.kinds import JobKind
from hub_core.jobs.queue import JobQueue
from hub_core.jobs.tables import Job
from hub_core.repos.access import with_role
from hub_core.repos.tables import Repo

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
UNFINISHED = ("queued", "running")


@dataclass(frozen=True, slots=True)
class JobView:
    """A job. `owner` and `repo` are names, empty where there is none; `progress` goes from 0 to 1."""

    id: int
    kind: str
    status: str
    owner: str
    repo: str
    args: dict[str, Any] = field(repr=False)
    progress: float
    message: str
    attempts: int
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class JobService:
    """Looking at jobs, stopping them, trying them again. `queue` is for the hub's own code."""

    def __init__(self, db: Database, kinds: Mapping[str, JobKind]) -> None:
        self._db = db
        self.queue = JobQueue(db, kinds)

    def list_jobs(
        self,
        actor: Actor,
        *,
        kind: str | None = None,
        status: str | None = None,
        owner: str | None = None,
        repo_id: int | None = None,
        cursor: int | None = None,
        limit: int = 20,
    ) -> Page[JobView]:
        """Jobs the caller may see, newest first; the hub's own bookkeeping only when asked for by kind."""
        require_scope(actor, Permission.JOB_READ)
        query = _rows().where(_seen_by(actor)).order_by(Job.id.desc()).limit(limit + 1)
        query = query.where(Job.kind == kind) if kind else query.where(Job.kind.not_in(self._internal()))
        if status:
            query = query.where(Job.status == status)
        if owner:
            query = query.where(User.username == fold(owner))
        if repo_id is not None:
            query = query.where(Job.repo_id == repo_id)
        if cursor is not None:
            query = query.where(Job.id < cursor)
        with self._db.read() as session:
            found = [_view(*row) for row in session.execute(query)]
        return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)

    def get(self, actor: Actor, job_id: int) -> JobView:
        """One job.

        Raises:
            JobNotFound: there is none of that number, or the caller may not see it.
        """
        require_scope(actor, Permission.JOB_READ)
        with self._db.read() as session:
            return _view(*_find(session, actor, job_id))

    def check_cancel(self, actor: Actor, job_id: int) -> JobView:
        """The job that `cancel` would stop; raises like it."""
        job = self.get(actor, job_id)
        if job.status not in UNFINISHED:
            raise _settled(job.id, job.status)
        return job

    def cancel(self, actor: Actor, job_id: int) -> JobView:
        """Stop a job: a queued one never runs, a running one ends at its next step.

        Raises:
            JobNotFound: as `get`. JobSettled: it is over.
        """
        require_scope(actor, Permission.JOB_MANAGE)
        with self._db.write() as session:
            job = _locked(session, actor, job_id)
            if job.status == "queued":
                job.status, job.due_at, job.finished_at = "cancelled", None, utcnow()
            elif job.status == "running":
                job.cancel = True
            else:
                raise _settled(job.id, job.status)
            audit.record(session, actor, "job.cancel", f"{job.kind} {job.id}", repo_id=job.repo_id, job=job.id)
        return self.get(actor, job_id)

    def check_retry(self, actor: Actor, job_id: int) -> JobView:
        """The job that `retry` would run again; raises like it."""
        job = self.get(actor, job_id)
        if job.status not in ("failed", "cancelled"):
            raise _settled(job.id, job.status)
        return job

    def retry(self, actor: Actor, job_id: int) -> JobView:
        """Put a job that failed or was cancelled into the queue again, from the beginning.

        Raises:
            JobNotFound: as `get`. JobSettled: it did not fail. Conflict: the same work waits or runs already.
        """
        require_scope(actor, Permission.JOB_MANAGE)
        try:
            with self._db.write() as session:
                job = _locked(session, actor, job_id)
                if job.status not in ("failed", "cancelled"):
                    raise _settled(job.id, job.status)
                job.status, job.attempts, job.cancel, job.progress, job.message = "queued", 0, False, 0.0, ""
                job.error, job.due_at, job.finished_at = None, utcnow(), None
                audit.record(session, actor, "job.retry", f"{job.kind} {job.id}", repo_id=job.repo_id, job=job.id)
        except IntegrityError as error:
            raise Conflict("The same work waits or runs already as another job.", hint="list_jobs shows it.") from error
        return self.get(actor, job_id)

    def _internal(self) -> list[str]:
        return [name for name, kind in self.queue.kinds.items() if kind.internal]


def _rows() -> sa.Select[Job, User, Repo]:
    return sa.select(Job, User, Repo).outerjoin(User, User.id == Job.owner_id).outerjoin(Repo, Repo.id == Job.repo_id)


def _seen_by(actor: Actor) -> sa.ColumnElement[bool]:
    of_repos = Job.repo_id.in_(sa.select(Repo.id).where(with_role(actor, Role.WRITE)))
    if actor.repo_id is not None:
        return of_repos
    if actor.is_admin or actor.credential is CredentialKind.SYSTEM:
        return sa.true()
    return sa.or_(Job.owner_id == actor.user_id, of_repos)


def _find(session: Session, actor: Actor, job_id: int) -> tuple[Job, User | None, Repo | None]:
    row = session.execute(_rows().where(Job.id == job_id, _seen_by(actor))).one_or_none()
    if row is None:
        raise JobNotFound(f"There is no job {job_id} that you can see.", hint="list_jobs shows them.", job=job_id)
    return row[0], row[1], row[2]


def _locked(session: Session, actor: Actor, job_id: int) -> Job:
    _find(session, actor, job_id)
    return session.get_one(Job, job_id, with_for_update=True, populate_existing=True)


def _settled(job_id: int, status: str) -> JobSettled:
    return JobSettled(f"Job {job_id} is {status}.", hint="get_job shows it.", job=job_id, status=status)


def _view(job: Job, owner: User | None, repo: Repo | None) -> JobView:
    return JobView(
        id=job.id, kind=job.kind, status=job.status, owner=owner.username if owner else "", repo=repo.full_name if repo else "",
        args=job.args, progress=round(job.progress, 3), message=job.message, attempts=job.attempts, result=job.result, error=job.error,
        created_at=job.created_at, started_at=job.started_at, finished_at=job.finished_at,
    )  # fmt: skip
