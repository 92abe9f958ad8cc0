"""What the handler of a job gets."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub_core.authz import Actor
from hub_core.jobs.acting import actor_of
from hub_core.jobs.queue import Lease
from hub_core.jobs.tables import Job

if TYPE_CHECKING:
    from hub_core.services import Services

ASK_EVERY_S = 1.0


class StopJob(Exception):
    """Raised by `JobContext.check` where the job was cancelled or its worker stops. Handlers let it pass."""


@dataclass(slots=True)
class JobContext:
    """One attempt at a job.

    Attributes:
        services: the opened hub.
        job_id, kind, args, repo_id, owner_id: of the job's row.
        attempt: 1 for the first.
    """

    services: Services
    lease: Lease
    kind: str
    args: dict[str, Any]
    repo_id: int | None
    owner_id: int | None
    attempt: int
    limits: dict[str, Any]
    stopping: threading.Event = field(repr=False)
    _asked: float = 0.0
    _told: float = 0.0
    _goes_on: bool = True

    @property
    def job_id(self) -> int:
        """The job's number."""
        return self.lease.job_id

    @property
    def last_attempt(self) -> bool:
        """Whether a failure of this attempt ends the job."""
        return self.attempt >= self.services.jobs.queue.kinds[self.kind].attempts

    def actor(self) -> Actor:
        """In whose name the work is done, with their rights of now.

        Raises:
            PermissionDenied: they are not let in any more.
        """
        with self.services.db.read() as session:
            return actor_of(session, self.owner_id, self.limits)

    def progress(self, share: float, message: str = "") -> None:
        """Tell how far the work is (0 to 1), and in what; written at most once a second. Raises like `check`."""
        self.check()
        now = time.monotonic()
        if now - self._told >= ASK_EVERY_S:
            self._told = now
            self.services.jobs.queue.report(self.lease, share, message)

    def cancelled(self) -> bool:
        """Whether the work should end now: somebody cancelled it, or another worker has it. Asks the database at most once a second."""
        now = time.monotonic()
        if self._goes_on and now - self._asked >= ASK_EVERY_S:
            self._asked = now
            self._goes_on = self.services.jobs.queue.goes_on(self.lease)
        return not self._goes_on

    def was_cancelled(self) -> bool:
        """Whether somebody asked this very attempt to stop; a worker that stops, or lost the job to another one, is no reason to undo work."""
        with self.services.db.read() as session:
            job = session.get(Job, self.job_id)
            return job is not None and job.lease == self.lease.token and job.cancel

    def check(self) -> None:
        """Call it often.

        Raises:
            StopJob: the job was cancelled, or the worker stops.
        """
        if self.stopping.is_set() or self.cancelled():
            raise StopJob
