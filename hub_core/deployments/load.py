"""How many requests are under way at deployments whose number of copies follows the demand; written down for the one who scales.

Each process of the hub writes its own row, so the sum over the rows is the demand. A process that died writes none any more, and its
last one counts for some seconds only.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from hub_core.db import Database, utcnow
from hub_core.deployments.tables import DeploymentLoad
from hub_core.errors import Unavailable

PERIOD_S = 1.0
STALE = dt.timedelta(seconds=10)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Count:
    """Requests under way now, and their sum over time since it was last written down."""

    now: int = 0
    area: float = 0.0
    since: float = 0.0
    told: float = 0.0

    def step(self, by: int, at: float) -> None:
        self.area += self.now * (at - self.since)
        self.now, self.since = self.now + by, at


class LoadMeter:
    """Counts the requests under way in this process."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._process = str(uuid.uuid4())
        self._lock = threading.Lock()
        self._counts: dict[int, _Count] = {}
        self._written = clock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, deployment_id: int) -> None:
        """A request was sent there."""
        with self._lock:
            at = self._clock()
            self._counts.setdefault(deployment_id, _Count(since=at)).step(1, at)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="load-meter", daemon=True)
                self._thread.start()

    def end(self, deployment_id: int) -> None:
        """It is over."""
        with self._lock:
            self._counts[deployment_id].step(-1, self._clock())

    @contextmanager
    def during(self, deployment_id: int, *, scales: bool) -> Iterator[None]:
        """A request that the block is about; only counted where the number of copies follows the demand."""
        if not scales:
            yield
            return
        self.begin(deployment_id)
        try:
            yield
        finally:
            self.end(deployment_id)

    def flush(self) -> None:
        """Write down the average since the last time; what is idle is written once and then no more."""
        rows = self._averages()
        if not rows:
            return
        insert = sqlite.insert(DeploymentLoad) if self._db.is_sqlite else postgresql.insert(DeploymentLoad)
        new = {"under_way": insert.excluded.under_way, "at": insert.excluded.at}
        statement = insert.on_conflict_do_update(index_elements=["deployment_id", "process"], set_=new)
        for row in rows:
            try:
                with self._db.write() as session:
                    session.execute(statement, [row])
            except (Unavailable, sa.exc.SQLAlchemyError):
                # A deployment that was deleted meanwhile, or a database that is away: the next second has another figure.
                log.info("the load of a deployment was not written down", deployment=row["deployment_id"])

    def close(self) -> None:
        """Count no more; the rows grow stale by themselves."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _averages(self) -> list[dict[str, object]]:
        with self._lock:
            at, rows = self._clock(), []
            span = max(at - self._written, 1e-3)
            self._written = at
            for deployment, count in list(self._counts.items()):
                count.step(0, at)
                average, count.area = count.area / span, 0.0
                if average or count.told:
                    rows.append({"deployment_id": deployment, "process": self._process, "under_way": average, "at": utcnow()})
                count.told = average
                if not average and not count.now:
                    del self._counts[deployment]
        return rows

    def _loop(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self.flush()


def demand(db: Database, deployments: list[int]) -> dict[int, float]:
    """Requests under way at each of these deployments, over all processes of the hub."""
    if not deployments:
        return {}
    query = sa.select(DeploymentLoad.deployment_id, sa.func.sum(DeploymentLoad.under_way)).group_by(DeploymentLoad.deployment_id)
    query = query.where(DeploymentLoad.deployment_id.in_(deployments), DeploymentLoad.at > utcnow() - STALE)
    with db.read() as session:
        return {deployment: float(total) for deployment, total in session.execute(query)}


def sweep(db: Database) -> None:
    """Remove the rows of processes that are gone."""
    with db.write() as session:
        session.execute(sa.delete(DeploymentLoad).where(DeploymentLoad.at < utcnow() - 6 * STALE))
