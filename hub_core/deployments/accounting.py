"""Looks now and then at what deployments run, for the meters: hours of hardware, copies, memory. In the process that leads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog

from hub_core import audit
from hub_core.authz import SYSTEM
from hub_core.budgets.service import BudgetService
from hub_core.clusters.port import Cluster, CopyUse, Gauged, Instance, InstanceState
from hub_core.clusters.reasons import Reason, because
from hub_core.db import Database, utcnow
from hub_core.deployments.autoscaler import Cap
from hub_core.deployments.costs import price_of
from hub_core.deployments.platform import Platform
from hub_core.deployments.reasons import tell
from hub_core.deployments.tables import Deployment, DeploymentRevision, Status
from hub_core.deployments.views import full_name
from hub_core.metering.compute import ComputeMeter, Ran
from hub_core.metering.meter import Seen, UsageMeter
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.running_errors import ClusterUnavailable

SAMPLE_S = 15.0
# What holds hardware; a copy that waits for room, or to be started again after it ended, costs nothing.
_HOLDING = frozenset({InstanceState.STARTING, InstanceState.READY, InstanceState.SILENT})

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Accounting:
    """Counts what runs; `step` does so when it is time."""

    db: Database
    platform: Platform
    compute: ComputeMeter
    usage: UsageMeter
    budgets: BudgetService
    _due: float = 0.0
    _cpu: dict[str, tuple[float, float]] = field(default_factory=dict)

    def step(self) -> bool:
        """Count, and see to the budgets, if it is time to; whether it was."""
        if time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + SAMPLE_S
        self.count()
        stop_spent(self.db, self.platform, self.budgets)
        return True

    def count(self) -> None:
        """Write down what runs at this moment. Of a cluster that does not answer nothing is known, so nothing is counted."""
        ran: list[Ran] = []
        seen: dict[int, Seen] = {}
        for cluster in self.platform.clusters.values():
            try:
                self._look(cluster, ran, seen)
            except ClusterUnavailable as error:
                log.warning("a cluster does not answer; nothing of it is counted", cluster=cluster.name, error=error.message)
        self.compute.seen(ran)
        self.usage.seen(list(seen.values()))

    def _look(self, cluster: Cluster, ran: list[Ran], seen: dict[int, Seen]) -> None:
        held: dict[str, tuple[int, int, list[Instance]]] = {}
        for name, status in cluster.observe().items():
            label, last = status.labels.get("deployment", ""), name.rpartition("-r")[2]
            holding = [one for one in status.instances if one.state in _HOLDING]
            if holding and label.isdecimal() and last.isdecimal():
                held[name] = (int(label), int(last), holding)
        rows = self._rows({(number, revision) for number, revision, _ in held.values()})
        taken = self._taken(cluster) if held else {}
        for name, (number, revision, copies) in held.items():
            found = rows.get((number, revision))
            if found is None:
                continue
            row, repo, hardware = found
            ran += [self._ran(row, repo, hardware, f"{cluster.name}/{name}", copy) for copy in copies]
            before = seen.get(number, Seen(number, 0))
            ready = sum(copy.state is InstanceState.READY for copy in copies)
            used = taken.get(name, {})
            memory, cpus = (sum(use[at] for use in used.values()) for at in (0, 1))
            seen[number] = Seen(number, before.copies + ready, before.memory + int(memory), before.cpus + cpus)

    def _rows(self, wanted: set[tuple[int, int]]) -> dict[tuple[int, int], tuple[Deployment, Repo, str]]:
        query = (
            sa.select(Deployment, Repo, DeploymentRevision.number, DeploymentRevision.hardware)
            .join(Repo, Repo.id == Deployment.repo_id)
            .join(DeploymentRevision, DeploymentRevision.deployment_id == Deployment.id)
            .where(Deployment.id.in_({number for number, _ in wanted}))
        )
        with self.db.read() as session:
            return {
                (row.id, number): (row, repo, hardware)
                for row, repo, number, hardware in session.execute(query)
                if (row.id, number) in wanted
            }

    def _ran(self, row: Deployment, repo: Repo, hardware: str, workload: str, copy: Instance) -> Ran:
        price = price_of(self.platform.hardware, hardware)
        return Ran(
            kind_of(repo), row.id, full_name(row, repo), repo.namespace_id, repo.namespace, row.created_by or 0, repo.id, hardware, price,
            f"{workload}/{copy.name}", copy.started_at,
        )  # fmt: skip

    def _taken(self, cluster: Cluster) -> dict[str, dict[str, tuple[int, float]]]:
        """Bytes and processors of each copy by workload, as far as the cluster tells; processors may be known from the second look on."""
        if not isinstance(cluster, Gauged):
            return {}
        now, used = time.monotonic(), cluster.use()
        before, self._cpu = self._cpu, {}
        return {
            name: {copy: (use.memory, self._busy(before, f"{cluster.name}/{name}/{copy}", use, now)) for copy, use in copies.items()}
            for name, copies in used.items()
        }

    def _busy(self, before: Mapping[str, tuple[float, float]], key: str, use: CopyUse, now: float) -> float:
        if use.cpus is not None:
            return use.cpus
        self._cpu[key] = (use.cpu_s, now)
        last_s, at = before.get(key, (use.cpu_s, now))
        return max(0.0, use.cpu_s - last_s) / (now - at) if now > at else 0.0


def kind_of(repo: Repo) -> str:
    """What the meters call a deployment: that of a Space is its Space."""
    return "space" if repo.kind == RepoKind.SPACE else "deployment"


def stop_spent(db: Database, platform: Platform, budgets: BudgetService) -> list[str]:
    """Tell people that a budget is nearly or all used, and stop what runs on one of which nothing is left; the names of what was stopped."""
    with db.read() as session:
        query = sa.select(Repo.namespace_id, Deployment.created_by).join(Repo, Repo.id == Deployment.repo_id).where(*_RUNS)
        people: dict[int, set[int]] = {}
        for owner, person in session.execute(query):
            people.setdefault(owner, set()).update([person] if person else [])
    stopped = []
    for state in budgets.watch(people):
        why = because("budget_spent", owner=state.owner, amount=f"{state.amount:,.2f} {state.currency}", period=str(state.period))
        stopped += _stop_all(db, state.owner_id, why) if state.owner_id in people else []
    if stopped:
        platform.changed.set()
    return stopped


_RUNS = (Deployment.stopped.is_(False), Deployment.replicas > 0)


def _stop_all(db: Database, owner_id: int, why: Reason) -> list[str]:
    query = sa.select(Deployment, Repo).join(Repo, Repo.id == Deployment.repo_id).where(Repo.namespace_id == owner_id, *_RUNS)
    names = []
    with db.write() as session:
        for row, repo in session.execute(query.order_by(Deployment.id).with_for_update(of=Deployment)).all():
            row.stopped, row.status, row.updated_at = True, Status.STOPPED, utcnow()
            row.ready, row.endpoints, row.routes = 0, [], []
            tell(row, why)
            row.stopped_why = row.reasons
            audit.record(session, SYSTEM, "deployment.stop", full_name(row, repo), repo_id=repo.id, why=str(why))
            names.append(full_name(row, repo))
    return names


def budget_cap(budgets: BudgetService) -> Cap:
    """For the autoscaler: no more copies than there are once nothing is left of the budget."""

    def cap(row: Deployment, wanted: int) -> int:
        if wanted <= row.replicas:
            return wanted
        state = budgets.left_of_repo(row.repo_id)
        return row.replicas if state is not None and state.spent else wanted

    return cap
