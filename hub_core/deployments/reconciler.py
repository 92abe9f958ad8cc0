"""Makes the clusters agree with the database: one process of the hub does it, by a lease.

It looks at what shall run and at what runs, and does what is missing; it remembers nothing that matters. So it may die anywhere:
names of workloads follow from the rows, what was made and not noted is found again, and what no row asks for is deleted.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from hub_core.clusters.port import Cluster, InstanceState, WorkloadStatus
from hub_core.conversations.leases import Leases
from hub_core.db import Database, utcnow
from hub_core.deployments.platform import LOCAL, Platform
from hub_core.deployments.preparing import Prepared, Preparing
from hub_core.deployments.service import TAKEN_UP
from hub_core.deployments.tables import Deployment, DeploymentRevision, Status
from hub_core.deployments.workloads import render, snapshot_folder
from hub_core.errors import ClusterUnavailable, HubError, ThreadBusy
from hub_core.repos.tables import Repo
from hub_core.services import Services

LEASE = "deployments"
BUSY_S, IDLE_S, ASK_S = 0.5, 3.0, 2.0
SWEEP_S = 600.0
MAX_REASON = 600

log = structlog.get_logger(__name__)

Rows = tuple[Deployment, Repo, DeploymentRevision]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a round found out about a deployment: what people are told, and where requests go."""

    status: Status
    reason: str = ""
    ready: int = 0
    endpoints: tuple[str, ...] = ()
    serving: int | None = None
    model_field: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing is expected to happen by itself soon."""
        return self.status in (Status.RUNNING, Status.SLEEPING, Status.STOPPED)


@dataclass(slots=True)
class Rounds:
    """One round after the other, without a thread: what tests call, and what `Reconciler` repeats."""

    db: Database
    platform: Platform
    preparing: Preparing
    idle_s: float = 900.0
    _swept: float = field(default_factory=lambda: time.monotonic() - SWEEP_S + 60)

    def run(self) -> bool:
        """One round; whether everything has settled."""
        rows = self._rows()
        settled = True
        for name, cluster in self.platform.clusters.items():
            mine = [row for row in rows if row[0].cluster == name]
            try:
                settled &= self._round(cluster, mine)
            except ClusterUnavailable as error:
                # What was last seen stays: what runs there goes on, and requests still reach it.
                log.warning("a cluster does not answer", cluster=name, error=error.message)
                settled = False
        if time.monotonic() - self._swept > SWEEP_S:
            self._swept = time.monotonic()
            self.preparing.sweep({snapshot_folder(self.platform.data_dir, row.repo_id, revision).name for row, _, revision in rows})
        return settled

    def _rows(self) -> list[Rows]:
        query = (
            sa.select(Deployment, Repo, DeploymentRevision)
            .join(Repo, Repo.id == Deployment.repo_id)
            .join(
                DeploymentRevision,
                sa.and_(DeploymentRevision.deployment_id == Deployment.id, DeploymentRevision.number == Deployment.revision),
            )
            .order_by(Deployment.id)
        )
        with self.db.read() as session:
            return [(row, repo, revision) for row, repo, revision in session.execute(query)]

    def _round(self, cluster: Cluster, rows: list[Rows]) -> bool:
        observed = dict(cluster.observe())
        settled = True
        wanted: set[str] = set()
        for row, repo, revision in rows:
            own = {name: found for name, found in observed.items() if found.labels.get("deployment") == str(row.id)}
            try:
                seen, keep = self._one(cluster, row, repo, revision, own)
            except ClusterUnavailable:
                raise
            except HubError as error:
                # Nothing that runs is touched because of what cannot be worked out now.
                seen, keep = Seen(Status.FAILED, error.message), set(own)
            wanted |= keep
            settled &= seen.settled
            self._note(row, seen)
        for name in observed.keys() - wanted:
            cluster.delete(name)
        return settled

    def _one(
        self, cluster: Cluster, row: Deployment, repo: Repo, revision: DeploymentRevision, own: Mapping[str, WorkloadStatus]
    ) -> tuple[Seen, set[str]]:
        """Bring one deployment nearer to what it shall be; what was seen, and the workloads that stay."""
        if row.on_demand and row.replicas and self._put_to_sleep(row):
            row.replicas = 0
        workload, model_field = render(self.platform, row, revision, f"{repo.namespace}/{row.name}")
        now = own.get(workload.name)
        if row.stopped or row.replicas == 0 or repo.deleted_at is not None:
            for found in own.values():
                if found.replicas:
                    self._quiet(cluster, row, revision, found)
            status = Status.SLEEPING if not row.stopped and repo.deleted_at is None else Status.STOPPED
            return Seen(status, "Its model was deleted." if repo.deleted_at is not None else ""), set(own)
        others = {name: found for name, found in own.items() if name != workload.name}
        prepared = self.preparing.check(row, revision) if row.cluster == LOCAL else Prepared(True)
        if not prepared.ready:
            waits = Seen(Status.FAILED if prepared.failed else Status.QUEUED, prepared.reason)
            return _with_older(waits, others, row), set(own)
        if now is None or now.digest != workload.digest or now.replicas != workload.replicas:
            cluster.apply(workload)
            now = cluster.observe().get(workload.name, now)
        seen = _seen(now, row, model_field)
        keep = {workload.name}
        if seen.ready < row.replicas and any(found.ready for found in others.values()):
            starved = now is not None and any(one.state is InstanceState.QUEUED for one in now.instances)
            if not starved:
                # The older revision answers until the new one does; only where there is no room for both it goes first.
                keep |= set(others)
                seen = _with_older(seen, others, row) if not seen.ready else seen
        return seen, keep

    def _quiet(self, cluster: Cluster, row: Deployment, revision: DeploymentRevision, found: WorkloadStatus) -> None:
        """Let a workload run nothing; its logs stay until it is deleted."""
        workload, _ = render(self.platform, row, revision, row.name)
        if found.name == workload.name:
            cluster.apply(replace(workload, replicas=0))
        else:
            cluster.delete(found.name)

    def _put_to_sleep(self, row: Deployment) -> bool:
        """A deployment on demand that nobody asks any more runs no copy; a request in this moment wins."""
        limit = utcnow() - dt.timedelta(seconds=self.idle_s)
        if row.requested_at is not None and row.requested_at > limit:
            return False
        statement = sa.update(Deployment).where(
            Deployment.id == row.id, Deployment.on_demand, sa.or_(Deployment.requested_at.is_(None), Deployment.requested_at <= limit)
        )
        with self.db.write() as session:
            return bool(session.execute(statement.values(replicas=0, endpoints=[], ready=0)).rowcount)  # type: ignore[attr-defined]

    def _note(self, row: Deployment, seen: Seen) -> None:
        """Write down what was seen, if it is news, unless a person changed what shall be meanwhile."""
        values = {
            "status": str(seen.status), "reason": seen.reason[:MAX_REASON], "ready": seen.ready, "endpoints": list(seen.endpoints),
            "serving": seen.serving, "model_field": seen.model_field or row.model_field,
        }  # fmt: skip
        if all(getattr(row, key) == value for key, value in values.items()):
            return
        statement = sa.update(Deployment).where(Deployment.id == row.id, Deployment.updated_at == row.updated_at)
        with self.db.write() as session:
            session.execute(statement.values(**values, observed_at=utcnow()), execution_options={"synchronize_session": False})


def _seen(found: WorkloadStatus | None, row: Deployment, model_field: str) -> Seen:
    """What the current revision's workload says."""
    instances = found.instances if found else ()
    ready = found.ready if found else ()
    worst = next((one for one in instances if one.state is InstanceState.CRASHING), None)
    queued = next((one for one in instances if one.state is InstanceState.QUEUED), None)
    other = next((one for one in instances if one.reason), None)
    reason = next((one.reason for one in (worst, queued, other) if one is not None and one.reason), "")
    if ready:
        told = f"{len(ready)} of {row.replicas} copies answer. {reason}".strip() if len(ready) < row.replicas else ""
        return Seen(Status.RUNNING, told, len(ready), tuple(one.address for one in ready), row.revision, model_field)
    if worst is not None:
        return Seen(Status.FAILED, reason)
    return Seen(Status.QUEUED if queued is not None else Status.STARTING, reason or ("" if instances else TAKEN_UP))


