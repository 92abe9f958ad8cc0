"""Makes the clusters agree with the database: one process of the hub does it, by a lease.

It looks at what shall run and at what runs, and does what is missing; it remembers nothing that matters. So it may die anywhere:
names of workloads follow from the rows, what was made and not noted is found again, and what no row asks for is deleted.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import aliased

from hub_core.clusters.port import Cluster, InstanceState, Workload, WorkloadStatus
from hub_core.clusters.reasons import because
from hub_core.conversations.leases import Leases
from hub_core.db import Database, utcnow
from hub_core.deployments.accounting import Accounting, budget_cap
from hub_core.deployments.autoscaler import Autoscaler, Cap, everything
from hub_core.deployments.load import demand
from hub_core.deployments.load import sweep as sweep_loads
from hub_core.deployments.platform import Platform
from hub_core.deployments.preparing import Prepared, Preparing
from hub_core.deployments.reasons import told_by_hub
from hub_core.deployments.seen import Leg, Seen, seen_of, seen_of_both, with_older
from hub_core.deployments.tables import Deployment, DeploymentRevision, Status
from hub_core.deployments.traffic import copies_of_new
from hub_core.deployments.views import full_name
from hub_core.deployments.workloads import folder_names, render
from hub_core.errors import HubError, ThreadBusy
from hub_core.repos.tables import Repo
from hub_core.running_errors import ClusterUnavailable
from hub_core.services import Services

LEASE = "deployments"
BUSY_S, IDLE_S, ASK_S = 0.5, 3.0, 2.0
SWEEP_S = 600.0
NOTES, NOTE_S = 50, 0.2  # what was seen is written down after so many deployments, or seconds

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One deployment as it shall be. `older` keeps a share of the requests while `revision` is rolled out bit by bit."""

    row: Deployment
    repo: Repo
    revision: DeploymentRevision
    older: DeploymentRevision | None = None

    @property
    def name(self) -> str:
        """`namespace/name`."""
        return full_name(self.row, self.repo)


