"""The number of copies of a deployment follows its demand, between the two bounds that a person set. For every cluster the same.

Up at once, down slowly: a copy takes long to start, and a lull may be short. What the next step needs is in the row, so that any
process of the hub can take over at any time.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from hub_core import audit
from hub_core.authz import SYSTEM
from hub_core.db import Database, utcnow
from hub_core.deployments.tables import Deployment

NOTE_S = 5.0

Cap = Callable[[Deployment, int], int]
"""How many of the wanted copies a deployment may have, at most: where budgets and quotas come in."""


def everything(_row: Deployment, wanted: int) -> int:
    """No cap."""
    return wanted


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """Works out how many copies are wanted, and writes that down.

    Attributes:
        calm_s: for so long fewer copies must do before there are fewer.
    """

    db: Database
    cap: Cap = everything
    calm_s: float = 60.0

    def adjust(self, row: Deployment, name: str, per_copy: int, under_way: float) -> int:
        """The number of copies from now on.

        Args:
            name: the deployment's full name.
            per_copy: requests that one copy answers at a time.
            under_way: requests that are under way.
        """
        if row.max_replicas is None or row.stopped or row.replicas == 0:
            return row.replicas
        lowest = max(1, row.min_replicas or 0)
        wanted = max(lowest, min(row.max_replicas, math.ceil(under_way / per_copy)))
        wanted = max(1, min(wanted, self.cap(row, wanted)))
        now = utcnow()
        since = (now - row.needed_at).total_seconds() if row.needed_at else math.inf
        if wanted > row.replicas:
            return self._write(row, name, wanted, now, under_way)
        if wanted == row.replicas or row.needed_at is None:
            return self._write(row, name, row.replicas, now, under_way) if since > NOTE_S else row.replicas
        if since <= self.calm_s:
            return row.replicas
        return self._write(row, name, max(wanted, row.replicas // 2), now, under_way)

    def _write(self, row: Deployment, name: str, replicas: int, now: dt.datetime, under_way: float) -> int:
        """Unless a person or a request changed what shall run meanwhile."""
        same = sa.and_(Deployment.id == row.id, Deployment.updated_at == row.updated_at, Deployment.replicas == row.replicas)
        statement = sa.update(Deployment).where(same).values(replicas=replicas, needed_at=now)
        with self.db.write() as session:
            done = session.execute(statement, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined]
            if done and replicas != row.replicas:
                told = {"before": row.replicas, "after": replicas, "under_way": round(under_way, 1)}
                audit.record(session, SYSTEM, "deployment.autoscale", name, repo_id=row.repo_id, **told)
        return replicas if done else row.replicas