def _with_older(seen: Seen, others: Mapping[str, WorkloadStatus], row: Deployment) -> Seen:
    """The current revision does not answer: an older one that does goes on serving."""
    older = next((found for found in others.values() if found.ready), None)
    if older is None:
        return seen
    number = int(older.name.rpartition("-r")[2])
    how = {Status.FAILED: "does not run", Status.QUEUED: "waits"}.get(seen.status, "starts")
    told = f"Revision {row.revision} {how}; revision {number} answers. {seen.reason}".strip()
    return Seen(Status.RUNNING, told, len(older.ready), tuple(one.address for one in older.ready), number, row.model_field)


class Reconciler:
    """Runs rounds in a thread while this process has the lease."""

    def __init__(self, services: Services) -> None:
        self._platform = services.platform
        self._leases = Leases(services.db)
        preparing = Preparing(services.db, services.jobs.queue, services.platform)
        self._rounds = Rounds(services.db, services.platform, preparing, services.settings.deployment_idle_s)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="deployments", daemon=True)

    def start(self) -> None:
        """Begin to ask for the lease."""
        self._thread.start()

    def close(self) -> None:
        """Let go of the clusters; what runs there goes on for its time of grace."""
        self._stop.set()
        self._platform.changed.set()
        self._thread.join()
        self._leases.close()

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                with self._leases.hold(LEASE):
                    self._lead()
            except ThreadBusy:
                self._stop.wait(ASK_S)
            except (HubError, SQLAlchemyError, OSError) as error:
                log.warning("the reconciler failed; it begins again", error=str(error))
                self._stop.wait(ASK_S)

    def _lead(self) -> None:
        """Rounds until the hub stops or another process has the lease: then this one lets its clusters go."""
        for cluster in self._platform.clusters.values():
            cluster.start()
        try:
            while not self._stop.is_set() and self._leases.holds(LEASE):
                self._platform.changed.clear()
                settled = self._rounds.run()
                self._platform.changed.wait(IDLE_S if settled else BUSY_S)
        finally:
            for cluster in self._platform.clusters.values():
                cluster.close()
