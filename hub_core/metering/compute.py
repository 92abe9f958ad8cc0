"""Hours of hardware, and what they cost, by hour, owner, person and thing that ran: deployments, jobs, Spaces.

Whatever runs something says from when until when it did. Per key (one copy, one job) a cursor notes until when that was counted, in
the same transaction: so saying the same again, a restart, or another process that takes over never counts twice. What nobody has
looked at for longer than `GAP_S` is not taken for running.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hub_core.db import Database, utcnow
from hub_core.metering.tables import ComputeCursor, ComputeHour

GAP_S = 45.0
KEEP_CURSORS = dt.timedelta(days=7)
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Ran:
    """One thing on hardware that is paid by the hour.

    Attributes:
        kind: `deployment`, `job` or `space`; with `target_id` it names the thing, `name` is what people call it.
        owner_id, owner: the namespace that pays. user_id: who started it, 0 for nobody that is known.
        price: of an hour of `hardware`, at this moment.
        part: tells the copies of one thing apart.
        started_at: when this copy began, where that is known: nothing before it counts.
    """

    kind: str
    target_id: int
    name: str
    owner_id: int
    owner: str
    user_id: int
    repo_id: int | None
    hardware: str
    price: float
    part: str = ""
    started_at: dt.datetime | None = None

    @property
    def key(self) -> str:
        """Of its cursor."""
        return f"{self.kind}:{self.target_id}:{self.part}"[:160]


class ComputeMeter:
    """Writes down what ran."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def ran(self, what: Ran, begin: dt.datetime, end: dt.datetime | None = None) -> None:
        """It ran from `begin` until `end` (now, if left out). What of that was told before does not count again.

        For jobs and Spaces: call it now and then while they run, and once at the end.
        """
        end = end or utcnow()
        with self._db.write() as session:
            until = self._cursors(session, [what.key])[what.key]
            oldest = end - KEEP_CURSORS + HOUR  # whose cursor is gone would count twice
            self._count(session, [(what, max(begin, oldest, until), end)])

    def seen(self, running: Sequence[Ran], now: dt.datetime | None = None) -> None:
        """All of this runs at this moment. It counts from when it was seen last, or from its start, if that is not too long ago."""
        if not running:
            return
        now = now or utcnow()
        recent = now - dt.timedelta(seconds=GAP_S)
        with self._db.write() as session:
            known = self._cursors(session, [one.key for one in running])
            spans = []
            for one in {one.key: one for one in running}.values():
                begin = max(one.started_at or _NEVER, known[one.key])
                spans.append((one, begin if begin >= recent else now, now))
            self._count(session, spans)

    def prune(self) -> int:
        """Forget the cursors of what ended long ago; returns how many."""
        with self._db.write() as session:
            gone = session.execute(sa.delete(ComputeCursor).where(ComputeCursor.until < utcnow() - KEEP_CURSORS))
            return int(gone.rowcount)  # type: ignore[attr-defined]

    def _cursors(self, session: Session, keys: Sequence[str]) -> dict[str, dt.datetime]:
        """Until when each was counted. Whoever else counts the same waits until this transaction has ended, the first time too."""
        insert = (sqlite if self._db.is_sqlite else postgresql).insert(ComputeCursor).on_conflict_do_nothing(index_elements=["key"])
        session.execute(insert, [{"key": key, "until": _NEVER} for key in sorted(set(keys))])
        query = sa.select(ComputeCursor.key, ComputeCursor.until).where(ComputeCursor.key.in_(keys)).order_by(ComputeCursor.key)
        return dict(session.execute(query.with_for_update()).all())

    def _count(self, session: Session, spans: Sequence[tuple[Ran, dt.datetime, dt.datetime]]) -> None:
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        cursors = []
        for what, begin, end in spans:
            if end < begin:
                continue
            cursors.append({"key": what.key, "until": end})
            for hour, seconds in by_hour(begin, end):
                row = _row(what, hour)
                kept = rows.setdefault(tuple(row[name] for name in _KEY), row | {"seconds": 0.0, "cost": 0.0})
                kept["seconds"] += seconds
                kept["cost"] += seconds / 3600 * what.price
        kind = sqlite if self._db.is_sqlite else postgresql
        if rows:
            insert = kind.insert(ComputeHour)
            more = {name: getattr(ComputeHour, name) + getattr(insert.excluded, name) for name in ("seconds", "cost")}
            names = {name: getattr(insert.excluded, name) for name in ("name", "owner", "repo_id")}
            session.execute(insert.on_conflict_do_update(index_elements=list(_KEY), set_=more | names), list(rows.values()))
        if cursors:
            cursor = kind.insert(ComputeCursor)
            later = sa.case((cursor.excluded.until > ComputeCursor.until, cursor.excluded.until), else_=ComputeCursor.until)
            session.execute(cursor.on_conflict_do_update(index_elements=["key"], set_={"until": later}), cursors)


_NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_KEY = ("hour", "kind", "target_id", "hardware", "owner_id", "user_id")


def _row(what: Ran, hour: dt.datetime) -> dict[str, Any]:
    return {
        "hour": hour, "kind": what.kind, "target_id": what.target_id, "hardware": what.hardware[:48], "owner_id": what.owner_id,
        "user_id": what.user_id, "name": what.name[:140], "owner": what.owner, "repo_id": what.repo_id,
    }  # fmt: skip


def by_hour(begin: dt.datetime, end: dt.datetime) -> Iterator[tuple[dt.datetime, float]]:
    """The seconds of a span in each hour that it touches."""
    while begin < end:
        hour = begin.replace(minute=0, second=0, microsecond=0)
        cut = min(hour + HOUR, end)
        yield hour, (cut - begin).total_seconds()
        begin = cut