@dataclass(slots=True)
class Rounds:
    """One round after the other, without a thread: what tests call, and what `Reconciler` repeats."""

    db: Database
    platform: Platform
    preparing: Preparing
    idle_s: float = 900.0
    cap: Cap = everything
    leads: Callable[[], sa.ColumnElement[bool]] = sa.true  # that this process may still write down what it saw
    _loads: Mapping[int, float] = field(default_factory=dict)
    _swept: float = field(default_factory=lambda: time.monotonic() - SWEEP_S + 60)
    scaler: Autoscaler = field(init=False)

    def __post_init__(self) -> None:
        self.scaler = Autoscaler(self.db, self.cap)

    def run(self) -> bool:
        """One round; whether everything has settled."""
        rows = self._rows()
        self._loads = demand(self.db, [one.row.id for one in rows if one.row.max_replicas is not None])
        settled = True
        for name, cluster in self.platform.clusters.items():
            mine = [one for one in rows if one.row.cluster == name]
            try:
                settled &= self._round(cluster, mine)
            except ClusterUnavailable as error:
                # What was last seen stays: what runs there goes on, and requests still reach it.
                log.warning("a cluster does not answer", cluster=name, error=error.message)
                settled = False
        if time.monotonic() - self._swept > SWEEP_S:
            self._swept = time.monotonic()
            kept = [(one.row.repo_id, revision) for one in rows for revision in (one.revision, one.older) if revision is not None]
            self.preparing.sweep({name for repo_id, revision in kept for name in folder_names(self.platform, repo_id, revision)})
            sweep_loads(self.db)
        return settled and not self._loads

    def _rows(self) -> list[Wanted]:
        older = aliased(DeploymentRevision)
        query = (
            sa.select(Deployment, Repo, DeploymentRevision, older)
            .join(Repo, Repo.id == Deployment.repo_id)
            .join(
                DeploymentRevision,
                sa.and_(DeploymentRevision.deployment_id == Deployment.id, DeploymentRevision.number == Deployment.revision),
            )
            .outerjoin(older, sa.and_(older.deployment_id == Deployment.id, older.number == Deployment.base))
            .order_by(Deployment.id)
        )
        with self.db.read() as session:
            return [Wanted(*found) for found in session.execute(query)]

    def _round(self, cluster: Cluster, rows: list[Wanted]) -> bool:
        observed = dict(cluster.observe())
        of: dict[str, dict[str, WorkloadStatus]] = defaultdict(dict)
        for name, found in observed.items():
            of[found.labels.get("deployment", "")][name] = found
        settled = True
        kept: set[str] = set()
        with self._notes() as note:
            for one in rows:
                own = of.get(str(one.row.id), {})
                try:
                    seen, keep = self._one(cluster, one, own)
                except ClusterUnavailable:
                    raise
                except HubError as error:
                    # Nothing that runs is touched because of what cannot be worked out now.
                    seen, keep = Seen(Status.FAILED, because("error", text=error.message), settled=False), set(own)
                kept |= keep
                settled &= seen.settled
                note(one.row, seen)
        for name in observed.keys() - kept:
            cluster.delete(name)
        return settled

    def _one(self, cluster: Cluster, one: Wanted, own: Mapping[str, WorkloadStatus]) -> tuple[Seen, set[str]]:
        """Bring one deployment nearer to what it shall be; what was seen, and the workloads that stay."""
        row, revision = one.row, one.revision
        if row.on_demand and row.replicas and self._put_to_sleep(row):
            row.replicas = 0
        per_copy = self.platform.runtimes.get(revision.runtime).in_flight
        row.replicas = self.scaler.adjust(row, one.name, per_copy, self._loads.get(row.id, 0.0))
        workload, model_field = render(self.platform, row, revision, one.name, one.repo.full_name)
        if row.stopped or row.replicas == 0 or one.repo.deleted_at is not None:
            for found in own.values():
                if found.replicas:
                    self._quiet(cluster, workload, found)
            status = Status.SLEEPING if not row.stopped and one.repo.deleted_at is None else Status.STOPPED
            return Seen(status, because("model_deleted") if one.repo.deleted_at is not None else told_by_hub(row)), set(own)
        prepared = self.preparing.check(row, revision)
        if one.older is not None:
            return self._both(cluster, one, one.older, own, prepared)
        others = {name: found for name, found in own.items() if name != workload.name}
        if not prepared.ready:
            waits = Seen(Status.FAILED if prepared.failed else Status.QUEUED, prepared.reason, settled=False)
            return with_older(waits, others, row), set(own)
        now = self._bring(cluster, workload, own)
        seen = seen_of(now, row.revision, row.replicas, model_field)
        keep = {workload.name}
        if seen.ready < row.replicas and any(found.ready for found in others.values()):
            starved = now is not None and any(one.state is InstanceState.QUEUED for one in now.instances)
            if not starved:
                # The older revision answers until the new one does; only where there is no room for both it goes first.
                keep |= set(others)
                seen = with_older(seen, others, row) if not seen.ready else seen
        return seen, keep

    def _both(
        self, cluster: Cluster, one: Wanted, older: DeploymentRevision, own: Mapping[str, WorkloadStatus], prepared: Prepared
    ) -> tuple[Seen, set[str]]:
        """Two revisions side by side. The older one keeps all its copies, so that everything can go back to it at any moment."""
        row = one.row
        stays, older_field = render(self.platform, row, older, one.name, one.repo.full_name)
        comes, newer_field = render(self.platform, row, one.revision, one.name, one.repo.full_name)
        comes = replace(comes, replicas=copies_of_new(row.replicas, row.traffic))
        before = self.preparing.check(row, older)
        legs = [
            Leg(revision.number, self._bring(cluster, workload, own) if there.ready else own.get(workload.name), model_field)
            for revision, workload, model_field, there in (
                (older, stays, older_field, before),
                (one.revision, comes, newer_field, prepared),
            )
        ]
        return seen_of_both(row, legs[0], legs[1], prepared), {stays.name, comes.name}

    def _bring(self, cluster: Cluster, workload: Workload, own: Mapping[str, WorkloadStatus]) -> WorkloadStatus | None:
        """Have the cluster run it so, if it does not yet."""
        now = own.get(workload.name)
        if now is None or now.digest != workload.digest or now.replicas != workload.replicas:
            cluster.apply(workload)
            now = cluster.observe().get(workload.name, now)
        return now

    def _quiet(self, cluster: Cluster, workload: Workload, found: WorkloadStatus) -> None:
        """Let what runs run no more; the logs of the current revision stay until it is deleted."""
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
            return bool(session.execute(statement.values(replicas=0, endpoints=[], routes=[], ready=0)).rowcount)  # type: ignore[attr-defined]

    @contextmanager
    def _notes(self) -> Iterator[Callable[[Deployment, Seen], None]]:
        """Write down what was seen, if it is news, unless a person changed what shall be meanwhile; several at a time, and soon."""
        news: list[sa.Update] = []
        written = time.monotonic()

        def write() -> None:
            nonlocal written
            written = time.monotonic()
            statements, news[:] = list(news), []
            if statements:
                with self.db.write() as session:
                    for statement in statements:
                        session.execute(statement, execution_options={"synchronize_session": False})

        def note(row: Deployment, seen: Seen) -> None:
            values = seen.values(row)
            if not all(getattr(row, key) == value for key, value in values.items()):
                same = sa.update(Deployment).where(Deployment.id == row.id, Deployment.updated_at == row.updated_at, self.leads())
                news.append(same.values(**values, observed_at=utcnow()))
            if len(news) >= NOTES or time.monotonic() - written > NOTE_S:
                write()

        try:
            yield note
        finally:
            write()


class Reconciler:
    """Runs rounds in a thread while this process has the lease."""

    def __init__(self, services: Services) -> None:
        self._platform = services.platform
        self._leases = Leases(services.db)
        preparing = Preparing(services.db, services.jobs.queue, services.platform)
        self._rounds = Rounds(
            services.db,
            services.platform,
            preparing,
            services.settings.deployment_idle_s,
            budget_cap(services.budgets),
            lambda: self._leases.held(LEASE),
        )
        self._accounting = Accounting(services.db, services.platform, services.compute, services.usage, services.budgets)
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
                self._accounting.step()
                self._platform.changed.wait(IDLE_S if settled else BUSY_S)
        finally:
            for cluster in self._platform.clusters.values():
                cluster.close()
