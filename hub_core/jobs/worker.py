"""Threads that run jobs. Any number of processes may have some; they share the table."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from hub_core.errors import Conflict, HubError, InvalidInput, NotFound, PermissionDenied, Unauthenticated
from hub_core.jobs.context import JobContext, StopJob
from hub_core.jobs.kinds import Lane
from hub_core.jobs.queue import Lease
from hub_core.jobs.relay import relay_one
from hub_core.jobs.tables import Job
from hub_core.running_errors import BudgetSpent
from hub_core.services import Services

THREADS: Mapping[Lane, int] = {Lane.LIGHT: 2, Lane.HEAVY: 1, Lane.TRAINING: 1, Lane.SETUP: 1, Lane.BUILD: 2}
LEASE_S = 30.0
POLL_S = 0.5
STOP_S = 5.0
# The same arguments will fail the same way.
_FINAL = (InvalidInput, NotFound, PermissionDenied, Unauthenticated, Conflict, BudgetSpent)

log = structlog.get_logger(__name__)


class Worker:
    """Runs jobs until closed, and passes events on to those who follow them.

    Args:
        threads: how many jobs of each lane run at once in this process.
        lease_s: how long a job of a dead worker waits before another takes it.
    """

    def __init__(
        self, services: Services, threads: Mapping[Lane, int] = THREADS, *, lease_s: float = LEASE_S, poll_s: float = POLL_S
    ) -> None:
        self._services = services
        self._queue = services.jobs.queue
        self._lease = dt.timedelta(seconds=lease_s)
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._running: dict[str, Lease] = {}
        self._lock = threading.Lock()
        targets: list[tuple[str, Callable[[], None]]] = [("job-leases", self._keep), ("job-relay", self._forever(self._relay))]
        for lane, count in threads.items():
            targets += [(f"job-{lane}", self._forever(self._step(str(lane))))] * count
        self._threads = [threading.Thread(target=target, name=name, daemon=True) for name, target in targets]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Take no more jobs; those that run are asked to stop, and given back to the queue if they do not in time."""
        self._stop.set()
        deadline = STOP_S
        for thread in self._threads:
            thread.join(deadline)
            deadline = deadline if not thread.is_alive() else 0.1
        with self._lock:
            left = list(self._running.values())
        for lease in left:
            self._queue.give_back(lease)

    def run_until_idle(self) -> int:
        """Without threads: pass on all events and run every job that is due, here and now; returns how many jobs that were."""
        done = 0
        while True:
            while self._relay():
                pass
            ran = sum(self._step(str(lane))() for lane in Lane)
            if not ran:
                return done
            done += ran

    def _forever(self, step: Callable[[], bool]) -> Callable[[], None]:
        def loop() -> None:
            while not self._stop.is_set():
                try:
                    busy = step()
                except Exception:
                    # The database is away, or a follower of events is wrong: neither may end the thread.
                    log.exception("a step of the job worker failed")
                    busy = False
                if not busy:
                    self._stop.wait(self._poll_s)

        return loop

    def _relay(self) -> bool:
        return relay_one(self._services)

    def _step(self, lane: str) -> Callable[[], bool]:
        def step() -> bool:
            job = self._queue.claim(lane, self._lease)
            if job is not None:
                self._run(job)
            return job is not None

        return step

    def _run(self, job: Job) -> None:
        lease = Lease(job.id, job.lease)
        ctx = JobContext(
            self._services, lease, job.kind, dict(job.args), job.repo_id, job.owner_id, job.attempts, dict(job.acting), self._stop
        )
        with self._lock:
            self._running[lease.token] = lease
        log.info("job begins", job=job.id, kind=job.kind, attempt=job.attempts)
        try:
            self._settle(ctx)
        finally:
            with self._lock:
                self._running.pop(lease.token, None)

    def _settle(self, ctx: JobContext) -> None:
        try:
            result = self._queue.kinds[ctx.kind].run(ctx)
        except StopJob:
            (self._queue.give_back if self._queue.goes_on(ctx.lease) else self._queue.cancelled)(ctx.lease)
        except HubError as error:
            log.info("job failed", job=ctx.job_id, kind=ctx.kind, code=error.code)
            self._queue.fail(ctx.lease, _told(error), again=not isinstance(error, _FINAL))
        except Exception:
            log.exception("job failed", job=ctx.job_id, kind=ctx.kind)
            self._queue.fail(ctx.lease, _INTERNAL | {"hint": f"The log has more about job {ctx.job_id}."}, again=True)
        else:
            self._queue.succeed(ctx.lease, result)

    def _keep(self) -> None:
        while not self._stop.wait(self._lease.total_seconds() / 3):
            with self._lock:
                leases = list(self._running.values())
            try:
                if leases:
                    self._queue.renew(leases, self._lease)
            except HubError as error:
                log.warning("leases of jobs were not renewed", error=error.code)


_INTERNAL = {"code": "internal_error", "message": "Something went wrong inside the hub."}


def _told(error: HubError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint}
