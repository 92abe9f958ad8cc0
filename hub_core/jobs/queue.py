"""The queue over the table: put in, take out, keep, settle.

Every change of a running job names its lease, so that an attempt that was given up for dead cannot write over the one that replaced it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.authz import SYSTEM, Actor
from hub_core.db import Database, utcnow
from hub_core.errors import JobLost
from hub_core.jobs.acting import limits_of
from hub_core.jobs.kinds import JobKind
from hub_core.jobs.tables import Job

LOST = {"code": JobLost.code, "message": "Every worker that ran this job died.", "hint": "Look into the log; then retry_job."}
KEEP = dt.timedelta(days=30)
KEEP_INTERNAL = dt.timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one attempt to speak for its job."""

    job_id: int
    token: str


class JobQueue:
    """Jobs as workers and other services see them; what people see is `JobService`."""

    def __init__(self, db: Database, kinds: Mapping[str, JobKind]) -> None:
        self._db = db
        self.kinds = kinds

    def enqueue(
        self,
        session: Session,
        kind: str,
        args: Mapping[str, Any],
        *,
        actor: Actor = SYSTEM,
        repo_id: int | None = None,
        key: str | None = None,
        delay_s: float = 0.0,
    ) -> int:
        """Put a job into the queue with the caller's transaction; returns its id.

        Args:
            args: ids, not objects: the work may begin much later.
            key: while a job of the same key is not over, that one is meant and nothing is added.
        """
        known = self.kinds[kind]
        if key is not None and (found := _unfinished(session, key)) is not None:
            return found
        now = utcnow()
        job = Job(
            kind=kind, lane=str(known.lane), args=dict(args), key=key, owner_id=actor.user_id, acting=limits_of(actor), repo_id=repo_id,
            status="queued", created_at=now, due_at=now + dt.timedelta(seconds=delay_s),
        )  # fmt: skip
        try:
            with session.begin_nested():
                session.add(job)
        except IntegrityError:
            found = _unfinished(session, key) if key is not None else None
            if found is None:
                raise
            return found  # somebody else was faster
        return job.id

    def waiting(self, session: Session, key: str) -> int | None:
        """The job of that key that waits or runs, if there is one."""
        return _unfinished(session, key)

    def claim(self, lane: str, lease: dt.timedelta) -> Job | None:
        """Take the job of a lane that is due the longest, for one attempt; None when there is none.

        A job whose worker died is due when its lease has ended; after its last attempt it fails here instead.
        """
        due = sa.select(Job.id).where(Job.lane == lane, Job.due_at <= utcnow(), Job.kind.in_(self.kinds)).order_by(Job.due_at, Job.id)
        with self._db.connection() as connection:
            if connection.execute(due.limit(1)).first() is None:
                return None  # the usual case takes no lock
        with self._db.write() as session:
            job = session.scalar(due.with_only_columns(Job).limit(1).with_for_update(skip_locked=True))
            if job is None:
                return None
            if job.cancel:
                _finish(job, "cancelled")
            elif job.attempts >= self.kinds[job.kind].attempts:
                self._end(session, job, "failed", error=LOST)
            else:
                job.status, job.lease, job.attempts = "running", str(uuid.uuid4()), job.attempts + 1
                job.started_at, job.due_at = utcnow(), utcnow() + lease
                return job
        return None

    def renew(self, leases: Collection[Lease], lease: dt.timedelta) -> None:
        """Keep the attempts of these leases for as long again."""
        statement = sa.update(Job).where(
            Job.id.in_([held.job_id for held in leases]), Job.lease.in_([held.token for held in leases]), Job.status == "running"
        )
        with self._db.write() as session:
            session.execute(statement.values(due_at=utcnow() + lease), execution_options={"synchronize_session": False})

    def goes_on(self, lease: Lease) -> bool:
        """Whether the attempt should go on: nobody cancelled the job, and the lease still holds."""
        with self._db.read() as session:
            return session.scalar(sa.select(Job.cancel).where(*_is_held(lease))) is False

    def report(self, lease: Lease, progress: float, message: str) -> None:
        """Note how far an attempt is, from 0 to 1, and in what; an empty message keeps the last one."""
        values: dict[str, Any] = {"progress": min(1.0, max(0.0, progress))} | ({"message": message[:200]} if message else {})
        with self._db.write() as session:
            session.execute(sa.update(Job).where(*_is_held(lease)).values(values), execution_options={"synchronize_session": False})

    def succeed(self, lease: Lease, result: Mapping[str, Any] | None) -> None:
        """The attempt reached its end."""
        with self._db.write() as session:
            if (job := _held(session, lease)) is not None:
                job.progress = 1.0
                self._end(session, job, "succeeded", result=dict(result or {}))

    def fail(self, lease: Lease, error: Mapping[str, Any], *, again: bool) -> None:
        """The attempt failed; with `again` the job waits for its next one, unless it was the last."""
        with self._db.write() as session:
            job = _held(session, lease)
            if job is None:
                return
            kind = self.kinds[job.kind]
            if job.cancel:
                _finish(job, "cancelled")
            elif again and job.attempts < kind.attempts:
                job.status, job.lease, job.error = "queued", "", dict(error)
                job.due_at = utcnow() + dt.timedelta(seconds=kind.delay(job.attempts))
            else:
                self._end(session, job, "failed", error=dict(error))

    def cancelled(self, lease: Lease) -> None:
        """The attempt stopped because somebody asked for it."""
        with self._db.write() as session:
            if (job := _held(session, lease)) is not None:
                _finish(job, "cancelled")

    def give_back(self, lease: Lease) -> None:
        """The worker stops: the attempt does not count, another worker may begin it at once."""
        with self._db.write() as session:
            if (job := _held(session, lease)) is not None:
                job.status, job.lease, job.attempts, job.due_at = "queued", "", job.attempts - 1, utcnow()

    def prune(self) -> int:
        """Forget what has been over for long; returns how many jobs that were."""
        internal = [name for name, kind in self.kinds.items() if kind.internal]
        old = sa.or_(Job.finished_at < utcnow() - KEEP, sa.and_(Job.kind.in_(internal), Job.finished_at < utcnow() - KEEP_INTERNAL))
        with self._db.write() as session:
            ids = session.scalars(sa.select(Job.id).where(old).limit(10_000)).all()
            session.execute(sa.delete(Job).where(Job.id.in_(ids)))
        return len(ids)

    def _end(self, session: Session, job: Job, status: str, **values: Any) -> None:
        _finish(job, status, **values)
        if not self.kinds[job.kind].internal:
            verb = "succeed" if status == "succeeded" else "fail"
            audit.record(
                session, SYSTEM, f"job.{verb}", f"{job.kind} {job.id}", repo_id=job.repo_id, job=job.id, kind=job.kind, owner=job.owner_id
            )


def _unfinished(session: Session, key: str) -> int | None:
    return session.scalar(sa.select(Job.id).where(Job.key == key, Job.due_at.is_not(None)))


def _is_held(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    return Job.id == lease.job_id, Job.lease == lease.token, Job.status == "running"


def _held(session: Session, lease: Lease) -> Job | None:
    return session.scalar(sa.select(Job).where(*_is_held(lease)).with_for_update())


def _finish(job: Job, status: str, *, result: dict[str, Any] | None = None, error: dict[str, Any] | None = None) -> None:
    job.status, job.lease, job.due_at, job.finished_at = status, "", None, utcnow()
    job.result, job.error = result, error
