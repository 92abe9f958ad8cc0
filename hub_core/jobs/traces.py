"""What a long job tells while it runs: a log and measures over its steps, in the database, so that every node can show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from hub_core.db import Database, utcnow
from hub_core.jobs.tables import JobTrace

MAX_POINTS = 400
MAX_LOG = 64_000

Point = dict[str, float | int]


class Series:
    """Points over the steps of a job. When there are too many, every second one is forgotten, and of those to come as well; never the last."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._every = 1
        self._last: Point | None = None

    def add(self, point: Mapping[str, float | int]) -> None:
        """A further point; its `step` says where. Those at or after that step belong to an attempt that was cut off."""
        step = point["step"]
        self._points = [known for known in self._points if known["step"] < step]
        self._last = dict(point)
        if step == 1 or step % self._every == 0:
            self._points.append(self._last)
        if len(self._points) > MAX_POINTS:
            self._every *= 2
            self._points = [known for known in self._points if known["step"] == 1 or known["step"] % self._every == 0]

    def load(self, points: list[Point]) -> None:
        """Go on from what an earlier attempt left."""
        for point in points:
            self.add(point)

    def points(self) -> list[Point]:
        """All that is kept, in order."""
        tail = [self._last] if self._last is not None and (not self._points or self._points[-1] is not self._last) else []
        return [*self._points, *tail]


def write_trace(db: Database, job_id: int, log: str, series: list[Point]) -> None:
    """Keep what a job tells, in place of what it told before."""
    values = {"log": log[-MAX_LOG:].replace("\0", ""), "series": list(series), "updated_at": utcnow()}
    with db.write() as session:
        row = session.get(JobTrace, job_id)
        if row is None:
            session.add(JobTrace(job_id=job_id, **values))
        else:
            session.execute(sa.update(JobTrace).where(JobTrace.job_id == job_id).values(values))


def read_trace(db: Database, job_id: int) -> tuple[str, list[Any]]:
    """The log and the points of a job; empty for one that tells nothing."""
    with db.read() as session:
        row = session.get(JobTrace, job_id)
        return (row.log, list(row.series)) if row is not None else ("", [])
